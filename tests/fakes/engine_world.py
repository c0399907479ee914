"""An engine with a jumping clock, its journal in a folder, and calls answered by a plan."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

from mangavid.local.engine.interpreter import Engine
from mangavid.local.engine.tasks import Call, Returned
from mangavid.local.engine.tokens import TokenClient
from mangavid.ports import Execution
from tests.fakes.timeline import Plan, PlannedTasks, Timeline

FUNCTION = "arn:aws:lambda:local:000000000000:function:f"
INVOKE = {"Type": "Task", "Resource": FUNCTION}
WORKER = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Parameters": {"FunctionName": "w", "Payload": {"token.$": "$$.Task.Token", "retry.$": "$$.State.RetryCount"}},
    "HeartbeatSeconds": 300,
    "TimeoutSeconds": 14400,
    "End": True,
}
SUBMITTED = Returned({"StatusCode": 200})


class World:
    """An engine with a jumping clock, a token client, and calls answered by ``plan``."""

    def __init__(
        self, folder: Path, definition: dict[str, Any], plan: Callable[[Call], Plan] = lambda call: []
    ) -> None:
        self.timeline = Timeline()
        self.journal = folder / "journal.db"
        self.client = TokenClient(self.journal)
        self.plan = plan
        self.tasks = PlannedTasks(self.timeline, lambda call: self.plan(call))
        self.definition = definition
        self.engine = self.another()

    def another(self) -> Engine:
        return Engine(
            self.journal, self.definition, self.timeline, self.tasks, random=Random(7), idle=self.timeline.idle
        )

    def run(self, data: dict[str, Any] | None = None) -> Execution:
        return self.engine.run(self.engine.start("one", data or {}))

    @property
    def arn(self) -> str:
        return next(self.engine.list()).arn

    def types(self) -> list[str]:
        return [event["type"] for event in self.engine.history(self.arn)]

    def seconds(self) -> list[float]:
        """When each event happened, in seconds from the start."""
        return [(event["timestamp"] - self.timeline.start).total_seconds() for event in self.engine.history(self.arn)]


def machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}
