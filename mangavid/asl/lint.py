"""Our own lint of the state machine: what the public validators let pass, and the rules of the house.

The rules come from what went wrong or would: a retry that never sees a dead worker, a handler that dies of a
missing path, a permanent error that is tried again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mangavid.asl import flow, structure
from mangavid.asl.structure import State
from mangavid.errors import by_name

#: Errors that Lambda and the service integration raise themselves.
_SERVICE_ERRORS = ("Lambda.", "Sandbox.", "Runtime.")
_DEATHS = ("States.Timeout", "States.HeartbeatTimeout")


def lint(definition: State) -> list[str]:
    """One line a finding, each beginning with the state's name; empty where all is well."""
    found = structure.problems(definition)
    if found:
        return found
    for name, state in definition["States"].items():
        found += [f"{name}: {finding}" for finding in _state(state)]
    return found + flow.problems(definition)


def _state(state: State) -> Iterator[str]:
    if state.get("Type") != "Task":
        return
    retriers = structure.dicts(state.get("Retry"))
    yield from _order(retriers)
    yield from _known(state)
    if "TimeoutSeconds" not in state and "TimeoutSecondsPath" not in state:
        yield "has no TimeoutSeconds: a call that hangs would hold the execution for ever"
    if structure.is_token_task(state):
        if "HeartbeatSeconds" not in state and "HeartbeatSecondsPath" not in state:
            yield "waits for a worker without HeartbeatSeconds: a dead one is noticed only at the timeout"
        retried = {name for one in retriers if one.get("MaxAttempts", 3) > 0 for name in one["ErrorEquals"]}
        lacking = [death for death in _DEATHS if death not in retried]
        if lacking:
            yield f"waits for a worker, so its Retry must list {' and '.join(lacking)}: that is how one dies"


def _order(retriers: list[State]) -> Iterator[str]:
    """The first retrier that names an error decides: what must not be retried comes first, and is named once."""
    seen: dict[str, int] = {}
    retrying = False
    for at, retrier in enumerate(retriers):
        permanent = retrier.get("MaxAttempts", 3) == 0
        if permanent and retrying:
            yield f"Retry[{at}]: errors that are not retried (MaxAttempts 0) must be named first"
        retrying = retrying or not permanent
        for name in retrier["ErrorEquals"]:
            if name in seen:
                yield f"Retry[{at}]: {name} is named in Retry[{seen[name]}] already, which decides"
            seen.setdefault(name, at)


def _known(state: State) -> Iterator[str]:
    for field in ("Retry", "Catch"):
        for at, rule in enumerate(structure.dicts(state.get(field))):
            for name in rule["ErrorEquals"]:
                if not name.startswith(("States.", *_SERVICE_ERRORS)) and by_name(name) is None:
                    yield f"{field}[{at}]: nothing here raises {name}"


def error_names(definition: State) -> set[str]:
    """Every error of ours that the definition names, in any Retry or Catch."""
    found: set[str] = set()
    for state in definition["States"].values():
        rules: list[dict[str, Any]] = [*structure.dicts(state.get("Retry")), *structure.dicts(state.get("Catch"))]
        found |= {name for rule in rules for name in rule["ErrorEquals"] if "." not in name}
    return found
