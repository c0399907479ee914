"""Lines of the log in one shape, wherever they come from, and which of them a person asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

import msgspec

ERROR: Final = "error"
#: Where Lambda's levels, and those of Python's logging, have other words for ours.
_LEVELS: Final = {"trace": "debug", "warn": "warning", "fatal": ERROR, "critical": ERROR}
#: Ours as Lambda writes them.
_WRITTEN: Final = {"info": "INFO", "warning": "WARN", ERROR: "ERROR"}
#: Told by the other fields of a line.
_TOLD: Final = frozenset(
    {"timestamp", "_aws", "channel", "level", "message", "function", "worker", "state", "job", "execution"}
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What was said once. ``at`` is aware; ``level``: debug, info, warning or error.

    ``source``: a function without the channel's prefix, else ``renderer`` or ``uploader``. ``execution`` is a name.
    ``attempt`` counts from 1; 0 where nothing says which. ``extra``: what else was said, as JSON values.
    """

    at: datetime
    level: str
    source: str
    message: str
    state: str = ""
    job: str = ""
    execution: str = ""
    attempt: int = 0
    extra: Mapping[str, Any] = {}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which lines; an empty text means any. ``execution`` is an ARN. ``until`` is None where there is no end.

    ``everything``: also what AWS itself says of each call of a function.
    """

    since: datetime
    until: datetime | None = None
    state: str = ""
    job: str = ""
    execution: str = ""
    errors: bool = False
    everything: bool = False

    @property
    def run(self) -> str:
        """The execution's name."""
        return name_of(self.execution)

    def takes(self, line: Line) -> bool:
        return (
            line.at >= self.since
            and (self.until is None or line.at <= self.until)
            and self.state in ("", line.state)
            and self.job in ("", line.job)
            and self.run in ("", line.execution)
            and (line.level == ERROR or not self.errors)
        )


class Tail(Protocol):
    """The log of one target."""

    def lines(self, wanted: Wanted, *, follow: bool) -> Iterator[Line | None]:
        """In the order of time. With ``follow`` without end, and a None each time all is told that is there by now.

        A line is told once; one that comes late is told when it comes.
        """

    def where(self) -> str:
        """Where was looked, for a sentence: after «in»."""


def written(at: datetime, level: str, message: str, fields: Mapping[str, Any]) -> str:
    """A line as functions and workers write it: JSON in plain ASCII, its time and level as Lambda knows them.

    Nothing in a text from outside can end such a line, or give a terminal an order.
    """
    entry = {"timestamp": at.isoformat(timespec="milliseconds"), "level": _WRITTEN[level], "message": message}
    return json.dumps({**entry, **fields}, default=str)


def measured(at: datetime, channel: str, of: Mapping[str, str], **values: float) -> dict[str, Any]:
    """Fields by which CloudWatch takes values of a line as metrics, for each of ``of`` (say, function) and its channel.

    ``seconds`` are seconds, all else counts. The form is CloudWatch's embedded metric format.
    """
    metrics = [{"Name": name, "Unit": "Seconds" if name == "seconds" else "Count"} for name in values]
    told = {"Namespace": "mangavid", "Dimensions": [["channel", *of]], "Metrics": metrics}
    about = {"Timestamp": int(at.timestamp() * 1000), "CloudWatchMetrics": [told]}
    return {"_aws": about, "channel": channel, **of, **values}


def name_of(execution: str) -> str:
    """An execution's name, of its name or ARN."""
    return execution.rpartition(":")[2]


def entry_of(text: str) -> dict[str, Any] | None:
    """The JSON object that a line is, else None."""
    if not text.startswith("{"):
        return None
    try:
        entry = json.loads(text, parse_constant=str)  # NaN would be no JSON when it is printed again
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def line_of(entry: Mapping[str, Any], at: datetime, source: str) -> Line:
    """The line that one of our own JSON objects tells, or any that has a level and a message."""
    message = entry.get("message", "")
    attempt = entry.get("attempt", 0)
    extra = {name: value for name, value in entry.items() if name not in _TOLD}
    if isinstance(attempt, int):
        extra.pop("attempt", None)
    return Line(
        at=at,
        level=level_of(entry),
        source=source,
        message=message if isinstance(message, str) else json.dumps(message),
        state=_text(entry, "state"),
        job=_text(entry, "job"),
        execution=name_of(_text(entry, "execution")),
        attempt=attempt if isinstance(attempt, int) else 0,
        extra=extra,
    )


def level_of(entry: Mapping[str, Any]) -> str:
    """A line that names an error is one, whatever it says: Lambda may give a line another level than it had."""
    if entry.get("error"):
        return ERROR
    level = _text(entry, "level").lower()
    return _LEVELS.get(level, level) or "info"


def _text(entry: Mapping[str, Any], field: str) -> str:
    value = entry.get(field, "")
    return value if isinstance(value, str) else ""
