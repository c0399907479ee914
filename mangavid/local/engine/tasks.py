"""What a Task state calls: the protocol the engine speaks, and Lambda functions as Python callables in threads."""

from __future__ import annotations

import json
import re
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Any, Protocol
from uuid import UUID

from mangavid.local.engine.jsontext import dumps


@dataclass(frozen=True)
class Call:
    """One attempt of one Task. ``parameters`` are its effective Parameters (for a plain function: its event).

    After a crash the same attempt is called again, with the same token and attempt: what answers must be idempotent.
    """

    resource: str
    parameters: Any
    token: str
    execution: str
    state: str
    attempt: int


@dataclass(frozen=True)
class Submitted:
    """A ``.sync`` job was started; Returned or Raised follows when it ends."""

    output: Any


@dataclass(frozen=True)
class Returned:
    """The call's result. For a task that waits for its token this only ends the submission."""

    output: Any


@dataclass(frozen=True)
class Raised:
    """The call failed. ``step``: "Submit" or "Start" where the service refused it before it ran."""

    error: str | None
    cause: str | None
    step: str = ""


Outcome = Submitted | Returned | Raised


class Pending(Protocol):
    """A call under way."""

    def poll(self) -> Outcome | None:
        """What has happened since the last poll, or None. Never blocks."""

    def abandon(self) -> None:
        """The engine no longer wants it (timed out, stopped): whatever comes of it is ignored."""


class Tasks(Protocol):
    def supports(self, resource: str) -> bool:
        """Whether this can answer a Resource; asked when a definition is loaded."""

    def begin(self, call: Call) -> Pending:
        """Start the call and return at once. Exceptions become Raised, not this method's."""


Handler = Callable[[dict[str, Any]], Any]

_FUNCTION = re.compile(r"(?:arn:[^:]+:lambda:[^:]+:[^:]+:function:)?(?P<name>[^:]+)(?::[^:]+)?")


class LambdaTasks:
    """Lambda functions by name, each a callable of the event, run in a daemon thread of its own.

    Results, errors and causes have the shapes that Lambda gives Step Functions: the error name is the exception's class
    name, the cause is JSON with errorMessage, errorType, requestId and stackTrace.
    """

    def __init__(self, handlers: Mapping[str, Handler], *, random: Random | None = None) -> None:
        self._handlers = dict(handlers)
        self._random = random or SystemRandom()

    def supports(self, resource: str) -> bool:
        if ":states:" in resource:
            return resource.rpartition(":states:::")[2] in ("lambda:invoke", "lambda:invoke.waitForTaskToken")
        return _name(resource) in self._handlers

    def begin(self, call: Call) -> Pending:
        service = ":states:" in call.resource
        name = _name(str(call.parameters["FunctionName"]) if service else call.resource)
        event = call.parameters.get("Payload", {}) if service else call.parameters
        request = str(UUID(int=self._random.getrandbits(128), version=4))
        handler = self._handlers.get(name)
        if handler is None:
            return _Settled(_no_function(name, request))
        return _Thread(handler, event, request, wrapped=service, title=f"{call.state}/{name}")


def _name(function: str) -> str:
    found = _FUNCTION.fullmatch(function)
    return found["name"] if found else function


def _no_function(name: str, request: str) -> Raised:
    return Raised(
        "Lambda.ResourceNotFoundException",
        f"Function not found: {name} (Service: AWSLambda; Status Code: 404; Error Code: ResourceNotFoundException; "
        f"Request ID: {request}; Proxy: null)",
    )


class _Settled:
    def __init__(self, outcome: Outcome) -> None:
        self._outcome: Outcome | None = outcome

    def poll(self) -> Outcome | None:
        outcome = self._outcome
        if outcome is not None:
            self._outcome = None
        return outcome

    def abandon(self) -> None:
        self._outcome = None


class _Thread(_Settled):
    def __init__(self, handler: Handler, event: Any, request: str, *, wrapped: bool, title: str) -> None:
        self._outcome = None
        # The handler gets what a Lambda would: its own copy, as JSON carries it.
        copy = json.loads(json.dumps(event))

        def run() -> None:
            self._outcome = _invoked(handler, copy, request, wrapped)

        threading.Thread(target=run, name=title, daemon=True).start()


def _invoked(handler: Handler, event: Any, request: str, wrapped: bool) -> Outcome:
    try:
        result = handler(event)
    except Exception as problem:
        return _raised(problem, request)
    try:
        payload = json.loads(json.dumps(result))
    except (TypeError, ValueError) as problem:
        cause = {"errorMessage": f"Unable to marshal response: {problem}", "errorType": "Runtime.MarshalError"}
        return Raised("Runtime.MarshalError", dumps({**cause, "requestId": request, "stackTrace": []}))
    if not wrapped:
        return Returned(payload)
    return Returned(
        {
            "ExecutedVersion": "$LATEST",
            "Payload": payload,
            "SdkHttpMetadata": {"AllHttpHeaders": {}, "HttpHeaders": {}, "HttpStatusCode": 200},
            "SdkResponseMetadata": {"RequestId": request},
            "StatusCode": 200,
        }
    )


def _raised(problem: Exception, request: str) -> Raised:
    stack = traceback.format_list(traceback.extract_tb(problem.__traceback__)[1:])
    kind = type(problem).__name__
    cause = {"errorMessage": str(problem), "errorType": kind, "requestId": request, "stackTrace": stack}
    return Raised(kind, dumps(cause))
