"""What a chapter's video is called: «Series – Chương N: Title», or what its sidecar says instead."""

from __future__ import annotations

import re
import unicodedata

from mangavid.models import Chapter
from mangavid.phrases import phrases
from mangavid.writers.sentences import tidy

MAX_TITLE = 100
_VOLUME = "tập|tap|volume|vol|quyển|quyen|v"
_WORDS = f"chapter|chap|ch|chương|chuong|episode|ep|kỳ|hồi|no|c|{_VOLUME}"
_FILLER = frozenset(_WORDS.split("|"))


def of_chapter(chapter: Chapter) -> str:
    """The video's title: the sidecar's where it gives one, else what is known put together."""
    given = plain(chapter.sidecar.title, MAX_TITLE) if chapter.sidecar else ""
    return given or video_title(chapter.series, chapter.number, chapter.title, chapter.language)


def video_title(series: str, number: str, title: str, language: str = "vi") -> str:
    """At most 100 characters, never empty, without «<» and «>», which YouTube refuses."""
    own = own_title(series, number, title)
    counted = f"{unit(series, number, title, language)} {tidy(number)[:20]}" if tidy(number) else ""
    named = ": ".join(part for part in (counted, own) if part)
    return plain(
        " – ".join(part for part in (tidy(series)[:120], named) if part) or phrases(language).untitled, MAX_TITLE
    )


def own_title(series: str, number: str, title: str) -> str:
    """A title without the series and number it begins with («One Piece 012», «Chapter 5: Rain»); empty if no more."""
    text, _ = _own(series, number, title)
    left = _folded(text).replace(_folded(tidy(series)), " ") if tidy(series) else _folded(text)
    words = re.findall(r"[^\W\d_]{2,}", left)
    return text if any(word not in _FILLER for word in words) else ""


def unit(series: str, number: str, title: str, language: str = "vi") -> str:
    """What the number counts: «Tập» where the title begins by calling it a volume, else «Chương»."""
    _, word = _own(series, number, title)
    said = phrases(language)
    return said.volume if _folded(word) in _VOLUME.split("|") else said.chapter


def plain(text: str, limit: int) -> str:
    text = tidy(text.replace("<", "‹").replace(">", "›"))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _own(series: str, number: str, title: str) -> tuple[str, str]:
    """The title behind series and number, and the word that stands before that number."""
    text = tidy(title)[:160]
    number = re.escape(tidy(number))
    counter = (
        rf"(?P<word>{_WORDS})?(?(word)[\s.#-]*|\#?\s*)0*{number}(?:\.0+)?(?!\w|[.,]\d)(?(word)|(?=\s*(?:$|[:.–—-])))"
    )
    if tidy(series):
        before = rf"{re.escape(tidy(series))}\s*(?:$|[:,–—-]\s*"
        behind = re.match(before + (rf"|(?={counter}))" if number else ")"), text, re.IGNORECASE)
        text = text[behind.end() :] if behind else text
    match = re.match(counter, text, re.IGNORECASE) if number else None
    return (text[match.end() :].lstrip(" :.,–—-"), match["word"] or "") if match else (text, "")


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
