"""Events of an execution's history, named and shaped as GetExecutionHistory gives them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mangavid.local.engine.jsontext import dumps

if TYPE_CHECKING:
    from mangavid.local.engine.definition import Resource


@dataclass(frozen=True)
class Event:
    """``previous`` is None where the event follows the one before it in the history."""

    type: str
    details: dict[str, Any] | None = field(default_factory=dict)
    previous: int | None = None


def details_key(kind: str) -> str:
    """The field that holds the details of an event type."""
    for ending, key in (("StateEntered", "stateEntered"), ("StateExited", "stateExited")):
        if kind.endswith(ending):
            return f"{key}EventDetails"
    return f"{kind[0].lower()}{kind[1:]}EventDetails"


_WHOLE = {"truncated": False}


def started(data: Any, role: str) -> Event:
    return Event("ExecutionStarted", {"input": dumps(data), "inputDetails": _WHOLE, "roleArn": role}, 0)


def entered(kind: str, name: str, data: Any, *, first: bool) -> Event:
    details = {"name": name, "input": dumps(data), "inputDetails": _WHOLE}
    return Event(f"{kind}StateEntered", details, 0 if first else None)


def exited(kind: str, name: str, data: Any) -> Event:
    return Event(f"{kind}StateExited", {"name": name, "output": dumps(data), "outputDetails": _WHOLE})


def succeeded(data: Any) -> Event:
    return Event("ExecutionSucceeded", {"output": dumps(data), "outputDetails": _WHOLE})


def failed(error: str | None, cause: str | None) -> Event:
    return Event("ExecutionFailed", _given(error=error, cause=cause))


def aborted(error: str, cause: str) -> Event:
    return Event("ExecutionAborted", _given(error=error or None, cause=cause or None), 0)


def timed_out() -> Event:
    return Event("ExecutionTimedOut")


def redriven(count: int) -> Event:
    return Event("ExecutionRedriven", {"redriveCount": count})


class TaskEvents:
    """Events of a Task, by what it calls: plain Lambda functions have their own kinds."""

    def __init__(self, resource: Resource, region: str) -> None:
        self._resource = resource
        self._region = region
        self._where = {"resourceType": resource.service, "resource": resource.action}

    def scheduled(self, parameters: Any, timeout: int | None, heartbeat: int | None) -> list[Event]:
        timers = _given(timeoutInSeconds=timeout, heartbeatInSeconds=heartbeat)
        if not self._resource.service:
            plain = {"resource": self._resource.arn, "input": dumps(parameters), "inputDetails": _WHOLE, **timers}
            return [Event("LambdaFunctionScheduled", plain), Event("LambdaFunctionStarted", None)]
        details = {**self._where, "region": self._region, "parameters": dumps(parameters), **timers}
        return [Event("TaskScheduled", details), Event("TaskStarted", dict(self._where))]

    def submitted(self, output: Any) -> Event:
        return Event("TaskSubmitted", {**self._where, "output": dumps(output), "outputDetails": _WHOLE})

    def succeeded(self, output: Any) -> Event:
        details = {"output": dumps(output), "outputDetails": _WHOLE}
        if not self._resource.service:
            return Event("LambdaFunctionSucceeded", details)
        return Event("TaskSucceeded", {**self._where, **details})

    def failed(self, error: str | None, cause: str | None, step: str = "") -> Event:
        """``step``: Submit or Start where the task did not get so far as to run."""
        if not self._resource.service:
            return Event("LambdaFunctionFailed", _given(error=error, cause=cause))
        return Event(f"Task{step}Failed", {**self._where, **_given(error=error, cause=cause)})

    def timed_out(self) -> Event:
        if not self._resource.service:
            return Event("LambdaFunctionTimedOut", {"error": "States.Timeout"})
        return Event("TaskTimedOut", {**self._where, "error": "States.Timeout"})

    @property
    def label(self) -> str:
        """What AWS calls the task where it says that a result is too large."""
        return self._resource.service or self._resource.arn


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
