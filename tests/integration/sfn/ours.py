"""Plays a scenario on our engine, in virtual time."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from mangavid.local.engine.interpreter import Engine
from mangavid.local.engine.tasks import Call, Raised, Returned
from mangavid.local.engine.tokens import TokenClient
from tests.fakes.timeline import Plan, PlannedTasks, Timeline
from tests.integration.sfn.behaviour import Answers, Dies, Fails, Gives, Hangs, Raises, Scenario, View


def play(scenario: Scenario, folder: Path) -> View:
    timeline = Timeline()
    journal = folder / f"{scenario.name}.db"
    client = TokenClient(journal)
    calls: Counter[str] = Counter()

    def plan(call: Call) -> Plan:
        service = ":states:" in call.resource
        function = (call.parameters["FunctionName"] if service else call.resource).rpartition(":")[2]
        act = scenario.act(function, calls[function])
        calls[function] += 1

        def result(value: Any) -> Returned:
            return Returned({"ExecutedVersion": "$LATEST", "Payload": value, "StatusCode": 200} if service else value)

        match act:
            case Gives(value):
                return [(0.1, result(value))]
            case Raises(error, message):
                cause = json.dumps({"errorMessage": message, "errorType": error}, separators=(",", ":"))
                return [(0.1, Raised(error, cause))]
            case Hangs():
                return []
            case Answers(value, beats):
                for beat in range(beats):
                    timeline.after(0.4 + 0.4 * beat, lambda: client.heartbeat(call.token))
                timeline.after(0.4 + 0.4 * beats, lambda: client.success(call.token, value))
            case Fails(error, cause):
                timeline.after(0.4, lambda: client.failure(call.token, error, cause))
            case Dies():
                pass
        return [(0.1, result(None))]

    engine = Engine(
        journal,
        scenario.definition,
        timeline,
        PlannedTasks(timeline, plan),
        idle=timeline.idle,
        machine_arn=f"arn:aws:states:us-east-1:123456789012:stateMachine:{scenario.name}",
        role_arn="arn:aws:iam::123456789012:role/role",
    )
    arn = engine.start(scenario.name, scenario.input)
    ended = engine.run(arn)
    return view(
        ended.status,
        None if ended.output is None else json.dumps(ended.output),
        ended.error,
        ended.cause,
        list(engine.history(arn)),
        stopped=ended.stopped is not None,
    )


def view(
    status: str, output: str | None, error: str, cause: str, history: list[dict[str, Any]], *, stopped: bool
) -> View:
    """``cause`` is read where it is JSON, as everything is."""
    return View(
        status,
        _plain(_json(output)) if output else None,
        error,
        _plain(cause),
        [event["stateEnteredEventDetails"]["name"] for event in history if event["type"].endswith("StateEntered")],
        [(event["id"], event["previousEventId"], event["type"]) for event in history],
        [_details(event) for event in history],
        tokens=len({token for event in history for token in _tokens(event)}),
        stopped=stopped,
    )


def _tokens(event: dict[str, Any]) -> list[str]:
    parameters = event.get("taskScheduledEventDetails", {}).get("parameters", "{}")
    token = (json.loads(parameters).get("Payload") or {}).get("token")
    return [token] if token else []


def _json(output: str) -> Any:
    try:
        return json.loads(output)
    except ValueError:
        return f"not JSON: {output}"


_METADATA = {"SdkHttpMetadata", "SdkResponseMetadata", "ResponseMetadata"}


def _details(event: dict[str, Any]) -> Any:
    """An event's details with JSON read, and without what names the engine."""
    found: dict[str, Any] = next((value for key, value in event.items() if key.endswith("EventDetails")), {})
    return _plain({key: value for key, value in found.items() if not key.endswith("Details")})


def _plain(value: Any, key: str = "") -> Any:
    if key in ("token", "EnteredTime", "StartTime", "entered", "started"):
        return f"<{key}>"
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return _plain(json.loads(value))
        except ValueError:
            pass
    if isinstance(value, str):
        return re.sub(r"[\w-]+--", "", value)
    if isinstance(value, dict):
        return {name: _plain(inner, name) for name, inner in value.items() if name not in _METADATA}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
