"""Executions of the state machine on Step Functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from mangavid.aws.session import Refused, Service
from mangavid.errors import SourceNotFound, UsageError
from mangavid.ports import Execution, Item

_UNKNOWN = ("ExecutionDoesNotExist", "InvalidArn")
_PAGE = 1000
#: Most who list executions look at the newest ones only. A token is good for pages of one size.
_LISTED = 100


class StepFunctionsExecutions:
    """``ports.Executions`` of one state machine."""

    def __init__(self, stepfunctions: Service, machine_arn: str) -> None:
        self._stepfunctions = stepfunctions
        self._machine = machine_arn

    def start(self, name: str, input: Mapping[str, Any]) -> str:
        """Raises UsageError: a name AWS refuses, or one in use with another input."""
        text = json.dumps(input, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        try:
            answer = self._stepfunctions.call(
                "start_execution",
                expect=("ExecutionAlreadyExists", "InvalidName"),
                stateMachineArn=self._machine,
                name=name,
                input=text,
            )
        except Refused as refused:
            if refused.code == "InvalidName":
                raise UsageError(
                    f"{name!r} can't name an execution", hint="letters, digits, - and _ are fine"
                ) from None
            # AWS itself takes a second start for the first one only while that runs.
            arn = f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"
            if self.describe(arn).input != json.loads(text):
                raise UsageError(
                    f"ExecutionAlreadyExists: {name} was started with another input", hint="choose another name"
                ) from None
            return arn
        return str(answer["executionArn"])

    def describe(self, arn: str) -> Execution:
        return _execution(self._ask("describe_execution", arn))

    def list(self, *, status: str | None = None) -> Iterator[Execution]:
        """As they are listed: without input, output, error and cause, which ``describe`` tells."""
        chosen: dict[str, Any] = {"statusFilter": status} if status else {}
        found = self._stepfunctions.ahead(
            "list_executions",
            "executions",
            ask="nextToken",
            told="nextToken",
            stateMachineArn=self._machine,
            maxResults=_LISTED,
            **chosen,
        )
        return (_execution(one) for one in found)

    def history(self, arn: str, *, reverse: bool = False) -> Iterator[Item]:
        """The next page is asked for while one is read."""
        page = self._page(arn, reverse, None)
        with ThreadPoolExecutor(1, thread_name_prefix="history") as ahead:
            while True:
                token = page.get("nextToken")
                following = ahead.submit(self._page, arn, reverse, token) if token else None
                for event in page["events"]:
                    yield {**event, "timestamp": _utc(event["timestamp"])}
                if following is None:
                    return
                page = following.result()

    def _page(self, arn: str, reverse: bool, token: str | None) -> dict[str, Any]:
        more = {"nextToken": token} if token else {}
        return self._ask("get_execution_history", arn, reverseOrder=reverse, maxResults=_PAGE, **more)

    def stop(self, arn: str, *, error: str, cause: str) -> None:
        self._ask("stop_execution", arn, error=error[:256], cause=cause[:32_768])

    def redrive(self, arn: str) -> None:
        """Raises UsageError where it runs, succeeded, or ended more than 14 days ago."""
        self._ask("redrive_execution", arn)

    def _ask(self, operation: str, arn: str, **parameters: Any) -> dict[str, Any]:
        if not arn.startswith("arn:"):
            raise _unknown(arn)
        try:
            return self._stepfunctions.call(
                operation, expect=(*_UNKNOWN, "ExecutionNotRedrivable"), executionArn=arn, **parameters
            )
        except Refused as refused:
            if refused.code in _UNKNOWN:
                raise _unknown(arn) from refused
            raise UsageError(f"ExecutionNotRedrivable: {refused.message}", hint="mangavid status shows it") from refused


def _unknown(arn: str) -> SourceNotFound:
    return SourceNotFound(f"no execution {arn}", hint="mangavid status lists them")


def _utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


def _execution(told: Mapping[str, Any]) -> Execution:
    return Execution(
        arn=told["executionArn"],
        name=told["name"],
        status=told["status"],
        started=_utc(told["startDate"]),
        stopped=_utc(told["stopDate"]) if told.get("stopDate") else None,
        input=json.loads(told["input"]) if told.get("input") else None,
        output=json.loads(told["output"]) if told.get("output") else None,
        error=told.get("error", ""),
        cause=told.get("cause", ""),
    )
