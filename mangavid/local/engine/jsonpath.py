"""JSONPath as Step Functions has it, which is Jayway's: https://github.com/json-path/JsonPath.

Jayway departs from RFC 9535 where it matters here. A *definite* path (names and single indexes) gives the value itself
and must find it; an indefinite one (``*``, slice, union, filter, ``..``) gives a list, which may be empty. A list of
names at the end, ``$['a','b']``, gives one object. Slices have no step, and a slice of two bounds does not count
negative ones from the end unless both are. General libraries differ in these points, so this one is our own.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any

from mangavid.local.engine import jsonfilter
from mangavid.local.engine.jsonwalk import (
    FUNCTIONS,
    Deep,
    Filter,
    Function,
    Index,
    Missing,
    Name,
    NotFound,
    Slice,
    Step,
    Wildcard,
    placed,
    shown,
    walk,
)

__all__ = ["BadPath", "NotFound", "Path", "parse", "read"]


class BadPath(ValueError):
    """The text is not a JSONPath this engine reads; the message says why."""


@dataclass(frozen=True)
class Path:
    """A parsed path. ``text`` is as written, without the second ``$`` of a context path."""

    text: str
    steps: tuple[Step, ...]

    @property
    def definite(self) -> bool:
        for at, step in enumerate(self.steps):
            if isinstance(step, Name) and len(step.names) > 1 and at < len(self.steps) - 1:
                return False
            if isinstance(step, Index) and len(step.indexes) > 1:
                return False
            if isinstance(step, Slice | Wildcard | Filter | Deep):
                return False
        return True

    @property
    def reference(self) -> bool:
        """A Reference Path: single names and indexes only, so that it can be written to."""
        return all(
            (isinstance(step, Name) and len(step.names) == 1) or (isinstance(step, Index) and len(step.indexes) == 1)
            for step in self.steps
        )

    def read(self, document: Any) -> Any:
        """The value (definite) or the list of matches. Raises NotFound."""
        try:
            found = list(walk(self.steps, 0, document, document, "$", True))
        except Missing as missing:
            if not self.definite:
                return []
            raise NotFound(str(missing)) from None
        if not self.definite:
            return found
        if not found:
            raise NotFound(f"No results for path: {self._canonical()}")
        return found[0]

    def _canonical(self) -> str:
        return "$" + "".join(shown(step) for step in self.steps)

    def write(self, document: Any, value: Any) -> Any:
        """A copy of ``document`` with ``value`` placed here, making missing objects on the way.

        Only for reference paths. Raises NotFound where something on the way is neither object nor array, or an array
        is too short.
        """
        if not self.steps:
            return value
        return placed(self.steps, document, value)


# --- reading the text -----------------------------------------------------------------------------------------------

_DOTTED = re.compile(r"[^.\[\]()\s,'\"*?@]+")
_INDEXES = re.compile(r"\s*-?\d+(?:\s*,\s*-?\d+)*\s*")
_SLICE = re.compile(r"\s*(-?\d+)?\s*:\s*(-?\d+)?\s*")
_QUOTED = re.compile(r"""\s*(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")\s*""", re.DOTALL)


@functools.lru_cache(maxsize=2048)
def parse(text: str) -> Path:
    """Read a path that starts with ``$``. Raises BadPath."""
    if not text.startswith("$"):
        raise BadPath("a path starts with $")
    steps: list[Step] = []
    at = 1
    while at < len(text):
        if text.startswith("..", at):
            steps.append(Deep())
            at += 2
            if text.startswith("[", at):
                continue
            at = _dotted(text, at, steps)
        elif text[at] == ".":
            at += 1
            # Jayway lets a dot stand before a bracket.
            if not text.startswith("[", at):
                at = _dotted(text, at, steps)
        elif text[at] == "[":
            at = _bracket(text, at, steps)
        else:
            raise BadPath(f"unexpected '{text[at]}' at {at}")
    if text.endswith("."):
        raise BadPath("a path does not end with a dot")
    for place, step in enumerate(steps):
        if isinstance(step, Function) and (place != len(steps) - 1 or not Path("", tuple(steps[:-1])).definite):
            raise BadPath(f"{step.name}() is read only at the end of a path of names and indexes")
    return Path(text, tuple(steps))


def _dotted(text: str, at: int, steps: list[Step]) -> int:
    if text.startswith("*", at):
        steps.append(Wildcard())
        return at + 1
    found = _DOTTED.match(text, at)
    if not found:
        raise BadPath(f"a name is missing at {at}")
    end = found.end()
    if text.startswith("()", end):
        if found.group() not in FUNCTIONS:
            raise BadPath(f"unknown function {found.group()}()")
        steps.append(Function(found.group()))
        return end + 2
    steps.append(Name((found.group(),)))
    return end


def _bracket(text: str, at: int, steps: list[Step]) -> int:
    end = _closing(text, at)
    inside = text[at + 1 : end]
    stripped = inside.strip()
    if stripped == "*":
        steps.append(Wildcard())
    elif _INDEXES.fullmatch(inside):
        steps.append(Index(tuple(int(part) for part in inside.split(","))))
    elif found := _SLICE.fullmatch(inside):
        start, stop = (int(part) if part else None for part in found.groups())
        steps.append(Slice(start, stop, stripped))
    elif stripped.startswith("?"):
        try:
            steps.append(Filter(jsonfilter.compile_filter(stripped[1:].strip(), read), stripped))
        except ValueError as problem:
            raise BadPath(str(problem)) from None
    else:
        steps.append(Name(_names(inside)))
    return end + 1


def _names(inside: str) -> tuple[str, ...]:
    names: list[str] = []
    at = 0
    while True:
        found = _QUOTED.match(inside, at)
        if not found:
            raise BadPath(f"can't read [{inside}]")
        names.append(re.sub(r"\\(.)", r"\1", found.group(1) if found.group(1) is not None else found.group(2)))
        at = found.end()
        if at == len(inside):
            return tuple(names)
        if inside[at] != ",":
            raise BadPath(f"can't read [{inside}]")
        at += 1


def _closing(text: str, at: int) -> int:
    depth = 0
    quote = ""
    skip = False
    for place in range(at, len(text)):
        char = text[place]
        if skip:
            skip = False
        elif char == "\\":
            skip = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "[":
            depth += 1
        elif char == "]":
            depth -= 1
            if depth == 0:
                return place
    raise BadPath("a bracket is not closed")


def read(text: str, document: Any) -> Any:
    """``parse(text).read(document)``."""
    return parse(text).read(document)
