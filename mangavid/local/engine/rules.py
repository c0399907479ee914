"""The rules of the language, as pure transitions: where an execution stands + what happened → events and where it
stands next. Nothing here reads a clock, waits, calls or stores.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from mangavid.local.engine import choice, events, jsonpath
from mangavid.local.engine.cursor import MAX_BYTES, MAX_WAIT, Answer, Cursor, End, Facts, Transition
from mangavid.local.engine.definition import Machine, State
from mangavid.local.engine.events import Event, TaskEvents
from mangavid.local.engine.jsontext import dumps
from mangavid.local.engine.template import Scope, StateError, runtime_error
from mangavid.local.engine.tokens import new_token

_UNCATCHABLE = "States.Runtime"
_NOT_BY_ALL = (_UNCATCHABLE, "States.DataLimitExceeded")


def iso(moment: datetime) -> str:
    """As the context object writes times: UTC, milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Rules:
    """The transitions of one execution."""

    def __init__(self, machine: Machine, facts: Facts, random: Random) -> None:
        self._machine = machine
        self._facts = facts
        self._random = random

    # --- what can happen ---

    def enter(self, cursor: Cursor, now: datetime) -> Transition:
        """Begin the state, and do all of it where it needs nobody else."""
        state = self._machine.states[cursor.state]
        kind = state["Type"]
        made: list[Event] = []
        if not cursor.again or kind == "Fail":
            made.append(events.entered(kind, cursor.state, cursor.input, first=cursor.last == 1))
            cursor = _with(cursor, entered=cursor.last + 1)
        cursor = _with(cursor, entered_at=iso(now), again=False)
        if kind == "Task":
            return self._schedule(cursor, made, now)
        try:
            scope = self._scope(cursor)
            match kind:
                case "Pass":
                    return self._leave(cursor, made, self._pass(state, cursor, scope), state.get("Next"))
                case "Choice":
                    return self._leave(cursor, made, *self._choose(state, scope))
                case "Succeed":
                    return self._leave(cursor, made, self._through(state, scope), None)
                case "Wait":
                    due = now.timestamp() + self._delay(state, scope, now)
                    return Transition(_with(cursor, phase="wait", due=due), made)
                case _:
                    return self._failed_state(state, cursor, made, scope)
        except StateError as problem:
            return self._error(cursor, made, problem, now)

    def due(self, cursor: Cursor, now: datetime) -> Transition:
        """A Wait or a back-off is over."""
        cursor = _with(cursor, due=None)
        if cursor.phase == "retry":
            return self._schedule(cursor, [], now)
        state = self._machine.states[cursor.state]
        try:
            return self._leave(cursor, [], self._through(state, self._scope(cursor)), state.get("Next"))
        except StateError as problem:
            return self._error(cursor, [], problem, now)

    def submitted(self, cursor: Cursor, output: Any) -> Transition:
        """The call is through; the token or the job is waited for now."""
        return Transition(_with(cursor, phase="submitted"), [self._task(cursor).submitted(output)])

    def succeeded(self, cursor: Cursor, output: Any, now: datetime) -> Transition:
        """The attempt's result is there."""
        task = self._task(cursor)
        try:
            if _bytes(output) > MAX_BYTES:
                raise StateError(
                    "States.DataLimitExceeded",
                    f"The state/task '{task.label}' returned a result with a size exceeding the maximum number of "
                    "bytes service limit.",
                )
        except StateError as problem:
            return self._error(cursor, [task.failed(problem.error, problem.cause)], problem, now)
        made = [task.succeeded(output)]
        state = self._machine.states[cursor.state]
        try:
            scope = self._scope(cursor).on(output)
            result = scope.payload(state["ResultSelector"]) if "ResultSelector" in state else output
            document = _merged(state, cursor.input, result)
            return self._leave(
                cursor, made, scope.on(document).filtered(state.get("OutputPath", "$")), state.get("Next")
            )
        except StateError as problem:
            return self._error(cursor, made, problem, now)

    def failed(self, cursor: Cursor, error: str | None, cause: str | None, now: datetime, step: str = "") -> Transition:
        """The attempt failed."""
        return self._error(cursor, [self._task(cursor).failed(error, cause, step)], StateError(error, cause), now)

    def answered(self, cursor: Cursor, answer: Answer, now: datetime) -> Transition:
        """The attempt's token was answered."""
        if answer.output is None:
            return self.failed(cursor, answer.error, answer.cause, now)
        return self.succeeded(cursor, msgspec.json.decode(answer.output), now)

    def beat(self, cursor: Cursor, beats: int, now: datetime) -> Transition:
        """Heartbeats were heard: their clock starts anew, and only theirs."""
        every = cursor.heartbeat_every
        return Transition(_with(cursor, beats=beats, heartbeat=now.timestamp() + every if every else None))

    def timed_out(self, cursor: Cursor, now: datetime) -> Transition:
        """The attempt's time, or the time between its heartbeats, is up: on AWS both look the same."""
        return self._error(cursor, [self._task(cursor).timed_out()], StateError("States.Timeout", ""), now)

    def expired(self, cursor: Cursor) -> Transition:
        """The whole execution's time is up."""
        return Transition(cursor, [events.timed_out()], End("TIMED_OUT"), closes=True)

    def overflowing(self, cursor: Cursor) -> Transition:
        """The history is full."""
        return self._over(
            cursor, [], _UNCATCHABLE, "The execution reached the maximum number of history events (25000)."
        )

    # --- states ---

    def context(self, cursor: Cursor) -> dict[str, Any]:
        """The context object, ``$$``."""
        facts = self._facts
        state: dict[str, Any] = {"EnteredTime": cursor.entered_at, "Name": cursor.state}
        made: dict[str, Any] = {
            "Execution": {
                "Id": facts.arn,
                "Input": facts.input,
                "Name": facts.name,
                "RoleArn": facts.role,
                "StartTime": iso(facts.started),
                "RedriveCount": facts.redrives,
            },
            "State": state,
            "StateMachine": {"Id": facts.machine_arn, "Name": facts.machine_arn.rpartition(":")[2]},
        }
        if self._machine.states[cursor.state]["Type"] == "Task":
            state["RetryCount"] = cursor.retry_count
        if cursor.token:
            made["Task"] = {"Token": cursor.token}
        return made

    def _scope(self, cursor: Cursor) -> Scope:
        """Paths read the state's input through its InputPath."""
        scope = Scope(cursor.input, self.context(cursor), self._random)
        return scope.on(scope.filtered(self._machine.states[cursor.state].get("InputPath", "$")))

    def _task(self, cursor: Cursor) -> TaskEvents:
        return TaskEvents(self._machine.resources[cursor.state], self._facts.region)

    def _through(self, state: State, scope: Scope) -> Any:
        return scope.filtered(state.get("OutputPath", "$"))

    def _pass(self, state: State, cursor: Cursor, scope: Scope) -> Any:
        if "Result" in state:
            result = state["Result"]
        elif "Parameters" in state:
            result = scope.payload(state["Parameters"])
        else:
            result = scope.document
        return scope.on(_merged(state, cursor.input, result)).filtered(state.get("OutputPath", "$"))

    def _choose(self, state: State, scope: Scope) -> tuple[Any, str]:
        target = None
        try:
            target = next((rule["Next"] for rule in state["Choices"] if choice.holds(rule, scope.read)), None)
        except choice.InvalidPath as problem:
            raise runtime_error(
                f"Invalid path '{problem.path}': The choice state's condition path references an invalid value."
            ) from None
        if target is None and "Default" not in state:
            raise StateError(
                "States.NoChoiceMatched",
                "Failed to transition out of the state. The state does not point to a next state.",
                placed=True,
            )
        return self._through(state, scope), target or state["Default"]

    def _delay(self, state: State, scope: Scope, now: datetime) -> float:
        if "Seconds" in state:
            return float(state["Seconds"])
        if "SecondsPath" in state:
            return _seconds(state, "SecondsPath", scope, least=0)
        field = "Timestamp" if "Timestamp" in state else "TimestampPath"
        text = state[field] if field == "Timestamp" else _looked_up(state, field, scope)
        moment = choice.timestamp(text)
        if moment is None:
            raise runtime_error(
                f"The {field} parameter does not reference a valid ISO-8601 extended offset date-time format string: "
                f"{state[field]} == {text if isinstance(text, str) else dumps(text)}"
            )
        delay = (moment - now) / timedelta(seconds=1)
        if delay > MAX_WAIT:
            raise runtime_error("Wait state delay is too long.")
        return max(0.0, delay)

    def _failed_state(self, state: State, cursor: Cursor, made: list[Event], scope: Scope) -> Transition:
        told = {}
        for field in ("Error", "Cause"):
            told[field] = state.get(field)
            if f"{field}Path" in state:
                told[field] = scope.expression(state[f"{field}Path"], f"{field}Path")
                if not isinstance(told[field], str):
                    raise runtime_error(
                        f"The {field}Path field must be a string, but was resolved with the value: {dumps(told[field])}"
                    )
        return self._over(cursor, made, told["Error"], told["Cause"])

    # --- tasks ---

    def _schedule(self, cursor: Cursor, made: list[Event], now: datetime) -> Transition:
        """A new attempt, under a new token."""
        state = self._machine.states[cursor.state]
        resource = self._machine.resources[cursor.state]
        has_token = resource.waits_for_token or resource.waits_for_job
        cursor = _with(cursor, phase="task", token=new_token(self._random) if has_token else "", beats=0)
        cursor = _with(cursor, retries=cursor.retries or (0,) * len(state.get("Retry", ())))
        try:
            scope = self._scope(cursor)
            parameters = scope.payload(state["Parameters"]) if "Parameters" in state else scope.document
            timeout = _timer(state, "TimeoutSeconds", scope)
            heartbeat = _timer(state, "HeartbeatSeconds", scope)
            if timeout is not None and heartbeat is not None and heartbeat >= timeout:
                raise runtime_error(f"HeartbeatSeconds ({heartbeat}) must be smaller than TimeoutSeconds ({timeout})")
        except StateError as problem:
            return self._error(cursor, made, problem, now)
        begin = now.timestamp()
        every = heartbeat if resource.waits_for_token else None
        cursor = _with(
            cursor,
            parameters=parameters,
            timeout=begin + timeout if timeout is not None else None,
            heartbeat=begin + every if every is not None else None,
            heartbeat_every=every,
        )
        made += self._task(cursor).scheduled(parameters, timeout, heartbeat)
        return Transition(cursor, made, opens=cursor.token)

    def _error(self, cursor: Cursor, made: list[Event], problem: StateError, now: datetime) -> Transition:
        """Retry, catch, or fail the execution."""
        error, cause = problem.error, problem.cause
        if problem.placed:
            where = f"the state '{cursor.state}' (entered at the event id #{cursor.entered})"
            cause = f"An error occurred while executing {where}. {cause}"
        state = self._machine.states[cursor.state]
        if state["Type"] == "Task" and error != _UNCATCHABLE:
            for at, retrier in enumerate(state.get("Retry", ())):
                if not _matches(retrier["ErrorEquals"], error):
                    continue
                if cursor.retries[at] >= retrier.get("MaxAttempts", 3):
                    break
                return self._again(cursor, made, at, retrier, now)
            for catcher in state.get("Catch", ()):
                if _matches(catcher["ErrorEquals"], error):
                    caught = {"Error": error, "Cause": cause}
                    try:
                        output = _merged(catcher, cursor.input, caught)
                    except StateError as unfit:
                        return self._over(cursor, made, unfit.error, unfit.cause)
                    return self._leave(cursor, made, output, catcher["Next"])
        return self._over(cursor, made, error, cause or None)

    def _again(self, cursor: Cursor, made: list[Event], at: int, retrier: State, now: datetime) -> Transition:
        done = cursor.retries[at]
        try:
            delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** done
        except OverflowError:
            delay = float(MAX_WAIT)
        delay = min(delay, retrier.get("MaxDelaySeconds", MAX_WAIT))
        if retrier.get("JitterStrategy") == "FULL":
            delay = self._random.uniform(0, delay)
        cursor = _with(
            _resting(cursor),
            phase="retry",
            due=now.timestamp() + delay,
            retries=tuple(count + (place == at) for place, count in enumerate(cursor.retries)),
            retry_count=cursor.retry_count + 1,
        )
        return Transition(cursor, made, closes=True)

    # --- leaving ---

    def _leave(self, cursor: Cursor, made: list[Event], output: Any, target: str | None) -> Transition:
        kind = self._machine.states[cursor.state]["Type"]
        if _bytes(output) > MAX_BYTES:
            cause = (
                f"The state/task '{cursor.state}' returned a result with a size exceeding the maximum number of bytes "
                "service limit."
            )
            return self._over(cursor, made, "States.DataLimitExceeded", cause)
        made.append(events.exited(kind, cursor.state, output))
        if target is None:
            made.append(events.succeeded(output))
            return Transition(_resting(cursor), made, End("SUCCEEDED", dumps(output)), closes=True)
        following = Cursor(state=target, input=output, last=cursor.last, expires=cursor.expires)
        return Transition(following, made, closes=True)

    def _over(self, cursor: Cursor, made: list[Event], error: str | None, cause: str | None) -> Transition:
        made.append(events.failed(error, cause))
        return Transition(_resting(cursor), made, End("FAILED", error=error, cause=cause), closes=True)


def _with(cursor: Cursor, **changes: Any) -> Cursor:
    return msgspec.structs.replace(cursor, **changes)


def _resting(cursor: Cursor) -> Cursor:
    """No attempt under way, no timer running but the execution's."""
    return _with(
        cursor, token="", parameters=None, due=None, timeout=None, heartbeat=None, heartbeat_every=None, beats=0
    )


def _bytes(value: Any) -> int:
    return len(dumps(value).encode())


def _merged(holder: State, raw: Any, result: Any) -> Any:
    """The result placed in the state's raw input, as the ResultPath of a state or catcher says."""
    path = holder.get("ResultPath", "$")
    if path is None:
        return raw
    try:
        return jsonpath.parse(path).write(raw, result)
    except jsonpath.NotFound:
        raise StateError(
            "States.ResultPathMatchFailure", f"Unable to apply ReferencePath {path} to input {dumps(raw)}", placed=True
        ) from None


def _looked_up(state: State, field: str, scope: Scope) -> Any:
    try:
        return scope.read(state[field])
    except jsonpath.NotFound:
        raise runtime_error(f"The {field} parameter does not reference an input value: {state[field]}") from None


def _seconds(state: State, field: str, scope: Scope, *, least: int) -> int:
    value = _looked_up(state, field, scope)
    shown = f"{state[field]} == {value if isinstance(value, str) else dumps(value)}"
    if isinstance(value, bool) or not isinstance(value, int):
        raise runtime_error(f"The {field} parameter cannot be parsed as a long value: {shown}")
    if value < least:
        raise runtime_error(
            f"The {field} parameter references a {'negative' if least == 0 else 'non-positive'} value: {shown}"
        )
    if value > 99_999_999:
        raise runtime_error(f"The {field} parameter references a value over 99999999: {shown}")
    return value


def _timer(state: State, field: str, scope: Scope) -> int | None:
    if f"{field}Path" in state:
        return _seconds(state, f"{field}Path", scope, least=1)
    return state.get(field)


def _matches(names: list[str], error: str | None) -> bool:
    """Whether an ErrorEquals matches. Recorded on AWS: States.ALL also matches an error without a name."""
    if "States.ALL" in names:
        return error not in _NOT_BY_ALL
    if error in names:
        return True
    if error == "States.Timeout" and "States.HeartbeatTimeout" in names:
        return True
    return "States.TaskFailed" in names and error is not None and error not in (*_NOT_BY_ALL, "States.Timeout")
