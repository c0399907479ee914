"""The functions' shell and handlers, and a machine's view of itself."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mangavid.aws import shell
from mangavid.aws.imds import Metadata, Notice
from mangavid.aws.library import BucketLibrary
from mangavid.aws.package import FOLDERS
from mangavid.aws.publisher import BucketPublisher
from mangavid.aws.worker import run
from mangavid.errors import BadInput, BadSidecar, ConditionFailed, ConfigError, SourceNotFound, UpstreamUnavailable
from mangavid.models import Product, Rendered
from mangavid.ports import Change, Target
from tests.fakes.aws import cloud
from tests.fakes.memory import FakeClock
from tests.fakes.metadata import Metadata as Service
from tests.fakes.metadata import served
from tests.fakes.providers import StandingUpload
from tests.fakes.world import World, make_world

ROOT = Path(__file__).resolve().parents[2]
EVENT = {"run": "run-1", "execution": "arn:x", "job_id": "dem-trang", "token": "s3cr3t", "retry": 1}
CONTEXT = SimpleNamespace(aws_request_id="request-1")


def call(handle: Callable[[Target, dict[str, Any]], Any], event: Any, world: World) -> tuple[Any, list[dict[str, Any]]]:
    """Result or exception, and the lines of the log."""
    out = io.StringIO()
    handler = shell.function(
        "renderer-callback", "WaitForRender", handle, open_target=lambda: world.target, clock=world.clock, out=out
    )
    try:
        result = handler(event, CONTEXT)
    except Exception as problem:
        result = problem
    return result, [json.loads(line) for line in out.getvalue().splitlines()]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def test_a_function_hands_its_event_to_its_state_and_logs_what_it_is_about_without_the_token(world: World) -> None:
    result, lines = call(lambda _target, event: {"seen": event["retry"]}, EVENT, world)
    assert result == {"seen": 1}
    assert [line["message"] for line in lines] == ["begins", "ends"]
    for line in lines:
        assert {name: line[name] for name in ("function", "state", "execution", "job", "attempt", "request")} == {
            "function": "renderer-callback",
            "state": "WaitForRender",
            "execution": "arn:x",
            "job": "dem-trang",
            "attempt": 2,
            "request": "request-1",
        }
    assert "s3cr3t" not in json.dumps(lines)


def test_an_error_of_ours_gets_through_by_class_name_message_and_hint(world: World) -> None:
    def fail(_target: Target, _event: object) -> dict[str, Any]:
        raise UpstreamUnavailable("no answer", hint="try again")

    problem, lines = call(fail, EVENT, world)
    assert (type(problem).__name__, str(problem)) == ("UpstreamUnavailable", "no answer\nhint: try again")
    assert (lines[-1]["level"], lines[-1]["error"], lines[-1]["message"]) == (
        "ERROR",
        "UpstreamUnavailable",
        "no answer",
    )


def test_what_a_call_took_and_whether_it_failed_are_metrics_of_its_function(world: World) -> None:
    def fail(_target: Target, _event: object) -> dict[str, Any]:
        raise UpstreamUnavailable("no answer")

    for handle, failed in ((lambda _target, _event: {}, 0), (fail, 1)):
        _, lines = call(handle, EVENT, world)
        (told,) = lines[-1]["_aws"]["CloudWatchMetrics"]
        assert told["Dimensions"] == [["channel", "function"]]
        assert [one["Name"] for one in told["Metrics"]] == ["seconds", "failed"]
        named = {name for dimensions in told["Dimensions"] for name in dimensions}
        assert named | {one["Name"] for one in told["Metrics"]} <= lines[-1].keys()
        assert (lines[-1]["channel"], lines[-1]["failed"]) == ("manga-pipeline", failed)
        assert isinstance(lines[-1]["_aws"]["Timestamp"], int)


def test_a_chapter_that_was_just_found_is_named_in_the_line_that_ends_the_call(world: World) -> None:
    event = {name: value for name, value in EVENT.items() if name != "job_id"}
    _, lines = call(lambda _target, _event: {"job_id": "dem-trang-2"}, event, world)
    assert [line["job"] for line in lines] == ["", "dem-trang-2"]


def test_an_error_that_carries_an_item_gets_through_too(world: World) -> None:
    def fail(_target: Target, _event: object) -> dict[str, Any]:
        raise ConditionFailed("not as expected", current={"token": "s3cr3t"})

    problem, lines = call(fail, EVENT, world)
    assert type(problem) is ConditionFailed
    assert "s3cr3t" not in json.dumps(lines)


def test_a_bug_is_logged_with_where_it_is_and_raised_as_it_is(world: World) -> None:
    def fail(_target: Target, event: dict[str, Any]) -> dict[str, Any]:
        raise KeyError(event["token"])

    problem, lines = call(fail, EVENT, world)
    assert type(problem) is KeyError
    assert lines[-1]["error"] == "KeyError"
    assert "in fail" in lines[-1]["where"]
    assert "s3cr3t" not in json.dumps(lines)


@pytest.mark.parametrize("event", [None, [], "text", {"job_id": 1}, {"job_id": "../x"}, {"run": None}, {"token": {}}])
def test_an_event_that_the_state_machine_never_sends_is_refused(world: World, event: object) -> None:
    problem, _ = call(lambda _target, _event: {}, event, world)
    assert type(problem) is BadInput


def test_the_job_in_a_failed_state_is_logged(world: World) -> None:
    _, lines = call(lambda _target, _event: {}, {"state": {"job": {"job_id": "a"}}}, world)
    assert lines[0]["job"] == "a"


def test_a_text_from_outside_can_neither_end_a_line_nor_write_to_a_terminal(world: World) -> None:
    _, lines = call(lambda _target, _event: {"title": "a\n\x1b[31mb\u202e"}, EVENT, world)
    assert lines[-1]["result"] == {"title": "a\n\x1b[31mb\u202e"}


def test_a_target_that_can_not_be_opened_is_told_like_any_error_and_tried_again(world: World) -> None:
    tries = iter([ConfigError("MANGAVID_TABLE is not set", hint="mangavid deploy sets it")])

    def open_target() -> Target:
        for problem in tries:
            raise problem
        return world.target

    handler = shell.function("x", "X", lambda _target, _event: {"ok": True}, open_target=open_target, out=io.StringIO())
    with pytest.raises(ConfigError, match="hint: mangavid deploy"):
        handler(EVENT, CONTEXT)
    assert handler(EVENT, CONTEXT) == {"ok": True}


# --- the handlers ----------------------------------------------------------------------------------------------------

GUARD = """
import importlib.abc, sys
class Guard(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.split(".")[0] in {refused!r} or name in {modules!r}:
            raise AssertionError(f"{{name}} was imported")
sys.meta_path.insert(0, Guard())
sys.path[:0] = [{root!r}]
sys.path += {libraries!r}
import importlib
for name in {names!r}:
    module = importlib.import_module(name)
    assert name.startswith("mangavid") or callable(getattr(module, "handler", None) or module.main), name
import mangavid.aws, mangavid.aws.environment
mangavid.aws.target_of(mangavid.aws.environment.read({{"MANGAVID_TABLE": "t", "MANGAVID_BUCKET": "b"}})).source({{}})
"""


def test_no_handler_and_no_worker_reaches_the_command_line_yaml_or_this_machines_adapters() -> None:
    """In an interpreter of its own that refuses them."""
    names = [f"lambdas.{folder}.handler" for folder in FOLDERS.values()]
    names += ["ec2.renderer.main", "ec2.uploader.main", "mangavid.workers.render", "mangavid.workers.upload"]
    script = GUARD.format(
        refused={"typer", "rich", "yaml"},
        modules={"mangavid.local", "mangavid.cli", "mangavid.yamlfile", "mangavid.configfile"},
        root=str(ROOT),
        libraries=[path for path in sys.path if path.endswith("site-packages")],
        names=names,
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("function", "folder"), sorted(FOLDERS.items()))
def test_each_function_has_a_short_handler_that_calls_its_own_state(function: str, folder: str) -> None:
    path = ROOT / "lambdas" / folder / "handler.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 20
    spec = importlib.util.spec_from_file_location(f"handler_{folder}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    kept = dict(zip(module.handler.__code__.co_freevars, module.handler.__closure__, strict=True))
    assert kept["name"].cell_contents == function
    assert kept["handle"].cell_contents.__module__ == f"mangavid.states.{folder}"


# --- a machine about itself ------------------------------------------------------------------------------------------


class Machine(Service):
    """The metadata service with what else it says, by path below meta-data/."""

    def __init__(self, **said: str) -> None:
        super().__init__()
        self.said = {name.replace("__", "/").replace("_", "-"): text for name, text in said.items()}
        self.sessions = 0
        self.over: set[int] = set()

    def answer(self, method: str, path: str, headers: Any) -> tuple[int, bytes]:
        if method == "PUT":
            self.sessions += 1
            return 200, f"session-{self.sessions}".encode()
        session = headers.get("X-aws-ec2-metadata-token", "")
        if session != f"session-{self.sessions}" or self.sessions in self.over:
            return 401, b""
        found = self.said.get(path.removeprefix("/latest/meta-data/"))
        return (404, b"") if found is None else (200, found.encode())


@pytest.fixture
def machine() -> Iterator[tuple[Machine, Metadata]]:
    service = Machine(instance_id="i-1")
    with served(service) as base:
        yield service, Metadata(base)


def test_a_machine_asks_with_a_session_and_takes_a_new_one_when_that_has_run_out(
    machine: tuple[Machine, Metadata],
) -> None:
    service, metadata = machine
    assert metadata.instance_id() == "i-1"
    assert metadata.spot_notice() is None
    assert metadata.rebalance_recommended() is False
    assert service.sessions == 1
    service.over = {1}
    assert metadata.instance_id() == "i-1"
    assert service.sessions == 2
    service.over = {2, 3, 4}
    with pytest.raises(UpstreamUnavailable, match="refuses"):
        metadata.instance_id()


def test_a_notice_says_when_is_remembered_and_asked_for_every_five_seconds(machine: tuple[Machine, Metadata]) -> None:
    service, metadata = machine
    clock = FakeClock()
    notice = Notice(metadata, clock)
    assert notice() is None
    service.said["spot/instance-action"] = '{"action": "terminate", "time": "2026-11-23T08:02:00Z"}'
    clock.advance(4)
    assert notice() is None
    clock.advance(1)
    assert notice() == "EC2 will terminate the machine at 2026-11-23T08:02:00Z"
    del service.said["spot/instance-action"]
    clock.advance(10)
    assert notice() == "EC2 will terminate the machine at 2026-11-23T08:02:00Z"


@pytest.mark.parametrize("text", ["{", "[]", "{}", "null"])
def test_a_notice_in_another_form_is_a_notice(machine: tuple[Machine, Metadata], text: str) -> None:
    machine[0].said["spot/instance-action"] = text
    assert Notice(machine[1], FakeClock())() == "EC2 takes the machine away"


def test_a_metadata_service_that_is_away_is_no_notice() -> None:
    metadata = Metadata("http://127.0.0.1:9")
    assert Notice(metadata, FakeClock())() is None
    with pytest.raises(UpstreamUnavailable):
        metadata.instance_id()


# --- the worker of a machine -----------------------------------------------------------------------------------------


def tagged(service: Machine, role: str, job: str, epoch: str) -> None:
    service.said |= {f"tags/instance/mangavid:{k}": v for k, v in (("role", role), ("job", job), ("epoch", epoch))}


def test_a_machine_does_the_upload_that_its_tags_name_under_its_own_id(
    machine: tuple[Machine, Metadata], world: World
) -> None:
    service, metadata = machine
    tagged(service, "uploader", "a", "1")
    stamp = world.clock.now().isoformat()
    world.set_job("a", status="uploaded", phase="upload", epoch=1, token="t", token_epoch=1)
    world.set_job("a", title="t", source="s", created_at=stamp, updated_at=stamp, video_id="v")
    world.jobs.change(Change(key="JOB#a", set={"job_id": "a"}))
    world.callbacks.open.add("t")
    code = run("upload", {}, metadata=metadata, clock=world.clock, end=lambda: None, open_target=lambda: world.target)
    assert code == 0
    assert world.job("a").lease_owner == "i-1"
    assert world.callbacks.answers == [("success", "t", {"job_id": "a", "status": "completed"})]


def test_a_machine_whose_tags_are_missing_or_name_another_worker_does_nothing(
    machine: tuple[Machine, Metadata], world: World
) -> None:
    service, metadata = machine

    def start() -> int:
        return run(
            "render", {}, metadata=metadata, clock=world.clock, end=lambda: None, open_target=lambda: world.target
        )

    assert start() == ConfigError.exit_code
    assert sum(world.clock.slept) == 30
    tagged(service, "uploader", "a", "1")
    assert start() == ConfigError.exit_code
    assert world.jobs.changes == []


def test_a_bug_in_a_worker_is_logged_and_answered(
    machine: tuple[Machine, Metadata], world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    service, metadata = machine
    tagged(service, "uploader", "a", "1")
    world.set_job("a", status="uploaded", phase="upload", epoch=1, token="t", token_epoch=1)
    world.set_job("a", title="t", source="s", created_at="1", updated_at="1")
    world.jobs.change(Change(key="JOB#a", set={"job_id": "a"}))
    world.callbacks.open.add("t")
    code = run("upload", {}, metadata=metadata, clock=world.clock, end=lambda: None, open_target=lambda: world.target)
    assert code == 1
    assert world.callbacks.answers[0][:3] == ("failure", "t", "PublishError")
    assert "AssertionError" in capsys.readouterr().out


# --- the bucket as a library -----------------------------------------------------------------------------------------


def cbz(pages: int = 2) -> bytes:
    import zipfile

    from tests.fakes.providers import png

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(pages):
            archive.writestr(f"{n}.png", png(600, 900, 100 + n))
    return out.getvalue()


def test_chapters_are_found_in_the_bucket_in_natural_order_and_fetched_by_key(tmp_path: Path) -> None:
    with cloud() as aws:
        objects = aws.objects(tmp_path / "cache")
        for name in ("Kệ/10.cbz", "Kệ/2.cbz", "Kệ/notes.txt", "Kệ/2.narration.json"):
            objects.put(f"library/{name}", cbz() if name.endswith("cbz") else b"{")
        library = BucketLibrary(objects, tmp_path / "library")
        found = list(library.find())
        assert [one.ref for one in found] == ["library/Kệ/2.cbz", "library/Kệ/10.cbz"]
        assert found[0].identity != found[1].identity
        assert found[1] == next(BucketLibrary(objects, tmp_path / "l", named=("library/Kệ/10.cbz",)).find())
        fetched = library.fetch(found[1])
        assert (fetched.found, len(fetched.pages)) == (found[1], 2)
        with pytest.raises(BadSidecar):
            library.fetch(found[0])
        objects.put("library/Kệ/2.narration.json", b"[")
        assert next(one.version for one in library.find()) != found[0].version
        assert not [path for path in tmp_path.rglob("*") if path.is_file()], "nothing is kept on a small disk"


@pytest.mark.parametrize(
    ("key", "error"),
    [
        ("library/none.cbz", SourceNotFound),
        ("library/../x.cbz", SourceNotFound),
        ("jobs/a/x.cbz", BadInput),
        ("library/x.pdf", BadInput),
    ],
)
def test_a_name_that_is_no_chapter_of_the_bucket_is_refused(tmp_path: Path, key: str, error: type[Exception]) -> None:
    with cloud() as aws, pytest.raises(error):
        list(BucketLibrary(aws.objects(tmp_path), tmp_path, named=(key,)).find())


def test_a_video_published_to_the_bucket_stays_where_it_is() -> None:
    product = Product(key="jobs/a/final/x/e1/video.mp4", sha256="", bytes=1)
    rendered = Rendered(
        inputs="x",
        video=product,
        captions=product,
        thumbnail=product,
        metadata=product,
        seconds=1.0,
        lufs=-14.0,
        epoch=1,
        segments=1,
    )
    upload = StandingUpload("a", rendered)
    published = BucketPublisher("bucket").publish(upload)
    assert (published.video_id, published.where) == ("a", "s3://bucket/jobs/a/final/x/e1/video.mp4")
