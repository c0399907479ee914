"""kill -9 of a deploy at each effect it has; then the same deploy again.

The emulator is the ledger: after the second one all stands as an undisturbed deploy leaves it, one release is in
force, no object was stored twice, no change set is left, and a third deploy has nothing to do.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mangavid.aws.deploy import fast, releases
from mangavid.aws.deploy.progress import Step
from mangavid.aws.session import Clients
from mangavid.aws.stack import template
from tests.deploying import CODE, STACK, Account, connected, wait
from tests.fakes.ministack import Ministack, ministack
from tests.faults.deploy_child import small

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]

#: What a deploy passes, and how often: two packages, the template, and the release that it becomes.
STORES = {"objects.put": 4, "objects.stored": 4, "deploy.uploaded": 2}
ENDS = {"deploy.proposed": 1, "deploy.executed": 1, "deploy.recorded": 1}
CREATE = {"deploy.bucket": 1, **STORES, **ENDS}
UPDATE = {**STORES, **ENDS}
#: Two packages, and what is swapped: before it is done, and after.
FAST = {**STORES, "deploy.swapped": 3}
#: Back to what the stack has: nothing to upload, and nothing that stays swapped.
BACK = {"objects.put": 1, "objects.stored": 1, "deploy.swapped": 3}
#: A full deploy that finds nothing to change but what was swapped.
RESTORE = {"deploy.swapped": 3}

#: Name → what stands before (code deployed, code swapped in), what is done, and its points.
WAYS = {
    "create": ("", "", "whole", "1", CREATE),
    "update": ("1", "", "whole", "2", UPDATE),
    "fast": ("1", "", "fast", "2", FAST),
    "back": ("1", "2", "fast", "1", BACK),
    "restore": ("1", "2", "whole", "1", RESTORE),
}


def cases(*ways: str, each: bool = True) -> list[Any]:
    """Every passing of every point, but for ``objects.stored``: it is where the next one is. Not ``each``: the last."""
    return [
        pytest.param(way, point, nth, id=f"{way}-{point}-{nth}")
        for way in ways
        for point, n in WAYS[way][-1].items()
        for nth in range(1 if each and point != "objects.stored" else n, n + 1)
    ]


@pytest.fixture(scope="module")
def server() -> Iterator[Ministack]:
    with ministack() as running:
        yield running


@pytest.fixture(scope="module")
def clients(server: Ministack) -> Iterator[Clients]:
    """Made once: that takes longer than a deploy."""
    with pytest.MonkeyPatch.context() as patch:
        point_at(server, patch)
        with connected() as made:
            yield made


@pytest.fixture
def here(server: Ministack, clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Account:
    """An account with nothing in it."""
    point_at(server, monkeypatch)
    server.reset()
    return Account(tmp_path, clients)


def point_at(server: Ministack, patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "MANGAVID_"))]:
        patch.delenv(name)
    for name, value in server.environment.items():
        patch.setenv(name, value)


def child(here: Account, how: str, code: str, *, fault: str = "") -> tuple[int, Counter[str]]:
    """How it ended, and which points it passed."""
    ledger = here.folder / "ledger"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.faults.deploy_child", str(here.folder), how, code],
        cwd=ROOT,
        env=os.environ | {"MANGAVID_FAULT": fault, "MANGAVID_FAULT_LOG": str(ledger)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode, Counter(line.split()[0] for line in ledger.read_text().splitlines())


def prepared(here: Account, deployed: str, swapped: str) -> None:
    if deployed:
        here.put(small(here, deployed))
    if swapped:
        here.deploy.swap(small(here, swapped))


def stands(here: Account, code: str) -> None:
    """All of it is there and says ``code``, is one release, and there is nothing left to do."""
    assert here.status() in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert here.says() == code
    assert set(here.answers().values()) == {digest(here, code)}
    key = releases.template_key(template.text(small(here, code).template))
    listed = releases.listed(here.deploy.code)
    assert [one.template for one in listed].count(key) == 1
    assert listed[0].template == key
    clean(here)
    assert not here.deploy.plan(small(here, code), settled=True)
    assert not fast.read(here.deploy.code)


def digest(here: Account, code: str) -> str:
    return base64.b64encode(bytes.fromhex(small(here, code).packages[0].sha256)).decode()


def clean(here: Account) -> None:
    assert here.change_sets() == []
    stored = {key: versions for key, versions in here.objects().items() if key.startswith(("code/", "templates/"))}
    assert set(stored.values()) == {1}, "stored twice"
    # The bucket has all its settings.
    assert here.clients["s3"].call("get_bucket_versioning", Bucket=CODE)["Status"] == "Enabled"
    assert here.clients["s3"].call("get_bucket_policy", Bucket=CODE)["Policy"]


@pytest.mark.parametrize("way", WAYS)
def test_the_points_that_a_deploy_passes_are_those_it_is_killed_at(here: Account, way: str) -> None:
    deployed, swapped, how, code, points = WAYS[way]
    prepared(here, deployed, swapped)
    ended, passed = child(here, how, code)
    assert (ended, dict(passed)) == (0, points)


@pytest.mark.parametrize(("way", "point", "nth"), [*cases("create", "restore"), *cases("update", each=False)])
def test_a_deploy_that_is_killed_anywhere_and_run_again_ends_as_one_that_was_not(
    here: Account, way: str, point: str, nth: int
) -> None:
    code = killed(here, way, point, nth)
    here.put(small(here, code))
    stands(here, code)


@pytest.mark.parametrize(("way", "point", "nth"), cases("fast", "back", each=False))
def test_a_swap_that_is_killed_anywhere_and_run_again_is_whole(here: Account, way: str, point: str, nth: int) -> None:
    code = killed(here, way, point, nth)
    here.deploy.swap(small(here, code))
    assert here.says() == code
    assert set(here.answers().values()) == {digest(here, code)}
    clean(here)


@pytest.mark.parametrize(("way", "point", "nth"), cases("fast", "back"))
def test_what_was_swapped_when_it_was_killed_is_put_back_by_a_full_deploy(
    here: Account, way: str, point: str, nth: int
) -> None:
    killed(here, way, point, nth)
    deployed = WAYS[way][0]
    here.put(small(here, deployed))
    stands(here, deployed)


def killed(here: Account, way: str, point: str, nth: int) -> str:
    """What was to be deployed when it was."""
    deployed, swapped, how, code, _ = WAYS[way]
    prepared(here, deployed, swapped)
    ended, passed = child(here, how, code, fault=f"{point}:kill:{nth}")
    assert (ended, passed["!"]) == (-signal.SIGKILL, 1)
    return code


@pytest.mark.parametrize("stood", [False, True], ids=["create", "update"])
def test_a_change_that_goes_on_after_its_deploy_was_killed_is_followed_by_the_next(here: Account, stood: bool) -> None:
    if stood:
        here.put(here.wanted("1"))
    wanted = here.wanted("2", more=wait("Queue"))
    other = here.another()
    other.deploy.code.ensure()
    other.deploy.code.upload(wanted.packages, other.steps.append)
    plan = other.deploy.plan(wanted, settled=True)
    change = plan.change_set or other.deploy._proposed(plan)
    assert change is not None
    other.deploy.stack.execute(change)
    notes: list[str] = []
    waits = iter([True])

    def tell(step: Step) -> None:
        notes.append(step.detail)
        if step.name == "Wait" and step.status.endswith("_IN_PROGRESS") and next(waits, False):
            here.clients["cloudformation"].call(
                "signal_resource", StackName=STACK, LogicalResourceId="Wait", UniqueId="1", Status="SUCCESS"
            )

    work = here.deploy.with_tell(tell)
    outcome = work.apply(work.plan(wanted, settled=True))
    assert notes[0].startswith("a change is under way")
    assert (outcome.status, here.status()) == ("unchanged", "UPDATE_COMPLETE" if stood else "CREATE_COMPLETE")
    assert outcome.release is not None
    assert releases.listed(here.deploy.code)[0] == outcome.release
    assert here.deploy.stack.state().protected
    clean(here)


def test_a_deploy_that_is_killed_while_it_takes_away_what_was_left_goes_on_with_that(here: Account) -> None:
    child(here, "whole", "1", fault="deploy.proposed:kill:1")
    assert here.status() == "REVIEW_IN_PROGRESS"
    (here.folder / "ledger").unlink()
    ended, passed = child(here, "whole", "1", fault="destroy.begun:kill:1")
    assert (ended, passed["!"]) == (-signal.SIGKILL, 1)
    here.put(small(here, "1"))
    stands(here, "1")
