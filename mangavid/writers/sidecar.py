"""A person's sidecar as lines per panel."""

from __future__ import annotations

from collections import defaultdict

from mangavid.errors import BadSidecar
from mangavid.models import Chapter, Sidecar
from mangavid.writers.sentences import spread, tidy

#: Most characters over one panel (some two minutes) and in a chapter (somewhat above an hour).
MAX_PANEL, MAX_CHAPTER = 2_000, 60_000
_SHOWN = 20


def panels_by_page(chapter: Chapter) -> dict[int, list[int]]:
    """Panel indices by page, counted from 1, in reading order.

    A panel belongs to the page it begins on; a page on which none begins has those that are continued there.
    """
    begin: dict[int, list[int]] = defaultdict(list)
    touch: dict[int, list[int]] = defaultdict(list)
    for panel in chapter.panels:
        begin[panel.page].append(panel.index)
        for page in dict.fromkeys(piece.page for piece in panel.pieces):
            touch[page].append(panel.index)
    return {page.index + 1: begin.get(page.index) or touch.get(page.index, []) for page in chapter.pages}


def lines(chapter: Chapter, sidecar: Sidecar) -> list[str]:
    """The text of every panel of the chapter; empty where the person wrote none.

    A text for a whole page is spread over those of its panels that have no text of their own (over all of them where
    each has one). The intro comes before the first panel's text, the outro after the last one's.

    Raises BadSidecar, a line each, for entries whose page or panel does not exist and for texts that are too long.
    """
    problems: list[str] = []
    hint = "a text for a whole page (2: text) fits however many panels were found on it"
    if sidecar.language.lower().split("-")[0] != chapter.language:
        problems.append(f"language: is {sidecar.language}; the narration is spoken in {chapter.language}")
        hint = f"leave language out: {chapter.language} is what there is"
    on_page = panels_by_page(chapter)
    own: dict[int, list[str]] = defaultdict(list)
    whole: dict[int, list[str]] = defaultdict(list)
    listed: dict[int, int] = defaultdict(int)
    for entry in sidecar.narration:
        listed[entry.page] = max(listed[entry.page], entry.panel or 0)
    for entry in sidecar.narration:
        text = tidy(entry.text)
        panels = on_page.get(entry.page)
        if not text:
            continue
        if panels is None:
            problem = f"page {entry.page}: there is none; the chapter has {_counted(len(on_page), 'page')}"
        elif entry.panel is None and panels:
            whole[entry.page].append(text)
            continue
        elif entry.panel is not None and 1 <= entry.panel <= len(panels):
            own[panels[entry.panel - 1]].append(text)
            continue
        else:
            entries = f"its list has {listed[entry.page]} entries" if entry.panel is not None else "it has a text"
            problem = f"page {entry.page} has {_counted(len(panels), 'panel')}; {entries}"
        if problem not in problems:
            problems.append(problem)
    for page, texts in whole.items():
        free = [panel for panel in on_page[page] if panel not in own] or on_page[page]
        for panel, text in zip(free, spread(" ".join(texts), len(free)), strict=True):
            if text:
                own[panel].insert(0, text)
    result = [" ".join(own[panel.index]) for panel in chapter.panels]
    problems += _too_long(chapter, result, on_page)
    if problems:
        shown = problems[:_SHOWN]
        if len(problems) > _SHOWN:
            shown.append(f"and {len(problems) - _SHOWN} more problems")
        raise BadSidecar(
            "\n".join(f"sidecar: {problem}" for problem in shown),
            hint=hint,
        )
    if result:
        result[0] = f"{tidy(sidecar.intro)} {result[0]}".strip()
        result[-1] = f"{result[-1]} {tidy(sidecar.outro)}".strip()
    return result


def _too_long(chapter: Chapter, texts: list[str], on_page: dict[int, list[int]]) -> list[str]:
    problems = []
    for panel, text in zip(chapter.panels, texts, strict=True):
        if len(text) > MAX_PANEL:
            page = panel.page + 1
            which = on_page[page].index(panel.index) + 1
            problems.append(
                f"page {page}, panel {which}: {len(text):,} characters over one panel; the limit is {MAX_PANEL:,}"
            )
    total = sum(map(len, texts))
    if total > MAX_CHAPTER:
        problems.append(f"the narration has {total:,} characters; the limit is {MAX_CHAPTER:,} a chapter")
    return problems


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
