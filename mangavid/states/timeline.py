"""An execution's history as a timeline: one row for each time a state was entered.

Reads events in the shape of GetExecutionHistory, from AWS Step Functions or the local engine. An event belongs to the
visit that the event before it (``previousEventId``, which may be left out: then the one before) belongs to; entering a
state begins a new visit. An execution's end belongs to none, so what follows a redrive is of the visit that it cut off.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
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
    """One stay in a state. ``seconds`` runs to now where it is not over; ``video`` counts from 1, before it is 0.

    ``idle``: seconds for which its execution had ended, before it was redriven; they are not in ``seconds``.
    ``input`` and ``output`` are there only where they were asked for, and are known.
    """

    state: str
    kind: str
    started: datetime
    video: int
    job_id: str = ""
    ended: datetime | None = None
    seconds: float = 0.0
    idle: float = 0.0
    attempts: int = 0
    outcome: Outcome = "running"
    failures: list[Failure] = []
    input: Any = msgspec.UNSET
    output: Any = msgspec.UNSET


def timeline(events: Iterable[Item], *, now: datetime, data: bool = False) -> list[Visit]:
    """The visits in the order they began. ``data``: with input and output."""
    return list(visits(events, now=now, data=data))


def visits(events: Iterable[Item], *, now: datetime, data: bool = False) -> Iterator[Visit]:
    """The same one by one: a video's are told when the next one begins, if they are over, and are not kept."""
    groups: deque[list[Visit]] = deque([[]])
    owner: dict[int, Visit] = {}
    cut_off: Visit | None = None
    video = 0
    for event in events:
        kind = str(event["type"])
        at = event["timestamp"]
        visit = owner.get(event.get("previousEventId", event["id"] - 1), cut_off)
        if kind.endswith("StateEntered"):
            details = event.get("stateEnteredEventDetails", {})
            name = str(details.get("name", ""))
            if name == _VIDEO_BEGINS:
                video += 1
                while groups and all(one.ended for one in groups[0]):
                    yield from _told(groups.popleft(), now)
                open_still = {id(one) for group in groups for one in group}
                owner = {number: one for number, one in owner.items() if id(one) in open_still}
                groups.append([])
            visit = Visit(state=name, kind=kind.removesuffix("StateEntered"), started=at, video=video)
            visit.job_id = "" if name == _VIDEO_BEGINS else _job_id(details.get("input"))
            if data:
                visit.input = _document(details.get("input"))
            groups[-1].append(visit)
        elif kind.startswith("Execution"):
            if kind not in ("ExecutionStarted", "ExecutionRedriven"):
                cut_off = _end_all([one for group in groups for one in group], kind, at)
        elif visit is not None:
            _tell(visit, kind, event, at, data)
        if visit is not None:
            owner[event["id"]] = visit
    for group in groups:
        yield from _told(group, now)


def _told(group: list[Visit], now: datetime) -> list[Visit]:
    """A video's visits as they are told. Its job is known once its chapter was fetched; its first row gets it too."""
    job_id = next((visit.job_id for visit in group if visit.video and visit.job_id), "")
    for visit in group:
        visit.seconds = max(0.0, ((visit.ended or now) - visit.started).total_seconds() - visit.idle)
        visit.job_id = visit.job_id or (job_id if visit.video else "")
    return group


def _tell(visit: Visit, kind: str, event: Item, at: datetime, data: bool) -> None:
    if kind.endswith("StateExited"):
        details = event.get("stateExitedEventDetails", {})
        visit.ended = at
        visit.outcome = "failed" if visit.failures and visit.failures[-1].waited is None else "succeeded"
        visit.job_id = _job_id(details.get("output")) or visit.job_id
        if data:
            visit.output = _document(details.get("output"))
    elif kind in _ATTEMPT:
        if visit.ended is not None:  # the execution had ended here, and was redriven
            visit.idle += (at - visit.ended).total_seconds()
            visit.ended, visit.outcome = None, "running"
        visit.attempts += 1
        if visit.failures and visit.failures[-1].waited is None:
            visit.failures[-1].waited = max(0.0, (at - visit.failures[-1].at).total_seconds())
    elif kind.endswith(_FAILURE):
        details = _details(event)
        error = str(details.get("error") or ("States.Timeout" if kind.endswith("TimedOut") else ""))
        cause, _ = readable(str(details.get("cause") or ""))
        visit.failures.append(Failure(attempt=max(1, visit.attempts), at=at, error=error, cause=cause))


def _end_all(visits: list[Visit], kind: str, at: datetime) -> Visit | None:
    """The execution is over: so is every visit that had not been left. The last of these."""
    cut_off = None
    for visit in visits:
        if visit.ended is None:
            cut_off = visit
            visit.ended = at
            if kind == "ExecutionSucceeded" or visit.kind == "Succeed":
                visit.outcome = "succeeded"
            else:
                visit.outcome = "stopped" if kind == "ExecutionAborted" else "failed"
    return cut_off


def _details(event: Item) -> dict[str, Any]:
    return next((value for name, value in event.items() if name.endswith("EventDetails") and value), {})


def _document(text: Any) -> Any:
    """What a state was given, or gave. Text that is no JSON stays as it is."""
    try:
        return json.loads(text) if isinstance(text, str) else msgspec.UNSET
    except ValueError:
        return text


def _job_id(document: Any) -> str:
    """``job.job_id`` of a state's input or output."""
    try:
        value = json.loads(document) if isinstance(document, str) else document
        return str(value["job"]["job_id"] or "")
    except (ValueError, KeyError, TypeError):
        return ""
