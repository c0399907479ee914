"""From a definition file to what was really run: the recorded tests fill templates in before they create them.

Each adaptation is one the history itself shows (a Resource, a timer, an error name) or the test's name says (a path in
brackets); the replay tells which were made.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from mangavid.local.engine import definition as engine_definition
from tests.recorded.reading import Recording

_HOLE = re.compile(r"<?%[^%]+%>?|_tb[dc]_|__tb[dc]__")
_MOST = 64


@dataclass(frozen=True)
class Variant:
    """``made`` says in words what was filled in or changed."""

    definition: dict[str, Any]
    input: Any
    made: tuple[str, ...]


def candidates(recording: Recording, known: dict[str, Any]) -> list[str]:
    """Definition files in which the history can have happened, likeliest first."""
    entered = recording.entered
    fitting = []
    for name, definition in known.items():
        states = definition.get("States")
        if not isinstance(states, dict) or not all(isinstance(state, dict) for state in states.values()):
            continue
        if not entered:
            continue
        if definition.get("StartAt") != entered[0][1]:
            continue
        if not all(states.get(state, {}).get("Type") == kind for kind, state in _outermost(entered, states)):
            continue
        fitting.append(name)
    words = set(re.findall(r"[a-z]+|\d+", recording.name.lower()))
    return sorted(
        fitting, key=lambda name: (-_usage(recording, known[name]), -len(words & set(re.findall(r"[a-z]+|\d+", name))))
    )


def _outermost(entered: list[tuple[str, str]], states: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """States of Map and Parallel are not in the machine's own list."""
    nested = any(kind in ("Map", "Parallel") for kind, _ in entered)
    for kind, name in entered:
        if not nested or name in states:
            yield kind, name


def _usage(recording: Recording, definition: dict[str, Any]) -> int:
    """How many of a definition's states the history passes, less those it doesn't."""
    names = {name for _, name in recording.entered}
    return len(names) * 2 - len(definition["States"])


def variants(recording: Recording, definition: dict[str, Any], now: datetime) -> Iterator[Variant]:
    """The definition as it can have been run, plainest first."""
    base = copy.deepcopy(definition)
    made = _from_history(recording, base)
    shapes: list[tuple[dict[str, Any], tuple[str, ...]]] = []
    holes = sorted({hole for text in _strings(base) for hole in _HOLE.findall(text)})
    if holes:
        for values in itertools.product(_values_for_hole(recording), repeat=min(len(holes), 2)):
            filled = base
            for hole, value in zip(holes, values, strict=False):
                filled = _replaced(filled, hole, value)
            shown = tuple(f"{hole} = {value}" for hole, value in zip(holes, values, strict=False))
            shapes.append((filled, (*made, *shown)))
    else:
        shapes.append((base, tuple(made)))
        shapes += [(edited, (*made, said)) for edited, said in _parameter_edits(recording, base)]
        shapes += [(edited, (*made, said)) for edited, said in _result_edits(recording, base)]
    for (shape, said), (data, told) in itertools.islice(itertools.product(shapes, _inputs(recording, now)), _MOST):
        yield Variant(shape, data, (*said, *told))


def _from_history(recording: Recording, definition: dict[str, Any]) -> list[str]:
    """Fill in what the history shows of each state: what it called, its timers, the error it handled."""
    made: list[str] = []
    name = ""
    for event in recording.events:
        if "stateEnteredEventDetails" in event:
            name = event["stateEnteredEventDetails"]["name"]
        state = definition["States"].get(name, {})
        scheduled = event.get("taskScheduledEventDetails") or event.get("lambdaFunctionScheduledEventDetails")
        if scheduled and state.get("Type") == "Task":
            arn = scheduled["resource"]
            if "resourceType" in scheduled:
                arn = f"arn:aws:states:::{scheduled['resourceType']}:{arn}"
            # A valid service Resource is the template's own; a function's ARN is filled in by the test.
            template = engine_definition.resource(str(state.get("Resource"))) is None or "resourceType" not in scheduled
            if template and state.get("Resource") != arn:
                state["Resource"] = arn
                made.append(f"{name}.Resource = {arn}")
            for field, key in (("TimeoutSeconds", "timeoutInSeconds"), ("HeartbeatSeconds", "heartbeatInSeconds")):
                wanted = scheduled.get(key)
                if f"{field}Path" not in state and isinstance(wanted, int) and state.get(field) != wanted:
                    state[field] = wanted
                    made.append(f"{name}.{field} = {wanted}")
        error = next(
            (value["error"] for key, value in event.items() if key.endswith("FailedEventDetails") and "error" in value),
            None,
        )
        for rule in [*state.get("Retry", []), *state.get("Catch", [])]:
            if error and rule.get("ErrorEquals") == []:
                rule["ErrorEquals"] = [error]
                made.append(f"{name}: ErrorEquals = [{error}]")
    for state_name, state in definition["States"].items():
        if state.get("Type") == "Task" and engine_definition.resource(str(state.get("Resource"))) is None:
            state["Resource"] = "arn:aws:lambda:us-east-1:111111111111:function:never-called"
            made.append(f"{state_name}.Resource = any function")
        for rule in [*state.get("Retry", []), *state.get("Catch", [])]:
            if rule.get("ErrorEquals") == []:
                rule["ErrorEquals"] = ["NeverRaised"]
    return made


def _values_for_hole(recording: Recording) -> list[str]:
    values = [part for part in (recording.parameter,) if part]
    for event in recording.events:
        for key, value in event.items():
            if key.endswith("EventDetails") and isinstance(value, dict) and isinstance(value.get("error"), str):
                values.append(value["error"])
    # Contexts of LocalStack's tests that its names don't tell.
    return list(
        dict.fromkeys(
            [*values, "$$.Execution.Input", "$$.Execution.Input.input-value", "$$.Execution.Input.input-values"]
        )
    )


def _parameter_edits(recording: Recording, definition: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The name's bracket in place of one path, intrinsic or value of the definition."""
    parameter = recording.parameter
    if parameter is None:
        return
    value: Any = None if parameter == "None" else parameter
    for place in _places(definition):
        before = _at(definition, place)
        expression = isinstance(before, str) and before.startswith(("$", "States."))
        if expression and (value is None or parameter.startswith(("$", "States."))) and before != value:
            yield _put(definition, place, value), f"{'.'.join(map(str, place))} = {value}"
        if isinstance(before, int) and not isinstance(before, bool) and re.fullmatch(r"-?\d+", parameter):
            yield _put(definition, place, int(parameter)), f"{'.'.join(map(str, place))} = {parameter}"


def _result_edits(recording: Recording, definition: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """A Pass state's literal Result as its exit shows it."""
    for event in recording.events:
        left = event.get("stateExitedEventDetails")
        if left is None:
            continue
        state = definition["States"].get(left["name"], {})
        if state.get("Type") == "Pass" and "Result" in state and not {"ResultPath", "OutputPath"} & state.keys():
            output = left["output"]
            yield _put(definition, ["States", left["name"], "Result"], output), f"{left['name']}.Result = {output}"


def _inputs(recording: Recording, now: datetime) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """The recorded input; where a time in it is a placeholder, times that it can have been."""
    text = json.dumps(recording.input)
    if "<timestamp>" not in text:
        yield _parsed(recording.input), ()
        return
    soon = (now + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%S")
    times = []
    if recording.parameter is not None:
        times.append(soon + recording.parameter)
        if re.fullmatch(r"\d+", recording.parameter):
            later = now + timedelta(days=int(recording.parameter))
            times.insert(0, later.strftime("%Y-%m-%dT%H:%M:%SZ"))
    times.append(soon + "Z")
    for one in times:
        yield json.loads(text.replace("<timestamp>", one)), (f"<timestamp> = {one}",)


def _parsed(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _replaced(value: Any, hole: str, text: str) -> Any:
    if isinstance(value, str):
        return value.replace(hole, text)
    if isinstance(value, dict):
        return {key.replace(hole, text): _replaced(inner, hole, text) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, hole, text) for inner in value]
    return value


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[list[Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*here, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _places(inner, (*here, at))
    else:
        yield list(here)


def _at(value: Any, place: list[Any]) -> Any:
    for key in place:
        value = value[key]
    return value


def _put(value: Any, place: list[Any], new: Any) -> Any:
    edited = copy.deepcopy(value)
    _at(edited, place[:-1])[place[-1]] = new
    return edited
