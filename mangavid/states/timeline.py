"""An execution's history as a timeline: one row for each time a state was entered.

Reads events in the shape of GetExecutionHistory, from AWS Step Functions or the local engine. An event belongs to the
visit that the event before it (``previousEventId``, which may be left out: then the one before) belongs to; entering a
state begins a new visit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

import msgspec

from mangavid.ports import Item
from mangavid.states.handle_error import readable

Outcome = Literal["running", "succeeded", "failed", "stopped"]

_ATTEMPT = ("TaskScheduled", "LambdaFunctionScheduled", "ActivityScheduled")
_FAILURE = ("Failed", "TimedOut")
_VIDEO_BEGINS = "FetchManga"


class Failure(msgspec.Struct, kw_only=True):
    """An attempt that failed. ``waited``: seconds until the next attempt, None where there was none."""

    attempt: int
    at: datetime
    error: str
    cause: str
    waited: float | None = None


class Visit(msgspec.Struct, kw_only=True):
    """One stay in a state. ``seconds`` runs to now where it is not over; ``video`` counts from 1, before it is 0."""

    state: str
    kind: str
    started: datetime
    video: int
    job_id: str = ""
    ended: datetime | None = None
    seconds: float = 0.0
    attempts: int = 0
    outcome: Outcome = "running"
    failures: list[Failure] = []


def timeline(events: Iterable[Item], *, now: datetime) -> list[Visit]:
    """The visits in the order they began."""
    visits: list[Visit] = []
    owner: dict[int, Visit] = {}
    video = 0
    for event in events:
        kind = str(event["type"])
        at = event["timestamp"]
        visit = owner.get(event.get("previousEventId", event["id"] - 1))
        if kind.endswith("StateEntered"):
            details = event.get("stateEnteredEventDetails", {})
            name = str(details.get("name", ""))
            video += name == _VIDEO_BEGINS
            visit = Visit(state=name, kind=kind.removesuffix("StateEntered"), started=at, video=video)
            visit.job_id = "" if name == _VIDEO_BEGINS else _job_id(details.get("input"))
            visits.append(visit)
        elif kind.startswith("Execution"):
            if kind not in ("ExecutionStarted", "ExecutionRedriven"):
                _end_all(visits, kind, at)
        elif visit is not None:
            _tell(visit, kind, event, at)
        if visit is not None:
            owner[event["id"]] = visit
    for visit in visits:
        visit.seconds = max(0.0, ((visit.ended or now) - visit.started).total_seconds())
    _name_jobs(visits)
    return visits


def _tell(visit: Visit, kind: str, event: Item, at: datetime) -> None:
    if kind.endswith("StateExited"):
        details = event.get("stateExitedEventDetails", {})
        visit.ended = at
        visit.outcome = "failed" if visit.failures and visit.failures[-1].waited is None else "succeeded"
        visit.job_id = _job_id(details.get("output")) or visit.job_id
    elif kind in _ATTEMPT:
        visit.attempts += 1
        if visit.failures and visit.failures[-1].waited is None:
            visit.failures[-1].waited = max(0.0, (at - visit.failures[-1].at).total_seconds())
    elif kind.endswith(_FAILURE):
        details = _details(event)
        error = str(details.get("error") or ("States.Timeout" if kind.endswith("TimedOut") else ""))
        cause, _ = readable(str(details.get("cause") or ""))
        visit.failures.append(Failure(attempt=max(1, visit.attempts), at=at, error=error, cause=cause))


def _end_all(visits: list[Visit], kind: str, at: datetime) -> None:
    """The execution is over: so is every visit that had not been left."""
    for visit in visits:
        if visit.ended is None:
            visit.ended = at
            if kind == "ExecutionSucceeded" or visit.kind == "Succeed":
                visit.outcome = "succeeded"
            else:
                visit.outcome = "stopped" if kind == "ExecutionAborted" else "failed"


def _name_jobs(visits: list[Visit]) -> None:
    """A video's job is known once its chapter was fetched; its first row gets the name too."""
    names = {visit.video: visit.job_id for visit in reversed(visits) if visit.video and visit.job_id}
    for visit in visits:
        if visit.video and not visit.job_id:
            visit.job_id = names.get(visit.video, "")


def _details(event: Item) -> dict[str, Any]:
    return next((value for name, value in event.items() if name.endswith("EventDetails") and value), {})


def _job_id(document: Any) -> str:
    """``job.job_id`` of a state's input or output."""
    try:
        value = json.loads(document) if isinstance(document, str) else document
        return str(value["job"]["job_id"] or "")
    except (ValueError, KeyError, TypeError):
        return ""
