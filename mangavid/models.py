"""What flows through the pipeline: frozen, typed, JSON by msgspec.

Lengths are seconds (float) where they come from outside, frames or samples (int) where they are ours. Boxes are whole
pixels in the page as it is stored. Every stored document carries ``schema_version``; a newer one is refused.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from mangavid.errors import BadInput

SCHEMA_VERSION = 1

Direction = Literal["rtl", "ltr", "ttb"]
"""Reading direction: right-to-left, left-to-right, or a vertical strip."""

JobState = Literal[
    "claimed",
    "fetched",
    "scripted",
    "voiced",
    "rendering",
    "rendered",
    "awaiting_upload",
    "uploading",
    "uploaded",
    "cleaned",
    "failed",
    "quarantined",
    "interrupted",
    "withdrawn",
]


class Struct(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all models."""


class Box(msgspec.Struct, frozen=True, array_like=True):
    """A rectangle in whole pixels: left, top, width, height (width and height ≥ 1)."""

    x: int
    y: int
    w: int
    h: int

    @property
    def right(self) -> int:
        return self.x + self.w

    @property
    def bottom(self) -> int:
        return self.y + self.h

    @property
    def area(self) -> int:
        return self.w * self.h


class Page(Struct, frozen=True):
    """One page as stored: ``index`` counts from 0 in reading order; ``name`` is the file's name in its source."""

    index: int
    name: str
    key: str
    sha256: str
    width: int
    height: int


class Piece(Struct, frozen=True):
    """A part of one page. A panel has one; a panel cut through by a strip's slices has several, stacked downward."""

    page: int
    box: Box


class Panel(Struct, frozen=True):
    """One panel in reading order. ``index`` counts from 0 through the chapter."""

    index: int
    pieces: tuple[Piece, ...]
    #: How sure the splitter is, 0 to 1; 0 where the whole page stands in for its panels.
    confidence: float = 1.0

    @property
    def page(self) -> int:
        return self.pieces[0].page


class Credits(Struct, frozen=True):
    """Who made the chapter and under what terms; travels to the description of the video."""

    authors: tuple[str, ...] = ()
    translators: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    url: str = ""


class Narration(Struct, frozen=True):
    """One entry of a narration sidecar: what is said over a panel (counted from 1 on its page) or over a page."""

    page: int
    text: str
    panel: int | None = None


class Sidecar(Struct, frozen=True):
    """A narration the person wrote (docs/sidecar.md), checked and made JSON at intake."""

    narration: tuple[Narration, ...]
    title: str = ""
    language: str = "vi"
    intro: str = ""
    outro: str = ""


class Chapter(Struct, frozen=True):
    """``manifest.json``: a chapter after intake and splitting."""

    job_id: str
    source: str
    title: str
    series: str
    number: str
    language: str
    direction: Direction
    pages: tuple[Page, ...]
    panels: tuple[Panel, ...]
    credits: Credits = Credits()
    sidecar: Sidecar | None = None
    #: Pages left out, each as «name: why».
    skipped: tuple[str, ...] = ()
    #: What else the person should know of it, a sentence each.
    notes: tuple[str, ...] = ()
    #: ``ports.Found.version`` of what was taken in.
    version: str = ""
    schema_version: int = SCHEMA_VERSION


class Scene(Struct, frozen=True):
    """One panel with what is said over it. Empty ``text``: the panel is shown in silence for ``min_seconds``."""

    index: int
    panel: int
    text: str
    min_seconds: float = 2.0


class Story(Struct, frozen=True):
    """What a chapter tells, carried over to the next: one sentence, and who is who, each as «name: who it is»."""

    summary: str = ""
    names: tuple[str, ...] = ()


class Script(Struct, frozen=True):
    """``script.json``: the narration of a chapter, a scene a panel, in order.

    ``tokens`` and ``micros``: what a model was paid for, in and out together, and millionths of a US dollar.
    """

    job_id: str
    language: str
    title: str
    description: str
    scenes: tuple[Scene, ...]
    tags: tuple[str, ...] = ()
    writer: str = ""
    story: Story = Story()
    tokens: int = 0
    micros: int = 0
    schema_version: int = SCHEMA_VERSION


class Word(msgspec.Struct, frozen=True, array_like=True):
    """A word as it is shown, with when it is heard: seconds from the start of its scene's audio."""

    text: str
    start: float
    end: float


class SpokenScene(Struct, frozen=True):
    """A scene's speech: ``key`` is a WAV (48 kHz, mono, 16-bit); empty where nothing is said."""

    index: int
    key: str
    sha256: str
    samples: int
    words: tuple[Word, ...]


class Speech(Struct, frozen=True):
    """``speech.json``: all scenes spoken, by one voice throughout."""

    job_id: str
    voice: str
    sample_rate: int
    scenes: tuple[SpokenScene, ...]
    schema_version: int = SCHEMA_VERSION


class Product(Struct, frozen=True):
    """A committed file in the object store."""

    key: str
    sha256: str
    bytes: int


class Rendered(Struct, frozen=True):
    """What the renderer commits: the four files of a video, and what was measured on them.

    ``inputs`` is the digest of all it was made from: another script, voice or setting makes another.
    """

    inputs: str
    video: Product
    captions: Product
    thumbnail: Product
    metadata: Product
    seconds: float
    lufs: float
    epoch: int
    segments: int


class Checkpoint(Struct, frozen=True):
    """Segments done of all (renderer), or bytes sent of all (uploader)."""

    done: int = 0
    total: int = 0


class Job(Struct, frozen=True):
    """The job item, ``JOB#<job_id>``. Written only by conditional updates."""

    job_id: str
    status: JobState
    title: str
    source: str
    created_at: str
    updated_at: str
    schema_version: int = SCHEMA_VERSION
    execution: str = ""
    attempts: int = 0
    #: Counts against the day's quota when published (making files from named sources does not).
    counted: bool = True
    pages: int = 0
    panels: int = 0
    scenes: int = 0
    script_key: str = ""
    speech_key: str = ""
    #: Fencing: the only worker that may write is the one that claimed this epoch.
    epoch: int = 0
    phase: Literal["", "render", "upload"] = ""
    token: str = ""
    token_epoch: int = 0
    lease_owner: str = ""
    instance: str = ""
    sfn_retry: int = 0
    dispatched_at: str = ""
    heartbeat_at: str = ""
    ckpt: Checkpoint = Checkpoint()
    ckpt_at_dispatch: int = 0
    #: Times in a row that a relaunch had advanced nothing.
    stalled: int = 0
    last_interruption: str = ""
    rendered: Rendered | None = None
    #: An upload that was begun: where its bytes go (secret: whoever has it can write there), and of which file.
    session_uri: str = ""
    session_sha256: str = ""
    #: What was done to a published video since: thumbnail, captions, playlist, visibility.
    steps: frozenset[str] = frozenset()
    video_id: str = ""
    #: Videos of this chapter that were published before it was made anew: not taken for the new one.
    replaced: frozenset[str] = frozenset()
    published: str = ""
    quota_day: str = ""
    not_before: str = ""
    error: str = ""
    cause: str = ""
    hint: str = ""
    failed_in: str = ""
    #: What the person should know of this chapter: pages left out and why, files that were not read.
    notes: tuple[str, ...] = ()
    #: Of what the chapter was when it was taken in, and who wrote its narration.
    version: str = ""
    writer: str = ""
    #: Answers of models that were counted, and their cost in millionths of a US dollar.
    answers: frozenset[str] = frozenset()
    micros: int = 0


Doc = TypeVar("Doc", bound=msgspec.Struct)


def job_of(item: dict[str, Any]) -> Job:
    """The job in an item of the jobs table. Raises BadInput where it does not fit, or a newer mangavid wrote it."""
    return _checked({name: value for name, value in item.items() if name != "key"}, Job, str(item.get("key")))


def encode(doc: Any) -> bytes:
    """JSON bytes with sorted keys: the same document always gives the same bytes."""
    return msgspec.json.encode(doc, order="sorted")


def decode(data: bytes, kind: type[Doc], *, name: str) -> Doc:
    """Read a stored document. Raises BadInput naming it where it does not fit, or comes from a newer mangavid."""
    try:
        return _checked(msgspec.json.decode(data), kind, name)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        raise BadInput(f"{name} is not what mangavid wrote: {problem}", hint="remake it with --again") from problem


def _checked(raw: Any, kind: type[Doc], name: str) -> Doc:
    version = raw.get("schema_version", SCHEMA_VERSION) if isinstance(raw, dict) else SCHEMA_VERSION
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise BadInput(
            f"{name} was written by a newer mangavid (schema {version}, this one reads {SCHEMA_VERSION})",
            hint="update mangavid, or remake the chapter with --again",
        )
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as problem:
        raise BadInput(f"{name} is not what mangavid wrote: {problem}", hint="remake it with --again") from problem
