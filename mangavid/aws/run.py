"""``mangavid run`` on AWS: an execution is started, unless one is at work."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mangavid import keys, yamlfile
from mangavid.aws import inbox, open_target
from mangavid.aws.objects import S3Objects
from mangavid.config import Config
from mangavid.errors import Locked
from mangavid.ports import Change, Execution, Target
from mangavid.protocol import FINISHED
from mangavid.quota import quota_day
from mangavid.states.fetcher import LEFT, job_of_found


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
    name = f"run-{target.clock.now():%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
    if not chapters:
        return Started(target, target.executions.describe(target.executions.start(name, {})), now=True)
    assert isinstance(target.objects, S3Objects)
    sources = [inbox.put(target.objects, Path(one), yamlfile.plain) for one in chapters]
    wanted, existing, remake = _sort_out(target, sources, again=again)
    if not wanted:
        return Started(target, None, now=False, existing=tuple(existing))
    stamp = target.clock.now()
    target.jobs.change(
        Change(
            key=keys.run_item(name),
            set={
                "name": name,
                "started_at": stamp.isoformat(timespec="microseconds"),
                "quota_day": quota_day(stamp),
                "sources": wanted,
                # Making files does not use the day's quota.
                "counted": config.publisher.kind != "folder",
            },
            add={"again": remake} if remake else {},
        )
    )
    execution = target.executions.describe(target.executions.start(name, {}))
    return Started(target, execution, now=True, existing=tuple(existing))


def _sort_out(target: Target, sources: Sequence[str], *, again: bool) -> tuple[list[str], list[str], list[str]]:
    """Of the chapters: the sources to make, the jobs that have their video already, the jobs to make anew."""
    wanted: list[str] = []
    existing: list[str] = []
    remake: list[str] = []
    for found in target.source({"sources": list(sources)}).find():
        job_id = job_of_found(found)
        item = target.jobs.get(keys.job_item(job_id)) or {}
        finished = item.get("status") in FINISHED
        changed = bool(found.version and item.get("version")) and found.version != item["version"]
        if finished and not again and not changed:
            existing.append(job_id)
            continue
        if finished or (again and item and item.get("status") not in LEFT):
            remake.append(job_id)
        wanted.append(found.ref)
    return wanted, existing, remake
