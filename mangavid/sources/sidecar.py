"""The narration sidecar: a chapter's narration as a person wrote it (format: docs/sidecar.md).

YAML is read by a function that is handed in, so that nothing here needs a YAML library; JSON is read here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from mangavid.errors import BadSidecar
from mangavid.models import Narration, Sidecar
from mangavid.sources.names import clean

ReadYaml = Callable[[bytes, str], Any]
"""Parses YAML bytes safely into plain values; raises BadSidecar naming the file (its second argument)."""

MAX_BYTES = 256 * 1024
MAX_TEXT = 2_000
MAX_PAGES = 2_000
MAX_PANELS = 200
_KEYS = ("title", "language", "intro", "outro", "pages")
_LIMITS = {"title": 200, "language": 20, "intro": MAX_TEXT, "outro": MAX_TEXT}
_HINT = "as YAML: pages: {1: [text, text], 2: text}, a list by panels, a text for a whole page (docs/sidecar.md)"
_SHOWN_PROBLEMS = 20


def read(data: bytes, name: str, read_yaml: ReadYaml) -> Sidecar:
    """Parse and check a sidecar. Raises BadSidecar with all problems, one line each: file, entry, problem."""
    if len(data) > MAX_BYTES:
        raise BadSidecar(f"{name} is larger than {MAX_BYTES // 1024} KiB", hint=_HINT)
    try:
        raw = msgspec.json.decode(data) if name.lower().endswith(".json") else read_yaml(data, name)
    except (msgspec.DecodeError, UnicodeError) as problem:
        raise BadSidecar(f"{name} can't be read: {problem}", hint=_HINT) from None
    except BadSidecar as problem:
        problem.hint = problem.hint or _HINT
        raise
    except RecursionError:
        raise BadSidecar(f"{name} can't be read: it is nested too deeply", hint=_HINT) from None
    problems: list[str] = []
    sidecar = _check(raw, problems)
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        lines = [f"{name}: {problem}" for problem in problems[:_SHOWN_PROBLEMS]]
        raise BadSidecar("\n".join(lines + ([f"{name}: and {more} more problems"] if more > 0 else [])), hint=_HINT)
    return sidecar


def renumbered(sidecar: Sidecar, kept: Sequence[bool]) -> Sidecar:
    """The sidecar for a chapter made without some of its pages: ``kept`` says of each page whether it is there.

    Entries of pages left out go; those of pages that never existed stay wrong, so that the writer can name them.
    """
    moved: dict[int, int | None] = {}
    there = 0
    for page, keep in enumerate(kept, 1):
        there += keep
        moved[page] = there if keep else None
    narration = []
    for entry in sidecar.narration:
        page_now = moved.get(entry.page, entry.page - len(kept) + there)
        if page_now is not None:
            narration.append(msgspec.structs.replace(entry, page=page_now))
    return msgspec.structs.replace(sidecar, narration=tuple(narration))


def _check(raw: Any, problems: list[str]) -> Sidecar:
    if not isinstance(raw, dict):
        problems.append(f"it must hold named entries ({', '.join(_KEYS)}), not {_kind(raw)}")
        return Sidecar(narration=())
    for key in raw:
        if key not in _KEYS:
            close = difflib.get_close_matches(str(key), _KEYS, 1)
            problems.append(
                f"«{_short(key)}» is not an entry it knows" + (f"; did you mean {close[0]}?" if close else "")
            )
    texts = {key: _text(raw[key], key, limit, problems) for key, limit in _LIMITS.items() if raw.get(key) is not None}
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", texts.get("language", "vi")):
        problems.append(f"language: «{_short(raw['language'])}» is not a language code such as vi")
    pages = raw.get("pages")
    if not isinstance(pages, dict) or not pages:
        problems.append("pages: must list the narration by page number, for example «1: Text of page one»")
        return Sidecar(narration=())
    entries: dict[int, list[Narration]] = {}
    for key, value in pages.items():
        number = _page_number(key)
        if number is None:
            problems.append(f"pages: «{_short(key)}» is not a page number (1 to {MAX_PAGES})")
        elif number in entries:
            problems.append(f"page {number} is there twice")
        else:
            entries[number] = _page(number, value, problems)
    return Sidecar(narration=tuple(entry for number in sorted(entries) for entry in entries[number]), **texts)


def _page(number: int, value: Any, problems: list[str]) -> list[Narration]:
    if not isinstance(value, list):
        return [Narration(page=number, text=_text(value, f"page {number}", MAX_TEXT, problems))]
    if len(value) > MAX_PANELS:
        problems.append(f"page {number}: has {len(value)} panels; the limit is {MAX_PANELS}")
        return []
    return [
        Narration(page=number, panel=i, text=_text(text, f"page {number}, panel {i}", MAX_TEXT, problems))
        for i, text in enumerate(value, 1)
    ]


def _page_number(key: Any) -> int | None:
    """Whole numbers, also written as text (JSON has no other keys)."""
    if isinstance(key, str) and re.fullmatch(r"0*[1-9][0-9]{0,5}", key):
        key = int(key)
    return key if isinstance(key, int) and not isinstance(key, bool) and 1 <= key <= MAX_PAGES else None


def _text(value: Any, where: str, limit: int, problems: list[str]) -> str:
    """One line of text; null is no text. Numbers and yes/no are refused: YAML made them of unquoted words."""
    if value is None:
        return ""
    if not isinstance(value, str):
        problems.append(f"{where}: must be text, not {_kind(value)}" + ("; put it in quotes" if _scalar(value) else ""))
        return ""
    if len(value) > limit:
        problems.append(f"{where}: is {len(value)} characters long; the limit is {limit}")
    return clean(value, limit)


def _scalar(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "yes or no"
    if isinstance(value, int | float):
        return "a number"
    kinds = ((type(None), "nothing"), (dict, "named entries"), (list, "a list"), (str, "text"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a date or another kind of value")


def _short(value: Any) -> str:
    text = "a huge number" if isinstance(value, int) and abs(value) > 10**9 else clean(str(value), 60)
    return text if len(text) <= 40 else text[:39] + "…"
