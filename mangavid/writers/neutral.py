"""What can truthfully be said of a chapter that nobody described: its name, where in it we are, and its end.

No plot is ever made up: the pictures tell the story, these lines only keep the viewer oriented.
"""

from __future__ import annotations

import re

from mangavid.models import Chapter
from mangavid.phrases import phrases
from mangavid.writers import titles
from mangavid.writers.sentences import tidy
from mangavid.writers.sidecar import panels_by_page

#: Most pages that are announced: in a longer chapter every second, third, … page is.
ANNOUNCED = 12
_LONG_STRIP = 20


def lines(chapter: Chapter) -> list[str]:
    """A line over the first panel, short ones where pages begin, one at the end; all other panels are silent.

    The pages of a vertical strip are slices that mean nothing to a viewer: there only its middle is told.
    """
    result = [""] * len(chapter.panels)
    said = phrases(chapter.language)
    if not result:
        return result
    if chapter.direction == "ttb":
        if len(result) >= _LONG_STRIP:
            result[len(result) // 2] = said.middle
    else:
        for order, (page, panel) in enumerate(_announced(chapter)):
            last = page == len(chapter.pages)
            result[panel] = said.last_page if last else said.pages[order % len(said.pages)].format(page)
    result[0] = opening(chapter)
    closing = said.ends.format(_counted(chapter) or said.this_chapter)
    result[-1] = f"{result[-1]} {closing}".strip()
    return result


def _announced(chapter: Chapter) -> list[tuple[int, int]]:
    """(page from 1, its first panel), without the first page, evenly thinned to at most ANNOUNCED."""
    begins = {chapter.panels[panels[0]].index: page for page, panels in panels_by_page(chapter).items() if panels}
    starts = [(page, panel) for panel, page in begins.items() if panel > 0 and chapter.panels[panel].page == page - 1]
    step = -(-len(starts) // ANNOUNCED) or 1
    return starts[step - 1 :: step]


def opening(chapter: Chapter) -> str:
    """«One Piece, chương 12. Tên chương.», from as much of it as is known and reads like a name (unlike «pc»)."""
    series, own = (name if _is_spoken(name) else "" for name in (series_name(chapter), own_title(chapter)))
    counted = _counted(chapter)
    first = f"{series}, {counted}" if series and counted else series or counted
    parts = [_ended(part[0].upper() + part[1:]) for part in (first, own) if part]
    return " ".join(parts) or phrases(chapter.language).begins


def description(chapter: Chapter) -> str:
    """Two neutral sentences; credits and links are added by what publishes."""
    series, own = series_name(chapter), own_title(chapter)
    said = phrases(chapter.language)
    what = _counted(chapter) or (said.some_chapter if series else said.some_comic)
    what = said.of_series.format(what, series) if series else what
    named = f"{what}: {own}" if own else what
    return titles.plain(_ended(named[0].upper() + named[1:]), 1000) + (
        f"\n{said.read_in.format(len(chapter.pages), len(chapter.panels))}"
    )


def tags(chapter: Chapter) -> tuple[str, ...]:
    """Few and general: the series, and what kind of video it is."""
    named = titles.plain(series_name(chapter).replace(",", " "), 60)
    kind = "webtoon" if chapter.direction == "ttb" else "manga"
    return tuple(dict.fromkeys(tag for tag in (named, kind, *phrases(chapter.language).tags) if tag))


def series_name(chapter: Chapter) -> str:
    return tidy(chapter.series)[:120]


def own_title(chapter: Chapter) -> str:
    return titles.own_title(chapter.series, chapter.number, chapter.title)


def _counted(chapter: Chapter) -> str:
    """«chương 12», «tập 5», or nothing."""
    number = tidy(chapter.number)[:20]
    if not number:
        return ""
    return f"{titles.unit(chapter.series, chapter.number, chapter.title, chapter.language).lower()} {number}"


def _is_spoken(name: str) -> bool:
    """Several words, a word with marks or in another script, or one that is long enough and has a vowel."""
    letters = re.findall(r"[^\W\d_]", name)
    return " " in name or not name.isascii() or (len(letters) >= 4 and bool(re.search("[aeiouy]", name, re.IGNORECASE)))


def _ended(text: str) -> str:
    return text if text[-1] in ".!?…" else f"{text}."
