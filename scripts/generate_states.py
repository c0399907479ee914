"""What ``statemachine.asl.json`` says, as Markdown: for docs/state-machine.md and docs/ARCHITECTURE.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from mangavid import asl, protocol
from mangavid.asl import structure
from mangavid.errors import by_name
from mangavid.local.handlers import FUNCTIONS, PREFIX

State = dict[str, Any]

GROUPS = {
    "service": (
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Sandbox.Timedout",
    ),
    "input": ("BadInput", "BadArchive", "BadImage", "BadSidecar", "SourceNotFound"),
    "settings": protocol.STOPPING,
}
"""Errors that stand together wherever they are named, and what the tables call them."""
MEANINGS = {
    "service": "Lambda itself failed, not the code in it. The local engine never raises these.",
    "input": "What was given can't be used. Trying again gives the same answer.",
    "settings": "No fault of the chapter: every other chapter would meet it too. The run stops.",
}


def states() -> dict[str, State]:
    found: dict[str, State] = asl.local_definition()["States"]
    return found


def function(state: State) -> str:
    """The name of the function that a Task calls."""
    name: str = state["Parameters"]["FunctionName"]
    return name.rpartition(":")[2]


def rows(*table: Iterable[str]) -> str:
    """A Markdown table; the first row is its head."""
    head, *body = (f"| {' | '.join(row)} |" for row in table)
    return "\n".join((head, "|" + "---|" * (head.count(" | ") + 1), *body))


def code(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


# --- names ----------------------------------------------------------------------------------------------------------


def names() -> str:
    """State, function, module: one thing under three names."""
    table = []
    for name, state in states().items():
        if state["Type"] == "Task":
            module = FUNCTIONS[function(state).removeprefix(PREFIX)]
            table.append((f"`{name}`", f"`{function(state)}`", f"`{module}`", f"`mangavid/states/{module}.py`"))
    return rows(("state", "function", "folder of its handler", "module"), *table)


# --- states ---------------------------------------------------------------------------------------------------------


def diagram() -> str:
    """A Mermaid flowchart of every transition."""
    shapes = {"Choice": ("{", "}"), "Succeed": ("([", "])"), "Fail": ("([", "])"), "Pass": ("(", ")")}
    lines = ["```mermaid", "flowchart TD"]
    caught: dict[tuple[str, str], list[str]] = {}
    for name, state in states().items():
        begin, end = shapes.get(state["Type"], ("[", "]"))
        lines.append(f"  {name}{begin}{name}{end}")
    for name, state in states().items():
        for rule in structure.dicts(state.get("Choices")):
            lines.append(f'  {name} -- "{_told(rule)}" --> {rule["Next"]}')
        if "Default" in state:
            lines.append(f"  {name} -- otherwise --> {state['Default']}")
        elif "Next" in state:
            lines.append(f"  {name} --> {state['Next']}")
        for label, target in _caught(state):
            caught.setdefault((label, target), []).append(name)
    for (label, target), sources in caught.items():
        lines.append(f'  {" & ".join(sources)} -. "{label}" .-> {target}')
    return "\n".join((*lines, "```"))


def _told(rule: State) -> str:
    """A Choice rule in few words."""
    if "And" in rule:
        return " and ".join(_told(one) for one in rule["And"])
    variable = rule["Variable"].rpartition(".")[2]
    for operator, word in (("BooleanEquals", ""), ("StringEquals", "is "), ("NumericLessThanPath", "below ")):
        if operator in rule:
            value = rule[operator]
            return variable if value is True else f"{variable} {word}{str(value).rpartition('.')[2]}"
    raise ValueError(f"no words for the rule {rule}")


def _caught(state: State) -> Iterator[tuple[str, str]]:
    """What each Catch takes, in words, and where it leads."""
    for at, catcher in enumerate(structure.dicts(state.get("Catch"))):
        everything = "any other error" if at else "any error"
        yield " or ".join(catcher["ErrorEquals"]).replace("States.ALL", everything), catcher["Next"]


def table() -> str:
    """Every state: what it calls, its time limit, where it leads, what it catches."""
    made = []
    for name, state in states().items():
        ways = [f"{_told(rule)}: `{rule['Next']}`" for rule in structure.dicts(state.get("Choices"))]
        if "Default" in state:
            ways.append(f"else `{state['Default']}`")
        elif "Next" in state:
            ways.append(f"`{state['Next']}`")
        catches = [f"{label}: `{target}`" for label, target in _caught(state)]
        calls = f"`{function(state)}`" if state["Type"] == "Task" else state["Type"]
        if structure.is_token_task(state):
            calls += ", then waits for its token"
        made.append((f"`{name}`", calls, _limit(state), "; ".join(ways) or "the end", "; ".join(catches)))
    return rows(("state", "calls", "time limit", "next", "catches"), *made)


def _limit(state: State) -> str:
    limit = f"{state['TimeoutSeconds']:,} s" if "TimeoutSeconds" in state else ""
    return f"{limit}, heartbeat {state['HeartbeatSeconds']} s" if "HeartbeatSeconds" in state else limit


# --- retries --------------------------------------------------------------------------------------------------------


def retries() -> str:
    """Per task, in the order that decides: which errors, how often, after which waits."""
    made = []
    for name, state in states().items():
        for at, retrier in enumerate(structure.dicts(state.get("Retry"))):
            made.append(("" if at else f"`{name}`", grouped(retrier["ErrorEquals"]), _waits(retrier)))
    return rows(("state", "errors", "tried again"), *made)


def grouped(errors: Iterable[str]) -> str:
    """Error names, those of a group by its name."""
    left = list(errors)
    found = []
    for group, members in GROUPS.items():
        if set(members) <= set(left):
            found.append(f"*{group}*")
            left = [error for error in left if error not in members]
    return ", ".join((*found, *(f"`{error}`" for error in left)))


def _waits(retrier: State) -> str:
    times = retrier["MaxAttempts"]
    if times == 0:
        return "never"
    most = retrier.get("MaxDelaySeconds", float("inf"))
    waits = [min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, most) for n in range(times)]
    jitter = ", each a random part of it" if retrier.get("JitterStrategy") == "FULL" else ""
    return f"{times} times, after {', '.join(f'{wait:g}' for wait in waits)} s{jitter}"


def groups() -> str:
    """What the names of groups stand for."""
    return rows(
        ("group", "errors", "what they are"),
        *((f"*{group}*", code(members), MEANINGS[group]) for group, members in GROUPS.items()),
    )


# --- data -----------------------------------------------------------------------------------------------------------


def data() -> str:
    """What each state puts where in the document that is passed on."""
    made = []
    for name, state in states().items():
        selected = state.get("ResultSelector", state.get("Parameters") if state["Type"] == "Pass" else None)
        if selected is None:
            continue
        where = state.get("ResultPath", "$")
        kept = "the whole document is replaced" if where == "$" else f"`{where}` is added"
        made.append((f"`{name}`", kept, code(_fields(selected))))
    return rows(("state", "what it does to the document", "fields"), *made)


def _fields(template: State, path: str = "") -> Iterator[str]:
    for field, value in template.items():
        here = path + field.removesuffix(".$")
        if isinstance(value, dict):
            yield from _fields(value, f"{here}.")
        else:
            yield here


# --- errors ---------------------------------------------------------------------------------------------------------


def errors() -> str:
    """Every error of ours that the definition names: where it is tried again, and what becomes of the job."""
    again: dict[str, list[str]] = {}
    for name, state in states().items():
        for retrier in structure.dicts(state.get("Retry")):
            for error in retrier["ErrorEquals"]:
                again.setdefault(error, [])
                if retrier["MaxAttempts"]:
                    again[error].append(name)
    made = []
    for error in sorted(again):
        cls = by_name(error)
        if cls is not None:
            every = code(sorted(set(again[error]), key=list(states()).index)) or "nowhere"
            made.append((f"`{error}`", re.sub(r"\.$", "", cls.summary), every, _job_after(error)))
    return rows(("error", "what it says", "tried again in", "the job, once it is final"), *made)


def _job_after(error: str) -> str:
    if any(one["Next"] == "QuotaReached" for state in states().values() for one in _catchers(state, error)):
        return "`awaiting_upload`"
    return "`interrupted`" if error in protocol.STOPPING else "`failed`"


def _catchers(state: State, error: str) -> list[State]:
    return [one for one in structure.dicts(state.get("Catch")) if error in one["ErrorEquals"]]
