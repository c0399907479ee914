"""JSONPath as Step Functions has it, which is Jayway's: https://github.com/json-path/JsonPath.

Jayway departs from RFC 9535 where it matters here. A *definite* path (names and single indexes) gives the value itself
and must find it; an indefinite one (``*``, slice, union, filter, ``..``) gives a list, which may be empty. A list of
names at the end, ``$['a','b']``, gives one object. Slices have no step, and a slice of two bounds does not count
negative ones from the end unless both are. General libraries differ in these points, so this one is our own.
"""

from __future__ import annotations

import functools
import json
import math
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mangavid.local.engine import jsonfilter


class BadPath(ValueError):
    """The text is not a JSONPath this engine reads; the message says why."""


class NotFound(LookupError):
    """A definite path found nothing. The message is the one AWS shows after «Invalid path '…' : »."""


@dataclass(frozen=True)
class Name:
    names: tuple[str, ...]


@dataclass(frozen=True)
class Index:
    indexes: tuple[int, ...]


@dataclass(frozen=True)
class Slice:
    start: int | None
    stop: int | None
    text: str


@dataclass(frozen=True)
class Wildcard:
    pass


@dataclass(frozen=True)
class Filter:
    accepts: Callable[[Any, Any], bool]
    text: str


@dataclass(frozen=True)
class Deep:
    """``..``: what follows it is tried on every container below."""


@dataclass(frozen=True)
class Function:
    name: str


Step = Name | Index | Slice | Wildcard | Filter | Deep | Function

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "length": lambda value: len(value) if isinstance(value, list | dict | str) else None,
    "min": lambda value: min(_numbers(value)),
    "max": lambda value: max(_numbers(value)),
    "sum": lambda value: math.fsum(_numbers(value)),
    "avg": lambda value: statistics.fmean(_numbers(value)),
    "stddev": lambda value: statistics.pstdev(_numbers(value)),
    "keys": lambda value: list(value) if isinstance(value, dict) else None,
    "first": lambda value: value[0] if isinstance(value, list) and value else None,
    "last": lambda value: value[-1] if isinstance(value, list) and value else None,
}


def _numbers(value: Any) -> list[float]:
    found = [item for item in value if isinstance(item, int | float)] if isinstance(value, list) else []
    if not found:
        raise NotFound("Aggregation function attempted to calculate value using empty array")
    return found


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
            found = list(_walk(self.steps, 0, document, document, "$", True))
        except _Missing as missing:
            if not self.definite:
                return []
            raise NotFound(str(missing)) from None
        if not self.definite:
            return found
        if not found:
            raise NotFound(f"No results for path: {self._canonical()}")
        return found[0]

    def _canonical(self) -> str:
        shown = "$"
        for step in self.steps:
            shown += _shown(step)
        return shown

    def write(self, document: Any, value: Any) -> Any:
        """A copy of ``document`` with ``value`` placed here, making missing objects on the way.

        Only for reference paths. Raises NotFound where something on the way is neither object nor array, or an array
        is too short.
        """
        if not self.steps:
            return value
        return _placed(self.steps, document, value)


class _Missing(Exception):
    """A name on the way is missing: an error for a definite path, no match for another."""


def _shown(step: Step) -> str:
    match step:
        case Name(names):
            return "[" + ",".join(f"'{name}'" for name in names) + "]"
        case Index(indexes):
            return "[" + ",".join(map(str, indexes)) + "]"
        case Slice(text=text) | Filter(text=text):
            return f"[{text}]"
        case Wildcard():
            return "[*]"
        case Deep():
            return ".."
        case Function(name):
            return f".{name}()"


def _placed(steps: tuple[Step, ...], document: Any, value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, Name):
        if not isinstance(document, dict):
            raise NotFound(f"{step.names[0]} of what is not an object")
        name = step.names[0]
        inner = document.get(name, {} if rest and isinstance(rest[0], Name) else None)
        return {**document, name: _placed(rest, inner, value)}
    assert isinstance(step, Index)
    if not isinstance(document, list) or not -len(document) <= step.indexes[0] < len(document):
        raise NotFound(f"no element {step.indexes[0]}")
    copy = list(document)
    copy[step.indexes[0]] = _placed(rest, copy[step.indexes[0]], value)
    return copy


def _walk(steps: tuple[Step, ...], at: int, node: Any, root: Any, where: str, definite: bool) -> Iterator[Any]:
    """Matches of ``steps[at:]`` below ``node``; ``definite``: every step before was."""
    if at == len(steps):
        yield node
        return
    step = steps[at]
    leaf = at == len(steps) - 1
    match step:
        case Name(names):
            yield from _named(steps, at, names, node, root, where, definite, leaf)
        case Wildcard():
            children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
            for child in children:
                yield from _lenient(steps, at + 1, child, root)
        case Index(indexes):
            if not _is_array(node, step, definite):
                return
            single = definite and len(indexes) == 1
            for index in indexes:
                if -len(node) <= index < len(node):
                    yield from _walk(steps, at + 1, node[index], root, f"{where}[{index}]", single)
        case Slice():
            if not _is_array(node, step, definite):
                return
            for index in _sliced(step, len(node)):
                if -len(node) <= index < len(node):
                    yield from _lenient(steps, at + 1, node[index], root)
        case Filter(accepts, text):
            if isinstance(node, dict):
                if accepts(node, root):
                    yield from _lenient(steps, at + 1, node, root)
            elif isinstance(node, list):
                for child in node:
                    if accepts(child, root):
                        yield from _lenient(steps, at + 1, child, root)
            elif definite:
                raise NotFound(f"Filter: [{text}] can not be applied to primitives. Current context is: {node}")
        case Deep():
            yield from _deep(steps, at + 1, node, root)
        case Function(name):
            yield FUNCTIONS[name](node)


def _lenient(steps: tuple[Step, ...], at: int, node: Any, root: Any) -> Iterator[Any]:
    return _walk(steps, at, node, root, "", False)


def _named(
    steps: tuple[Step, ...],
    at: int,
    names: tuple[str, ...],
    node: Any,
    root: Any,
    where: str,
    definite: bool,
    leaf: bool,
) -> Iterator[Any]:
    here = where + _shown(steps[at])
    if not isinstance(node, dict):
        if definite:
            raise _Missing(
                f"Expected to find an object with property {_shown(steps[at])} in path {where} but found "
                f"'{_java_type(node)}'. This is not a json object according to the JsonProvider."
            )
        return
    if len(names) > 1 and leaf:
        yield {name: node[name] for name in names if name in node}
        return
    for name in names:
        if name in node:
            yield from _walk(steps, at + 1, node[name], root, f"{where}['{name}']", definite and len(names) == 1)
        elif definite and len(names) == 1 and not leaf:
            raise _Missing(f"Missing property in path {here}")


def _java_type(node: Any) -> str:
    if node is None:
        return "null"
    kind = {str: "java.lang.String", bool: "java.lang.Boolean", int: "java.lang.Integer", float: "java.lang.Double"}
    return kind.get(type(node), "net.minidev.json.JSONArray")


def _is_array(node: Any, step: Step, definite: bool) -> bool:
    if isinstance(node, list):
        return True
    if definite:
        shown = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
        raise NotFound(f"Filter: {_shown(step)} can only be applied to arrays. Current context is: {shown}")
    return False


def _sliced(step: Slice, length: int) -> range:
    match step.start, step.stop:
        case None, None:
            return range(length)
        case start, None if start is not None:
            return range(max(0, start + length if start < 0 else start), length)
        case None, stop if stop is not None:
            return range(min(length, stop + length if stop < 0 else stop))
        case start, stop:
            assert start is not None and stop is not None
            return range(start, min(length, stop))


def _deep(steps: tuple[Step, ...], at: int, node: Any, root: Any) -> Iterator[Any]:
    if not isinstance(node, dict | list):
        return
    step = steps[at]
    # A filter is put to each element as its array is passed, and a name to objects only.
    fits = isinstance(node, dict) if isinstance(step, Name) else isinstance(node, list) or isinstance(step, Wildcard)
    if fits:
        yield from _lenient(steps, at, node, root)
    for child in node.values() if isinstance(node, dict) else node:
        yield from _deep(steps, at, child, root)
        if (
            isinstance(step, Filter)
            and isinstance(node, dict)
            and isinstance(child, dict)
            and step.accepts(child, root)
        ):
            yield from _lenient(steps, at + 1, child, root)


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
