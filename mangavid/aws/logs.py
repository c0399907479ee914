"""A machine's log in CloudWatch Logs, besides its standard output: the machine is gone an hour later.

A thread of its own ships the lines. The work never waits for it and never fails by it: what can't be shipped is dropped
and counted.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Final

import msgspec

from mangavid.aws.environment import Environment
from mangavid.aws.names import Names
from mangavid.aws.session import Clients, Refused, Service
from mangavid.errors import AuthError, ConfigError, UpstreamUnavailable

#: https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html: of one call, each line
#: counted with so many bytes more.
BATCH_BYTES: Final = 1_048_576
BATCH_LINES: Final = 10_000
LINE_EXTRA: Final = 26
SPAN_MS: Final = 24 * 3600 * 1000
#: Of a line, without what it is counted with.
LINE_BYTES: Final = 256 * 1024 - LINE_EXTRA
NAME_LENGTH: Final = 512

ROOM_BYTES: Final = 8 << 20
EVERY_SECONDS: Final = 2.0
CLOSE_SECONDS: Final = 10.0
_LONGEST_PAUSE: Final = 60.0
_LAST_PAUSE: Final = 0.5
_SILENCE_SECONDS: Final = 4
#: A text of a line is not made shorter than this.
_SHORTEST = 100

#: Told how many lines were dropped since it was last told, and why.
Say = Callable[[int, str], None]


class _Line(msgspec.Struct, frozen=True):
    at: int
    """Milliseconds since 1970."""
    text: str
    size: int


class Shipping:
    """Lines on their way to one stream of a log group. Usable from several threads.

    The group must be there, the stream is made. ``room``: bytes that may wait; those that wait longest make room.
    """

    def __init__(
        self,
        logs: Service,
        group: str,
        stream: str,
        say: Say,
        *,
        room: int = ROOM_BYTES,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._logs = logs
        self._where = {"logGroupName": group, "logStreamName": stream}
        self._say = say
        self._room = room
        self._every = every
        self._lock = threading.Lock()
        self._waiting: deque[_Line] = deque()
        self._bytes = 0
        self._batch: list[_Line] = []
        self._dropped = 0
        self._why = ""
        self._problem = ""
        self._made = False
        self._ending = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="log", daemon=True)
        self._thread.start()

    def add(self, when: datetime, line: str) -> None:
        """Take a line up; returns at once. One that is too long for CloudWatch is cut."""
        text = cut(line)
        size = len(text.encode()) + LINE_EXTRA
        with self._lock:
            if not text or self._over.is_set():
                return
            self._waiting.append(_Line(int(when.timestamp() * 1000), text, size))
            self._bytes += size
            while self._bytes > self._room:
                self._bytes -= self._waiting.popleft().size
                self._drop(1, self._problem or "they came faster than they could be sent")

    def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Ship what waits, for so long at most. What is left then is dropped."""
        self._ending.set()
        self._thread.join(seconds)
        self._over.set()
        with self._lock:
            self._drop(len(self._batch) + len(self._waiting), self._problem or "CloudWatch Logs does not answer")
            self._batch = []
            self._waiting.clear()
        self._tell()

    # --- inside ---

    def _keep(self) -> None:
        pause = self._every
        while not self._ending.wait(pause):
            pause = self._every if self._ship() else min(_LONGEST_PAUSE, 2 * pause)
            self._tell()
        while not self._ship() and not self._over.wait(_LAST_PAUSE):
            pass

    def _ship(self) -> bool:
        """Send all that waits. False where that failed and may work later: what was being sent is kept."""
        while batch := self._next():
            try:
                self._put(batch)
            except Exception as problem:  # whatever it is, the work goes on
                self._made = False
                self._problem = f"{type(problem).__name__}: {problem}"
                if isinstance(problem, UpstreamUnavailable | AuthError | ConfigError):
                    return False
                with self._lock:
                    self._drop(len(self._batch), self._problem)
                    self._batch = []
            else:
                with self._lock:
                    self._batch, self._problem = [], ""
        return True

    def _next(self) -> list[_Line]:
        """What is sent next, as much as one call takes: what was being sent already, else the first of those waiting.

        In the order of their times: a clock that is set back does not make a batch that is refused.
        """
        with self._lock:
            if not self._batch and self._waiting:
                size, first, last = 0, self._waiting[0].at, self._waiting[0].at
                while self._waiting and len(self._batch) < BATCH_LINES:
                    line = self._waiting[0]
                    size, first, last = size + line.size, min(first, line.at), max(last, line.at)
                    if size > BATCH_BYTES or last - first > SPAN_MS:
                        break
                    self._batch.append(self._waiting.popleft())
                    self._bytes -= line.size
                self._batch.sort(key=lambda line: line.at)
            return self._batch

    def _put(self, batch: list[_Line]) -> None:
        if not self._made:
            with contextlib.suppress(Refused):
                self._logs.call("create_log_stream", expect=("ResourceAlreadyExistsException",), **self._where)
            self._made = True
        events = [{"timestamp": line.at, "message": line.text} for line in batch]
        answer = self._logs.call("put_log_events", logEvents=events, **self._where)
        refused = answer.get("rejectedLogEventsInfo") or {}
        old = max(refused.get("tooOldLogEventEndIndex", 0), refused.get("expiredLogEventEndIndex", 0))
        new = len(batch) - refused.get("tooNewLogEventStartIndex", len(batch))
        with self._lock:
            self._drop(old + new, "CloudWatch Logs takes no lines of such a time")

    def _drop(self, lines: int, why: str) -> None:
        self._dropped += lines
        if lines:
            self._why = why

    def _tell(self) -> None:
        with self._lock:
            dropped, self._dropped = self._dropped, 0
        if dropped:
            with contextlib.suppress(OSError, ValueError):
                self._say(dropped, self._why)


def shipping_of(environment: Environment, worker: str, stream: str, say: Say) -> Shipping:
    """To the log group of ``renderer`` or ``uploader``. Calls nothing yet."""
    clients = Clients(environment.region, attempts=1, silence=_SILENCE_SECONDS)
    return Shipping(clients["logs"], Names(environment.config.aws.prefix).log_group(worker), stream, say)


def stream_of(job_id: str, epoch: int, instance: str) -> str:
    """The stream of one machine's work: ``dem-trang-0123456789/e2/i-0123456789abcdef0``."""
    return re.sub(r"[:*]", "-", f"{job_id}/e{epoch}/{instance}")[:NAME_LENGTH]


def cut(line: str) -> str:
    """A line that fits into an event of CloudWatch's: of one too long the longest texts lose their middle.

    So it stays JSON, where it was.
    """
    data = line.encode(errors="replace")
    if len(data) <= LINE_BYTES:
        return data.decode()
    try:
        entry = json.loads(data)
    except ValueError:
        entry = None
    while isinstance(entry, dict):
        texts = {name: value for name, value in entry.items() if isinstance(value, str)}
        name = max(texts, key=lambda name: len(texts[name]), default="")
        if len(texts.get(name, "")) < _SHORTEST:
            break
        quarter = len(texts[name]) // 4
        entry[name] = f"{texts[name][:quarter]} … {texts[name][-quarter:]}"
        if len(shorter := json.dumps(entry)) <= LINE_BYTES:
            return shorter
    return data[:LINE_BYTES].decode(errors="ignore")
