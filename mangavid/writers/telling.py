"""A chapter told by a model: batch after batch, gone over once more, named. Whatever asks the model is given.

The story so far, the names and the last lines go from one batch to the next; a batch sees its own panels only, so that
nothing is told before it happens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import msgspec

from mangavid import config
from mangavid.errors import ScriptInvalid
from mangavid.models import Chapter, Scene, Script, Story
from mangavid.ports import Desk
from mangavid.writers import answers, neutral, prompts, safe, titles
from mangavid.writers.answers import About, Told, Unusable
from mangavid.writers.prompts import Carried, Prompt

_log = logging.getLogger(__name__)

REPAIRS = 2
#: Lines that are gone over in one request: more make an answer that models cut short.
POLISHED = 60
_LAST_LINES = 3


class TooLong(Exception):
    """The request or its answer is larger than the model takes: with fewer panels it may fit."""


Ask = Callable[[Prompt], str]
"""The answer's text. Raises TooLong, and what ``ports.Writer`` raises."""

_T = TypeVar("_T")


def tell(
    settings: config.Writer, language: str, chapter: Chapter, image: Callable[[int], bytes], desk: Desk, ask: Ask
) -> Script:
    """The script, without what it cost. Raises what ``ports.Writer`` raises."""
    chapter = msgspec.structs.replace(
        chapter,
        series=safe.bounded(chapter.series, 120),
        number=safe.bounded(chapter.number, 20),
        title=safe.bounded(chapter.title, 160),
    )
    limits = answers.Limits(settings.words_least, settings.words_most, language)
    texts = [""] * len(chapter.panels)
    carried = Carried(names=_carried_names(desk.before))
    #: Names of the chapter before may be spoken from the first line on.
    first_named = {name: 0 for name, _ in carried.names}
    hook = recap = outro = ""
    for shown, told in _batches(settings, chapter, image, desk, ask, limits, carried):
        for index, text in zip(shown, told.texts, strict=True):
            texts[index] = text
        hook, recap, outro = told.hook or hook, told.recap or recap, told.outro or outro
        carried = _carry(carried, told)
    if texts:
        texts[0] = " ".join(part for part in (hook, recap, texts[0]) if part)
        texts[-1] = " ".join(part for part in (texts[-1], outro) if part)
    for name, _ in carried.names:
        heard = (index for index, text in enumerate(texts) if answers.spoken(name, text))
        first_named.setdefault(name, next(heard, len(texts)))
    if settings.refine:
        texts = _polished(language, texts, carried.names, first_named, limits, ask)
    named = _about(language, chapter, carried, texts, ask)
    return Script(
        job_id=chapter.job_id,
        language=chapter.language,
        title=_title(chapter, named),
        description=named.description if named else neutral.description(chapter),
        tags=_tags(chapter, named),
        scenes=tuple(
            Scene(index=n, panel=panel.index, text=text)
            for n, (panel, text) in enumerate(zip(chapter.panels, texts, strict=True))
        ),
        story=Story(summary=carried.story, names=tuple(f"{name}: {who}" for name, who in carried.names)),
    )


def _carried_names(before: Story | None) -> tuple[tuple[str, str], ...]:
    found = []
    for one in before.names if before else ():
        name, _, who = safe.bounded(one, 200).partition(":")
        if name := name.strip()[:60]:
            found.append((name, who.strip()))
    return tuple(found[:40])


def _carry(carried: Carried, told: Told) -> Carried:
    """Names a batch leaves out stay known, those it tells of anew come last; at most forty, the latest."""
    names = {**dict(carried.names), **dict(told.names)}
    lines = tuple(text for text in (*carried.lines, *told.texts) if text)[-_LAST_LINES:]
    return Carried(story=told.story or carried.story, names=tuple(names.items())[-40:], lines=lines)


# --- batches ---------------------------------------------------------------------------------------------------------


def _batches(
    settings: config.Writer,
    chapter: Chapter,
    image: Callable[[int], bytes],
    desk: Desk,
    ask: Ask,
    limits: answers.Limits,
    carried: Carried,
) -> Iterator[tuple[Sequence[int], Told]]:
    """Each batch as it is told. Its successor's pictures are made by one thread while the model answers."""
    count = len(chapter.panels)
    todo = [range(start, min(start + settings.batch, count)) for start in range(0, count, settings.batch)]
    with ThreadPoolExecutor(1, "pictures") as pool:

        def cut(shown: Sequence[int]) -> Future[dict[int, bytes]]:
            return pool.submit(lambda: {index: image(chapter.panels[index].index) for index in shown})

        coming = cut(todo[0]) if todo else None
        try:
            for place, batch in enumerate(todo):
                assert coming is not None
                pictures = coming.result()
                coming = cut(todo[place + 1]) if place + 1 < len(todo) else None
                waiting: list[Sequence[int]] = [batch]
                while waiting:
                    shown = waiting.pop(0)
                    before = desk.before if shown[0] == 0 else None
                    seen = [pictures[index] for index in shown]
                    prompt = prompts.panels(settings, limits.language, chapter, shown, seen, carried, before)
                    try:
                        told = _told(prompt, shown, limits, ask)
                    except TooLong:
                        if len(shown) == 1:
                            raise ScriptInvalid(
                                f"the answer about panel {shown[0] + 1} of {titles.plain(chapter.title, 80)} does not"
                                f" fit into what {titles.plain(settings.model, 80)} reads and writes at once",
                                hint="take a model that writes longer answers (writer.model)",
                            ) from None
                        half = len(shown) // 2
                        _log.info("panels %d to %d are told in two parts", shown[0] + 1, shown[-1] + 1)
                        waiting = [shown[:half], shown[half:], *waiting]
                        continue
                    carried = _carry(carried, told)
                    desk.progress(shown[-1] + 1, count)
                    yield shown, told
        finally:
            if coming is not None:
                coming.cancel()


def _told(prompt: Prompt, shown: Sequence[int], limits: answers.Limits, ask: Ask) -> Told:
    extra = [name for name in ("hook", "recap", "outro") if name in prompt.schema["properties"]]
    return _repaired(prompt, ask, lambda text, last: answers.told(text, shown, limits, extra, last=last))


def _repaired(prompt: Prompt, ask: Ask, check: Callable[[str, bool], _T]) -> _T:
    """An answer that passes the check: the first, or one of those that were asked for with the reason why.

    ``check`` gets whether no other will come. Raises ScriptInvalid, TooLong.
    """
    current, moaned = prompt, False
    for asked in range(REPAIRS + 1):
        text = ask(current)
        try:
            return check(text, asked == REPAIRS)
        except Unusable as problem:
            why = problem
        _log.info("answer %d to %s can't be used: %s", asked + 1, prompt.name, _shown(why))
        if why.once and moaned:
            break
        moaned = moaned or why.once
        current = current.again(text, why.problems)
    raise ScriptInvalid(
        f"the model's answer about {prompt.name.replace('-', ' ')} can't be used, also after repairs: {_shown(why)}",
        hint="try again, or take another model (writer.model)",
    )


def _shown(why: Unusable) -> str:
    return titles.plain(str(why), 200)


# --- polish ----------------------------------------------------------------------------------------------------------


def _polished(
    language: str,
    texts: Sequence[str],
    names: Sequence[tuple[str, str]],
    first_named: dict[str, int],
    limits: answers.Limits,
    ask: Ask,
) -> list[str]:
    """The lines gone over once more, in parts. What fails here costs only the polish: the lines stand already."""
    result = list(texts)
    lines = [(index, text) for index, text in enumerate(texts) if text]
    waiting = [lines[start : start + POLISHED] for start in range(0, len(lines), POLISHED)]
    while waiting:
        part = waiting.pop(0)
        # Names that are heard later are kept from it: it can't use what it does not know.
        known = [(name, who) for name, who in names if first_named[name] <= part[-1][0]]
        earlier = [text for text in result[: part[0][0]] if text][-_LAST_LINES:]
        prompt = prompts.polish(language, part, known, earlier)

        def check(text: str, _: bool, part: Sequence[tuple[int, str]] = part) -> list[str]:
            return answers.polished(text, part, limits, first_named)

        try:
            edited = _repaired(prompt, ask, check)
        except TooLong:
            half = len(part) // 2
            waiting = [*((part[:half], part[half:]) if half else ()), *waiting]
            continue
        except ScriptInvalid as problem:
            _log.warning("the lines stay as they were told: %s", problem)
            continue
        for (index, _), text in zip(part, edited, strict=True):
            result[index] = text
    return result


# --- about -----------------------------------------------------------------------------------------------------------


def _about(language: str, chapter: Chapter, carried: Carried, texts: Sequence[str], ask: Ask) -> About | None:
    """None where no answer could be used: then the chapter's own name and neutral sentences stand in."""
    prompt = prompts.about(language, chapter, carried.story, carried.names, " ".join(text for text in texts if text))
    try:
        return _repaired(prompt, ask, lambda text, _: answers.about(text, language))
    except (ScriptInvalid, TooLong) as problem:
        _log.warning("title and description are made of the chapter's name: %s", problem)
        return None


def _title(chapter: Chapter, named: About | None) -> str:
    """«Series – Chương 12: what the model calls it»; never longer than YouTube takes. A sidecar's own title wins."""
    if named is None or (chapter.sidecar and chapter.sidecar.title):
        return titles.of_chapter(chapter)
    return titles.video_title(chapter.series, chapter.number, named.title, chapter.language)


def _tags(chapter: Chapter, named: About | None) -> tuple[str, ...]:
    """The neutral ones first; YouTube takes 500 characters, and counts two more for a tag with spaces."""
    given = [*neutral.tags(chapter), *(named.tags if named else ())]
    found: list[str] = []
    for tag in dict.fromkeys(given):
        if tag and sum(len(one) + 3 for one in (*found, tag)) <= 480:
            found.append(tag)
    return tuple(found)
