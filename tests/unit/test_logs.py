"""``mangavid logs``: lines of many logs as one stream, each told once, and only those asked for."""

from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangavid.aws.names import Names
from mangavid.aws.tail import LATE, WORKERS, CloudWatchTail, filter_pattern
from mangavid.cli import logs as command
from mangavid.cli.app import main
from mangavid.config import Config, Local
from mangavid.errors import AuthError, UpstreamUnavailable, UsageError
from mangavid.functions import MODULES
from mangavid.keys import job_item
from mangavid.local import open_target
from mangavid.local.tail import MachineTail
from mangavid.ports import Change, Execution
from mangavid.states.loglines import Line, Wanted, entry_of, line_of
from tests.fakes.cloudwatch import CloudWatch, matches
from tests.fakes.memory import FakeClock
from tests.unit.test_output import HOSTILE, harmless, streams

NAMES = Names("manga-pipeline")
ARN = "arn:aws:states:us-east-1:123456789012:execution:manga-pipeline:run-1"
GROUPS = [*(f"/aws/lambda/manga-pipeline-{one}" for one in MODULES), *map(NAMES.log_group, WORKERS)]
FETCHER, SCRIPTGEN, RENDERER = GROUPS[1], GROUPS[2], "/manga-pipeline/renderer"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ms(seconds_ago: float) -> int:
    return round((NOW.timestamp() - seconds_ago) * 1000)


def told(message: str, level: str = "info", **fields: Any) -> dict[str, Any]:
    """As functions and machines log."""
    return {"timestamp": NOW.isoformat(), "level": level, "message": message, **fields}


def asked(**fields: Any) -> Wanted:
    return Wanted(**{"since": NOW - HOUR, **fields})


class Following:
    """A clock on which something happens at each sleep; it ends, as Ctrl-C does, after the last of them."""

    def __init__(self, *events: Callable[[], None]) -> None:
        self._clock = FakeClock(NOW)
        self._events = list(events)
        self.now, self.monotonic, self.slept = self._clock.now, self._clock.monotonic, self._clock.slept

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)
        if not self._events:
            raise KeyboardInterrupt
        self._events.pop(0)()


def tail(cloud: CloudWatch, clock: Any = None, say: Callable[[str], None] = print) -> CloudWatchTail:
    return CloudWatchTail(cloud, NAMES, clock or FakeClock(NOW), say, region="us-east-1", per_second=1e9)  # type: ignore[arg-type]


def read(cloud: CloudWatch, **fields: Any) -> list[Line]:
    return [line for line in tail(cloud).lines(asked(**fields), follow=False) if line is not None]


def followed(cloud: CloudWatch, clock: Following, **fields: Any) -> list[str]:
    """Messages, with «·» each time all is told that is there."""
    messages = []
    try:
        for line in tail(cloud, clock).lines(asked(**fields), follow=True):
            messages.append("·" if line is None else line.message)
    except KeyboardInterrupt:
        return messages
    raise AssertionError("it ended by itself")


def nothing() -> None: ...


# --- AWS: one stream ------------------------------------------------------------------------------------------------


def test_lines_of_all_groups_come_in_the_order_of_time_over_all_pages() -> None:
    cloud = CloudWatch(page=7)
    for n in range(700):
        cloud.put(GROUPS[n * 5 % 14], ms(3000 - n), told(f"line {n}"))
    cloud.empty_first = True
    lines = read(cloud)
    assert [line.message for line in lines] == [f"line {n}" for n in range(700)]
    assert {line.source for line in lines} == {*MODULES, *WORKERS}
    assert lines[0].at == NOW - timedelta(seconds=3000)


def test_ten_thousand_lines_take_no_more_memory_than_the_pages_in_hand() -> None:
    """Two pages a group, of ten thousand lines of 2 KB."""
    rest = "x" * 2_000

    class Endless(CloudWatch):
        def call(self, operation: str, **parameters: Any) -> dict[str, Any]:
            first = int(parameters.get("nextToken", 0))
            group = GROUPS.index(parameters["logGroupName"])
            events = [
                {"timestamp": ms(3000) + 14 * n + group, "eventId": f"{n}", "message": json.dumps(told(f"{n} {rest}"))}
                for n in range(first, first + 10)
            ]
            return {"events": events} | ({"nextToken": str(first + 10)} if first + 10 < 720 else {})

    tracemalloc.start()
    try:
        last, count = NOW - HOUR, 0
        for line in tail(Endless()).lines(asked(), follow=False):
            assert line is not None and line.at > last
            last, count = line.at, count + 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 14 * 720 > 10_000
    assert peak < 5_000_000 < count * len(rest)


def test_a_line_says_what_it_says_and_the_rest_is_extra() -> None:
    cloud = CloudWatch()
    fields = {"function": "scriptgen", "state": "GenerateScript", "execution": ARN, "job": "a-b", "attempt": 2}
    cloud.put(SCRIPTGEN, ms(60), told("ends", request="r", seconds=1.5, result={"scenes": 4}, **fields))
    (line,) = read(cloud)
    assert line == Line(
        at=NOW - timedelta(seconds=60),
        level="info",
        source="scriptgen",
        message="ends",
        state="GenerateScript",
        job="a-b",
        execution="run-1",
        attempt=2,
        extra={"request": "r", "seconds": 1.5, "result": {"scenes": 4}},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("plain\n", "plain"),
        ("{", "{"),
        ("[1]", "[1]"),
        ("{" * 50_000, "{" * 50_000),
        ('{"a":' * 50_000, '{"a":' * 50_000),
        ('{"message": ["a"], "level": 3, "attempt": "x", "job": {}}', '["a"]'),
        ('{"message": NaN}', "NaN"),
        ('{"n": ' + "9" * 5000 + "}", '{"n": ' + "9" * 5000 + "}"),
    ],
)
def test_a_line_that_is_no_line_of_ours_is_told_as_it_is(text: str, message: str) -> None:
    cloud = CloudWatch()
    cloud.put(FETCHER, ms(1), text)
    (line,) = read(cloud)
    assert (line.message, line.level, line.job, line.attempt) == (message, "info", "", 0)


@pytest.mark.parametrize(
    ("entry", "level"),
    [
        ({"level": "WARN"}, "warning"),
        ({"level": "FATAL"}, "error"),
        ({"level": "ERROR"}, "error"),
        ({"level": "INFO", "error": "BadInput"}, "error"),
        ({"level": ""}, "info"),
        ({}, "info"),
    ],
)
def test_levels_have_one_spelling_and_a_named_error_is_one(entry: dict[str, Any], level: str) -> None:
    assert line_of(entry, NOW, "fetcher").level == level


# --- AWS: what is asked for -----------------------------------------------------------------------------------------


def test_cloudwatch_filters_and_what_it_lets_through_is_filtered_again() -> None:
    cloud = CloudWatch()
    cloud.put(SCRIPTGEN, ms(9), told("mine", job="a-b", state="GenerateScript", execution=ARN))
    cloud.put(SCRIPTGEN, ms(8), told("another's", job="a-bc", state="GenerateScript", execution=ARN))
    cloud.put(FETCHER, ms(7), told("nobody's", state="FetchManga"))
    cloud.put(RENDERER, ms(6), told("rendered", job="a-b", state="WaitForRender", execution=ARN), stream="a-b/e1/i-1")
    cloud.put(RENDERER, ms(5), told("not mine", job="a-bc", execution=ARN), stream="a-bc/e1/i-1")
    cloud.put(FETCHER, ms(7200), told("long ago", job="a-b"))
    assert [line.message for line in read(cloud, job="a-b")] == ["mine", "rendered"]
    assert [line.message for line in read(cloud, job="a-b", state="WaitForRender")] == ["rendered"]
    assert [line.message for line in read(cloud, execution=ARN)] == ["mine", "another's", "rendered", "not mine"]
    assert read(cloud, execution=f"{ARN}2") == []
    by_group = {one["logGroupName"]: one for one in cloud.asked[:14]}
    assert by_group[RENDERER]["filterPattern"] == '{ ($.job = "a-b") }'
    assert by_group[RENDERER]["logStreamNamePrefix"] == "a-b/"
    assert by_group[FETCHER]["filterPattern"].startswith('{ (($.job = "a-b")) || ')
    assert "logStreamNamePrefix" not in by_group[FETCHER]


_TEXTS = st.sampled_from(["", "a", "b", "ERROR", "error", "info", "fatal", ARN, "platform.report"])
_ENTRIES = st.dictionaries(
    st.sampled_from(["job", "state", "execution", "level", "error", "message", "requestId", "type"]), _TEXTS
)


@settings(max_examples=500, deadline=None)
@given(_ENTRIES, st.sampled_from(["", "a"]), st.sampled_from(["", "b"]), st.sampled_from(["", ARN]), st.booleans())
def test_cloudwatch_is_asked_for_all_that_is_wanted(
    entry: dict[str, str], job: str, state: str, execution: str, errors: bool
) -> None:
    wanted = asked(job=job, state=state, execution=execution, errors=errors)
    line = line_of(entry, NOW, "fetcher")
    # An execution is logged by its ARN.
    if wanted.takes(line) and entry.get("execution", "") in ("", ARN):
        for worker in (False, True):
            assert matches(filter_pattern(wanted, worker=worker), json.dumps(entry))


def test_errors_are_asked_for_by_level_and_by_name() -> None:
    cloud = CloudWatch()
    for n, (level, more) in enumerate([("info", {}), ("error", {}), ("INFO", {"error": "BadInput"}), ("warning", {})]):
        cloud.put(FETCHER, ms(9 - n), told(f"line {n}", level, **more))
    assert [line.message for line in read(cloud, errors=True)] == ["line 1", "line 2"]
    assert read(cloud, errors=True, job="a") == []


@pytest.mark.parametrize("everything", [False, True])
def test_what_is_wanted_of_aws_itself_is_all_or_nothing(everything: bool) -> None:
    cloud = CloudWatch()
    for kind in ("initStart", "start", "report"):
        record = {"requestId": "r", "status": "success"} if kind == "report" else {"requestId": "r"}
        cloud.put(FETCHER, ms(5), {"time": NOW.isoformat(), "type": f"platform.{kind}", "record": record})
    cloud.put(FETCHER, ms(4), told("begins", request="r"))
    messages = [line.message for line in read(cloud, everything=everything)]
    ours = ["Lambda: initStart", "Lambda: start", "Lambda: report"] if everything else []
    assert messages == [*ours, "begins"]


def test_a_call_that_lambda_cut_off_is_told_once_and_with_its_job() -> None:
    cloud = CloudWatch()
    about = {"job": "a-b", "state": "GenerateScript", "execution": ARN, "attempt": 2, "function": "scriptgen"}
    cloud.put(SCRIPTGEN, ms(9), told("begins", request="r", **about))
    for kind in ("runtimeDone", "report"):
        record = {"requestId": "r", "status": "timeout", "metrics": {"durationMs": 870_000}}
        cloud.put(SCRIPTGEN, ms(5), {"time": NOW.isoformat(), "type": f"platform.{kind}", "record": record})
    for fields in ({}, {"job": "a-b"}, {"execution": ARN}, {"state": "GenerateScript"}, {"job": "a-b", "errors": True}):
        *begins, cut = read(cloud, **fields)
        assert len(begins) == (not fields.get("errors"))
        assert cut.message == "Lambda: the function was cut off: it took too long"
        assert (cut.level, cut.job, cut.state, cut.execution, cut.attempt) == (
            "error",
            "a-b",
            "GenerateScript",
            "run-1",
            2,
        )
    assert [line.job for line in read(cloud, errors=True)] == [""]  # its beginning was not asked for
    assert read(cloud, job="another") == []


def test_an_error_that_a_function_told_is_not_told_again_by_its_runtime() -> None:
    cloud = CloudWatch()
    raised = {"timestamp": NOW.isoformat(), "level": "ERROR", "errorType": "BadInput", "stackTrace": ["  at x\n"]}
    cloud.put(FETCHER, ms(9), told("no pages", "error", error="BadInput", request="r", job="a-b"))
    cloud.put(FETCHER, ms(8), {**raised, "errorMessage": "no pages\nhint: x", "requestId": "r"})
    cloud.put(FETCHER, ms(7), {"type": "platform.report", "record": {"requestId": "r", "status": "error"}})
    cloud.put(SCRIPTGEN, ms(6), {**raised, "errorType": "Runtime.ImportModuleError", "errorMessage": "no module"})
    assert [line.message for line in read(cloud)] == ["no pages", "no module"]
    assert len(read(cloud, everything=True)) == 4
    (line,) = [line for line in read(cloud, errors=True) if line.source == "scriptgen"]
    assert line.extra["error"] == "Runtime.ImportModuleError"
    assert line.extra["where"] == "  at x\n"


def test_a_warning_of_a_library_has_the_job_of_its_call() -> None:
    cloud = CloudWatch()
    cloud.put(FETCHER, ms(9), told("begins", request="r", job="a-b"))
    cloud.put(FETCHER, ms(8), {"level": "WARNING", "message": "slow", "logger": "botocore", "requestId": "r"})
    assert [(line.message, line.level, line.job) for line in read(cloud, job="a-b")][1:] == [("slow", "warning", "a-b")]


def test_lines_that_lambda_dropped_are_spoken_of() -> None:
    cloud = CloudWatch()
    cloud.put(FETCHER, ms(5), {"type": "platform.logsDropped", "record": {"droppedRecords": 123, "reason": "slow"}})
    (line,) = read(cloud)
    assert (line.level, line.message) == ("warning", "Lambda dropped lines of this log")
    assert line.extra["droppedRecords"] == 123


# --- AWS: what comes late, twice or not -----------------------------------------------------------------------------


def test_followed_lines_are_told_once_each_however_late_they_come() -> None:
    cloud = CloudWatch()
    cloud.put(FETCHER, ms(100), told("first"))
    clock = Following(
        lambda: cloud.put(FETCHER, ms(0), told("second")),
        lambda: cloud.put(RENDERER, ms(80), told("late, of a machine that was not answered")),
        nothing,
        lambda: cloud.put(FETCHER, ms(-8), told("third")),
        nothing,
    )
    assert followed(cloud, clock) == [
        *("first", "·", "second", "·", "late, of a machine that was not answered", "·", "·", "third", "·", "·")
    ]


def test_a_batch_that_a_machine_sent_twice_is_told_once() -> None:
    cloud = CloudWatch()
    for _ in range(2):
        for n in range(3):
            cloud.put(RENDERER, ms(9 - n), told(f"line {n}"), stream="a/e1/i-1")
    cloud.put(RENDERER, ms(9), told("line 0"), stream="a/e2/i-2")
    for _ in range(2):
        cloud.put(FETCHER, ms(5), "    ^^^^")  # of two tracebacks in one millisecond
    messages = [line.message for line in read(cloud)]
    assert sorted(messages) == sorted(["line 0", "line 0", "line 1", "line 2", "    ^^^^", "    ^^^^"])


def test_what_is_remembered_while_following_does_not_grow() -> None:
    cloud = CloudWatch()
    count = 0

    def more() -> None:
        nonlocal count
        now = round(clock.now().timestamp() * 1000)
        for n in range(60):
            cloud.put(FETCHER, now - n, told(f"line {count}"))
            count += 1

    clock = Following(*[more] * 200)
    reading = tail(cloud, clock).lines(asked(), follow=True)
    lines: list[Line] = []
    starts, remembered = [], []
    try:
        for line in reading:
            if line is None:
                remembered.append(len(reading.gi_frame.f_locals["reading"]._seen))  # type: ignore[attr-defined]
                cloud.groups[FETCHER][:] = cloud.groups[FETCHER][-6_000:]
                starts.append(cloud.asked[-1]["startTime"])
                cloud.asked.clear()
            else:
                lines.append(line)
    except KeyboardInterrupt:
        pass
    assert len(lines) == len({line.message for line in lines}) == count == 12_000
    assert 2_700 <= max(remembered) <= 2 * 2_700 + 1_000  # 90 s of 60 lines every 2 s
    late = LATE / timedelta(milliseconds=1)
    assert all(late <= round(clock.now().timestamp() * 1000) - start <= late + 10_000 for start in starts[-1:])


@pytest.mark.parametrize("off", [timedelta(minutes=30), timedelta(minutes=-30)])
def test_a_clock_that_is_wrong_loses_no_line(off: timedelta) -> None:
    """This machine's, by half an hour."""
    cloud = CloudWatch()

    def put(message: str, seconds_ago: float) -> None:
        cloud.put(FETCHER, ms(seconds_ago - off.total_seconds()), told(message))

    put("first", 1)
    clock = Following(lambda: put("second", 0), lambda: put("third", -1), lambda: put("late", 60), nothing)
    messages = [one for one in followed(cloud, clock) if one != "·"]
    assert messages == ["first", "second", "third", "late"]


def test_a_line_from_the_future_hides_none_from_now() -> None:
    cloud = CloudWatch()
    cloud.put(RENDERER, ms(-3600), told("of a machine whose clock is ahead"))
    for n in range(1_200):
        cloud.put(FETCHER, ms(2), told(f"line {n}"))
    clock = Following(lambda: cloud.put(FETCHER, ms(1), told("now")), nothing)
    messages = [one for one in followed(cloud, clock) if one != "·"]
    assert messages == [*(f"line {n}" for n in range(1_200)), "of a machine whose clock is ahead", "now"]


def test_a_group_that_is_not_there_is_empty_and_is_found_when_it_is_made() -> None:
    cloud = CloudWatch()
    clock = Following(lambda: cloud.put(FETCHER, ms(0), told("made")), nothing)
    assert followed(cloud, clock) == ["·", "made", "·", "·"]
    looking = tail(CloudWatch())
    assert list(looking.lines(asked(), follow=False)) == []
    assert looking.where() == (
        "CloudWatch: there is no log group of manga-pipeline in us-east-1 (to make them: mangavid deploy)"
    )
    cloud.make(SCRIPTGEN)
    looking = tail(cloud)
    list(looking.lines(asked(), follow=False))
    assert looking.where() == "the 2 of the 14 log groups of manga-pipeline in us-east-1"
    cloud.make(*GROUPS)
    list(looking.lines(asked(), follow=False))
    assert looking.where() == "the 14 log groups of manga-pipeline in us-east-1"


def test_following_outlives_an_outage_and_says_so_once() -> None:
    cloud = CloudWatch(page=2)
    cloud.make(*GROUPS)
    for n in range(5):
        cloud.put(FETCHER, ms(60 - n), told(f"line {n}"))

    def outage() -> None:
        cloud.problems[:] = [UpstreamUnavailable("ThrottlingException: Rate exceeded")] * 28

    said: list[str] = []
    clock = Following(outage, nothing, lambda: cloud.put(FETCHER, ms(0), told("after it")), nothing)
    messages = []
    with pytest.raises(KeyboardInterrupt):
        for line in tail(cloud, clock, said.append).lines(asked(), follow=True):
            messages.append("·" if line is None else line.message)
    assert [one for one in messages if one != "·"] == [*(f"line {n}" for n in range(5)), "after it"]
    assert said == ["CloudWatch does not answer, this goes on trying: ThrottlingException: Rate exceeded"]
    assert sorted(set(clock.slept)) == [2.0, 4.0, 8.0]


@pytest.mark.parametrize("follow", [False, True])
def test_a_refusal_ends_it(follow: bool) -> None:
    cloud = CloudWatch()
    cloud.problems = [AuthError("not allowed")]
    with pytest.raises(AuthError):
        list(tail(cloud, Following()).lines(asked(), follow=follow))
    if not follow:
        cloud.problems = [UpstreamUnavailable("down")]
        with pytest.raises(UpstreamUnavailable):
            list(tail(cloud).lines(asked(), follow=False))


def test_five_calls_a_second_are_made() -> None:
    cloud, clock = CloudWatch(), FakeClock(NOW)
    looking = CloudWatchTail(cloud, NAMES, clock, print, region="")  # type: ignore[arg-type]
    list(looking.lines(asked(), follow=False))
    assert len(cloud.asked) == 14
    assert 1.5 < max(clock.slept) < 2.2 or sum(clock.slept) > 1.5


# --- this machine ---------------------------------------------------------------------------------------------------


class Histories:
    """Executions with the events that a test gives them."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.stopped: datetime | None = None

    def add(self, kind: str, seconds_ago: float, **details: Any) -> None:
        key = "stateEnteredEventDetails" if kind.endswith("Entered") else f"{kind[0].lower()}{kind[1:]}EventDetails"
        at = NOW - timedelta(seconds=seconds_ago)
        self.events.append({"id": len(self.events) + 1, "type": kind, "timestamp": at, key: details})

    def call(self, entered: str, function: str, seconds_ago: float, **payload: Any) -> None:
        self.add("TaskStateEntered", seconds_ago, name=entered, input="{}")
        arn = f"arn:aws:lambda:local:000000000000:function:manga-pipeline-{function}"
        parameters = json.dumps({"FunctionName": arn, "Payload": payload})
        self.add("TaskScheduled", seconds_ago, resource="invoke", parameters=parameters)
        self.add("TaskStarted", seconds_ago)

    def list(self, *, status: str | None = None) -> Iterator[Execution]:
        yield Execution(arn=ARN, name="run-1", status="RUNNING", started=NOW - HOUR, stopped=self.stopped)

    def history(self, arn: str, *, reverse: bool = False) -> Iterator[dict[str, Any]]:
        assert (arn, reverse) == (ARN, False)
        yield from list(self.events)


def local(histories: Histories, home: Path, clock: Any = None, *, follow: bool = False, **fields: Any) -> list[Line]:
    lines = []
    try:
        for line in MachineTail(histories, home, clock or FakeClock(NOW)).lines(asked(**fields), follow=follow):  # type: ignore[arg-type]
            lines.append(line)
    except KeyboardInterrupt:
        pass
    return [line for line in lines if line is not None]


def short(lines: list[Line]) -> list[tuple[str, str, str]]:
    return [(line.source, line.level, line.message) for line in lines]


def test_a_history_is_told_as_the_functions_tell_it(tmp_path: Path) -> None:
    histories = Histories()
    histories.call("FetchManga", "fetcher", 50, run="run-1", execution=ARN)
    histories.add("TaskSucceeded", 48, output=json.dumps({"Payload": {"job_id": "a-b"}}))
    histories.call("WaitForRender", "renderer-callback", 40, job_id="a-b", retry=1)
    histories.add("TaskSubmitted", 39, output=json.dumps({"Payload": {}}))
    histories.add("TaskSucceeded", 30, output=json.dumps({"job_id": "a-b"}))
    histories.call("WaitForUpload", "uploader-callback", 20, job_id="a-b", retry=0)
    histories.add("TaskSubmitted", 19, output=json.dumps({"Payload": {}}))
    histories.add("TaskFailed", 18, error="PublishError", cause="no room\nhint: free some")
    histories.call("HandleError", "handle-error", 17, state={"job": {"job_id": "a-b"}})
    histories.add("TaskSubmitFailed", 16, error="Lambda.Unknown")
    lines = local(histories, tmp_path)
    assert short(lines) == [
        ("fetcher", "info", "begins"),
        ("fetcher", "info", "ends"),
        ("renderer-callback", "info", "begins"),
        ("renderer-callback", "info", "ends"),
        ("uploader-callback", "info", "begins"),
        ("uploader-callback", "info", "ends"),
        ("uploader", "error", "no room"),
        ("handle-error", "info", "begins"),
        ("handle-error", "error", "Lambda.Unknown"),
    ]
    assert lines[1].extra == {"result": {"job_id": "a-b"}, "seconds": 2.0}
    assert (lines[2].job, lines[2].attempt, lines[2].state) == ("a-b", 2, "WaitForRender")
    assert lines[6].extra == {"error": "PublishError", "hint": "free some", "seconds": 2.0}
    assert [line.job for line in lines[7:]] == ["a-b", "a-b"]
    assert {line.execution for line in lines} == {"run-1"}
    assert short(local(histories, tmp_path, errors=True, state="WaitForUpload")) == [("uploader", "error", "no room")]
    assert local(histories, tmp_path, execution=f"{ARN}2") == []
    histories.stopped = NOW - 2 * HOUR
    assert local(histories, tmp_path) == []


def wrote(home: Path, name: str, text: str, seconds_ago: float) -> Path:
    path = home / "logs" / f"{name}.log"
    path.parent.mkdir(exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
    at = NOW.timestamp() - seconds_ago
    os.utime(path, (at, at))
    return path


TRACEBACK = 'Traceback (most recent call last):\n  File "x", line 1\nValueError: \x1b[31mno\n'


def test_the_files_of_workers_are_told_with_the_histories(tmp_path: Path) -> None:
    histories = Histories()
    histories.call("WaitForRender", "renderer-callback", 40, job_id="a-b")
    histories.add("TaskSubmitted", 38, output="{}")
    line = {"level": "info", "message": "begins", "execution": ARN, "attempt": 2, "epoch": 1}
    began = json.dumps({"timestamp": (NOW - timedelta(seconds=39)).isoformat(), **line})
    wrote(tmp_path, "render-a-b-e1", f"early text\n{began}\n\nsome text\n{TRACEBACK}no end", 5)
    wrote(tmp_path, "upload-a-b-e2", "old\n", 7200)
    wrote(tmp_path, "something", "else\n", 1)
    lines = local(histories, tmp_path)
    assert short(lines) == [
        ("renderer-callback", "info", "begins"),
        ("renderer", "info", "early text"),
        ("renderer", "info", "begins"),
        ("renderer-callback", "info", "ends"),
        ("renderer", "info", "some text"),
        ("renderer", "error", "ValueError: \x1b[31mno"),
        ("renderer", "info", "no end"),
    ]
    assert lines[5].extra == {"epoch": 1, "where": TRACEBACK}
    assert lines[5].at == NOW - timedelta(seconds=5)
    assert (lines[5].execution, lines[5].attempt, lines[5].job) == ("run-1", 2, "a-b")
    assert len(local(histories, tmp_path, job="a-b")) == 7
    assert local(histories, tmp_path, job="a") == []


def test_following_on_this_machine_tells_what_is_new_once_it_is_whole(tmp_path: Path) -> None:
    histories = Histories()
    histories.call("FetchManga", "fetcher", 50)
    name = "render-a-b-e1"
    first, rest = TRACEBACK.split("  File", 1)
    clock = Following(
        lambda: histories.add("TaskSucceeded", 48, output="{}"),
        lambda: wrote(tmp_path, name, "half ", 4) and None,
        lambda: wrote(tmp_path, name, f"a line\n{first}", 3) and None,
        lambda: wrote(tmp_path, name, f"  File{rest}", 2) and None,
        lambda: (tmp_path / "logs" / f"{name}.log").unlink(),
        lambda: wrote(tmp_path, name, "anew\n", 1) and None,
        nothing,
    )
    lines = local(histories, tmp_path, clock, follow=True)
    assert [line.message for line in lines] == ["begins", "ends", "half a line", "ValueError: \x1b[31mno", "anew"]


def test_a_worker_that_writes_without_end_is_read_in_pieces(tmp_path: Path) -> None:
    path = wrote(tmp_path, "render-a-b-e1", "x" * 600_000 + "\n" + "y\n" * 20_000 + TRACEBACK.split("  File")[0], 1)
    with path.open("a") as file:
        file.write("  deeper\n" * 5_000)
    lines = local(Histories(), tmp_path)
    assert max(len(line.message) for line in lines) <= 256 * 1024
    assert sum(line.message == "y" for line in lines) == 20_000
    assert sum(len(str(line.extra.get("where", ""))) > 0 for line in lines) == 1


# --- the command ----------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("MANGAVID_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "me" / "config"))
    monkeypatch.setenv("MANGAVID_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    code = main(["logs", *args])
    return code, *capsys.readouterr()


def test_where_nothing_ran_it_is_said_where_was_looked(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert (code, out) == (0, "")
    assert err.startswith("No lines since ")
    assert f"in the history and the workers' logs in {home}." in err
    assert err.splitlines()[1:] == ["Further back: mangavid logs --since 7d. What ran: mangavid status"]
    assert run(capsys, "--errors", "--state", "CLEANUP", "--json")[2].startswith("No errors of Tidying up since ")
    assert not home.exists()


@pytest.mark.parametrize(
    ("args", "code", "says", "hint"),
    [
        (("--since", "soon"), 2, "--since soon: no time", "90s, 30m, 2h, 7d"),
        (("--since", "999999999w"), 2, "--since 999999999w: no time", "90s"),
        (("--state", "GenrateTTS"), 2, "no state GenrateTTS", "did you mean GenerateTTS"),
        (("--state", "zzz"), 2, "no state zzz", "one of FetchManga, "),
        (("--job", "nobody"), 3, "no job nobody", "mangavid status lists them"),
        (("--job", "last"), 3, "no job last", "mangavid status lists them"),
        (("--execution", "last"), 3, "no execution last", "mangavid status lists them"),
    ],
)
@pytest.mark.parametrize("follow", [(), ("--follow",)])
def test_mistakes_are_told(
    home: Path,
    capsys: pytest.CaptureFixture[str],
    args: tuple[str, ...],
    follow: tuple[str, ...],
    code: int,
    says: str,
    hint: str,
) -> None:
    got, out, err = run(capsys, *args, *follow)
    assert (got, out) == (code, "")
    assert says in err and hint in err


def test_all_of_a_job_is_told_however_old_it_is(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    long_ago = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
    fields = {"job_id": "dem-trang-0123456789", "status": "failed", "title": "x", "source": "/c", "execution": "arn:x"}
    times = {"created_at": long_ago.isoformat(), "updated_at": (long_ago + HOUR).isoformat()}
    jobs = open_target(Config(local=Local(home=str(home)))).jobs
    jobs.change(Change(key=job_item(fields["job_id"]), set=fields | times))
    path = wrote(home, f"render-{fields['job_id']}-e1", TRACEBACK, 0)
    os.utime(path, (long_ago.timestamp() + 60,) * 2)
    for name in ("last", "dem-trang", fields["job_id"]):
        code, out, err = run(capsys, "--job", name)
        assert code == 0
        first, *below = out.splitlines()
        assert first.endswith(
            f"renderer           error    ValueError: no  state=WaitForRender job={fields['job_id']} epoch=1"
        )
        assert below == ["    " + line for line in TRACEBACK.replace("\x1b[31m", "").splitlines()]
        assert err == f"To see more of what failed: mangavid status {fields['job_id']}\n"
    code, out, err = run(capsys, "--job", "last", "--json")
    (line,) = [json.loads(one) for one in out.splitlines()]
    assert (code, err, line["job"], line["message"]) == (0, "", fields["job_id"], "ValueError: \x1b[31mno")
    assert run(capsys, "--job", "last", "--since", "1h")[1] == ""
    assert run(capsys)[1] == ""


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("terminal", [False, True])
def test_no_line_gives_a_terminal_an_order(text: str, as_json: bool, terminal: bool) -> None:
    line = Line(
        at=NOW,
        level=text,
        source=text,
        message=f"{text}\n{text}",
        state=text,
        job=text,
        execution=text,
        extra={text: {text: text}, "where": text, "error": text},
    )
    with streams(terminal=terminal) as (out, _):
        command._Seen(as_json=as_json).tell(line)
    written = out.getvalue()
    if terminal and not as_json:
        import re

        written = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert harmless(written)
    if as_json:
        assert written.count("\n") == 1
        assert json.loads(written)["message"] == line.message


@pytest.mark.parametrize(
    ("text", "ago"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800), ("1w", 604_800), (" 0s ", 0)]
)
def test_a_time_is_an_age_or_a_date(text: str, ago: float) -> None:
    assert command.time_of(text, NOW) == NOW - timedelta(seconds=ago)
    assert command.time_of("2026-11-23T07:00:00+00:00", NOW) == NOW - HOUR
    assert command.time_of("2026-11-23", NOW) == datetime(2026, 11, 23).astimezone(UTC)
    for wrong in ("", "h", "-1h", "1 year", "9" * 30 + "s", "0001-01-01"):
        if wrong != "0001-01-01":
            with pytest.raises(UsageError):
                command.time_of(wrong, NOW)


def test_what_is_taken_in_is_json_or_text() -> None:
    assert entry_of('{"a": NaN}') == {"a": "NaN"}
    assert list(islice(map(entry_of, ("", "[]", "1", "null", "{")), 5)) == [None] * 5
