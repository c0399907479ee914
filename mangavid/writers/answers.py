"""A model's answer, held against what was asked: as it is, mended where only one reading is possible, else refused.

Mended here: fences, prose and thoughts around the object, a byte order mark, an envelope of one field, fields nobody
asked for, numbers as strings, panels out of order or counted from 1, lines that are a little long. All else goes back
to the model with the reason (``Unusable``): a tool that guesses what broken JSON meant would guess at the story too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from mangavid.writers import safe
from mangavid.writers.prompts import LANGUAGES
from mangavid.writers.sentences import sentences

MAX_ANSWER = 400_000
_MAX_NAMES = 40
_FENCED = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)```", re.DOTALL)
_THOUGHTS = re.compile(r"\A\s*<(think|thinking|reasoning)>.*?</\1>", re.DOTALL)
_CLAUSE = re.compile(r"[,;:…–—]\s")
_MARKED = re.compile("[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+")


class Unusable(Exception):
    """Why an answer can't be used, in words for the model. ``once``: asking a second time would not help.

    ``soft``: it could be used where asking again does not help either.
    """

    def __init__(self, *problems: str, once: bool = False, soft: bool = False) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.once = once
        self.soft = soft


# --- JSON ------------------------------------------------------------------------------------------------------------


def extract(text: str) -> dict[str, Any]:
    """The one JSON object of an answer. Raises Unusable."""
    if len(text) > MAX_ANSWER:
        raise Unusable(f"it has {len(text):,} characters; it must be far shorter")
    text = _THOUGHTS.sub("", text.removeprefix("\ufeff")).strip().removeprefix("\ufeff")
    if not text:
        raise Unusable("it is empty")
    found = _parsed(_within(text))
    if not isinstance(found, dict):
        raise Unusable(f"it is {_kind(found)}, not a JSON object")
    if len(found) == 1 and isinstance(inner := next(iter(found.values())), dict):
        return inner  # {"result": {…}}: no object that is asked for has one field that is an object
    return found


def _within(text: str) -> str:
    """The part of it that is JSON: all, else what stands in its only fence, else its only object."""
    if text[0] in "{[":
        end = text.rfind("}" if text[0] == "{" else "]") + 1
        rest = text[end:].strip()
        return text[:end] if end and rest and not set(rest) & set("{}[]") else text
    fences = _FENCED.findall(text)
    if len(fences) == 1:
        return str(fences[0]).strip()
    start, end = text.find("{"), text.rfind("}") + 1
    if len(fences) > 1 or start < 0 or end <= start:
        raise Unusable("it is not JSON" if not fences else "it has several JSON objects; there must be one")
    return text[start:end]


def _parsed(text: str) -> Any:
    """Not strict: a line break within a string, as it is, can mean nothing else."""
    try:
        return json.loads(text, strict=False, object_pairs_hook=_once_each, parse_constant=_no_constant)
    except RecursionError:
        raise Unusable("it is nested too deeply") from None
    except json.JSONDecodeError as problem:
        raise Unusable(f"it is not valid JSON: {problem.msg} at character {problem.pos}") from None
    except ValueError:  # a number of thousands of digits
        raise Unusable("a number in it is too long") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise Unusable(f"the field {safe.bounded(name, 40)!r} stands twice in an object")
        found[name] = value
    return found


def _no_constant(name: str) -> Any:
    raise Unusable(f"{name} is not JSON")


def _kind(value: object) -> str:
    names = {list: "a list", str: "a string", type(None): "null", bool: "a boolean"}
    return names.get(type(value), "a number")


_T = TypeVar("_T")


def _as(kind: type[_T], text: str) -> _T:
    """An answer in its type; fields that nobody asked for are dropped, numbers may be strings."""
    try:
        return msgspec.convert(extract(text), kind, strict=False)
    except msgspec.ValidationError as problem:
        raise Unusable(f"it does not fit: {problem}") from None
    except RecursionError:
        raise Unusable("it is nested too deeply") from None


# --- panels ----------------------------------------------------------------------------------------------------------


class _Line(msgspec.Struct, frozen=True):
    panel: int
    text: str
    kind: Literal["story", "cover", "credits", "other"] = "story"


class _Name(msgspec.Struct, frozen=True):
    name: str
    who: str = ""


class _Panels(msgspec.Struct, frozen=True):
    panels: list[_Line]
    story: str
    names: list[_Name]
    hook: str | None = None
    recap: str | None = None
    outro: str | None = None


class Limits(msgspec.Struct, frozen=True):
    least: int
    most: int
    language: str


class Told(msgspec.Struct, frozen=True):
    """A batch: a text a panel, cleaned and of the right length; ``names`` as (name, who it is)."""

    texts: tuple[str, ...]
    story: str
    names: tuple[tuple[str, str], ...]
    hook: str = ""
    recap: str = ""
    outro: str = ""


#: A line over a cover or credits that is longer is no line over a cover.
_MAX_META = 6


def told(text: str, shown: Sequence[int], limits: Limits, extra: Sequence[str], *, last: bool = False) -> Told:
    """The answer to a batch of these panels (indices from 0), which should have the ``extra`` lines too.

    With ``last``, where no further repair is to come, lines that are too long are cut behind a word. Raises Unusable.
    """
    answer = _as(_Panels, text)
    lines = {line.panel: line for line in _in_order(answer.panels, [index + 1 for index in shown])}
    problems: list[str] = []
    texts: list[str] = []
    for number, line in lines.items():
        clean = safe.safe(line.text[:8000])
        if line.kind != "story":
            texts.append(clean if safe.words(clean) <= _MAX_META else "")
        else:
            texts.append(_fitted(clean, limits, f"the line of panel {number}", problems, last))
    extras = {}
    for name in extra:
        given = safe.safe((getattr(answer, name) or "")[:8000])
        extras[name] = _fitted(given, limits, name, problems, last)
        if not given and name != "recap":
            problems.append(f"{name} is empty")
    if not any(texts) and any(line.kind == "story" for line in lines.values()):
        raise Unusable("all lines are empty")
    _in_language(" ".join([*texts, *extras.values()]), limits.language)
    story = safe.bounded(answer.story, 400)
    if not story:
        problems.append("story is empty")
    if problems and not last:
        raise Unusable(*problems, soft=True)
    return Told(texts=tuple(texts), story=story, names=_names(answer.names), **extras)


def _in_order(lines: Sequence[_Line], numbers: list[int]) -> list[_Line]:
    given = [line.panel for line in lines]
    if given == list(range(1, len(numbers) + 1)):  # counted within the batch: the order leaves no doubt
        return [msgspec.structs.replace(line, panel=number) for line, number in zip(lines, numbers, strict=True)]
    if sorted(given) == numbers:
        return sorted(lines, key=lambda line: line.panel)
    problems = [f"there are {len(given)} panels; there must be {len(numbers)}"] if len(given) != len(numbers) else []
    missing = [number for number in numbers if number not in given]
    unknown = sorted({number for number in given if number not in numbers})
    twice = sorted({number for number in given if given.count(number) > 1 and number in numbers})
    for what, which in (("is missing", missing), ("was not shown", unknown), ("stands twice", twice)):
        problems += [f"panel {number} {what}" for number in which[:10]]
    raise Unusable(*problems)


def _fitted(text: str, limits: Limits, what: str, problems: list[str], last: bool) -> str:
    if safe.words(text) <= limits.most:
        return text
    if short := shortened(text, limits.most, limits.least):
        return short
    if last:
        return " ".join(text.split()[: limits.most]).rstrip(" ,;:–—-") + "…"
    problems.append(f"{what} has {safe.words(text)} words; at most {limits.most} are allowed")
    return text


def shortened(text: str, most: int, least: int) -> str:
    """The longest beginning of a text that ends with a sentence, else with a clause, of ``least`` to ``most`` words.

    Empty where there is none.
    """
    parts, kept = sentences(text), ""
    for part in parts:
        longer = f"{kept} {part}".strip()
        if safe.words(longer) > most:
            break
        kept = longer
    if kept and safe.words(kept) >= least:
        return kept
    ends = [match.start() for match in _CLAUSE.finditer(text) if least <= safe.words(text[: match.start()]) <= most]
    return text[: ends[-1]].rstrip(" ,;:–—-…") + "." if ends else ""


def _names(given: Sequence[_Name]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for one in given:
        name = safe.bounded(one.name, 60).replace(":", " ")
        if name and (name in found or len(found) < _MAX_NAMES):
            found[name] = safe.bounded(one.who, 120)
    return tuple(found.items())


def _in_language(text: str, language: str) -> None:
    """Raises Unusable where a text is certainly not in the language. Short texts may be anything: «Ồ! Kaito!»."""
    found = _WORD.findall(text)
    letters = "".join(found)
    code = language.lower().split("-")[0]
    if len(found) < 12 or code not in LANGUAGES:
        return
    latin = sum(char < "\u0250" or "\u1e00" <= char <= "\u1eff" for char in letters)
    wrong = latin < 0.8 * len(letters)
    if code == "vi":
        wrong = wrong or sum(bool(_MARKED.search(word)) for word in found) < 0.3 * len(found)
    if wrong:
        name = LANGUAGES[code]
        raise Unusable(f"it is not in {name}: all lines must be in {name}, with all its marks", once=True)


# --- polish and about ------------------------------------------------------------------------------------------------


class _Edited(msgspec.Struct, frozen=True):
    panel: int
    text: str


class _Polished(msgspec.Struct, frozen=True):
    lines: list[_Edited]


def polished(
    text: str,
    lines: Sequence[tuple[int, str]],
    limits: Limits,
    first_named: dict[str, int],
) -> list[str]:
    """The edited lines; one that may not stand (length, language, a name before its time) stays as it was.

    ``first_named``: at which index a name is first heard. Raises Unusable where the lines are not those that were sent.
    """
    answer = _as(_Polished, text)
    edited = _in_order([_Line(line.panel, line.text) for line in answer.lines], [index + 1 for index, _ in lines])
    whole = " ".join(safe.safe(line.text[:8000]) for line in edited)
    _in_language(whole, limits.language)
    result = []
    for (index, old), line in zip(lines, edited, strict=True):
        new = safe.safe(line.text[:8000])
        before, now = safe.words(old), safe.words(new)
        fits = 0.6 * before <= now <= max(1.4 * before, before + 3) and (now <= limits.most or now <= before)
        early = any(first > index and spoken(name, new) for name, first in first_named.items())
        result.append(new if new and fits and not early else old)
    return result


def spoken(name: str, text: str) -> bool:
    """Whether a name is heard in a text, as a whole word."""
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


class _About(msgspec.Struct, frozen=True):
    title: str
    description: str
    tags: list[str]


class About(msgspec.Struct, frozen=True):
    title: str
    description: str
    tags: tuple[str, ...]


def about(text: str, language: str) -> About:
    """Title, description and tags, cleaned and within what YouTube takes. Raises Unusable."""
    answer = _as(_About, text)
    title = safe.bounded(answer.title, 80).strip(" \"'“”«».")
    description = safe.bounded(answer.description, 1000)
    problems = [f"{name} is empty" for name, value in (("title", title), ("description", description)) if not value]
    if problems:
        raise Unusable(*problems)
    _in_language(f"{title} {description}", language)
    tags = dict.fromkeys(safe.bounded(tag, 30).replace(",", " ").strip(" .…") for tag in answer.tags[:60])
    return About(title, description, tuple(tag for tag in tags if tag)[:10])
