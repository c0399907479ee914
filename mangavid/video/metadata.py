"""``metadata.json``: everything an upload needs to be told, within YouTube's limits, and what was measured.

Limits (developers.google.com/youtube/v3/docs/videos): title 100 characters, description 5,000 bytes, neither with
``<`` or ``>``; tags 500 characters, counting a comma between two and quotes around one with a space. Chapters
(support.google.com/youtube/answer/9884579): the first at 0:00, three or more, each 10 s or longer.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from mangavid.models import SCHEMA_VERSION, Chapter, Credits, Script, Struct
from mangavid.phrases import phrases
from mangavid.video.sound import Measured
from mangavid.video.timeline import Timeline

TITLE_CHARS, DESCRIPTION_BYTES, TAGS_CHARS = 100, 5000, 500
#: Left free in a description for who holds the rights, which is said when it is published (``mangavid.rights``).
RIGHTS_BYTES = 600
LEAST_CHAPTERS, CHAPTER_SECONDS = 3, 10
#: Aimed at: a chapter about every so many seconds.
CHAPTER_TARGET = 45
FILM_AND_ANIMATION = "1"


class Mark(Struct, frozen=True):
    """A chapter of the video: whole seconds from its start, and what it is called."""

    start: int
    title: str


class Snippet(Struct, frozen=True, rename="camel"):
    """As videos.insert wants it."""

    title: str
    description: str
    tags: tuple[str, ...]
    category_id: str
    default_language: str
    default_audio_language: str


class Status(Struct, frozen=True, rename="camel"):
    """As videos.insert wants it. A missing privacyStatus would mean public: it is always said."""

    privacy_status: str = "private"
    self_declared_made_for_kids: bool = False
    #: For realistic scenes altered by machine; drawings with an artificial voice are not.
    contains_synthetic_media: bool = False


class Metadata(Struct, frozen=True):
    job_id: str
    snippet: Snippet
    status: Status
    chapters: tuple[Mark, ...]
    credits: Credits
    source: str
    series: str
    number: str
    language: str
    voice: str
    writer: str
    seconds: float
    frames: int
    fps: int
    lufs: float
    true_peak: float
    files: dict[str, str]
    schema_version: int = SCHEMA_VERSION


def make_metadata(
    chapter: Chapter, script: Script, timeline: Timeline, measured: Measured, *, voice: str, files: dict[str, str]
) -> Metadata:
    """``files`` are the names of the video's files by kind: video, captions, thumbnail."""
    chapters = marks(timeline, script.language)
    return Metadata(
        job_id=chapter.job_id,
        snippet=Snippet(
            title=title(script.title or chapter.title or chapter.series, chapter),
            description=description(script.description, chapter.credits, chapters, script.language),
            tags=tags(script.tags),
            category_id=FILM_AND_ANIMATION,
            default_language=script.language,
            default_audio_language=script.language,
        ),
        status=Status(),
        chapters=chapters,
        credits=chapter.credits,
        source=chapter.source,
        series=chapter.series,
        number=chapter.number,
        language=script.language,
        voice=voice,
        writer=script.writer,
        seconds=timeline.seconds,
        frames=timeline.frames,
        fps=timeline.fps,
        lufs=measured.lufs,
        true_peak=measured.true_peak,
        files=files,
    )


def plain(text: str) -> str:
    """NFC without what YouTube refuses: angle brackets and control characters (line ends stay)."""
    text = unicodedata.normalize("NFC", text).replace("<", "‹").replace(">", "›")
    return "".join(ch for ch in text if ch == "\n" or unicodedata.category(ch)[0] != "C").strip()


def title(text: str, chapter: Chapter) -> str:
    """At most 100 characters, cut at a word; never empty."""
    whole = " ".join(plain(text).split()) or f"{phrases(chapter.language).chapter} {chapter.number}".strip()
    if len(whole) <= TITLE_CHARS:
        return whole
    cut = whole[: TITLE_CHARS - 1]
    return (cut.rpartition(" ")[0] or cut).rstrip(" ,;:-–—") + "…"


def description(text: str, credits: Credits, chapters: Sequence[Mark], language: str = "vi") -> str:
    """Story, chapters, credits: with the rights at most 5,000 bytes of UTF-8. The story's end goes where it must."""
    tail = "\n\n".join(
        part for part in (_chapter_lines(chapters), _fit(_credit_lines(credits, language), 2000)) if part
    )
    room = DESCRIPTION_BYTES - RIGHTS_BYTES - len(tail.encode()) - 2
    return "\n\n".join(part for part in (_fit(plain(text), room), tail) if part)


def _fit(text: str, room: int) -> str:
    """At most ``room`` bytes of UTF-8, whole characters."""
    if len(text.encode()) <= room:
        return text
    return text.encode()[: max(0, room - 3)].decode(errors="ignore").rstrip() + "…"


def _chapter_lines(chapters: Sequence[Mark]) -> str:
    return "\n".join(f"{mark.start // 60}:{mark.start % 60:02d} {mark.title}" for mark in chapters)


def _credit_lines(credits: Credits, language: str) -> str:
    said = phrases(language)
    lines = [
        (said.authors, ", ".join(credits.authors)),
        (said.translators, ", ".join(credits.translators)),
        (said.groups, ", ".join(credits.groups)),
        (said.source, " ".join(part for part in (credits.source, credits.url) if part)),
        (said.licence, credits.licence),
    ]
    return "\n".join(f"{label}: {' '.join(plain(value).split())}" for label, value in lines if value)


def tags(wanted: Sequence[str]) -> tuple[str, ...]:
    """Tags without commas or repeats, as many as fit 500 characters as YouTube counts them."""
    kept: list[str] = []
    used = 0
    for tag in (" ".join(plain(tag).replace(",", " ").replace('"', " ").split()) for tag in wanted):
        cost = len(tag) + (2 if " " in tag else 0) + (1 if kept else 0)
        if tag and tag.casefold() not in (other.casefold() for other in kept) and used + cost <= TAGS_CHARS:
            kept.append(tag)
            used += cost
    return tuple(kept)


def marks(timeline: Timeline, language: str = "vi") -> tuple[Mark, ...]:
    """Chapters of the video, beginning where a page of the manga does; none where YouTube would not take them."""
    starts: list[tuple[int, int]] = []
    for segment in timeline.segments:
        page = segment.shown.pieces[0].page
        if not starts or page > starts[-1][1]:
            starts.append((-(-segment.first // timeline.fps), page))
    end = int(timeline.seconds)
    chosen = [starts[0]]
    for start, page in starts[1:]:
        if start - chosen[-1][0] >= CHAPTER_TARGET and end - start >= CHAPTER_SECONDS:
            chosen.append((start, page))
    if len(chosen) < LEAST_CHAPTERS:
        chosen = [starts[0]]
        for start, page in starts[1:]:
            if start - chosen[-1][0] >= CHAPTER_SECONDS and end - start >= CHAPTER_SECONDS:
                chosen.append((start, page))
    if len(chosen) < LEAST_CHAPTERS:
        return ()
    named = phrases(language).page
    last_page = max(page for _, page in starts)
    until = [page - 1 for _, page in chosen[1:]] + [last_page]
    return tuple(
        Mark(start=start, title=f"{named} {page + 1}" if page >= last else f"{named} {page + 1}–{last + 1}")
        for (start, page), last in zip(chosen, until, strict=True)
    )
