"""What really failed: CloudFormation tells of everything, and last of what followed from it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from mangavid.aws.deploy.progress import Step
from mangavid.aws.deploy.site import Site
from mangavid.errors import AuthError, DeployFailed, MangavidError

STACK: Final = "AWS::CloudFormation::Stack"

#: Reasons that say no more than that something else failed.
_FOLLOWS = re.compile(
    r"cancelled|canceled|The following resource\(s\) failed|Rollback requested|Resource \w+ failed", re.IGNORECASE
)
_NO_RIGHT = re.compile(r"AccessDenied|is not authorized to perform|UnauthorizedOperation|not authorized", re.IGNORECASE)
_LOG_LINES = 10


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a stack. ``resource`` is its logical id, ``physical`` its name on AWS."""

    id: str
    resource: str
    physical: str
    type: str
    status: str
    reason: str

    def step(self, stack: str) -> Step:
        whole = self.type == STACK and self.resource == stack
        return Step(
            what="stack",
            name=self.resource,
            status=self.status,
            type="" if whole else self.type,
            detail=self.reason,
        )


def cause(events: Sequence[Event]) -> Event | None:
    """The first event that failed by itself, in events that are given oldest first; None where all just followed."""
    failed = [one for one in events if one.status.endswith("_FAILED")]
    own = [one for one in failed if one.reason and not _FOLLOWS.search(one.reason)]
    return next((one for one in own if one.type != STACK), None) or next(iter(own or failed), None)


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
    what = f"{why.resource} ({why.type}): {' '.join(why.reason.split()) or why.status}"
    lines = [f"{what}; {left}", *(f"its log: {line}" for line in _log(site, why))]
    kind = AuthError if _NO_RIGHT.search(why.reason) else DeployFailed
    return kind("\n".join(lines), hint="mend that, then the same command again")


def refused(reason: str, found: Sequence[str] = ()) -> MangavidError:
    """The error for a template that AWS does not even begin with."""
    kind = AuthError if _NO_RIGHT.search(reason) else DeployFailed
    lines = [f"AWS refuses the template: {' '.join(reason.split())}", *found]
    return kind("\n".join(lines), hint="nothing was changed")


def _log(site: Site, why: Event) -> list[str]:
    """The last lines that a function logged, where it was one that failed, or one that the reason names."""
    prefix = re.escape(site.names.prefix)
    named = re.search(rf"function:({prefix}-[a-z-]+)|({prefix}-[a-z-]+)", why.reason)
    name = why.physical if why.type == "AWS::Lambda::Function" else (named and (named[1] or named[2])) or ""
    if not name:
        return []
    try:
        answer = site.clients["logs"].call(
            "filter_log_events",
            expect=("ResourceNotFoundException",),
            logGroupName=f"/aws/lambda/{name.rpartition(':')[2]}",
            limit=1000,
        )
    except Exception:  # it is looked at for the failure's sake, and must not hide it
        return []
    lines = [" ".join(str(one.get("message", "")).split()) for one in answer.get("events", ())]
    return [line[:300] for line in lines if line][-_LOG_LINES:]
