"""Runs a definition on our engine with tasks that answer as the recorded ones did."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mangavid.errors import MangavidError, UnsupportedDefinition
from mangavid.local.engine.interpreter import Engine
from mangavid.local.engine.tasks import Call, Outcome, Raised, Returned, Submitted
from mangavid.local.engine.tokens import TokenClient
from tests.fakes.timeline import Plan, PlannedTasks, Timeline
from tests.recorded import adapting, matching
from tests.recorded.reading import Recording

_ENDS = ("Succeeded", "Failed", "TimedOut")


@dataclass
class Attempt:
    """One recorded attempt of a task."""

    submitted: Any = None
    has_submitted: bool = False
    end: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What came of a replay. ``detail``: differences, reasons of the refusal, or what was filled in."""

    recording: Recording
    verdict: Literal["equal", "different", "refused", "no definition"]
    definition: str = ""
    detail: tuple[str, ...] = ()


def attempts(recording: Recording) -> list[Attempt]:
    """The attempts of all tasks, in the order in which they were scheduled."""
    found: list[Attempt] = []
    for event in recording.events:
        kind = event["type"].removeprefix("LambdaFunction").removeprefix("Task").removeprefix("Activity")
        if kind == event["type"]:
            continue
        details = next(iter(_details(event)), {})
        if kind == "Scheduled":
            found.append(Attempt())
        elif kind == "Submitted":
            found[-1].has_submitted, found[-1].submitted = True, _value(details.get("output"))
        elif kind.endswith(_ENDS):
            found[-1].end, found[-1].details = kind, details
    return found


def _value(output: Any) -> Any:
    """A snapshot holds objects as such, and everything else as the JSON text AWS gives."""
    if isinstance(output, str):
        try:
            return json.loads(output)
        except ValueError:
            return output
    return output


def _text(cause: Any) -> str | None:
    return cause if cause is None or isinstance(cause, str) else json.dumps(cause, separators=(",", ":"))


def replay(recording: Recording, variant: adapting.Variant) -> list[dict[str, Any]]:
    """Our history of the same run. Raises UnsupportedDefinition."""
    timeline = Timeline()
    left = attempts(recording)
    with tempfile.TemporaryDirectory(prefix="mangavid-replay-") as folder:
        journal = Path(folder) / "journal.db"
        client = TokenClient(journal)

        def plan(call: Call) -> Plan:
            if not left:
                return [(0, Raised("NotRecorded", "the recording has no further attempt"))]
            return _plan(left.pop(0), call, timeline, client)

        engine = Engine(
            journal,
            variant.definition,
            timeline,
            PlannedTasks(timeline, plan),
            idle=timeline.idle,
            strict=False,
            machine_arn="arn:aws:states:us-east-1:111111111111:stateMachine:recorded",
            role_arn=recording.role,
        )
        arn = engine.start("replay", variant.input)
        horizon = len(recording.events) + 40
        engine.run(arn, should_stop=lambda: len(list(engine.history(arn))) > horizon)
        return list(engine.history(arn))


def _plan(attempt: Attempt, call: Call, timeline: Timeline, client: TokenClient) -> Plan:
    output, error, cause = (
        _value(attempt.details.get("output")),
        attempt.details.get("error"),
        _text(attempt.details.get("cause")),
    )
    end: list[tuple[float, Outcome]] = []
    if attempt.end == "Succeeded":
        end = [(0.5, Returned(output))]
    elif error == "States.DataLimitExceeded":
        end = [(0.5, Returned("x" * 300_000))]
    elif attempt.end.endswith("Failed"):
        end = [(0.5, Raised(error, cause, attempt.end.removesuffix("Failed")))]
    if not attempt.has_submitted:
        return end
    if not call.resource.endswith(".waitForTaskToken"):
        return [(0.2, Submitted(attempt.submitted)), *end]
    if attempt.end == "Succeeded":
        timeline.after(0.5, lambda: client.success(call.token, output))
    elif attempt.end == "Failed":
        timeline.after(0.5, lambda: client.failure(call.token, error or "", cause or ""))
    return [(0.2, Returned(attempt.submitted))]


def _foreign(recording: Recording) -> list[str]:
    """What the history itself shows that our engine does not implement."""
    kinds = sorted({kind for kind, _ in recording.entered if kind in ("Map", "Parallel")})
    reasons = [f"{kind} is not implemented here" for kind in kinds]
    if any("assignedVariables" in details for event in recording.events for details in _details(event)):
        reasons.append("variables (Assign) are not implemented here")
    if any(event["type"] == "EvaluationFailed" for event in recording.events):
        reasons.append("JSONata is not implemented here: only it fails in an evaluation")
    if any(event["type"].startswith("Activity") for event in recording.events):
        reasons.append("activities are not implemented here")
    return reasons


def _details(event: dict[str, Any]) -> list[dict[str, Any]]:
    return [value for key, value in event.items() if key.endswith("EventDetails") and isinstance(value, dict)]


def judge(recording: Recording, known: dict[str, Any]) -> Result:
    """Find the definition of a recording, replay it, compare."""
    best: Result | None = None
    refused: Result | None = None
    if foreign := _foreign(recording):
        return Result(recording, "refused", "", tuple(foreign))
    for name in adapting.candidates(recording, known):
        for variant in adapting.variants(recording, known[name], Timeline().start):
            try:
                ours = replay(recording, variant)
            except UnsupportedDefinition as problem:
                reasons = tuple(line.strip() for line in str(problem).splitlines()[1:])
                if best is None:
                    refused = refused or Result(recording, "refused", name, reasons)
                continue
            except (MangavidError, AssertionError) as problem:
                found = [f"our engine raised {type(problem).__name__}: {problem}"]
            else:
                found = matching.differences(recording.events, ours, complete=recording.complete)
            if not found:
                return Result(recording, "equal", name, variant.made)
            if best is None or len(found) < len(best.detail):
                best = Result(recording, "different", name, tuple(found))
    return refused or best or Result(recording, "no definition", "", (f"states entered: {recording.entered}",))
