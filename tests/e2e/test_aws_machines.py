"""What becomes of a chapter on AWS when its machine is killed, taken away, stopped or comes back from the dead.

As in test_aws.py, but the deployed state machine is run by the engine: its tokens are kept as AWS keeps them, and five
minutes can pass for it in a moment. Nothing of what is deployed is changed for it.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from mangavid import keys
from mangavid.config import Config, Quota, Video
from tests.deployed import Deployed, deployed
from tests.fakes.machines import Machine
from tests.fakes.statemachines import StateMachines, state_machines
from tests.faults.chapters import draw_chapter

pytestmark = pytest.mark.slow

CONFIG = Config(video=Video(width=640, height=360, fps=24), quota=Quota(daily=20))
#: The state machine's HeartbeatSeconds, and a second.
SILENCE = 301
PANELS = 48


@pytest.fixture(scope="module")
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Deployed, StateMachines]]:
    cache = Path(request.config.cache.mkdir("packages")) / "here"
    with (
        state_machines(tmp_path_factory.mktemp("states") / "journal.db") as states,
        deployed(CONFIG, cache, AWS_ENDPOINT_URL_SFN=states.url) as standing,
    ):
        states.upstream = standing.server.url
        yield standing, states


@pytest.fixture
def aws(both: tuple[Deployed, StateMachines]) -> Iterator[Deployed]:
    standing, _ = both
    standing.ledger.write_text("")
    yield standing
    standing.cli("stop")
    standing.settled()


@pytest.fixture
def states(both: tuple[Deployed, StateMachines]) -> StateMachines:
    return both[1]


@pytest.fixture
def title(aws: Deployed, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A chapter in the library: long enough for a Spot notice, which is looked for every 5 seconds, to come in time."""
    name = request.node.originalname.removeprefix("test_")[:35].rstrip("_")
    aws.put(draw_chapter(tmp_path / name, pages=PANELS // 2), f"{name}.cbz")
    return name


def renderer(aws: Deployed, title: str, *, epoch: int) -> Machine:
    """The machine that renders this chapter at this epoch."""

    def fits(one: Machine) -> bool:
        return one.role == "renderer" and one.epoch == epoch and aws.job(one.job).get("title") == title

    return aws.hands.wait_for(fits)


def in_the_middle(aws: Deployed, title: str) -> Machine:
    """The chapter's first machine, when it has stored a few of its segments."""
    machine = renderer(aws, title, epoch=1)
    wait(lambda: len(stored(aws, machine.job)) >= 3, aws)
    return machine


def stored(aws: Deployed, job: str) -> dict[str, str]:
    """Segment keys of the segments in the bucket, with their objects' keys."""
    return {found[0]: key for key in aws.objects(f"jobs/{job}/render/") if (found := keys.read_segment(key))}


def wait(until: Callable[[], object], aws: Deployed, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < limit, aws.troubles()
        time.sleep(0.02)


def outcome(run: subprocess.Popen[str], aws: Deployed) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The video that came of the run, and the steps that were told."""
    out, said = run.communicate(timeout=180)
    assert run.returncode == 0, said + aws.troubles()
    (made,) = json.loads(out)["made"]
    return made, [json.loads(line) for line in said.splitlines()]


def tries(aws: Deployed, state: str) -> tuple[int, list[str]]:
    """Of the last run: attempts of a state, and the errors of those that failed."""
    (visit,) = [one for one in aws.json("history", "last")["states"] if one["state"] == state]
    return visit["attempts"], [one["error"] for one in visit["failures"]]


def again(steps: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """What was told to be tried again, and why."""
    return [(one["state"], one["error"]) for one in steps if one["what"] in ("retry", "failed")]


def is_whole(aws: Deployed, made: dict[str, Any], *, epoch: int) -> bool:
    """The video plays to its end, is the one of this epoch, was counted, and is all that is left of its job."""
    folder = f"jobs/{made['job_id']}/final/"
    finished = aws.objects(f"jobs/{made['job_id']}/")
    key = made["video"].removeprefix(f"s3://{aws.site.artifacts}/")
    assert len(finished) == 4 and all(one.startswith(folder) and f"/e{epoch}/" in one for one in finished), finished
    with av.open(io.BytesIO(aws.fetch(key))) as container:
        assert sum(1 for _ in container.decode(video=0)) == round(24 * made["seconds"])
    job = aws.job(made["job_id"])
    counted = (aws.jobs.get(keys.quota_item(job["quota_day"])) or {})["jobs"]
    assert (job["status"], made["job_id"] in counted) == ("cleaned", True)
    return True


def test_a_machine_killed_while_it_renders_is_replaced_and_what_it_stored_is_used(
    aws: Deployed, states: StateMachines, title: str
) -> None:
    with aws.started("run", "--wait", "--json") as run:
        machine = in_the_middle(aws, title)
        machine.kill()
        kept = stored(aws, machine.job)
        wait(lambda: aws.hands.instances()[machine.instance] == "terminated", aws)
        states.later(SILENCE)
        made, told = outcome(run, aws)
    assert is_whole(aws, made, epoch=2)
    assert tries(aws, "WaitForRender") == (2, ["States.Timeout"])
    assert again(told) == [("WaitForRender", "States.Timeout")]
    encoded = Counter(aws.effects("segment.encoded"))
    assert len(encoded) == PANELS
    assert {encoded[one] for one in kept} == {1}
    assert sum(encoded.values()) - PANELS <= (os.cpu_count() or 1), "one for each encoder"
    assert {len(aws.versions(key)) for key in kept.values()} == {1}, "none was written over"


def test_a_machine_that_is_taken_away_hands_over_and_loses_nothing(aws: Deployed, title: str) -> None:
    with aws.started("run", "--wait", "--json") as run:
        machine = in_the_middle(aws, title)
        machine.notice()
        made, told = outcome(run, aws)
    assert is_whole(aws, made, epoch=2)
    assert tries(aws, "WaitForRender") == (2, ["SpotInterrupted"])
    assert again(told) == [("WaitForRender", "SpotInterrupted")]
    # Once it has answered it may be ended before it says so: Retry waits a random time, from nought on.
    assert [line["message"].partition(":")[0] for line in machine.said][:2] == ["begins", "drains"]
    encoded = Counter(aws.effects("segment.encoded"))
    assert (len(encoded), set(encoded.values())) == (PANELS, {1})


def test_a_run_that_is_stopped_leaves_no_machine_and_the_next_run_goes_on(aws: Deployed, title: str) -> None:
    with aws.started("run", "--wait", "--json") as run:
        machine = in_the_middle(aws, title)
        stopped = aws.json("stop")
        out, said = run.communicate(timeout=60)
    assert (run.returncode, json.loads(out)["status"]) == (130, "ABORTED"), said
    assert (stopped["terminated"], stopped["interrupted"]) == (1, 1)
    aws.settled()
    assert not machine.processes()
    assert aws.job(machine.job)["status"] == "interrupted"
    assert aws.json("history", "last")["execution"]["status"] == "ABORTED"
    kept = stored(aws, machine.job)
    with aws.started("run", "--wait", "--json") as run:
        made, _ = outcome(run, aws)
    assert is_whole(aws, made, epoch=2)
    encoded = Counter(aws.effects("segment.encoded"))
    assert {encoded[one] for one in kept} == {1}
    assert sum(encoded.values()) - PANELS <= (os.cpu_count() or 1)


def test_a_run_that_was_stopped_goes_on_where_it_ended_when_it_is_retried(aws: Deployed, title: str) -> None:
    with aws.started("run", "--wait", "--json") as run:
        machine = in_the_middle(aws, title)
        aws.json("stop")
        run.communicate(timeout=60)
    aws.settled()
    kept = stored(aws, machine.job)
    name = aws.json("history", "last")["execution"]["name"]
    assert aws.json("retry", "last") == {"jobs": [], "executions": [name]}
    with aws.started("run", "--watch", "--json") as run:
        made, _ = outcome(run, aws)
    assert is_whole(aws, made, epoch=2)
    told = aws.json("history", "last")
    assert (told["execution"]["name"], told["execution"]["status"]) == (name, "SUCCEEDED")
    assert {one["outcome"] for one in told["states"]} == {"succeeded"}
    encoded = Counter(aws.effects("segment.encoded"))
    assert {encoded[one] for one in kept} == {1}


def test_a_machine_that_comes_back_from_the_dead_changes_nothing(
    aws: Deployed, states: StateMachines, title: str
) -> None:
    with aws.started("run", "--wait", "--json") as run:
        zombie = in_the_middle(aws, title)
        zombie.freeze()
        zombie.lingers = True
        states.later(SILENCE)
        other = renderer(aws, title, epoch=2)
        wait(lambda: aws.job(zombie.job).get("lease_owner") == other.instance, aws)
        zombie.thaw()
        made, _ = outcome(run, aws)
    assert is_whole(aws, made, epoch=2)
    wait(lambda: not zombie.runs, aws)
    assert "the lease is lost" in zombie.log
    assert zombie.off == ["-P +270", "-P now"]
    assert tries(aws, "WaitForRender") == (2, ["States.Timeout"])
    assert len(aws.effects("upload.published")) == 1
    assert len(aws.hands.machines_of(made["job_id"])) == 3, "two renderers, one uploader"


def test_a_run_that_is_aborted_in_the_console_is_swept_by_the_reaper(aws: Deployed, title: str) -> None:
    assert "is started" in aws.cli("run").stderr
    assert "is at work already" in aws.cli("run").stderr
    machine = in_the_middle(aws, title)
    aws.site.clients["stepfunctions"].call("stop_execution", executionArn=aws.job(machine.job)["execution"])
    assert aws.hands.instances()[machine.instance] == "running", "ending an execution does not reach its machine"
    assert aws.invoke("reaper") == {"terminated": 1, "interrupted": 1, "freed": 1}
    aws.settled()
    assert not machine.processes()
    assert aws.job(machine.job)["status"] == "interrupted"
    assert aws.invoke("reaper") == {"terminated": 0, "interrupted": 0, "freed": 0}
    with aws.started("run", "--wait", "--json") as run:
        made, _ = outcome(run, aws)
    assert is_whole(aws, made, epoch=2)
