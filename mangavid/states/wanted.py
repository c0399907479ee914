"""What a person who names chapters wants made, and the item of the run that makes it; the same for every target."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mangavid import keys
from mangavid.errors import BadInput
from mangavid.ports import Change, Found, Item, Target
from mangavid.products import job_of_found
from mangavid.protocol import FINISHED
from mangavid.quota import quota_day
from mangavid.states.fetcher import LEFT


@dataclass
class Wanted:
    """Of the chapters named: ``sources`` to make, jobs that have their video already, jobs to make anew."""

    sources: list[str] = field(default_factory=list)
    existing: list[str] = field(default_factory=list)
    remake: list[str] = field(default_factory=list)


def sort_out(
    target: Target,
    named: Iterable[Found],
    *,
    again: bool,
    taken: Iterable[str] = (),
    there: Callable[[Item], bool] = lambda _item: True,
    note: Callable[[str], None] = lambda _text: None,
) -> Wanted:
    """``taken``: jobs made in this go already; ``there``: whether a finished job's video is where it should be.

    Of one that is unfinished nothing need be thrown away for ``again``: only what is made of the same inputs is used
    again. One that was taken down is left out; raises BadInput where there is no other.
    """
    wanted = Wanted()
    blocked = ""
    taken = frozenset(taken)
    for found in named:
        job_id = job_of_found(found)
        if job_id in taken:
            continue
        item = target.jobs.get(keys.job_item(job_id)) or {}
        if item.get("status") == "withdrawn":
            note(f"{found.title} was taken down: it is not made again")
            blocked = job_id
            continue
        finished = item.get("status") in FINISHED
        if finished and not again:
            if not changed(found, item) and there(item):
                wanted.existing.append(job_id)
                continue
            note(f"{found.title} has changed since its video was made, or that is gone: it is made anew")
        if finished or (again and item and item.get("status") not in LEFT):
            wanted.remake.append(job_id)
        wanted.sources.append(found.ref)
    if blocked and not (wanted.sources or wanted.existing or taken):
        raise BadInput(
            f"{blocked} was taken down: it is not made again",
            hint=f"mangavid takedown {blocked} --undo lets it be made",
        )
    return wanted


def changed(found: Found, job: Item) -> bool:
    """Whether a chapter, or its narration, is another than when it was taken in."""
    return bool(found.version and job.get("version")) and found.version != job["version"]


def run_name(now: datetime) -> str:
    """A name for an execution that a person starts."""
    return f"run-{now:%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"


def open_run(target: Target, sources: Sequence[str] = (), *, again: Sequence[str] = ()) -> str:
    """Write the item of a run that is about to be started; its name. Making files does not use the day's quota."""
    stamp = target.clock.now()
    name = run_name(stamp)
    target.jobs.change(
        Change(
            key=keys.run_item(name),
            set={
                "name": name,
                "started_at": stamp.isoformat(timespec="microseconds"),
                "quota_day": quota_day(stamp),
                "sources": list(sources),
                "counted": not sources or target.config.publisher.kind != "folder",
            },
            add={"again": list(again)} if again else {},
        )
    )
    return name
