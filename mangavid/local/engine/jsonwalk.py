"""The steps of a JSONPath, and how each walks a document."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


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


class Missing(Exception):
    """A name on the way is missing: an error for a definite path, no match for another."""


def shown(step: Step) -> str:
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


def placed(steps: tuple[Step, ...], document: Any, value: Any) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, Name):
        if not isinstance(document, dict):
            raise NotFound(f"{step.names[0]} of what is not an object")
        name = step.names[0]
        inner = document.get(name, {} if rest and isinstance(rest[0], Name) else None)
        return {**document, name: placed(rest, inner, value)}
    assert isinstance(step, Index)
    if not isinstance(document, list) or not -len(document) <= step.indexes[0] < len(document):
        raise NotFound(f"no element {step.indexes[0]}")
    copy = list(document)
    copy[step.indexes[0]] = placed(rest, copy[step.indexes[0]], value)
    return copy


def walk(steps: tuple[Step, ...], at: int, node: Any, root: Any, where: str, definite: bool) -> Iterator[Any]:
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
                    yield from walk(steps, at + 1, node[index], root, f"{where}[{index}]", single)
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
    return walk(steps, at, node, root, "", False)


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
    here = where + shown(steps[at])
    if not isinstance(node, dict):
        if definite:
            raise Missing(
                f"Expected to find an object with property {shown(steps[at])} in path {where} but found "
                f"'{_java_type(node)}'. This is not a json object according to the JsonProvider."
            )
        return
    if len(names) > 1 and leaf:
        yield {name: node[name] for name in names if name in node}
        return
    for name in names:
        if name in node:
            yield from walk(steps, at + 1, node[name], root, f"{where}['{name}']", definite and len(names) == 1)
        elif definite and len(names) == 1 and not leaf:
            raise Missing(f"Missing property in path {here}")


def _java_type(node: Any) -> str:
    if node is None:
        return "null"
    kind = {str: "java.lang.String", bool: "java.lang.Boolean", int: "java.lang.Integer", float: "java.lang.Double"}
    return kind.get(type(node), "net.minidev.json.JSONArray")


def _is_array(node: Any, step: Step, definite: bool) -> bool:
    if isinstance(node, list):
        return True
    if definite:
        context = json.dumps(node, ensure_ascii=False, separators=(",", ":"))
        raise NotFound(f"Filter: {shown(step)} can only be applied to arrays. Current context is: {context}")
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
