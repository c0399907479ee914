"""A machine's work: who it is by its metadata, what it is told by its environment, then the worker that runs anywhere.

Its user data ends the machine when this ends (``ec2/user_data.py``).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

from mangavid.aws.environment import read
from mangavid.aws.imds import Metadata, Notice
from mangavid.aws.instances import EPOCH_TAG, JOB_TAG, ROLES
from mangavid.aws.names import ROLE_TAG
from mangavid.aws.shell import Log
from mangavid.clock import SystemClock
from mangavid.errors import ConfigError, MangavidError
from mangavid.ports import Clock, Phase, Target
from mangavid.workers.lease import Lease
from mangavid.workers.work import work

#: Tags may come a moment after the machine.
_TAG_TRIES, _TAG_SECONDS = 15, 2.0


def main(phase: Phase) -> int:
    """What ``ec2/renderer/main.py`` and ``ec2/uploader/main.py`` run. The process's exit code."""
    return run(phase, os.environ, metadata=Metadata(), clock=SystemClock(), end=_end)


def run(
    phase: Phase,
    variables: Mapping[str, str],
    *,
    metadata: Metadata,
    clock: Clock,
    end: Callable[[], None],
    open_target: Callable[[], Target] | None = None,
) -> int:
    """``end`` kills the worker where it hangs after its lease was lost. 0 also where another worker has the job."""
    log = Log(clock)
    try:
        job_id, epoch = _task(phase, metadata, clock)
        instance = metadata.instance_id()
        about = {"worker": ROLES[phase], "job": job_id, "epoch": epoch, "instance": instance}
        log.line("info", "begins", **about)
        target = open_target() if open_target else _open(variables, clock)
        lease = Lease(target, job_id, phase, epoch, owner=instance, notice=Notice(metadata, clock), on_lost=end)
        code = work(target, lease, log=lambda text: log.line("error", "a bug", where=text, **about))
    except MangavidError as problem:
        log.line("error", str(problem), error=type(problem).__name__)
        return problem.exit_code
    log.line("info", "ends", code=code, **about)
    return code


def _task(phase: Phase, metadata: Metadata, clock: Clock) -> tuple[str, int]:
    """Job and epoch in the machine's tags. Raises ConfigError where they say nothing, or that it is another worker."""
    for _ in range(_TAG_TRIES):
        job_id, epoch = metadata.tag(JOB_TAG), metadata.tag(EPOCH_TAG)
        if job_id and epoch.isdigit():
            if metadata.tag(ROLE_TAG) != ROLES[phase]:
                raise ConfigError(f"this machine's tags do not make it a {ROLES[phase]}")
            return job_id, int(epoch)
        clock.sleep(_TAG_SECONDS)
    raise ConfigError("this machine's tags do not say what it is to do", hint="mangavid deploy mends its template")


def _open(variables: Mapping[str, str], clock: Clock) -> Target:
    from mangavid.aws import target_of

    # On the worker's own disk, beside what it makes.
    return target_of(read(variables), clock=clock, cache=Path(variables.get("TMPDIR", "/tmp")) / "objects")  # noqa: S108


def _end() -> None:
    """This process and those it started."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
