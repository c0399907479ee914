"""What holds a state machine together: transitions, reachability, error names, timers, tokens.

Pure checks of a parsed definition that public validators miss in part; ``mangavid.local.engine`` refuses on them and
``mangavid.asl.lint`` reports them. Each finding is one line that begins with the state's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

State = dict[str, Any]

#: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
RESERVED_ERRORS = frozenset(
    {
        "States.ALL",
        "States.BranchFailed",
        "States.DataLimitExceeded",
        "States.ExceedToleratedFailureThreshold",
        "States.HeartbeatTimeout",
        "States.Http.Socket",
        "States.IntrinsicFailure",
        "States.ItemReaderFailed",
        "States.NoChoiceMatched",
        "States.ParameterPathFailure",
        "States.Permissions",
        "States.QueryEvaluationError",
        "States.ResultPathMatchFailure",
        "States.ResultWriterFailed",
        "States.Runtime",
        "States.TaskFailed",
        "States.Timeout",
    }
)
TERMINAL = ("Succeed", "Fail")
_NULLABLE = ("InputPath", "OutputPath", "ResultPath")


def targets(state: State) -> Iterator[tuple[str, Any]]:
    """(where in the state, name of the next state) of every transition."""
    if "Next" in state and state.get("Type") != "Choice":
        yield "Next", state["Next"]
    if "Default" in state:
        yield "Default", state["Default"]
    for field in ("Choices", "Catch"):
        for at, rule in enumerate(dicts(state.get(field))):
            yield f"{field}[{at}].Next", rule.get("Next")


def dicts(value: Any) -> list[State]:
    """The objects of a list; empty where it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_token_task(state: State) -> bool:
    return state.get("Type") == "Task" and str(state.get("Resource", "")).endswith(".waitForTaskToken")


def texts(value: Any) -> Iterator[str]:
    """Every string in a template, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


def problems(definition: State, *, need_token: bool = True) -> list[str]:
    """Everything wrong with how the states hang together; empty where nothing is.

    ``need_token=False`` lets a ``.waitForTaskToken`` task pass that never hands its token on: AWS runs such a one (and
    it can only time out).
    """
    states = definition.get("States")
    if not isinstance(states, dict) or not states:
        return ["States: must be an object with at least one state"]
    found: list[str] = []
    start = definition.get("StartAt")
    if start not in states:
        found.append(f"StartAt: names {start!r}, which is not a state")
    for name, state in states.items():
        if not isinstance(state, dict):
            found.append(f"{name}: must be an object")
            continue
        found += [f"{name}: {problem}" for problem in _types(state)]
        found += [f"{name}: {problem}" for problem in _transitions(state, states)]
        found += [f"{name}: {problem}" for problem in _handlers(state)]
        found += [f"{name}: {problem}" for problem in _timers(state)]
        if (
            need_token
            and is_token_task(state)
            and not any("$$.Task.Token" in t for t in texts(state.get("Parameters")))
        ):
            found.append(f"{name}: waits for a task token, but its Parameters never hand on $$.Task.Token")
    found += [f"{name}: can't be reached from {start}" for name in states if name not in reachable(definition)]
    return found


def reachable(definition: State) -> set[str]:
    """Names of the states that can be reached from StartAt."""
    states = definition["States"]
    seen: set[str] = set()
    todo: list[Any] = [definition.get("StartAt")]
    while todo:
        name = todo.pop()
        if not isinstance(name, str) or name in seen or not isinstance(states.get(name), dict):
            continue
        seen.add(name)
        todo += [target for _, target in targets(states[name])]
    return seen


def _types(state: State) -> Iterator[str]:
    """What every later check takes for granted."""
    if not isinstance(state.get("Type"), str):
        yield "Type must be a string"
    for field, value in state.items():
        # InputPath, OutputPath and ResultPath may be null.
        if field.endswith("Path") and not isinstance(value, str) and not (value is None and field in _NULLABLE):
            yield f"{field} must be a path"
    for at, catcher in enumerate(dicts(state.get("Catch"))):
        if not isinstance(catcher.get("ResultPath", "$"), str | None):
            yield f"Catch[{at}].ResultPath must be a path"
    for at, retrier in enumerate(dicts(state.get("Retry"))):
        if not isinstance(retrier.get("MaxAttempts", 3), int):
            yield f"Retry[{at}].MaxAttempts must be a whole number"


def _transitions(state: State, states: State) -> Iterator[str]:
    kind = state.get("Type")
    for where, target in targets(state):
        if not isinstance(target, str) or target not in states:
            yield f"{where} names {target!r}, which is not a state"
    if kind == "Choice":
        for field in ("Next", "End"):
            if field in state:
                yield f"a Choice state has no {field} of its own"
    elif kind in TERMINAL:
        for field in ("Next", "End"):
            if field in state:
                yield f"a {kind} state has no {field}"
    elif "Next" in state and "End" in state:
        yield "has both Next and End"
    elif "Next" not in state and state.get("End") is not True:
        yield "has neither Next nor End"


def _handlers(state: State) -> Iterator[str]:
    for field in ("Retry", "Catch"):
        rules = dicts(state.get(field))
        for at, rule in enumerate(rules):
            names = rule.get("ErrorEquals")
            where = f"{field}[{at}].ErrorEquals"
            if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
                yield f"{where} must be a list of error names, and not empty"
                continue
            for name in names:
                if name.startswith("States.") and name not in RESERVED_ERRORS:
                    yield f"{where}: {name} is not an error Step Functions raises"
            if "States.ALL" in names and len(names) > 1:
                yield f"{where}: States.ALL must stand alone"
            if "States.ALL" in names and at != len(rules) - 1:
                yield f"{where}: States.ALL must be in the last of {field}"


def _timers(state: State) -> Iterator[str]:
    heartbeat, timeout = state.get("HeartbeatSeconds"), state.get("TimeoutSeconds")
    for name, value in (("HeartbeatSeconds", heartbeat), ("TimeoutSeconds", timeout)):
        if name in state and (isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= 99_999_999):
            yield f"{name} must be a whole number from 1 to 99999999"
        if name in state and f"{name}Path" in state:
            yield f"has both {name} and {name}Path"
    if isinstance(heartbeat, int) and isinstance(timeout, int) and heartbeat >= timeout:
        yield f"HeartbeatSeconds ({heartbeat}) must be below TimeoutSeconds ({timeout})"
