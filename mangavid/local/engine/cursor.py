"""Where an execution stands, and what a transition makes of it: the vocabulary of the rules and the journal."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from mangavid.local.engine.events import Event

MAX_BYTES = 262_144
#: The longest Wait, in seconds: recorded on AWS, 24,855 days are waited for and 24,856 are «too long».
MAX_WAIT = 2**31 - 1
#: At this many events AWS fails the execution.
MAX_EVENTS = 25_000


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Where an execution stands: everything needed to go on after a crash. Times are Unix seconds.

    ``enter``: the state is about to begin. ``task``: its attempt is being called. ``submitted``: the call is through,
    its token or job is waited for. ``wait`` and ``retry``: nothing to do until ``due``.
    """

    state: str
    phase: Literal["enter", "task", "submitted", "wait", "retry"] = "enter"
    input: Any = None
    last: int = 0
    entered: int = 0
    entered_at: str = ""
    retries: tuple[int, ...] = ()
    retry_count: int = 0
    parameters: Any = None
    token: str = ""
    due: float | None = None
    timeout: float | None = None
    heartbeat: float | None = None
    heartbeat_every: int | None = None
    beats: int = 0
    expires: float | None = None
    #: Redriven: the state was entered before.
    again: bool = False

    def deadlines(self) -> list[float]:
        """Every time at which something happens by itself."""
        return [at for at in (self.due, self.timeout, self.heartbeat, self.expires) if at is not None]


@dataclass(frozen=True)
class Facts:
    """What the context object tells of the execution and its state machine."""

    arn: str
    name: str
    input: Any
    started: datetime
    role: str
    machine_arn: str
    redrives: int = 0

    @property
    def region(self) -> str:
        return self.machine_arn.split(":")[3]


@dataclass(frozen=True)
class End:
    """The execution is over. ``output`` is its JSON text."""

    status: Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
    output: str | None = None
    error: str | None = None
    cause: str | None = None


@dataclass(frozen=True)
class Transition:
    """What is to be committed in one go. ``opens``: a token to register. ``closes``: the state's token is done with."""

    cursor: Cursor
    events: list[Event] = dataclasses.field(default_factory=list)
    end: End | None = None
    opens: str = ""
    closes: bool = False


@dataclass(frozen=True)
class Answer:
    """What a token was answered with: ``output`` as JSON text, or else an error."""

    output: str | None
    error: str | None
    cause: str | None
