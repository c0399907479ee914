"""Step Functions as a service: its API answered by the local engine's journal, under a client's own validation.

Requests and answers pass through botocore, which checks and parses both by AWS's model of the service. moto's own
answers differ from AWS's in just what matters here: closed tokens, stopping, paging, redriving.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse

from mangavid.aws.session import Clients
from mangavid.errors import LeaseLost, SourceNotFound, UsageError
from mangavid.local.engine.executions import JournalExecutions
from mangavid.local.engine.store import Store
from mangavid.local.engine.tokens import TokenClient
from mangavid.ports import Clock

MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:manga-pipeline"


class StepFunctions:
    """The service over a journal. ``fail_next`` answers the next calls with HTTP 503; ``calls`` is the ledger."""

    def __init__(
        self, journal: Path, clock: Clock, definition: dict[str, Any] | None = None, *, machine: str = MACHINE
    ) -> None:
        self._executions = JournalExecutions(journal, clock, definition, machine_arn=machine)
        self._machine = machine
        self._tokens = TokenClient(journal)
        self._journal = journal
        self.page = 1000
        self.fail_next = 0
        self.calls: list[str] = []

    def open_token(self, token: str) -> None:
        """As if a wait state had just been entered: the token that its function is given."""
        with Store(self._journal).transaction() as db:
            db.execute("INSERT INTO tokens (token, arn, status) VALUES (?, 'arn', 'open')", (token,))

    def answer(self, request: Any, **_: object) -> AWSResponse:
        """A handler of botocore's event ``before-send.stepfunctions``."""
        return _response(request.url, *self.respond(request.headers["X-Amz-Target"].decode(), request.body))

    def respond(self, target: str, body: bytes | str) -> tuple[int, dict[str, Any]]:
        """Status and body of the answer to a request. ``target``: its header of that name."""
        operation = target.rpartition(".")[2]
        self.calls.append(operation)
        if self.fail_next:
            self.fail_next -= 1
            return 503, {"__type": "ServiceUnavailable", "message": "try again"}
        try:
            return 200, self._do(operation, json.loads(body))
        except LeaseLost as lost:
            code, _, message = str(lost).partition(": ")
        except SourceNotFound as missing:
            code, message = "ExecutionDoesNotExist", str(missing)
        except UsageError as wrong:
            code, _, message = str(wrong).partition(": ")
            if code not in ("ExecutionAlreadyExists", "ExecutionNotRedrivable"):
                code = "InvalidName"
        return 400, {"__type": code, "message": message}

    def _do(self, operation: str, asked: dict[str, Any]) -> dict[str, Any]:
        arn = asked.get("executionArn", "")
        match operation:
            case "SendTaskSuccess":
                self._tokens.success(asked["taskToken"], json.loads(asked["output"]))
            case "SendTaskFailure":
                self._tokens.failure(asked["taskToken"], asked.get("error", ""), asked.get("cause", ""))
            case "SendTaskHeartbeat":
                self._tokens.heartbeat(asked["taskToken"])
            case "StartExecution":
                return self._start(asked["name"], json.loads(asked["input"]))
            case "DescribeExecution":
                return self._described(arn)
            case "ListExecutions":
                found = [self._described(one.arn) for one in self._executions.list(status=asked.get("statusFilter"))]
                kept = ("executionArn", "name", "status", "startDate", "stopDate", "stateMachineArn")
                return self._paged("executions", [{k: v for k, v in o.items() if k in kept} for o in found], asked)
            case "GetExecutionHistory":
                events = self._executions.history(arn, reverse=asked.get("reverseOrder", False))
                return self._paged("events", [{**one, "timestamp": _epoch(one["timestamp"])} for one in events], asked)
            case "StopExecution":
                self._executions.stop(arn, error=asked.get("error", ""), cause=asked.get("cause", ""))
                return {"stopDate": 0.0}
            case "RedriveExecution":
                self._redrive(arn)
                return {"redriveDate": 0.0}
            case _:
                raise AssertionError(f"{operation} is not part of this fake")
        return {}

    def _start(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """As AWS does it, a second start is the first one's only while that runs."""
        known = [one for one in self._executions.list() if one.name == name]
        if known and known[0].status != "RUNNING":
            raise UsageError(f"ExecutionAlreadyExists: {known[0].arn}")
        arn = self._executions.start(name, data)
        return {"executionArn": arn, "startDate": _epoch(self._executions.describe(arn).started)}

    def _redrive(self, arn: str) -> None:
        self._executions.redrive(arn)

    def _described(self, arn: str) -> dict[str, Any]:
        one = self._executions.describe(arn)
        told = {
            "executionArn": one.arn,
            "stateMachineArn": self._machine,
            "name": one.name,
            "status": one.status,
            "startDate": _epoch(one.started),
            "stopDate": _epoch(one.stopped) if one.stopped else None,
            "input": json.dumps(one.input),
            "output": json.dumps(one.output) if one.output is not None else None,
            "error": one.error or None,
            "cause": one.cause or None,
        }
        return {name: value for name, value in told.items() if value is not None}

    def _paged(self, name: str, every: list[Any], asked: dict[str, Any]) -> dict[str, Any]:
        begin = int(asked.get("nextToken", 0))
        size = min(self.page, asked.get("maxResults", self.page))
        rest = {"nextToken": str(begin + size)} if begin + size < len(every) else {}
        return {name: list(islice(every, begin, begin + size)), **rest}


def _epoch(time: datetime) -> float:
    return time.timestamp()


class _Raw(io.BytesIO):
    def stream(self, **_: object) -> Iterator[bytes]:
        yield self.read()


def _response(url: str, status: int, body: dict[str, Any]) -> AWSResponse:
    headers = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "0"}
    return AWSResponse(url, status, headers, _Raw(json.dumps(body).encode()))


@contextmanager
def serving(clients: Clients, answer: Callable[..., Any], service: str = "stepfunctions") -> Iterator[None]:
    """Let ``answer`` stand for a service while the block runs. moto, which hears all services, is asked after it."""
    events = clients[service].client.meta.events
    events.register_first(f"before-send.{service}", answer)
    try:
        yield
    finally:
        events.unregister(f"before-send.{service}", answer)
