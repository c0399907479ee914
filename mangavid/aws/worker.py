"""A machine's work: who it is by its metadata, what it is told by its environment, then the worker that runs anywhere.

Its user data ends the machine when this ends (``ec2/user_data.py``).
"""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from mangavid import keys, protocol
from mangavid.aws.environment import read
from mangavid.aws.imds import Metadata, Notice
from mangavid.aws.instances import EPOCH_TAG, JOB_TAG, ROLES
from mangavid.aws.logs import Say, Shipping, shipping_of, stream_of
from mangavid.aws.names import ROLE_TAG
from mangavid.aws.shell import Log
from mangavid.clock import SystemClock
from mangavid.errors import ConfigError, MangavidError
from mangavid.ports import Clock, Phase, Target
from mangavid.states.loglines import measured
from mangavid.workers.lease import Lease
from mangavid.workers.work import work

#: Tags may come a moment after the machine.
_TAG_TRIES, _TAG_SECONDS = 15, 2.0
_STATES: Final[Mapping[Phase, str]] = {"render": "WaitForRender", "upload": "WaitForUpload"}
#: For the log of a worker that is killed 50 s after its lease was lost: its token has 10 s left then.
_LAST_SECONDS = 5.0


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
    ship: Callable[[str, Say], Shipping] | None = None,
) -> int:
    """``end`` kills the worker where it hangs after its lease was lost; ``ship`` opens the stream of this name.

    0 also where another worker has the job.
    """
    log = Log(clock)
    about: dict[str, Any] = {"worker": ROLES[phase], "state": _STATES[phase]}
    shipping: Shipping | None = None
    try:
        job_id, epoch = _task(phase, metadata, clock)
        instance = metadata.instance_id()
        about |= {"job": job_id, "epoch": epoch, "instance": instance}
        stream = stream_of(job_id, epoch, instance)
        shipping = _shipped(ship or _opener(ROLES[phase], variables), stream, log, about)
        target = open_target() if open_target else _open(variables, clock)
        about |= _known(target, job_id)
        log.line("info", "begins", **about)
        lease = Lease(
            target,
            job_id,
            phase,
            epoch,
            owner=instance,
            notice=Notice(metadata, clock),
            on_lost=lambda: _killed(log, about, shipping, end),
            log=lambda level, text, **fields: log.line(level, text, **fields, **about),
            drain_seconds=protocol.DRAIN_SECONDS,
        )
        begun = clock.monotonic()
        code = work(target, lease, log=lambda text: log.line("error", "a bug", where=text, **about))
        took, channel = round(clock.monotonic() - begun, 3), target.config.aws.prefix
        metrics = measured(clock.now(), channel, {"worker": ROLES[phase]}, seconds=took, failed=int(lease.failed))
        log.line("info", "ends", code=code, **{**about, **metrics})
    except MangavidError as problem:
        log.line("error", str(problem), error=type(problem).__name__, hint=problem.hint, **about)
        return problem.exit_code
    except Exception as bug:
        log.line("error", "a bug", error=type(bug).__name__, where=traceback.format_exc(), **about)
        return MangavidError.exit_code
    finally:
        if shipping:
            shipping.close()
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


def _known(target: Target, job_id: str) -> dict[str, Any]:
    """What the table says that a line should have. A log without it is better than no work."""
    try:
        item = target.jobs.get(keys.job_item(job_id)) or {}
    except MangavidError:
        return {}
    return {"execution": item.get("execution", ""), "attempt": int(item.get("sfn_retry", 0)) + 1}


def _opener(worker: str, variables: Mapping[str, str]) -> Callable[[str, Say], Shipping]:
    return lambda stream, say: shipping_of(read(variables), worker, stream, say)


def _shipped(ship: Callable[[str, Say], Shipping], stream: str, log: Log, about: Mapping[str, Any]) -> Shipping | None:
    """From now on the log's lines go to a stream as well. None where it can't be opened: that is said, and no more."""

    def say(dropped: int, why: str) -> None:
        plain.line("warning", "lines of this log are not in CloudWatch", lines=dropped, why=why, **about)

    plain = log.alone()
    try:
        opened = ship(stream, say)
    except MangavidError as problem:
        plain.line("warning", f"this log stays here: {problem}", **about)
        return None
    log.also = opened.add
    return opened


def _killed(log: Log, about: Mapping[str, Any], shipping: Shipping | None, end: Callable[[], None]) -> None:
    log.line("error", "killed: the work went on after its lease was lost", **about)
    if shipping:
        shipping.close(_LAST_SECONDS)
    end()


def _open(variables: Mapping[str, str], clock: Clock) -> Target:
    from mangavid.aws import target_of

    # On the worker's own disk, beside what it makes.
    return target_of(read(variables), clock=clock, cache=Path(variables.get("TMPDIR", "/tmp")) / "objects")  # noqa: S108


def _end() -> None:
    """This process and those it started."""
    os.killpg(os.getpgrp(), signal.SIGKILL)
