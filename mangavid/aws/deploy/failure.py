"""What really failed: CloudFormation tells of everything, and last of what followed from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from mangavid.aws.deploy.progress import Step
from mangavid.aws.deploy.site import Site
from mangavid.aws.stack.functions import SIZES
from mangavid.errors import AuthError, DeployFailed, MangavidError

STACK: Final = "AWS::CloudFormation::Stack"

#: Reasons that say no more than that something else failed.
_FOLLOWS = re.compile(
    r"cancelled|canceled|The following resource\(s\) failed|Rollback requested|Resource \w+ failed", re.IGNORECASE
)
_NO_RIGHT = re.compile(r"Access ?Denied|UnauthorizedOperation|not authorized", re.IGNORECASE)
_LOG_LINES = 10


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a stack. ``resource`` is its logical id, ``physical`` its name on AWS."""

    id: str
    resource: str
    physical: str
    type: str
    status: str
    reason: str
    #: Seconds since 1970.
    at: float = 0.0

    def of(self, stack: str) -> bool:
        """Whether it is of the stack itself, not of a resource in it."""
        return self.type == STACK and self.resource == stack

    def step(self, stack: str) -> Step:
        return Step(
            what="stack",
            name=self.resource,
            status=self.status,
            type="" if self.of(stack) else self.type,
            detail=self.reason,
        )


def cause(events: Sequence[Event]) -> Event | None:
    """The first event that failed by itself, in events that are given oldest first; None where all just followed."""
    failed = [one for one in events if one.status.endswith("_FAILED")]
    own = [one for one in failed if one.reason and not _FOLLOWS.search(one.reason)]
    return next((one for one in own if one.type != STACK), None) or next(iter(own or failed), None)


def stuck(events: Sequence[Event]) -> Event | None:
    """What could not be taken back: the cause within the last rollback."""
    begins = [n for n, one in enumerate(events) if one.type == STACK and one.status == "UPDATE_ROLLBACK_IN_PROGRESS"]
    return cause(events[begins[-1] :]) if begins else None


def failed(site: Site, status: str, reason: str, events: Sequence[Event]) -> MangavidError:
    """The error for a change that ended as ``status``."""
    why = cause(events)
    left = {
        "DELETE_COMPLETE": "nothing of it is left",
        "ROLLBACK_COMPLETE": "nothing of it is left",
        "UPDATE_ROLLBACK_COMPLETE": "everything is as it was before",
        "UPDATE_ROLLBACK_FAILED": "and it could not be taken back",
        "DELETE_FAILED": "the rest was deleted",
    }.get(status, status)
    if why is None:
        return DeployFailed(f"the stack {site.stack} ended as {status}{f': {reason}' if reason else ''}")
    lines = [f"{_told(why)}; {left}", *(f"its log: {line}" for line in _log(site, why, events))]
    hint = "mend that, then the same command again"
    if status == "UPDATE_ROLLBACK_FAILED" and (rest := stuck(events)):
        if rest != why:
            lines.append(f"not taken back: {_told(rest)}")
        hint += (
            f"; to leave it as it is: aws cloudformation continue-update-rollback --stack-name {site.stack}"
            f" --resources-to-skip {rest.resource}"
        )
    kind = AuthError if _NO_RIGHT.search(why.reason) else DeployFailed
    return kind("\n".join(lines), hint=hint)


def _told(one: Event) -> str:
    return f"{one.resource} ({one.type}): {' '.join(one.reason.split()) or one.status}"


def refused(reason: str, found: Sequence[str] = ()) -> MangavidError:
    """The error for a template that AWS does not even begin with."""
    kind = AuthError if _NO_RIGHT.search(reason) else DeployFailed
    lines = [f"AWS refuses the template: {' '.join(reason.split())}", *found]
    return kind("\n".join(lines), hint="nothing was changed")


def _log(site: Site, why: Event, events: Sequence[Event]) -> list[str]:
    """The last lines that a function logged meanwhile, where it was one that failed, or one that the reason names."""
    named = (name for name in map(site.names.function, SIZES) if re.search(rf"{re.escape(name)}(?![\w-])", why.reason))
    name = why.physical if why.type == "AWS::Lambda::Function" else next(named, "")
    if not name:
        return []
    where, gone = {"logGroupName": f"/aws/lambda/{name.rpartition(':')[2]}"}, ("ResourceNotFoundException",)
    try:
        logs = site.clients["logs"]
        answer = logs.call("describe_log_streams", expect=gone, orderBy="LastEventTime", descending=True, **where)
        lines: list[str] = []
        for stream in answer.get("logStreams", ())[:1]:
            found = logs.call(
                "get_log_events",
                expect=gone,
                logStreamName=stream["logStreamName"],
                startTime=int(min(one.at for one in events) * 1000),
                limit=100,
                startFromHead=False,
                **where,
            )
            lines = [" ".join(str(one.get("message", "")).split()) for one in found.get("events", ())]
    except Exception:  # it is looked at for the failure's sake, and must not hide it
        return []
    return [line[:300] for line in lines if line][-_LOG_LINES:]
