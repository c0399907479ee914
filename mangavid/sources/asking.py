"""Asking a server with manners: at its pace, with patience, and not at all where it said no.

What is remembered of a server (when it was last asked, until when it wants to be left alone) belongs to this process,
so that several sources and threads together keep to its limits.
"""

from __future__ import annotations

import random
import re
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import msgspec

from mangavid.errors import SourceUnavailable
from mangavid.ports import Clock
from mangavid.web import Answer, Broken, Web
from mangavid.webaddress import Refused

T = TypeVar("T")
_HOPELESS = frozenset(("peer", "proxy", "large", "encoding"))
_TRY_AGAIN = frozenset((408, 425, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 526, 530))
NETWORK_HINT = (
    "try again later; where a network blocks it, set HTTPS_PROXY, or use a folder or CBZ of the chapter"
    " (docs/sources.md)"
)


class Pace:
    """At most ``most`` requests in any ``window`` seconds, each at least ``spacing`` seconds after the last one began.

    The window is counted from when a request was answered, not from when it was sent: however long each one was on
    its way, the server never sees more of them together. For that, such requests go one by one.
    """

    def __init__(self, most: int = 0, window: float = 0.0, spacing: float = 0.0) -> None:
        self._window, self._spacing = window, spacing
        self._ended: deque[float] = deque(maxlen=most or None)
        self._most = most
        self._next = 0.0
        self._held = 0.0
        self._lock = threading.Lock()
        self._turns = threading.Lock()

    @contextmanager
    def turn(self, clock: Clock) -> Iterator[None]:
        if not self._most:
            self._wait(clock)
            yield
            return
        with self._turns:
            self._wait(clock)
            try:
                yield
            finally:
                self._ended.append(clock.monotonic())

    def _wait(self, clock: Clock) -> None:
        """A turn is booked before it is waited for, so that two who wait don't wait for the same one."""
        with self._lock:
            now = clock.monotonic()
            due = max(now, self._next, self._held)
            if self._most and len(self._ended) == self._most:
                due = max(due, self._ended[0] + self._window)
            self._next = due + self._spacing
        while (left := due - clock.monotonic()) > 0:
            clock.sleep(left)

    def hold(self, until: float) -> None:
        """No request before then (of ``Clock.monotonic``)."""
        with self._lock:
            self._held = max(self._held, until)


class Manners:
    """What one server is owed by this process: its paces by name, and what is closed until when.

    A clock that another one replaced (a test's) may be behind: what was remembered under the other is nothing then.
    """

    def __init__(self, **paces: Pace) -> None:
        self.paces = paces
        self._closed: dict[str, tuple[float, str, str]] = {}
        self._lock = threading.Lock()

    def close(self, what: str, until: float, why: str, hint: str) -> None:
        with self._lock:
            self._closed[what] = (until, why, hint)

    def check(self, what: str, clock: Clock) -> None:
        """Raises SourceUnavailable while it is closed."""
        with self._lock:
            until, why, hint = self._closed.get(what, (0.0, "", ""))
        left = until - clock.monotonic()
        if left > 0:
            raise SourceUnavailable(f"{why}; it is left alone for {max(1, round(left / 60))} more minutes", hint=hint)


_KNOWN: dict[str, Manners] = {}
_KNOWN_LOCK = threading.Lock()


def manners_of(server: str, make: Callable[[], Manners]) -> Manners:
    """What this process remembers of a server; made by ``make`` the first time."""
    with _KNOWN_LOCK:
        return _KNOWN.setdefault(server, make())


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How long a server is asked for one thing; seconds, but for ``tries``.

    ``longest``: a server that wants to be left alone for longer is not waited for. ``whole``: no new try after that.
    """

    tries: int = 4
    backoff: float = 1.0
    longest: float = 120.0
    whole: float = 300.0
    jitter: Callable[[], float] = random.random


class Unreadable(Exception):
    """An answer that is not what was asked for, and why, in words that follow the server's name."""


class Asker:
    """Asks one server. ``name`` is how messages call it."""

    def __init__(self, name: str, web: Web, clock: Clock, manners: Manners, patience: Patience) -> None:
        self.name, self.web, self.clock, self.manners, self.patience = name, web, clock, manners, patience

    def ask(
        self,
        address: str,
        read: Callable[[Answer], T],
        *,
        limit: int,
        paces: Sequence[str],
        accept: Sequence[int] = (),
        compressed: bool = False,
    ) -> T:
        """What ``read`` makes of the answer: a 200, or a status of ``accept``. What it can't read is asked for again.

        Raises SourceUnavailable, and what ``read`` does.
        """
        began = self.clock.monotonic()
        why = ""
        for tried in range(self.patience.tries):
            if tried and self.clock.monotonic() - began > self.patience.whole:
                break
            try:
                with ExitStack() as turns:
                    # The slow pace first: waiting for it must not keep others from the quick one.
                    for pace in paces:
                        turns.enter_context(self.manners.paces[pace].turn(self.clock))
                    answer = self.web.get(address, limit, compressed=compressed)
                if answer.status == 200 or answer.status in accept:
                    return read(answer)
                why = f"it answered {answer.status}"
                if answer.status == 429:
                    self._leave_alone(answer, paces)
                    continue
                if answer.status not in _TRY_AGAIN:
                    break
                if (asked := self.asked_wait(answer)) is not None:
                    self.clock.sleep(min(asked, self.patience.longest))
                    continue
            except Refused as problem:
                raise SourceUnavailable(f"{self.name} can't be asked: its address {problem}") from None
            except Broken as problem:
                why = str(problem)
                if problem.kind in _HOPELESS:
                    break
            except Unreadable as problem:
                why = str(problem)
            if tried + 1 < self.patience.tries:
                self.clock.sleep(self.pause(tried))
        raise SourceUnavailable(f"{self.name} does not answer as it should: {why}", hint=NETWORK_HINT)

    def pause(self, tried: int) -> float:
        return self.patience.backoff * float(2**tried) * (0.5 + self.patience.jitter())

    def asked_wait(self, answer: Answer) -> float | None:
        """Seconds that a server asks for: a time as its own clock has it, or a number of seconds. None where neither.

        Sources: ``X-RateLimit-Retry-After`` is a unix time (api.mangadex.org/docs/2-limitations); ``Retry-After``
        RFC 9110 § 10.2.3.
        """
        here = self.clock.now()
        try:
            there = parsedate_to_datetime(answer.headers["date"])
            there = there if there.tzinfo else there.replace(tzinfo=UTC)
        except (KeyError, ValueError, TypeError, OverflowError):
            there = here
        said = answer.headers.get("x-ratelimit-retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,12}", said):
            # A time against the server's own clock: this machine's may be wrong.
            return max(0.0, int(said) - there.timestamp()) + 1.0
        said = answer.headers.get("retry-after", "").strip()
        if re.fullmatch(r"[0-9]{1,9}", said):
            return float(said) + 1.0
        try:
            until = parsedate_to_datetime(said)
            return max(0.0, (until if until.tzinfo else until.replace(tzinfo=UTC)).timestamp() - there.timestamp()) + 1
        except (ValueError, TypeError, OverflowError):
            return None

    def _leave_alone(self, answer: Answer, paces: Sequence[str]) -> None:
        """Raises SourceUnavailable where the server wants to be left alone for longer than is waited."""
        asked = self.asked_wait(answer)
        wait = 5 * self.patience.backoff if asked is None else asked
        for pace in paces:
            self.manners.paces[pace].hold(self.clock.monotonic() + min(wait, 24 * 3600))
        if wait > self.patience.longest:
            raise SourceUnavailable(
                f"{self.name} has had enough requests from here and takes the next one {_when(self.clock, wait)}",
                hint="run it again then; requests from others behind the same address count too",
            )


def _when(clock: Clock, seconds: float) -> str:
    until: datetime = clock.now() + timedelta(seconds=min(seconds, 10 * 365 * 24 * 3600.0))
    return f"at {until:%H:%M} UTC" if seconds < 24 * 3600 else f"on {until:%Y-%m-%d}"


def decoded(answer: Answer) -> Any:
    """The JSON of an answer. Raises Unreadable."""
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise Unreadable("its answer is not JSON") from None
