"""About what an execution has cost, from how long its states took: an estimate for a person, no bill.

List prices of us-east-1 in US dollars, November 2026, before any free tier: aws.amazon.com/step-functions/pricing,
/lambda/pricing, /ec2/spot/pricing. What Spot machines cost changes by the hour; storage and logs are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec

from mangavid import asl
from mangavid.aws.stack.functions import SIZES
from mangavid.ports import Step
from mangavid.states.timeline import Visit
from mangavid.states.watch import WORKERS

TRANSITION: Final = 0.025 / 1000
CALL: Final = 0.20 / 1_000_000
GB_SECOND: Final = 0.0000133334
#: A Spot machine of the kind that the default settings launch, with its disk and its address.
MACHINE_HOUR: Final = {"WaitForRender": 0.15, "WaitForUpload": 0.015}
_SILENT = ("Choice", "Pass", "Succeed", "Fail", "Wait")


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """US dollars."""

    transitions: float
    functions: float
    machines: float

    @property
    def total(self) -> float:
        return self.transitions + self.functions + self.machines


class Meter:
    """Adds up states as ``states.timeline`` tells them. A retry is a transition, too."""

    def __init__(self) -> None:
        self._functions = _functions()
        self._transitions, self._called, self._machines = 0, 0.0, 0.0

    def add(self, visit: Visit) -> None:
        self._transitions += max(1, visit.attempts)
        if visit.state in WORKERS:
            self._machines += _machine(visit.state, visit.seconds)
        elif visit.kind not in _SILENT:
            size = SIZES.get(self._functions.get(visit.state, ""))
            # What is waited between attempts is not paid for.
            worked = max(0.0, visit.seconds - sum(failure.waited or 0.0 for failure in visit.failures))
            self._called += max(1, visit.attempts) * CALL + (worked * size.memory / 1024 * GB_SECOND if size else 0.0)

    def cost(self) -> Cost:
        return Cost(transitions=self._transitions * TRANSITION, functions=self._called, machines=self._machines)


class SoFar:
    """Tells about what an execution has cost, with the steps of it that are told."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._attempts = 1

    def told(self, step: Step) -> Step:
        """The step; where a machine works, or is done, with the cost so far as its detail."""
        match step.what:
            case "entered":
                self._attempts = 1
            case "retry":
                self._attempts += 1
            case "succeeded" | "failed":
                self._meter.add(_visit(step, self._attempts))
        if step.state not in WORKERS or step.what not in ("progress", "succeeded"):
            return step
        cost = self._meter.cost()
        if step.what == "progress":
            cost = msgspec.structs.replace(cost, machines=cost.machines + _machine(step.state, step.seconds))
        return msgspec.structs.replace(step, detail=f"{shown(cost)} so far")


def _visit(step: Step, attempts: int) -> Visit:
    # Of its times only how long it took counts.
    began = datetime.fromtimestamp(0, UTC)
    return Visit(state=step.state, kind="Task", started=began, video=0, seconds=step.seconds, attempts=attempts)


def _machine(state: str, seconds: float) -> float:
    return seconds / 3600 * MACHINE_HOUR[state]


def estimate(visits: Iterable[Visit]) -> Cost:
    """Of all of these states."""
    meter = Meter()
    for visit in visits:
        meter.add(visit)
    return meter.cost()


def shown(cost: Cost) -> str:
    """«about $0.03»."""
    return f"about ${cost.total:.2f}" if cost.total >= 0.01 else "less than $0.01"


def _functions() -> dict[str, str]:
    """State → the function it calls, without the channel's prefix."""
    states = asl.load_definition("us-east-1", "000000000000")["States"]
    return {
        name: str(state["Parameters"]["FunctionName"]).rpartition(":")[2].removeprefix("manga-pipeline-")
        for name, state in states.items()
        if state["Type"] == "Task"
    }
