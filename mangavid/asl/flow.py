"""Which paths are there: a data-flow over the definition.

A path that finds nothing is States.Runtime, which nothing catches: the execution dies, and HandleError with it. So
every ``$.x`` that a state uses must be there on every way into it, also on the ways that a Catch opens. What a document
surely holds is followed from state to state; where a task's result is not narrowed by a ResultSelector, nothing is
known of it and everything read from it is taken to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mangavid.asl import structure
from mangavid.asl.structure import State

#: Fields that surely exist; None where nothing is known of a value.
Shape = dict[str, Any] | None

_NAME = re.compile(r"\.([^.\[\]()\s,'\"*?@]+)(?!\()|\[\s*(?:'([^']*)'|\"([^\"]*)\")\s*\]")
_PATHS = re.compile(r"'(?:[^'\\]|\\.)*'|(\$\$?(?:\.[^.\[\]()\s,'\"]+|\[(?:'[^']*'|\"[^\"]*\"|[^\]])*\])*)")
_INVOKED: Shape = {
    "ExecutedVersion": {},
    "Payload": None,
    "SdkHttpMetadata": None,
    "SdkResponseMetadata": None,
    "StatusCode": {},
}
_ERROR: Shape = {"Error": {}, "Cause": {}}


@dataclass
class _Edge:
    """A way into a state, with what the document surely holds on it."""

    source: str
    target: str
    shape: Shape


@dataclass
class _Reader:
    """Reads paths of one state's documents and notes what is missing."""

    missing: list[tuple[str, str]] = field(default_factory=list)

    def read(self, shape: Shape, path: str, where: str) -> Shape:
        if path.startswith("$$"):
            return None
        for name in names(path):
            if shape is None:
                return None
            if name not in shape:
                self.missing.append((where, path))
                return None
            shape = shape[name]
        return shape if _is_plain(path) else None

    def expression(self, shape: Shape, text: str, where: str) -> Shape:
        """A path, or every path within an intrinsic call."""
        if text.startswith("$"):
            return self.read(shape, text, where)
        for found in _PATHS.finditer(text):
            if found.group(1):
                self.read(shape, found.group(1), where)
        return None

    def payload(self, shape: Shape, template: Any, where: str) -> Shape:
        if not isinstance(template, dict):
            return None if isinstance(template, list) else {}
        return {
            key.removesuffix(".$"): self.expression(shape, str(value), f"{where}.{key}")
            if key.endswith(".$")
            else self.payload(shape, value, f"{where}.{key}")
            for key, value in template.items()
        }

    def rule(self, shape: Shape, rule: State, where: str) -> Shape:
        """Checks a Choice rule; what the document surely holds where the rule is true."""
        for inner in structure.dicts(rule.get("And")):
            shape = self.rule(shape, inner, where)
        for inner in structure.dicts(rule.get("Or")):
            self.rule(shape, inner, where)
        if isinstance(rule.get("Not"), dict):
            self.rule(shape, rule["Not"], where)
        variable = rule.get("Variable")
        if isinstance(variable, str):
            if "IsPresent" in rule:
                return written(shape, variable, None) if rule["IsPresent"] is True else shape
            self.read(shape, variable, where)
        for key, value in rule.items():
            if key.endswith("Path") and isinstance(value, str):
                self.read(shape, value, where)
        return shape


def names(path: str) -> Iterator[str]:
    """The names a path begins with, up to its first index, wildcard, slice or filter."""
    at = 1
    while found := _NAME.match(path, at):
        yield next(group for group in found.groups() if group is not None)
        at = found.end()


def _is_plain(path: str) -> bool:
    at = 1
    while found := _NAME.match(path, at):
        at = found.end()
    return at == len(path)


def written(shape: Shape, path: str | None, value: Shape) -> Shape:
    """The document after a result was placed at a reference path (None: it was discarded)."""
    if path is None:
        return shape
    steps = list(names(path))
    if not steps:
        return value
    if shape is None:
        return None
    first, rest = steps[0], steps[1:]
    inner = shape.get(first, {})
    return {**shape, first: written(inner, "$" + "".join(f".{name}" for name in rest), value)}


def joined(one: Shape, other: Shape) -> Shape:
    """What surely holds whichever of the two it is."""
    if one is None:
        return other
    if other is None:
        return one
    return {key: joined(one[key], other[key]) for key in one.keys() & other.keys()}


def problems(definition: State, entry: Shape | None = None) -> list[str]:
    """One line for each path that a state uses and some way into it lacks. ``entry``: the execution's input, ``{}``.

    Expects a definition in which ``structure.problems`` finds nothing.
    """
    states = definition["States"]
    start = definition["StartAt"]
    at: dict[str, Shape] = {start: {} if entry is None else entry}
    edges: dict[tuple[str, str, int], _Edge] = {("", start, 0): _Edge("the start", start, at[start])}
    todo = [start]
    while todo:
        name = todo.pop()
        for number, edge in enumerate(_leave(name, states[name], at[name], _Reader())):
            edges[(name, edge.target, number)] = edge
            before = at.get(edge.target, _UNSEEN)
            after = edge.shape if before is _UNSEEN else joined(before, edge.shape)
            if before is _UNSEEN or after != before:
                at[edge.target] = after
                todo.append(edge.target)
    found: list[str] = []
    for edge in edges.values():
        reader = _Reader()
        list(_leave(edge.target, states[edge.target], edge.shape, reader))
        for where, path in reader.missing:
            found.append(f"{edge.target}: {where} uses {path}, which is not there when coming from {edge.source}")
    return list(dict.fromkeys(found))


_UNSEEN: Any = object()


def _leave(name: str, state: State, document: Shape, reader: _Reader) -> Iterator[_Edge]:
    """The ways out of a state, and on the way everything it reads."""
    shown = (
        {} if state.get("InputPath", "$") is None else reader.read(document, state.get("InputPath", "$"), "InputPath")
    )
    output = document
    match state.get("Type"):
        case "Task":
            if "Parameters" in state:
                reader.payload(shown, state["Parameters"], "Parameters")
            for field_name in ("TimeoutSecondsPath", "HeartbeatSecondsPath"):
                if field_name in state:
                    reader.read(shown, state[field_name], field_name)
            result = _result(state)
            if "ResultSelector" in state:
                result = reader.payload(result, state["ResultSelector"], "ResultSelector")
            output = written(document, state.get("ResultPath", "$"), result)
        case "Pass":
            result = shown
            if "Result" in state:
                result = _literal(state["Result"])
            elif "Parameters" in state:
                result = reader.payload(shown, state["Parameters"], "Parameters")
            output = written(document, state.get("ResultPath", "$"), result)
        case "Choice":
            for number, rule in enumerate(structure.dicts(state.get("Choices"))):
                holding = reader.rule(shown, rule, f"Choices[{number}]")
                shape = holding if state.get("InputPath", "$") == "$" else shown
                yield _Edge(name, rule["Next"], _out(state, shape, reader))
            if "Default" in state:
                yield _Edge(name, state["Default"], _out(state, shown, reader))
            return
        case kind:
            for field_name in ("SecondsPath", "TimestampPath", "ErrorPath", "CausePath"):
                if field_name in state:
                    reader.expression(shown, state[field_name], field_name)
            if kind != "Fail":
                output = shown
    output = _out(state, output, reader)
    if "Next" in state:
        yield _Edge(name, state["Next"], output)
    for number, catcher in enumerate(structure.dicts(state.get("Catch"))):
        caught = written(document, catcher.get("ResultPath", "$"), _ERROR)
        yield _Edge(f"{name} (Catch[{number}])", catcher["Next"], caught)


def _out(state: State, shape: Shape, reader: _Reader) -> Shape:
    path = state.get("OutputPath", "$")
    return {} if path is None else reader.read(shape, path, "OutputPath")


def _result(state: State) -> Shape:
    """What a task surely gives: of an invoked function only the envelope is known."""
    return _INVOKED if str(state.get("Resource", "")).endswith(":lambda:invoke") else None


def _literal(value: Any) -> Shape:
    if isinstance(value, dict):
        return {key: _literal(inner) for key, inner in value.items()}
    return None if isinstance(value, list) else {}
