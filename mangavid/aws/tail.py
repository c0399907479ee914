"""The log on AWS: what functions and machines said, from the log groups of CloudWatch, as one stream.

CloudWatch filters by job, execution and state; what it let through is looked at again. What it gives out has its own
ways: lines come late, a machine that had no answer may have sent its lines twice, five calls a second are answered.
"""

from __future__ import annotations

import hashlib
import heapq
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from queue import SimpleQueue
from typing import Any, Final

import msgspec

from mangavid.aws.names import Names
from mangavid.aws.session import Clients, Refused, Service
from mangavid.clock import SystemClock
from mangavid.config import Config
from mangavid.errors import UpstreamUnavailable
from mangavid.functions import MODULES
from mangavid.ports import Clock
from mangavid.states.loglines import ERROR, Line, Wanted, entry_of, line_of

#: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: of an account in a region.
CALLS_PER_SECOND: Final = 5.0
#: While following, lines that come so much later than others are still told. A machine that CloudWatch does not answer
#: waits for up to a minute before it sends again (``mangavid.aws.logs``).
LATE: Final = timedelta(seconds=90)
WORKERS: Final = ("renderer", "uploader")
_EVERY_SECONDS: Final = 2.0
_LONGEST_PAUSE: Final = 30.0
#: Of so many calls of functions it is known what they were for.
_CALLS_KNOWN: Final = 5_000
_MILLISECOND: Final = timedelta(milliseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class _Event(msgspec.Struct, frozen=True):
    at: int
    """Milliseconds since 1970."""
    source: str
    stream: str
    text: str
    id: str

    @property
    def key(self) -> bytes:
        """The same for the same line, however often a machine sent it. Text may repeat itself within a millisecond."""
        told = self.text if self.text.startswith("{") else self.id
        return hashlib.blake2b(f"{self.source} {self.stream} {self.at} {told}".encode(), digest_size=16).digest()


def open_tail(config: Config, say: Callable[[str], None]) -> CloudWatchTail:
    """Of what is deployed for these settings. ``say`` is told what a person should know meanwhile."""
    clients = Clients(config.aws.region or None, profile=config.aws.profile)
    return CloudWatchTail(clients["logs"], Names(config.aws.prefix), SystemClock(), say, region=clients.region)


class CloudWatchTail:
    """``loglines.Tail``. A group that is not there is an empty one."""

    def __init__(
        self,
        logs: Service,
        names: Names,
        clock: Clock,
        say: Callable[[str], None],
        *,
        region: str = "",
        per_second: float = CALLS_PER_SECOND,
    ) -> None:
        self._logs = logs
        self._names = names
        self._clock = clock
        self._say = say
        self._region = region
        self._pace = _Pace(clock, per_second)
        self._groups = {
            **{function: f"/aws/lambda/{names.function(function)}" for function in MODULES},
            **{worker: names.log_group(worker) for worker in WORKERS},
        }
        self._missing: set[str] = set()

    def where(self) -> str:
        here = f" in {self._region}" if self._region else ""
        there = len(self._groups) - len(self._missing)
        if not there:
            return f"CloudWatch: there is no log group of {self._names.prefix}{here} (to make them: mangavid deploy)"
        groups = f"{there} of the {len(self._groups)} log groups" if self._missing else f"{there} log groups"
        return f"the {groups} of {self._names.prefix}{here}"

    def lines(self, wanted: Wanted, *, follow: bool) -> Iterator[Line | None]:
        """Raises AuthError, UpstreamUnavailable; while following, the latter is told and tried again."""
        reading = _Reading(wanted, self._clock)
        start = newest = _milliseconds(wanted.since)
        pause = _EVERY_SECONDS
        while True:
            try:
                for event in self._round(wanted, start):
                    newest = max(newest, event.at)
                    line = reading.line(event)
                    if line is not None and wanted.takes(line):
                        yield line
                pause = _EVERY_SECONDS
            except UpstreamUnavailable as problem:
                if not follow:
                    raise
                if pause == _EVERY_SECONDS:
                    self._say(f"CloudWatch does not answer, this goes on trying: {problem}")
                pause = min(_LONGEST_PAUSE, 2 * pause)
            if not follow:
                return
            yield None
            self._clock.sleep(pause)
            start = max(start, _late(newest, self._clock))

    # --- inside ---

    def _round(self, wanted: Wanted, start: int) -> Iterator[_Event]:
        """All that there is from ``start`` on: of each group the page that is read, and the one after it, in memory."""
        self._missing.clear()
        pages = {source: self._ask(source, wanted, start) for source in self._groups}
        streams = [self._events(source, page) for source, page in pages.items()]
        return heapq.merge(*streams, key=attrgetter("at"))

    def _events(self, source: str, first: _Asked) -> Iterator[_Event]:
        page: _Asked | None = first
        while page is not None:
            answer = page.result()
            token = answer.get("nextToken")
            # On its way while this one is read.
            page = self._page(source, {**page.parameters, "nextToken": token}) if token else None
            events = [
                _Event(one["timestamp"], source, one.get("logStreamName", ""), one["message"], one.get("eventId", ""))
                for one in answer.get("events", ())
            ]
            events.sort(key=attrgetter("at"))
            del answer
            yield from events

    def _ask(self, source: str, wanted: Wanted, start: int) -> _Asked:
        asked: dict[str, Any] = {
            "logGroupName": self._groups[source],
            "startTime": start,
            "interleaved": True,  # what AWS does always, and emulators when told to
        }
        if wanted.until:
            asked["endTime"] = _milliseconds(wanted.until)
        if pattern := filter_pattern(wanted, worker=source in WORKERS):
            asked["filterPattern"] = pattern
        if wanted.job and source in WORKERS:
            asked["logStreamNamePrefix"] = f"{wanted.job}/"
        return self._page(source, asked)

    def _page(self, source: str, asked: Mapping[str, Any]) -> _Asked:
        def ask() -> Mapping[str, Any]:
            self._pace.wait()
            try:
                return self._logs.call("filter_log_events", expect=("ResourceNotFoundException",), **asked)
            except Refused:
                self._missing.add(source)
                return {}

        return _Asked(ask, asked)


class _Asked:
    """A page on its way, in a thread that keeps nobody from leaving."""

    def __init__(self, ask: Callable[[], Mapping[str, Any]], parameters: Mapping[str, Any]) -> None:
        self.parameters = parameters
        self._ask = ask
        self._answer: SimpleQueue[Mapping[str, Any] | BaseException] = SimpleQueue()
        threading.Thread(target=self._get, name="logs", daemon=True).start()

    def result(self) -> Mapping[str, Any]:
        """Waits for it; raises what asking raised."""
        answer = self._answer.get()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def _get(self) -> None:
        try:
            self._answer.put(self._ask())
        except BaseException as problem:  # it is raised where the page is waited for
            self._answer.put(problem)


class _Pace:
    """So many calls a second, a second's worth of them at once. Usable from several threads."""

    def __init__(self, clock: Clock, per_second: float) -> None:
        self._clock = clock
        self._each = 1 / per_second
        self._lock = threading.Lock()
        self._due = clock.monotonic()

    def wait(self) -> None:
        with self._lock:
            now = self._clock.monotonic()
            self._due = max(self._due, now - 1.0) + self._each
            wait = self._due - now
        if wait > 0:
            self._clock.sleep(wait)


class _Reading:
    """What was told already, and what is known of the calls that lines speak of."""

    def __init__(self, wanted: Wanted, clock: Clock) -> None:
        self._everything = wanted.everything
        self._clock = clock
        self._seen: dict[bytes, int] = {}
        self._forget_at = 1_000
        #: By request: a line of that call, and whether its failure was told.
        self._calls: dict[str, tuple[Line | None, bool]] = {}

    def line(self, event: _Event) -> Line | None:
        """What an event says; None for what was told before, and for what Lambda adds of its own."""
        if self._again(event):
            return None
        at = _EPOCH + event.at * _MILLISECOND
        entry = entry_of(event.text)
        if entry is None:
            return Line(at=at, level="info", source=event.source, message=event.text.rstrip())
        if str(entry.get("type", "")).startswith("platform."):
            return self._of_lambda(_platform(entry, at, event.source), _text(_record(entry), "requestId"))
        if "errorType" in entry and "stackTrace" in entry:
            return self._of_lambda(_raised(entry, at, event.source), _text(entry, "requestId"))
        line = line_of(entry, at, event.source)
        if request := _text(entry, "request"):
            _, failed = self._calls.get(request, (None, False))
            self._know(request, line, failed or line.level == ERROR)
            return line
        return self._whole(line, _text(entry, "requestId"))

    def _again(self, event: _Event) -> bool:
        key = event.key
        if key in self._seen:
            return True
        self._seen[key] = event.at
        if len(self._seen) >= self._forget_at:
            late = _late(event.at, self._clock)
            self._seen = {key: at for key, at in self._seen.items() if at >= late}
            self._forget_at = 2 * len(self._seen) + 1_000
        return False

    def _of_lambda(self, line: Line, request: str) -> Line | None:
        """What the service adds: nothing but a failure that the function itself did not tell, as one cut off."""
        line = self._whole(line, request)
        known, told = self._calls.get(request, (None, False))
        if self._everything:
            return line
        if line.level in ("info", "debug") or (line.level == ERROR and told):
            return None
        if request and line.level == ERROR:
            self._know(request, known, True)
        return line

    def _know(self, request: str, line: Line | None, failed: bool) -> None:
        self._calls.pop(request, None)
        self._calls[request] = line, failed
        if len(self._calls) > _CALLS_KNOWN:
            del self._calls[next(iter(self._calls))]

    def _whole(self, line: Line, request: str) -> Line:
        """With job, execution, state and attempt of the call that it speaks of."""
        known, _ = self._calls.get(request, (None, False))
        if known is None:
            return line
        return msgspec.structs.replace(
            line, state=known.state, job=known.job, execution=known.execution, attempt=known.attempt
        )


def filter_pattern(wanted: Wanted, *, worker: bool) -> str:
    """What CloudWatch is asked for: at least all that is wanted. Empty where that is everything.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
    """
    fields = {"job": wanted.job, "execution": wanted.execution, "state": wanted.state}
    own = " && ".join(f'($.{name} = "{value}")' for name, value in fields.items() if value)
    if not own and wanted.errors:
        levels = (ERROR, "ERROR", "fatal", "FATAL", "critical", "CRITICAL")
        own = " || ".join(f'($.level = "{level}")' for level in levels) + ' || ($.error = "*")'
    if not own or wanted.everything:
        return ""
    if worker:
        return f"{{ {own} }}"
    # What Lambda says names the call alone: whose it was is known from the function's own lines.
    return f'{{ ({own}) || ($.type = "platform.*") || ($.requestId = "*") }}'


def _platform(entry: Mapping[str, Any], at: datetime, source: str) -> Line:
    """https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html"""
    kind, record = _text(entry, "type").removeprefix("platform."), _record(entry)
    status = _text(record, "status")
    if kind == "logsDropped":
        return Line(at=at, level="warning", source=source, message="Lambda dropped lines of this log", extra=record)
    if status in ("", "success"):
        return Line(at=at, level="debug", source=source, message=f"Lambda: {kind}", extra=record)
    why = _text(record, "errorType")
    ended = "was cut off: it took too long" if status == "timeout" else f"ended with {status}"
    return Line(
        at=at,
        level=ERROR,
        source=source,
        message=f"Lambda: the function {ended}{f' ({why})' if why else ''}",
        extra=record,
    )


def _raised(entry: Mapping[str, Any], at: datetime, source: str) -> Line:
    """What the runtime says of an exception that a function raised, or could not be loaded for."""
    stack = entry["stackTrace"]
    where = "".join(map(str, stack)) if isinstance(stack, list) else str(stack)
    error, message = _text(entry, "errorType"), _text(entry, "errorMessage")
    extra = {"error": error, "where": where, "request": _text(entry, "requestId")}
    return Line(at=at, level=ERROR, source=source, message=message or error, extra=extra)


def _record(entry: Mapping[str, Any]) -> dict[str, Any]:
    record = entry.get("record")
    return record if isinstance(record, dict) else {}


def _text(entry: Mapping[str, Any], field: str) -> str:
    value = entry.get(field, "")
    return value if isinstance(value, str) else ""


def _late(newest: int, clock: Clock) -> int:
    """Lines from then on may still come. Not by the clock alone: it may be ahead, and so may a machine's be."""
    return min(newest, _milliseconds(clock.now())) - LATE // _MILLISECOND


def _milliseconds(when: datetime) -> int:
    return (when - _EPOCH) // _MILLISECOND
