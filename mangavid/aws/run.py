"""``mangavid run`` on AWS: an execution is started, unless one is at work."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mangavid.aws import open_target
from mangavid.config import Config
from mangavid.ports import Execution, Target


@dataclass(frozen=True)
class Started:
    """The execution that is at work; ``now``: it was started by this call."""

    target: Target
    execution: Execution
    now: bool


def start(config: Config) -> Started:
    """One execution makes videos at a time: another that is started ends at once, having found the lock taken.

    So where one runs, that is what a person means. Raises ConfigError where nothing is deployed, AuthError,
    UpstreamUnavailable.
    """
    target = open_target(config)
    running = next(iter(target.executions.list(status="RUNNING")), None)
    if running is not None:
        return Started(target, running, now=False)
    name = f"run-{target.clock.now():%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
    return Started(target, target.executions.describe(target.executions.start(name, {})), now=True)
