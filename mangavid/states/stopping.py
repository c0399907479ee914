"""Ending an execution, and all that works for it."""

from __future__ import annotations

import msgspec

from mangavid.ports import Execution, Target
from mangavid.states import reaper


class Stopped(msgspec.Struct, frozen=True, kw_only=True):
    """``terminated``: machines (here: processes) that were ended; ``interrupted``: jobs the next run goes on with."""

    execution: str
    terminated: int
    interrupted: int


def stop(target: Target, execution: Execution) -> Stopped:
    """End it now: its workers too, since ending an execution does not reach them. What is stored stays."""
    target.executions.stop(execution.arn, error="Stopped", cause="mangavid stop")
    swept = reaper.handle(target, {})
    return Stopped(execution=execution.name, terminated=int(swept["terminated"]), interrupted=int(swept["interrupted"]))
