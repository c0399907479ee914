"""A state machine as this engine runs it; whatever it does not implement is refused here, before anything runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mangavid.asl import structure
from mangavid.errors import UnsupportedDefinition
from mangavid.local.engine import choice, intrinsics, jsonpath

State = dict[str, Any]

_COMMON = {"Type", "Comment", "QueryLanguage", "InputPath", "OutputPath"}
_FIELDS = {
    "Pass": {"Parameters", "Result", "ResultPath", "Next", "End"},
    "Task": {"Resource", "Parameters", "ResultSelector", "ResultPath", "Retry", "Catch", "TimeoutSeconds"}
    | {"TimeoutSecondsPath", "HeartbeatSeconds", "HeartbeatSecondsPath", "Next", "End"},
    "Choice": {"Choices", "Default"},
    "Wait": {"Seconds", "SecondsPath", "Timestamp", "TimestampPath", "Next", "End"},
    "Succeed": set(),
    "Fail": {"Error", "Cause", "ErrorPath", "CausePath"},
}
_TOP = {"Comment", "StartAt", "States", "Version", "TimeoutSeconds", "QueryLanguage"}
_NOT_HERE = {
    "Map": "Map is not implemented here",
    "Parallel": "Parallel is not implemented here",
}
_NOT_HERE_FIELDS = {
    "Assign": "variables (Assign) are not implemented here",
    "Arguments": "JSONata (Arguments) is not implemented here",
    "Output": "JSONata (Output) is not implemented here",
    "Condition": "JSONata (Condition) is not implemented here",
    "Credentials": "Credentials are not implemented here",
}
_RETRIER = {"ErrorEquals", "IntervalSeconds", "BackoffRate", "MaxAttempts", "MaxDelaySeconds", "JitterStrategy"}
_LAMBDA = re.compile(r"arn:[^:]+:lambda:[^:]+:[^:]+:function:(?P<name>[^:]+)(?::[^:]+)?")
_SERVICE = re.compile(r"arn:[^:]+:states:[^:]*:[^:]*:(?P<service>(?!activity:).+?):(?P<action>[^:]+(?:(?<=\.sync):2)?)")
_NAME_LIMIT = 80


@dataclass(frozen=True)
class Resource:
    """What a Task calls. ``service`` is empty for a plain Lambda function ARN, whose events are named differently."""

    arn: str
    service: str
    action: str

    @property
    def waits_for_token(self) -> bool:
        return self.action.endswith(".waitForTaskToken")

    @property
    def waits_for_job(self) -> bool:
        return self.action.endswith((".sync", ".sync:2"))


def resource(arn: str) -> Resource | None:
    """Read a Task's Resource; None where it is neither a function nor a service integration."""
    if _LAMBDA.fullmatch(arn):
        return Resource(arn, "", "")
    found = _SERVICE.fullmatch(arn)
    return Resource(arn, found["service"], found["action"]) if found else None


@dataclass(frozen=True)
class Machine:
    """A checked definition. ``states`` are as written, with ``resources`` read for the tasks."""

    definition: State
    start: str
    states: dict[str, State]
    resources: dict[str, Resource]
    timeout: int | None


def load(definition: State, *, strict: bool = True, supports: Callable[[str], bool] | None = None) -> Machine:
    """Check a definition and make it ready to run.

    ``supports`` says whether the tasks of this engine can answer a Resource. ``strict=False`` also lets through what
    AWS runs though it can't be meant (a token task that hands its token to nobody, a heartbeat where nothing beats).
    Raises UnsupportedDefinition, whose message lists every reason with its state.
    """
    reasons = [*_top(definition), *structure.problems(definition, need_token=strict)]
    states = definition.get("States")
    resources: dict[str, Resource] = {}
    for name, state in states.items() if isinstance(states, dict) else ():
        if isinstance(state, dict):
            reasons += [f"{name}: {reason}" for reason in _State(state, strict, supports).reasons()]
            if state.get("Type") == "Task" and (known := resource(str(state.get("Resource")))):
                resources[name] = known
            if len(name) > _NAME_LIMIT:
                reasons.append(f"{name}: a state's name may have {_NAME_LIMIT} characters")
    if reasons:
        listed = "\n".join(f"  {reason}" for reason in dict.fromkeys(reasons))
        raise UnsupportedDefinition(
            f"the state machine can't be run here ({len(dict.fromkeys(reasons))} reasons):\n{listed}",
            hint="mend the definition, or run it on AWS if it uses what only AWS has",
        )
    assert isinstance(states, dict)
    return Machine(definition, definition["StartAt"], states, resources, definition.get("TimeoutSeconds"))


def _top(definition: State) -> Iterator[str]:
    for field in definition:
        if field not in _TOP:
            yield f"{field}: unknown field"
    if definition.get("QueryLanguage", "JSONPath") != "JSONPath":
        yield "QueryLanguage: only JSONPath is implemented here"
    if definition.get("Version", "1.0") != "1.0":
        yield f"Version: {definition['Version']!r} is unknown"
    timeout = definition.get("TimeoutSeconds")
    if timeout is not None and (not isinstance(timeout, int) or isinstance(timeout, bool) or timeout < 1):
        yield "TimeoutSeconds: must be a whole number of at least 1"


class _State:
    """The checks of one state's own fields."""

    def __init__(self, state: State, strict: bool, supports: Callable[[str], bool] | None) -> None:
        self.state = state
        self.strict = strict
        self.supports = supports

    def reasons(self) -> Iterator[str]:
        kind = str(self.state.get("Type"))
        if kind in _NOT_HERE:
            yield _NOT_HERE[kind]
            return
        if kind not in _FIELDS:
            yield f"unknown state type {kind!r}"
            return
        if self.state.get("QueryLanguage", "JSONPath") != "JSONPath":
            yield "JSONata is not implemented here"
            return
        yield from self._fields("", self.state, _COMMON | _FIELDS[kind])
        for field in ("InputPath", "OutputPath"):
            yield from self._path(field, nullable=True)
        yield from getattr(self, f"_{kind.lower()}")()

    def _fields(self, where: str, value: State, known: set[str]) -> Iterator[str]:
        for field in value:
            if field not in known:
                yield where + _NOT_HERE_FIELDS.get(field, f"unknown field {field}")

    def _path(self, field: str, *, nullable: bool = False, where: str = "", value: Any = None) -> Iterator[str]:
        if value is None:
            if field not in self.state:
                return
            value = self.state[field]
        if value is None and nullable:
            return
        if not isinstance(value, str):
            yield f"{where}{field} must be a path"
            return
        try:
            jsonpath.parse(value[1:] if value.startswith("$$") else value)
        except jsonpath.BadPath as problem:
            yield f"{where}{field}: bad path {value}: {problem}"

    def _result_path(self, holder: State, where: str = "") -> Iterator[str]:
        value = holder.get("ResultPath")
        if value is None:
            return
        try:
            good = isinstance(value, str) and not value.startswith("$$") and jsonpath.parse(value).reference
        except jsonpath.BadPath:
            good = False
        if not good:
            yield f"{where}ResultPath: {value!r} is not a reference path"

    def _payload(self, field: str, value: Any) -> Iterator[str]:
        if isinstance(value, list):
            for item in value:
                yield from self._payload(field, item)
        if not isinstance(value, dict):
            return
        for key, inner in value.items():
            if not key.endswith(".$"):
                yield from self._payload(field, inner)
            elif not isinstance(inner, str) or not inner.startswith(("$", "States.")):
                yield f"{field}: {key} must hold a path or a call of an intrinsic function, not {inner!r}"
            else:
                yield from self._expression(f"{field}: {key}", inner)

    def _expression(self, where: str, text: str) -> Iterator[str]:
        try:
            if text.startswith("$"):
                jsonpath.parse(text[1:] if text.startswith("$$") else text)
            else:
                intrinsics.parse(text)
        except (jsonpath.BadPath, intrinsics.BadIntrinsic) as problem:
            yield f"{where}: {problem}"

    def _pass(self) -> Iterator[str]:
        yield from self._result_path(self.state)
        yield from self._payload("Parameters", self.state.get("Parameters"))

    def _task(self) -> Iterator[str]:
        state = self.state
        arn = state.get("Resource")
        known = resource(arn) if isinstance(arn, str) else None
        if known is None:
            yield f"Resource: {arn!r} is not a Lambda function or a service integration"
        elif self.supports is not None and not self.supports(known.arn):
            yield f"Resource: nothing here answers {arn}"
        elif known.service == "lambda" and not _names_function(state.get("Parameters")):
            yield "Parameters: lambda:invoke needs a FunctionName"
        if (
            self.strict
            and known is not None
            and not known.waits_for_token
            and any(field in state for field in ("HeartbeatSeconds", "HeartbeatSecondsPath"))
        ):
            yield "HeartbeatSeconds: only a task that waits for a token is ever heard from"
        yield from self._result_path(state)
        for field in ("Parameters", "ResultSelector"):
            yield from self._payload(field, state.get(field))
        for field in ("TimeoutSecondsPath", "HeartbeatSecondsPath"):
            yield from self._path(field)
        for field in ("Retry", "Catch"):
            if not isinstance(state.get(field, []), list):
                yield f"{field} must be a list"
        for at, retrier in enumerate(structure.dicts(state.get("Retry"))):
            yield from self._retrier(f"Retry[{at}]: ", retrier)
        for at, catcher in enumerate(structure.dicts(state.get("Catch"))):
            yield from self._fields(f"Catch[{at}]: ", catcher, {"ErrorEquals", "Next", "ResultPath", "Comment"})
            yield from self._result_path(catcher, f"Catch[{at}]: ")

    def _retrier(self, where: str, retrier: State) -> Iterator[str]:
        yield from self._fields(where, retrier, _RETRIER | {"Comment"})
        limits = {
            "IntervalSeconds": (1, 99_999_999),
            "MaxAttempts": (0, 99_999_999),
            "MaxDelaySeconds": (1, 31_622_400),
        }
        for field, (least, most) in limits.items():
            value = retrier.get(field, least)
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                yield f"{where}{field} must be a whole number from {least} to {most}"
        if not choice.numeric(rate := retrier.get("BackoffRate", 2.0)) or rate < 1:
            yield f"{where}BackoffRate must be at least 1.0"
        if retrier.get("JitterStrategy", "NONE") not in ("NONE", "FULL"):
            yield f"{where}JitterStrategy must be NONE or FULL"
        interval, most_delay = retrier.get("IntervalSeconds", 1), retrier.get("MaxDelaySeconds")
        if isinstance(interval, int) and isinstance(most_delay, int) and interval > most_delay:
            yield f"{where}MaxDelaySeconds must not be below IntervalSeconds"

    def _choice(self) -> Iterator[str]:
        rules = self.state.get("Choices")
        if not isinstance(rules, list) or not rules:
            yield "Choices must be a list with at least one rule"
            return
        for at, rule in enumerate(rules):
            yield from self._rule(f"Choices[{at}]", rule, top=True)

    def _rule(self, where: str, rule: Any, *, top: bool = False) -> Iterator[str]:
        if not isinstance(rule, dict):
            yield f"{where} must be an object"
            return
        extra = {"Next", "Comment"} if top else {"Comment"}
        tests = [key for key in rule if key in choice.OPERATORS or key in ("And", "Or", "Not")]
        if len(tests) != 1:
            yield f"{where} must have exactly one comparison or And, Or, Not, not {len(tests)}"
            return
        test = tests[0]
        yield from self._fields(
            f"{where}: ", rule, extra | {test} | ({"Variable"} if test in choice.OPERATORS else set())
        )
        if test in ("And", "Or"):
            if not isinstance(rule[test], list) or not rule[test]:
                yield f"{where}.{test} must be a list with at least one rule"
                return
            for at, inner in enumerate(rule[test]):
                yield from self._rule(f"{where}.{test}[{at}]", inner)
        elif test == "Not":
            yield from self._rule(f"{where}.Not", rule["Not"])
        else:
            if not isinstance(rule.get("Variable"), str):
                yield f"{where} has no Variable"
            else:
                yield from self._path("Variable", where=f"{where}: ", value=rule["Variable"])
            if not choice.valid_operand(test, rule[test]):
                yield f"{where}: {test} can't compare with {rule[test]!r}"
            elif test.endswith("Path"):
                yield from self._path(test, where=f"{where}: ", value=rule[test])

    def _wait(self) -> Iterator[str]:
        given = [field for field in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath") if field in self.state]
        if len(given) != 1:
            yield "needs exactly one of Seconds, SecondsPath, Timestamp, TimestampPath"
        seconds = self.state.get("Seconds", 0)
        if isinstance(seconds, bool) or not isinstance(seconds, int) or not 0 <= seconds <= 99_999_999:
            yield "Seconds must be a whole number from 0 to 99999999"
        if "Timestamp" in self.state and choice.timestamp(self.state["Timestamp"]) is None:
            yield f"Timestamp: {self.state['Timestamp']!r} is not an ISO-8601 time with offset"
        for field in ("SecondsPath", "TimestampPath"):
            yield from self._path(field)

    def _succeed(self) -> Iterator[str]:
        return iter(())

    def _fail(self) -> Iterator[str]:
        for field in ("InputPath", "OutputPath"):
            if field in self.state:
                yield f"a Fail state has no {field}"
        for field in ("Error", "Cause"):
            if field in self.state and f"{field}Path" in self.state:
                yield f"has both {field} and {field}Path"
            if not isinstance(self.state.get(field, ""), str):
                yield f"{field} must be a string"
            path = self.state.get(f"{field}Path")
            if path is None:
                continue
            if not isinstance(path, str) or not path.startswith(("$", "States.")):
                yield f"{field}Path must be a path or a call of an intrinsic function"
                continue
            yield from self._expression(f"{field}Path", path)
            if path.startswith("States.") and path.split("(")[0] not in intrinsics.STRINGS:
                yield f"{field}Path: {path.split('(')[0]} does not give a string"


def _names_function(parameters: Any) -> bool:
    return isinstance(parameters, dict) and ("FunctionName" in parameters or "FunctionName.$" in parameters)
