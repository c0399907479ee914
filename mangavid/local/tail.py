"""The log on this machine: what the history says of each call of a function, and the files that workers write to.

Told as functions and machines tell it on AWS, so that a person reads the same words there and here.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec

from mangavid.local import home_of
from mangavid.local.handlers import PREFIX
from mangavid.local.worker import WORKERS
from mangavid.ports import Clock, Execution, Executions, Item, Target
from mangavid.states.handle_error import readable
from mangavid.states.loglines import ERROR, Line, Wanted, entry_of, line_of

_WAITING: Final = {about["state"]: about["worker"] for about in WORKERS.values()}
_NAME = re.compile(r"(render|upload)-(.+)-e(\d+)")
_TRACEBACK: Final = "Traceback (most recent call last):"
_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_EVERY_SECONDS: Final = 0.5
_LINE_BYTES: Final = 256 * 1024
_TRACEBACK_LINES: Final = 1_000
#: So many lines of a file are in memory.
_WAITING_LINES: Final = 1_000


def open_tail(target: Target) -> MachineTail:
    return MachineTail(target.executions, home_of(target.config), target.clock)


class MachineTail:
    """``loglines.Tail``."""

    def __init__(self, executions: Executions, home: Path, clock: Clock) -> None:
        self._executions = executions
        self._home = home
        self._clock = clock
        self._calls: dict[str, _Calls] = {}
        self._files: dict[Path, _File] = {}

    def where(self) -> str:
        return f"the history and the workers' logs in {self._home}"

    def lines(self, wanted: Wanted, *, follow: bool) -> Iterator[Line | None]:
        while True:
            sources = [*self._histories(wanted), *self._logs(wanted, follow=follow)]
            yield from filter(wanted.takes, heapq.merge(*sources, key=attrgetter("at")))
            if not follow:
                return
            yield None
            self._clock.sleep(_EVERY_SECONDS)

    def _histories(self, wanted: Wanted) -> Iterator[Iterator[Line]]:
        for execution in self._executions.list():
            if wanted.execution not in ("", execution.arn):
                continue
            if execution.stopped is None or execution.stopped >= wanted.since:
                calls = self._calls.setdefault(execution.arn, _Calls(execution))
                yield calls.lines(self._executions, execution)

    def _logs(self, wanted: Wanted, *, follow: bool) -> Iterator[Iterator[Line]]:
        for path in sorted((self._home / "logs").glob("*.log")):
            found = _NAME.fullmatch(path.stem)
            if found is None or wanted.job not in ("", found[2]):
                continue
            file = self._files.setdefault(path, _File(path, found[1], found[2], int(found[3])))
            if file.changed(wanted.since):
                yield file.lines(growing=follow)


class _Calls:
    """The calls of functions in one execution's history, as far as they were told."""

    def __init__(self, execution: Execution) -> None:
        self._execution = execution.name
        self._told = 0
        self._ended: datetime | None = None
        self._state = ""
        self._begun: Line | None = None

    def lines(self, executions: Executions, now: Execution) -> Iterator[Line]:
        """What is new."""
        if self._ended is not None and self._ended == now.stopped:
            return
        for event in executions.history(now.arn):
            if event["id"] <= self._told:
                continue
            self._told = event["id"]
            line = self._line(event)
            if line is not None:
                yield line
        self._ended = now.stopped

    def _line(self, event: Item) -> Line | None:
        kind, at = str(event["type"]), event["timestamp"]
        details = next((value for name, value in event.items() if name.endswith("EventDetails")), None) or {}
        if kind == "TaskStateEntered":
            self._state = str(details.get("name", ""))
        elif kind == "TaskScheduled":
            self._begun = self._begins(details, at)
            return self._begun
        elif self._begun is None:
            return None
        elif kind == "TaskSubmitted" or (kind == "TaskSucceeded" and self._state not in _WAITING):
            return self._after(at, "info", "ends", result=_payload(details))
        elif kind.startswith("Task") and kind.endswith(("Failed", "TimedOut")):
            error = str(details.get("error", ""))
            cause, hint = readable(str(details.get("cause") or ""))
            worker = _WAITING.get(self._state) if kind in ("TaskFailed", "TaskTimedOut") else None
            return self._after(at, ERROR, cause or error, worker, error=error, **({"hint": hint} if hint else {}))
        return None

    def _begins(self, details: Mapping[str, Any], at: datetime) -> Line:
        parameters = entry_of(str(details.get("parameters", ""))) or {}
        payload = parameters.get("Payload")
        payload = payload if isinstance(payload, dict) else {}
        state = payload.get("state")
        job = state.get("job") if isinstance(state, dict) else None
        job_id = payload.get("job_id") or (job.get("job_id") if isinstance(job, dict) else "")
        return Line(
            at=at,
            level="info",
            source=str(parameters.get("FunctionName", "")).rpartition(":")[2].removeprefix(PREFIX),
            message="begins",
            state=self._state,
            job=str(job_id or ""),
            execution=self._execution,
            attempt=int(payload.get("retry", 0)) + 1,
        )

    def _after(self, at: datetime, level: str, message: str, worker: str | None = None, **extra: Any) -> Line:
        begun = self._begun
        assert begun is not None
        seconds = round((at - begun.at).total_seconds(), 3)
        return msgspec.structs.replace(
            begun,
            at=at,
            level=level,
            message=message,
            source=worker or begun.source,
            extra={**extra, "seconds": seconds},
        )


def _payload(details: Mapping[str, Any]) -> Any:
    """What a function returned."""
    return (entry_of(str(details.get("output", ""))) or {}).get("Payload")


class _File:
    """One worker's log, as far as it was told. No file is kept open."""

    def __init__(self, path: Path, phase: str, job: str, epoch: int) -> None:
        self._path = path
        self._offset = 0
        self._mark = (-1, -1)
        #: What a line is that does not say it: as the one before it.
        self._like = Line(
            at=_NEVER,
            level="info",
            source=WORKERS[phase]["worker"],
            message="",
            state=WORKERS[phase]["state"],
            job=job,
            extra={"epoch": epoch},
        )

    def changed(self, since: datetime) -> bool:
        """Whether something may be new; nothing is where it was last written before ``since``."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return False
        if stat.st_size < self._offset:
            self._offset = 0
        mark = (stat.st_mtime_ns, stat.st_size)
        if mark == self._mark or not stat.st_size:
            return False
        self._mark = mark
        return datetime.fromtimestamp(stat.st_mtime, UTC) >= since

    def lines(self, *, growing: bool) -> Iterator[Line]:
        """``growing``: a line that is not whole yet is told once it is.

        Text that does not say when it was written was no later than the next line that does, or the file's last change.
        """
        written = datetime.fromtimestamp(self._mark[0] / 1e9, UTC)
        waiting: list[str] = []
        for text in self._texts(growing=growing):
            entry = entry_of(text)
            if entry is None:
                waiting.append(text)
            before = self._like.at if self._like.at > _NEVER else written
            at = before if entry is None else _time(entry) or before
            if entry is not None or len(waiting) >= _WAITING_LINES:
                yield from self._plain(waiting, at)
                waiting = []
            if entry is not None:
                yield self._of_entry(entry, at)
        yield from self._plain(waiting, written)

    def _of_entry(self, entry: Mapping[str, Any], at: datetime) -> Line:
        line, like = line_of(entry, at, self._like.source), self._like
        line = msgspec.structs.replace(
            line,
            state=line.state or like.state,
            job=line.job or like.job,
            execution=line.execution or like.execution,
            attempt=line.attempt or like.attempt,
        )
        self._like = msgspec.structs.replace(like, at=at, execution=line.execution, attempt=line.attempt)
        return line

    def _plain(self, texts: Iterable[str], at: datetime) -> Iterator[Line]:
        for text in texts:
            if text.startswith(_TRACEBACK):
                last, where = text.rstrip().rpartition("\n")[2], {**self._like.extra, "where": text}
                yield msgspec.structs.replace(self._like, at=at, level=ERROR, message=last, extra=where)
            elif text.strip():
                yield msgspec.structs.replace(self._like, at=at, message=text.rstrip())

    def _texts(self, *, growing: bool) -> Iterator[str]:
        """Each line that is new, a traceback as one."""
        while True:
            texts: list[str] = []
            with suppress(FileNotFoundError), self._path.open("rb") as file:
                file.seek(self._offset)
                while len(texts) < _WAITING_LINES and (text := _one(file, growing=growing)) is not None:
                    texts.append(text)
                    self._offset = file.tell()
            if not texts:
                return
            yield from texts


def _one(file: BinaryIO, *, growing: bool) -> str | None:
    """The next line, with a traceback that begins there; None where there is none, or it is not whole yet."""
    text = _read(file, growing=growing)
    if text is None or text.rstrip() != _TRACEBACK:
        return text
    lines = [text]
    while len(lines) < _TRACEBACK_LINES:
        more = _read(file, growing=growing)
        if more is None:
            return None if growing else "".join(lines)
        lines.append(more)
        if more.strip() and not more.startswith(" "):
            break
    return "".join(lines)


def _read(file: BinaryIO, *, growing: bool) -> str | None:
    data = file.readline(_LINE_BYTES)
    if not data or (growing and not data.endswith(b"\n") and len(data) < _LINE_BYTES):
        return None
    return data.decode(errors="replace")


def _time(entry: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(entry.get("timestamp", "")))
    except ValueError:
        return None
    return at if at.tzinfo else None
