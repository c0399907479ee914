"""``mangavid run`` on AWS: an execution is started, unless one is at work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mangavid import keys, yamlfile
from mangavid.aws import inbox, open_target
from mangavid.aws.objects import S3Objects
from mangavid.config import Config
from mangavid.errors import Locked
from mangavid.ports import Execution, Target
from mangavid.states.wanted import open_run, run_name, sort_out


@dataclass(frozen=True)
class Started:
    """The execution that is at work; ``now``: it was started by this call. None where nothing was to be done.

    ``existing``: jobs of chapters named whose videos were there before.
    """

    target: Target
    execution: Execution | None
    now: bool
    existing: tuple[str, ...] = ()


def start(config: Config, chapters: Sequence[str] = (), *, again: bool = False) -> Started:
    """Of these chapters of this machine, else of the library's next until the day's quota.

    One execution makes videos at a time: another that is started ends at once, having found the lock taken. So where
    one runs, that is what a person means who names no chapter. Raises Locked where one runs and chapters are named,
    SourceNotFound and BadInput where a named chapter is not one, ConfigError where nothing is deployed, AuthError,
    UpstreamUnavailable.
    """
    target = open_target(config)
    running = next(iter(target.executions.list(status="RUNNING")), None)
    if running is not None and chapters:
        raise Locked(
            f"{running.name} is at work, and runs make videos one after another",
            hint="mangavid run --watch follows it; then the same command again",
        )
    if running is not None:
        return Started(target, running, now=False)
    if not chapters:
        name = run_name(target.clock.now())
        return Started(target, target.executions.describe(target.executions.start(name, {})), now=True)
    assert isinstance(target.objects, S3Objects)
    refs = [one if keys.is_address(one) else inbox.put(target.objects, Path(one), yamlfile.plain) for one in chapters]
    wanted = sort_out(target, target.source({"sources": refs}).find(), again=again)
    if not wanted.sources:
        return Started(target, None, now=False, existing=tuple(wanted.existing))
    name = open_run(target, wanted.sources, again=wanted.remake)
    execution = target.executions.describe(target.executions.start(name, {}))
    return Started(target, execution, now=True, existing=tuple(wanted.existing))
