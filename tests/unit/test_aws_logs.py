"""A machine's log on its way to CloudWatch Logs: what arrives, in what calls, and what becomes of the rest."""

from __future__ import annotations

import dataclasses
import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from mangavid import protocol
from mangavid.aws.imds import Metadata
from mangavid.aws.logs import LINE_BYTES, Shipping, cut, stream_of
from mangavid.aws.session import Clients, Service
from mangavid.aws.shell import Log
from mangavid.aws.worker import run
from mangavid.clock import SystemClock
from mangavid.errors import AuthError, LeaseLost, MangavidError, UpstreamUnavailable
from mangavid.ports import Publication, Target
from tests.fakes.aws import CLIENTS, REGION, Cloud, cloud
from tests.fakes.metadata import served
from tests.fakes.world import World, make_world
from tests.unit.test_aws_functions import Machine, tagged
from tests.unit.test_workers import TOKEN, to_upload

GROUP, STREAM = "/manga-pipeline/renderer", "a-job/e3/i-1"
NOW = SystemClock().now()
NEVER = 3600.0
"""So many seconds between two shipments: all is shipped at the end."""


class Told:
    """What was said to have been dropped."""

    def __init__(self) -> None:
        self.lines = 0
        self.why: list[str] = []

    def __call__(self, lines: int, why: str) -> None:
        self.lines += lines
        self.why.append(why)


class Recorder:
    """CloudWatch Logs as a service that answers as it is told: with each of ``problems`` first."""

    def __init__(self, *problems: Exception, answer: dict[str, Any] | None = None) -> None:
        self.problems = list(problems)
        self.answer = answer or {}
        self.streams = 0
        self.tried = 0
        self.puts: list[list[tuple[int, str]]] = []
        self.came = threading.Event()

    def call(self, operation: str, *, expect: object = (), **parameters: Any) -> dict[str, Any]:
        assert (parameters["logGroupName"], parameters["logStreamName"]) == (GROUP, STREAM)
        if operation == "create_log_stream":
            self.streams += 1
            return {}
        assert operation == "put_log_events"
        self.tried += 1
        if self.problems:
            raise self.problems.pop(0)
        self.puts.append([(event["timestamp"], event["message"]) for event in parameters["logEvents"]])
        self.came.set()
        return self.answer

    @property
    def lines(self) -> list[str]:
        return [text for put in self.puts for _, text in put]


class Stuck(Recorder):
    """One that does not answer until the test ends."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.end = threading.Event()

    def call(self, operation: str, *, expect: object = (), **parameters: Any) -> dict[str, Any]:
        self.asked.set()
        self.end.wait(30)
        raise UpstreamUnavailable("too late")


@pytest.fixture
def told() -> Told:
    return Told()


def shipping(service: Any, told: Told, **more: Any) -> Shipping:
    return Shipping(service, GROUP, STREAM, told, **{"every": NEVER, **more})


# --- in CloudWatch ---------------------------------------------------------------------------------------------------


@pytest.fixture
def aws() -> Iterator[Cloud]:
    with cloud() as account:
        account.clients["logs"].call("create_log_group", logGroupName=GROUP)
        yield account


def stored(stream: str = STREAM) -> list[str]:
    answer = CLIENTS["logs"].call("get_log_events", logGroupName=GROUP, logStreamName=stream, startFromHead=True)
    return [event["message"] for event in answer["events"]]


def test_lines_arrive_in_order_in_a_stream_that_is_made_for_them(aws: Cloud, told: Told) -> None:
    shipper = shipping(aws.clients["logs"], told)
    for number in range(50):
        shipper.add(NOW + timedelta(milliseconds=number), f"line {number}")
    shipper.close()
    assert stored() == [f"line {number}" for number in range(50)]
    assert told.lines == 0


def test_a_stream_that_is_there_is_written_on(aws: Cloud, told: Told) -> None:
    for number in range(2):
        shipper = shipping(aws.clients["logs"], told)
        shipper.add(NOW + timedelta(seconds=number), f"from worker {number}")
        shipper.close()
    assert stored() == ["from worker 0", "from worker 1"]


def test_what_a_line_holds_is_data_whatever_it_is(aws: Cloud, told: Told) -> None:
    hostile = 'Đêm\n{"level": "fatal"}\r\x00\x1b[2J\u202e\u2028\ud800'
    out = io.StringIO()
    log = Log(SystemClock(), out)
    shipper = shipping(aws.clients["logs"], told)
    log.also = shipper.add
    log.line("info", hostile, title=hostile)
    shipper.close()
    (line,) = stored()
    assert out.getvalue() == line + "\n"
    assert (json.loads(line)["message"], json.loads(line)["title"]) == (hostile, hostile)


def test_without_the_log_group_the_lines_are_counted_with_the_reason(told: Told) -> None:
    with cloud() as account:
        shipper = shipping(account.clients["logs"], told)
        shipper.add(NOW, "one")
        shipper.add(NOW, "two")
        shipper.close(0.3)
        shipper._thread.join(30)
    assert told.lines == 2
    assert "ResourceNotFoundException" in told.why[0]


def test_lines_are_shipped_while_the_work_goes_on(told: Told) -> None:
    service = Recorder()
    shipper = shipping(service, told, every=0.01)
    shipper.add(NOW, "early")
    assert service.came.wait(10)
    assert service.lines == ["early"]
    shipper.close()
    assert service.lines == ["early"]
    assert service.streams == 1


# --- what one call takes ---------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from([1, 40, 5_000, 200_000, LINE_BYTES, LINE_BYTES + 1]), st.integers(-30, 60)),
        min_size=1,
        max_size=40,
    )
)
def test_every_call_keeps_the_limits_and_every_line_is_sent_once(lines: list[tuple[int, int]]) -> None:
    service, told = Recorder(), Told()
    shipper = shipping(service, told, room=1 << 30)
    for number, (size, hours) in enumerate(lines):
        shipper.add(NOW + timedelta(hours=hours), f"{number}:".ljust(size, "."))
    shipper.close()
    for put in service.puts:
        times = [at for at, _ in put]
        assert times == sorted(times)
        assert times[-1] - times[0] <= 86_400_000
        assert sum(len(text.encode()) + 26 for _, text in put) <= 1_048_576
        assert all(len(text.encode()) + 26 <= 262_144 for _, text in put)
    assert sorted(int(text.partition(":")[0]) for text in service.lines) == list(range(len(lines)))
    assert told.lines == 0


def test_a_call_has_at_most_ten_thousand_lines(told: Told) -> None:
    service = Recorder()
    shipper = shipping(service, told)
    for number in range(20_001):
        shipper.add(NOW, str(number))
    shipper.close()
    assert [len(put) for put in service.puts] == [10_000, 10_000, 1]
    assert service.lines == [str(number) for number in range(20_001)]


def test_a_call_has_at_most_a_megabyte_with_what_each_line_is_counted_with(told: Told) -> None:
    service = Recorder()
    shipper = shipping(service, told)
    for _ in range(9):
        shipper.add(NOW, "x" * LINE_BYTES)
    shipper.close()
    assert [len(put) for put in service.puts] == [4, 4, 1]


def test_what_was_shipped_takes_no_room(told: Told) -> None:
    service = Recorder()
    shipper = shipping(service, told, every=0.01, room=100)
    for number in range(10):
        service.came.clear()
        shipper.add(NOW, f"{number:050}")
        assert service.came.wait(10)
    shipper.close()
    assert len(service.lines) == 10
    assert told.lines == 0


def test_a_clock_that_is_set_back_does_not_make_a_batch_that_is_refused(told: Told) -> None:
    service = Recorder()
    shipper = shipping(service, told)
    for seconds, text in ((5, "later"), (0, "earlier"), (0, "earlier still in order")):
        shipper.add(NOW + timedelta(seconds=seconds), text)
    shipper.close()
    assert service.lines == ["earlier", "earlier still in order", "later"]
    assert len(service.puts) == 1


def test_an_empty_line_is_none(told: Told) -> None:
    service = Recorder()
    shipper = shipping(service, told)
    shipper.add(NOW, "")
    shipper.close()
    assert (service.tried, told.lines) == (0, 0)


# --- lines that are too long -----------------------------------------------------------------------------------------


def test_a_line_that_is_too_long_stays_json_and_keeps_both_ends_of_its_longest_text() -> None:
    where = "first frame " + "\u2028x" * 300_000 + " last frame: ValueError"
    line = json.dumps({"job": "a", "message": "a bug", "where": where, "epoch": 3})
    found = cut(line)
    assert len(found.encode()) <= LINE_BYTES
    entry = json.loads(found)
    assert (entry["job"], entry["message"], entry["epoch"]) == ("a", "a bug", 3)
    assert entry["where"].startswith("first frame ")
    assert entry["where"].endswith(" last frame: ValueError")
    assert len(entry["where"]) > 1000


@pytest.mark.parametrize(
    "line",
    [
        "ế" * LINE_BYTES,
        json.dumps([["x"] * LINE_BYTES]),
        json.dumps({"n": ["x"] * LINE_BYTES, "m": "ab"}),
        "{" * 999_999,
    ],
    ids=["text", "list", "no long text", "no JSON"],
)
def test_what_can_not_be_shortened_is_cut_between_two_characters(line: str) -> None:
    found = cut(line)
    assert line.startswith(found)
    assert LINE_BYTES - 4 < len(found.encode()) <= LINE_BYTES


def test_a_line_that_fits_is_not_touched() -> None:
    assert cut("ế" * 10) == "ế" * 10
    assert cut("x" * LINE_BYTES) == "x" * LINE_BYTES


# --- a service that is not well --------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [UpstreamUnavailable("throttled"), AuthError("no role yet")])
def test_what_fails_for_now_is_sent_again_and_nothing_is_lost_or_twice(told: Told, problem: MangavidError) -> None:
    service = Recorder(problem)
    shipper = shipping(service, told)
    for number in range(3):
        shipper.add(NOW, str(number))
    shipper.close()
    assert service.lines == ["0", "1", "2"]
    assert service.streams == 2, "what failed may have been that the stream is gone"
    assert told.lines == 0


def test_lines_that_come_while_the_service_is_away_follow_those_before(told: Told) -> None:
    service = Recorder(*(UpstreamUnavailable("503") for _ in range(3)))
    shipper = shipping(service, told, every=0.01)
    for number in range(100):
        shipper.add(NOW, str(number))
    assert service.came.wait(10)
    shipper.close()
    assert service.lines == [str(number) for number in range(100)]
    assert told.lines == 0


@pytest.mark.parametrize("problem", [MangavidError("InvalidParameterException"), ZeroDivisionError("a bug")])
def test_a_batch_that_is_refused_for_good_is_counted_and_the_next_one_goes(told: Told, problem: Exception) -> None:
    service = Recorder(problem)
    shipper = shipping(service, told)
    shipper.add(NOW - timedelta(hours=30), "refused")
    shipper.add(NOW, "taken")
    shipper.close()
    assert service.lines == ["taken"]
    assert told.lines == 1
    assert str(problem) in told.why[0]


def test_lines_whose_time_is_refused_are_counted(told: Told) -> None:
    answer = {"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 2, "tooNewLogEventStartIndex": 4}}
    shipper = shipping(Recorder(answer=answer), told)
    for number in range(5):
        shipper.add(NOW, str(number))
    shipper.close()
    assert told.lines == 3


def test_what_waits_is_bounded_and_the_newest_lines_are_kept(told: Told) -> None:
    service = Recorder()
    shipper = shipping(service, told, room=10 * (26 + 4))
    for number in range(1000):
        shipper.add(NOW, f"{number:04}")
    shipper.close()
    assert service.lines == [f"{number:04}" for number in range(990, 1000)]
    assert told.lines == 990
    assert "faster" in told.why[0]


def test_a_service_that_hangs_holds_neither_the_work_nor_its_end(told: Told) -> None:
    service = Stuck()
    shipper = shipping(service, told, every=0.01, room=3000)
    shipper.add(NOW, "in hand")
    assert service.asked.wait(10)
    for number in range(500):
        shipper.add(NOW, f"{number:04}")
    shipper.close(0.05)
    assert shipper._thread.is_alive(), "it hangs still, and nobody waits"
    assert told.lines == 501
    shipper.add(NOW, "too late")
    shipper.close(0.05)
    assert told.lines == 501
    service.end.set()
    shipper._thread.join(10)
    assert not shipper._thread.is_alive()


def test_a_server_that_takes_the_call_and_says_nothing_is_given_up(told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        service = Clients(REGION, attempts=1, silence=0.2)["logs"]
        shipper = shipping(service, told)
        shipper.add(NOW, "unheard")
        shipper.close(1.5)
        shipper._thread.join(30)
    assert told.lines == 1
    assert "does not answer" in told.why[0]


def test_a_refusal_of_aws_is_told_in_its_own_words(told: Told) -> None:
    refusal = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized to perform: logs:PutLogEvents"}}

    class Client:
        def create_log_stream(self, **_: object) -> dict[str, Any]:
            return {}

        def put_log_events(self, **_: object) -> dict[str, Any]:
            raise ClientError(refusal, "PutLogEvents")

    shipper = shipping(Service("logs", Client), told)
    shipper.add(NOW, "one")
    shipper.close(0.2)
    shipper._thread.join(30)
    assert told.lines == 1
    assert "logs:PutLogEvents" in told.why[0]


def test_an_output_that_is_closed_does_not_stop_the_shipping() -> None:
    def closed(_lines: int, _why: str) -> None:
        raise ValueError("I/O operation on closed file")

    service = Recorder(MangavidError("refused"))
    shipper = Shipping(service, GROUP, STREAM, closed, every=0.01)  # type: ignore[arg-type]
    shipper.add(NOW - timedelta(hours=30), "refused")
    shipper.add(NOW, "taken")
    assert service.came.wait(10)
    service.came.clear()
    shipper.add(NOW, "and on")
    assert service.came.wait(10)
    shipper.close()
    assert service.lines == ["taken", "and on"]


@pytest.mark.parametrize(
    ("instance", "stream"), [("i-0abc", "a-job/e3/i-0abc"), ("i:*x", "a-job/e3/i--x"), ("i" * 600, None)]
)
def test_the_stream_has_a_name_that_cloudwatch_takes(instance: str, stream: str | None) -> None:
    found = stream_of("a-job", 3, instance)
    assert stream is None or found == stream
    assert len(found) <= 512
    assert not set(":*") & set(found)


# --- the worker's log ------------------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "a")


class Kept(Recorder):
    """Takes lines into whatever stream."""

    def __init__(self) -> None:
        super().__init__()
        self.stream = ""

    def call(self, operation: str, *, expect: object = (), **parameters: Any) -> dict[str, Any]:
        self.stream = parameters["logStreamName"]
        return super().call(operation, **{**parameters, "logStreamName": STREAM})

    @property
    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def upload(
    world: World,
    job_id: str,
    kept: Kept,
    *,
    end: Callable[[], None] = lambda: None,
    open_target: Callable[[], Target] | None = None,
    notice: str = "",
) -> int:
    service = Machine(instance_id="i-7")
    tagged(service, "uploader", job_id, str(world.job(job_id).epoch))
    if notice:
        service.said["spot/instance-action"] = notice
    with served(service) as base:
        return run(
            "upload",
            {},
            metadata=Metadata(base),
            clock=world.clock,
            end=end,
            open_target=open_target or (lambda: world.target),
            ship=lambda stream, say: Shipping(kept, GROUP, stream, say, every=NEVER),  # type: ignore[arg-type]
        )


def test_a_worker_ships_what_it_prints_and_each_line_says_what_it_is_about(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id, call = to_upload(world)
    kept = Kept()
    assert upload(world, job_id, kept) == 0
    epoch = world.job(job_id).epoch
    assert kept.stream == f"{job_id}/e{epoch}/i-7"
    assert capsys.readouterr().out.splitlines() == kept.lines
    assert [entry["message"] for entry in kept.entries] == ["begins", "ends"]
    about = {"worker": "uploader", "state": "WaitForUpload", "job": job_id, "execution": call["execution"]}
    about |= {"attempt": 1, "epoch": epoch, "instance": "i-7"}
    for entry in kept.entries:
        assert {name: entry[name] for name in about} == about
    assert TOKEN not in json.dumps([entry | {"job": ""} for entry in kept.entries])


def test_a_bug_of_the_work_is_shipped_with_its_traceback(world: World) -> None:
    job_id, _ = to_upload(world)

    class Broken:
        name = "broken"

        def publish(self, *_: object) -> Publication:
            raise ZeroDivisionError("a bug")

    world.target = _with_publisher(world, Broken())
    kept = Kept()
    assert upload(world, job_id, kept) == 1
    (bug,) = [entry for entry in kept.entries if entry["message"] == "a bug"]
    assert "in publish" in bug["where"]
    assert (bug["job"], bug["level"]) == (job_id, "ERROR")


def test_a_bug_around_the_work_is_shipped_and_ends_the_worker_with_1(world: World) -> None:
    job_id, _ = to_upload(world)
    kept = Kept()

    def broken() -> Target:
        raise ZeroDivisionError("on the way")

    assert upload(world, job_id, kept, open_target=broken) == 1
    assert "ZeroDivisionError" in kept.entries[-1]["where"]


def test_a_lease_that_is_another_worker_s_is_shipped_before_the_worker_leaves(world: World) -> None:
    job_id, _ = to_upload(world)
    world.set_job(job_id, lease_owner="i-other")
    kept = Kept()
    assert upload(world, job_id, kept) == 0
    assert [entry["message"].partition(":")[0] for entry in kept.entries] == ["begins", "the lease is lost", "ends"]


def test_a_machine_that_is_taken_away_before_it_began_says_so(world: World) -> None:
    job_id, _ = to_upload(world)
    world.jobs.items[f"JOB#{job_id}"].pop("token")
    kept = Kept()
    notice = json.dumps({"action": "terminate", "time": "2026-11-23T08:02:00Z"})
    assert upload(world, job_id, kept, notice=notice) == 0
    assert "EC2 will terminate the machine at 2026-11-23T08:02:00Z" in kept.entries[1]["message"]


def test_a_worker_that_is_killed_has_shipped_its_last_lines_before(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "EXIT_SECONDS", protocol.FENCE_SECONDS + 0.1)
    job_id, _ = to_upload(world)
    kept, ended = Kept(), threading.Event()
    at_the_end: list[str] = []

    class Hanging:
        name = "hanging"

        def publish(self, _upload: object) -> Publication:
            world.clock.advance(protocol.FENCE_SECONDS + 1)
            assert ended.wait(20)
            raise LeaseLost("at last")

    def end() -> None:
        at_the_end.extend(entry["message"] for entry in kept.entries)
        ended.set()

    world.target = _with_publisher(world, Hanging())
    assert upload(world, job_id, kept, end=end) == 0
    assert at_the_end == [
        "begins",
        "the lease is lost: no heartbeat got through for 240 s",
        "killed: the work went on after its lease was lost",
    ]


def test_a_log_that_can_not_be_shipped_keeps_nobody_from_working(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id, _ = to_upload(world)
    service = Machine(instance_id="i-7")
    tagged(service, "uploader", job_id, str(world.job(job_id).epoch))
    with served(service) as base:
        code = run(
            "upload",
            {},
            metadata=Metadata(base),
            clock=world.clock,
            end=lambda: None,
            open_target=lambda: world.target,
        )
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [one["message"] for one in said] == ["this log stays here: MANGAVID_TABLE is not set", "begins", "ends"]


def test_lines_that_were_dropped_are_told_on_the_machine(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    job_id, _ = to_upload(world)
    kept = Kept()
    kept.problems.append(MangavidError("InvalidParameterException"))
    assert upload(world, job_id, kept) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["message"], last["lines"], last["job"]) == ("lines of this log are not in CloudWatch", 2, job_id)
    assert "InvalidParameterException" in last["why"]


def _with_publisher(world: World, publisher: Any) -> Target:
    return dataclasses.replace(world.target, publisher=lambda: publisher)


def test_a_time_is_sent_in_milliseconds(told: Told) -> None:
    service = Recorder()
    shipper = shipping(service, told)
    shipper.add(datetime.fromisoformat("2026-11-23T08:00:00.250+00:00"), "then")
    shipper.close()
    assert service.puts == [[(1795420800250, "then")]]
