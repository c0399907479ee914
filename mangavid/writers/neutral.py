"""What can truthfully be said of a chapter that nobody described: its name, where in it we are, and its end.

No plot is ever made up: the pictures tell the story, these lines only keep the viewer oriented.
"""

from __future__ import annotations

import re
import unicodedata

from mangavid.models import Chapter
from mangavid.writers.sentences import tidy
from mangavid.writers.sidecar import panels_by_page

#: Most pages that are announced: in a longer chapter every second, third, … page is.
ANNOUNCED = 12
_PAGE_LINES = ("Trang {}.", "Sang trang {}.", "Tiếp theo là trang {}.")
_LONG_STRIP = 20


def lines(chapter: Chapter) -> list[str]:
    """A line over the first panel, short ones where pages begin, one at the end; all other panels are silent.

    The pages of a vertical strip are slices that mean nothing to a viewer: there only its middle is told.
    """
    result = [""] * len(chapter.panels)
    if not result:
        return result
    if chapter.direction == "ttb":
        if len(result) >= _LONG_STRIP:
            result[len(result) // 2] = "Đã đến giữa chương."
    else:
        for order, (page, panel) in enumerate(_announced(chapter)):
            last = page == len(chapter.pages)
            result[panel] = "Trang cuối." if last else _PAGE_LINES[order % len(_PAGE_LINES)].format(page)
    result[0] = opening(chapter)
    closing = f"Hết chương {number(chapter)}." if number(chapter) else "Hết chương."
    result[-1] = f"{result[-1]} {closing}".strip()
    return result


def _announced(chapter: Chapter) -> list[tuple[int, int]]:
    """(page from 1, its first panel), without the first page, evenly thinned to at most ANNOUNCED."""
    begins = {chapter.panels[panels[0]].index: page for page, panels in panels_by_page(chapter).items() if panels}
    starts = [(page, panel) for panel, page in begins.items() if panel > 0 and chapter.panels[panel].page == page - 1]
    step = -(-len(starts) // ANNOUNCED) or 1
    return starts[step - 1 :: step]


def opening(chapter: Chapter) -> str:
    """«One Piece, chương 12. Tên chương.», from as much of it as is known."""
    series, own = series_name(chapter), own_title(chapter)
    if number(chapter):
        first = f"{series}, chương {number(chapter)}." if series else f"Chương {number(chapter)}."
    else:
        first = _ended(series) if series else ""
    parts = [part for part in (first, _ended(own) if own else "") if part]
    return " ".join(parts) or "Bắt đầu chương truyện."


def title(chapter: Chapter) -> str:
    """The video's title, at most 100 characters and without «<» and «>», which YouTube refuses."""
    series, own = series_name(chapter), own_title(chapter)
    chap = f"Chương {number(chapter)}" if number(chapter) else ""
    name = " – ".join(part for part in (series, ": ".join(part for part in (chap, own) if part)) if part)
    return plain(name or "Chương truyện", 100)


def description(chapter: Chapter) -> str:
    """Two neutral sentences; credits and links are added by what publishes."""
    series = series_name(chapter)
    chap = f"chương {number(chapter)}" if number(chapter) else "một chương truyện"
    own = own_title(chapter)
    what = f"{chap} của {series}" if series else chap
    named = f"{what}: {own}" if own else what
    return plain(_ended(named[0].upper() + named[1:]), 1000) + (
        f"\nBản đọc tiếng Việt, {len(chapter.pages)} trang, {len(chapter.panels)} khung tranh."
    )


def tags(chapter: Chapter) -> tuple[str, ...]:
    """Few and general: the series, and what kind of video it is."""
    named = plain(series_name(chapter).replace(",", " "), 60)
    return tuple(dict.fromkeys(tag for tag in (named, "manga", "truyện tranh", "đọc truyện tiếng Việt") if tag))


def number(chapter: Chapter) -> str:
    return tidy(chapter.number)[:20]


def series_name(chapter: Chapter) -> str:
    return tidy(chapter.series)[:120]


def own_title(chapter: Chapter) -> str:
    """The chapter's own title; empty where its title only repeats series and number («One Piece 012»)."""
    text = tidy(chapter.title)[:160]
    left = _folded(text).replace(_folded(series_name(chapter)), " ") if chapter.series else _folded(text)
    words = re.findall(r"[^\W\d_]{2,}", left)
    filler = {"chapter", "chap", "ch", "chương", "tập", "vol", "volume", "quyển", "episode", "ep", "no"}
    return text if any(word not in filler for word in words) else ""


def plain(text: str, limit: int) -> str:
    text = tidy(text.replace("<", "‹").replace(">", "›"))
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _ended(text: str) -> str:
    return text if text[-1] in ".!?…" else f"{text}."
