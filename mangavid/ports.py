"""What the pipeline needs of the world, as Protocols. Adapters: ``mangavid.local``, ``mangavid.aws``, test fakes.

The docstrings are the contract; ``tests/contract`` runs one suite per port over every adapter of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from mangavid.config import Config
from mangavid.models import Chapter, Credits, Direction, Product, Rendered, Script, Sidecar, Story, Word

Item = dict[str, Any]

# --- the jobs table ---


class Clause(msgspec.Struct, frozen=True, array_like=True):
    """One test of a field. ``absent`` also holds for a missing item; the rest never do.

    ``lt`` compares numbers; ``in`` takes a tuple of values; ``size_lt`` the size of a set.
    """

    field: str
    op: Literal["eq", "ne", "absent", "present", "lt", "in", "size_lt", "contains", "not_contains"]
    value: Any = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one item, made only where ``when`` holds: every group, and in each group at least one clause."""

    key: str
    set: Mapping[str, Any] = {}
    remove: Sequence[str] = ()
    #: String sets: members to add or take out; idempotent.
    add: Mapping[str, Sequence[str]] = {}
    discard: Mapping[str, Sequence[str]] = {}
    #: Numbers to add to (a missing field counts as 0).
    plus: Mapping[str, int] = {}
    when: Sequence[Sequence[Clause]] = ()


class Jobs(Protocol):
    """The jobs table: items by key, changed only by conditional updates (never read-modify-write).

    Reads are strongly consistent except those that say they may lag. Values are JSON values and string sets
    (as ``frozenset[str]``).
    """

    def get(self, key: str) -> Item | None:
        """The item, or None."""

    def change(self, *changes: Change) -> list[Item]:
        """Apply all or none, atomically; creates missing items. Returns the items as they are afterwards.

        Raises ConditionFailed (with ``current``) where a condition does not hold.
        """

    def by_status(self, *status: str) -> Iterator[Item]:
        """Items with a ``status`` among those given (all job items where none is), newest ``updated_at`` first.

        May lag.
        """

    def named(self, beginning: str) -> Iterator[str]:
        """Ids of the job items with a status whose id begins so, in any order. May lag."""

    def runs(self) -> Iterator[Item]:
        """RUN# items, newest first. May lag."""


# --- objects ---


class Objects(Protocol):
    """The object store. A put is atomic: a reader sees the whole object or none."""

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> Product:
        """Store bytes or a file's content durably. With ``if_absent``, raises ConditionFailed where the key exists."""

    def get(self, key: str) -> bytes:
        """Raises SourceNotFound where there is none."""

    def fetch(self, key: str) -> Path:
        """A local file with the object's content, to be read only. Raises SourceNotFound."""

    def exists(self, key: str) -> bool: ...

    def list(self, prefix: str) -> Iterator[Product]:
        """Objects below a prefix that ends in ``/``, in key order; ``sha256`` may be empty."""

    def delete(self, keys: Sequence[str]) -> int:
        """Delete; missing ones are fine. Returns how many there were."""


# --- control ---


class Callbacks(Protocol):
    """Answers by task token. Each raises LeaseLost where the token is closed, unknown or malformed."""

    def success(self, token: str, output: Mapping[str, Any]) -> None: ...

    def failure(self, token: str, error: str, cause: str) -> None: ...

    def heartbeat(self, token: str) -> None: ...


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """An execution as listed. ``status``: RUNNING SUCCEEDED FAILED TIMED_OUT ABORTED."""

    arn: str
    name: str
    status: str
    started: datetime
    stopped: datetime | None = None
    input: Any = None
    output: Any = None
    error: str = ""
    cause: str = ""


class Executions(Protocol):
    """Executions of the state machine."""

    def start(self, name: str, input: Mapping[str, Any]) -> str:
        """Returns the ARN. A second start of the same name with the same input returns the first one's ARN."""

    def describe(self, arn: str) -> Execution:
        """Raises SourceNotFound."""

    def list(self, *, status: str | None = None) -> Iterator[Execution]:
        """Newest first."""

    def history(self, arn: str, *, reverse: bool = False) -> Iterator[Item]:
        """Events in the shape of GetExecutionHistory (camelCase keys, ``timestamp`` as datetime)."""

    def stop(self, arn: str, *, error: str, cause: str) -> None: ...

    def redrive(self, arn: str) -> None: ...


Phase = Literal["render", "upload"]


class InstanceInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An instance as listed. ``job_id`` and ``epoch`` are empty and 0 where it does not say what it works on."""

    instance: str
    phase: Phase
    job_id: str
    epoch: int
    launched: datetime


class Instances(Protocol):
    """Machines (or processes) that work on one job's phase at one epoch."""

    def launch(self, phase: Phase, job_id: str, epoch: int) -> str:
        """Start one; idempotent for the same arguments. Returns its id. Raises SpotCapacity."""

    def alive(self, instance: str) -> bool:
        """Pending or running."""

    def terminate(self, instance: str) -> None:
        """Ends it now; no error where it is gone."""

    def list(self) -> Iterator[InstanceInfo]:
        """Those that live, whoever launched them."""


class Secrets(Protocol):
    def get(self, name: str) -> str:
        """Raises AuthError where it is not set."""


class Clock(Protocol):
    """Time comes in through here, everywhere, so that a run can be replayed and a day pass in a millisecond."""

    def now(self) -> datetime:
        """Aware, UTC."""

    def monotonic(self) -> float:
        """Seconds, never backwards."""

    def sleep(self, seconds: float) -> None: ...


# --- providers ---


class RawPage(msgspec.Struct, frozen=True, kw_only=True):
    """A page that passed intake: decodes fully, within limits, 8-bit grey or RGB, upright. ``ext``: jpg, png, webp."""

    name: str
    ext: str
    data: bytes
    width: int
    height: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter a source can deliver. ``ref`` is the source's own address of it; ``identity`` names it for job_id."""

    ref: str
    identity: str
    series: str
    number: str
    title: str
    language: str
    #: Changes when the chapter or its sidecar does; empty where the source can't tell.
    version: str = ""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter taken in. ``direction`` is None where the source does not say.

    ``skipped``: pages left out, each as «name: why»; ``notes``: what else the person should know, a sentence each.
    """

    found: Found
    pages: tuple[RawPage, ...]
    skipped: tuple[str, ...]
    credits: Credits
    direction: Direction | None
    sidecar: Sidecar | None
    notes: tuple[str, ...] = ()


class Source(Protocol):
    """Where chapters come from."""

    def find(self) -> Iterator[Found]:
        """Chapters in the order they should be made. Raises SourceUnavailable, BadInput."""

    def fetch(self, found: Found) -> Fetched:
        """Raises BadInput (broken, over a limit, too many bad pages), SourceUnavailable."""


class Desk(Protocol):
    """What a writer is given besides the chapter: what was told before, its own earlier answers, and the budget."""

    #: The chapter before this one in its series; None where it was not told by us, or is not known.
    before: Story | None

    def recall(self, key: str) -> bytes | None:
        """An answer that was kept under this key, for this job; None where there is none."""

    def keep(self, key: str, answer: bytes, micros: int) -> None:
        """Keep an answer as soon as it is there, and count what it cost (millionths of a US dollar): once a key."""

    def allow(self, micros: int) -> None:
        """Before a request that may cost so much. Raises OverBudget (this video's), BudgetReached (the day's)."""

    def progress(self, done: int, total: int) -> None:
        """Panels told, of all."""


class Writer(Protocol):
    """Writes the narration."""

    name: str

    def write(self, chapter: Chapter, image: Callable[[int], bytes], desk: Desk) -> Script:
        """``image(panel index)`` gives the panel's picture as JPEG bytes, made on demand.

        Raises ScriptInvalid, ScriptRefused, WriterUnavailable, AuthError, OverBudget, BudgetReached.
        """


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """Speech of one text: WAV bytes (48 kHz, mono, signed 16-bit), its length in samples, and when each word is heard.

    ``words`` are the words of the given text as it is displayed, in order.
    """

    wav: bytes
    samples: int
    words: tuple[Word, ...]


class Voice(Protocol):
    """Speaks. ``key`` names engine, version, voice and settings: what is spoken is stored under it and the text.

    ``at_once``: how many texts may be spoken at the same time, from as many threads.
    """

    key: str
    at_once: int

    def speak(self, text: str) -> Utterance:
        """Raises TtsFailed (this text can't be spoken), TtsUnavailable."""


class Publication(msgspec.Struct, frozen=True, kw_only=True):
    """Where a video is now: ``video_id`` in the publisher's terms, ``where`` as a URL or path to print."""

    video_id: str
    where: str


class Upload(Protocol):
    """The job a publisher works on: what is known of it, and what the publisher wants to be remembered.

    All is durable when a call returns, so that another process can go on. Each call raises LeaseLost where another
    worker has taken over.
    """

    job_id: str
    rendered: Rendered
    #: The address of the upload that was begun for this very file, a secret; empty where there is none.
    session: str
    #: Whether an upload of this job was ever begun, be it of another file: a video of it may be there.
    begun: bool
    #: Ids of videos of this chapter that the new one takes the place of.
    replaced: frozenset[str]
    #: Steps that were done since the video was there.
    steps: frozenset[str]

    def fetch(self, key: str) -> Path:
        """A local file with the object of this key, to be read only."""

    def check(self) -> None:
        """Before an irreversible act: whether this worker is still the one."""

    def began(self, session: str) -> None:
        """Remember the address of an upload, in place of the one known: before its first byte is sent."""

    def sent(self, done: int, total: int) -> None:
        """Bytes that are there of all: the work advances."""

    def alive(self) -> None:
        """The work advances, though no byte more is there: waiting for something, a step after the upload."""

    def spend(self, units: int, *, inserts: int = 0) -> None:
        """Count, before the call, what a request costs of the day's units and inserts.

        Raises YouTubeQuotaError where the day's rest does not suffice.
        """

    def done(self, step: str) -> None:
        """A step after the upload was done; it is not done again."""

    def note(self, text: str) -> None:
        """What the person should know of this video: a sentence."""


class Publisher(Protocol):
    """Puts a video where people see it. Publishing the same job twice gives one video."""

    name: str

    def publish(self, upload: Upload) -> Publication:
        """The video is there, though perhaps not all that belongs to it.

        Raises PublishError, YouTubeQuotaError, AuthError, UpstreamUnavailable, RightsMissing.
        """

    def finish(self, upload: Upload, video_id: str) -> None:
        """What belongs to a video that is there: thumbnail, captions, playlist, who may see it. Does what ``steps``
        lacks. Raises as ``publish``.
        """

    def withdraw(self, video_id: str, *, delete: bool) -> str:
        """Take a published video out of sight, or delete it; no error where it is gone. What was done, as a sentence.

        Raises PublishError, AuthError, UpstreamUnavailable.
        """


# --- what a run tells while it works ---


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened in an execution, as it happens.

    ``entered``: a state began; ``progress``: ``done`` of ``total`` (segments, panels, lines: ``unit``); ``retry``: it
    failed with ``error`` and is tried again in ``seconds``; ``failed``: it failed for good (a Catch may take over);
    ``succeeded``: it took ``seconds``; ``note``: something the person should know (a page left out).
    """

    what: Literal["entered", "progress", "retry", "failed", "succeeded", "note"]
    execution: str
    state: str
    job_id: str = ""
    title: str = ""
    done: int = 0
    total: int = 0
    unit: str = ""
    seconds: float = 0.0
    error: str = ""
    detail: str = ""


# --- all of them together ---


def always() -> bool:
    return True


def silent(job_id: str, done: int, total: int, unit: str) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """The ports that states and workers are given. Made only by ``mangavid.local.open_target`` and ``mangavid.aws``'s.

    Providers are made on demand, since each brings heavy libraries along. ``source`` takes a RUN# item: a run of named
    sources takes its chapters from those, any other from the configured one.
    """

    config: Config
    jobs: Jobs
    objects: Objects
    executions: Executions
    callbacks: Callbacks
    instances: Instances
    secrets: Secrets
    clock: Clock
    source: Callable[[Item], Source]
    writer: Callable[[], Writer]
    #: By the engine's name, one of ``voice.engines``.
    voice: Callable[[str], Voice]
    publisher: Callable[[], Publisher]
    progress: Callable[[str, int, int, str], None] = silent
    #: Whether something drives the executions that are RUNNING now. On AWS it always does; here a run may have stopped.
    driven: Callable[[], bool] = always
