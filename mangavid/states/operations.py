"""What an operator asks of the jobs table: the quota, the jobs and executions as they stand, a failed job again.

Over ports only, so that the answers are the same for every target. Nothing here starts anything: ``retry`` puts a job
back so that the next run takes it up.

Which quota is in force: the one ``quota_set`` stored, else the setting ``quota.daily``. The stored one wins because it
is in the table that every function of the pipeline reads: an operator changes it in a second, without a deployment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal, get_args

import msgspec

from mangavid import keys, protocol
from mangavid.config import Config
from mangavid.errors import BadInput, ConditionFailed, ConfigError, SourceNotFound, UsageError
from mangavid.models import JobState
from mangavid.ports import Change, Clause, Clock, Execution, Executions, Item, Jobs, Target
from mangavid.quota import next_reset, quota_day

SETTINGS = keys.quota_item("settings")
LIMIT_MAX = 100
FAILED = ("failed", "quarantined", "interrupted")
"""Statuses that ``retry`` takes."""
_ENDED_BY_FAILURES = "Aborted"
"""What the state machine's Fail state is called."""
BEGINNING = 6
"""Signs that say which job is meant; fewer fit one by accident."""
SECRET = ("token", "session_uri")
"""Fields of a job that let whoever holds them act on it: never shown."""


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """The quota of today's quota day. ``resets_at`` is aware. ``inserts`` is what YouTube itself counts."""

    day: str
    used: int
    limit: int
    limit_from: Literal["quota set", "setting"]
    left: int
    excluded: int
    exhausted: bool
    inserts: int
    jobs: tuple[str, ...]
    resets_at: datetime


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """An execution with what its run made."""

    name: str
    arn: str
    status: str
    started: datetime
    stopped: datetime | None
    sources: tuple[str, ...]
    made: tuple[str, ...]
    failed: tuple[str, ...]
    skipped: str
    error: str
    cause: str


# --- the quota ------------------------------------------------------------------------------------------------------


def quota_view(jobs: Jobs, config: Config, clock: Clock) -> Quota:
    """The quota as it stands now."""
    now = clock.now()
    today = quota_day(now)
    day = jobs.get(keys.quota_item(today)) or {}
    stored = (jobs.get(SETTINGS) or {}).get("daily")
    limit = config.quota.daily if stored is None else int(stored)
    used = protocol.count(day)
    exhausted = bool(day.get("exhausted"))
    return Quota(
        day=today,
        used=used,
        limit=limit,
        limit_from="setting" if stored is None else "quota set",
        left=0 if exhausted else max(0, limit - used),
        excluded=len(frozenset(day.get("excluded", ()))),
        exhausted=exhausted,
        inserts=int(day.get("inserts", 0)),
        jobs=tuple(sorted(frozenset(day.get("jobs", ())) - frozenset(day.get("excluded", ())))),
        resets_at=next_reset(now),
    )


def quota_reset(jobs: Jobs, config: Config, clock: Clock) -> Quota:
    """Count today from nought: the jobs counted so far are excluded by name, and the day is no longer marked used up.

    A video that is counted meanwhile stays counted. YouTube's own count of insert calls is not ours to reset.
    """
    key = keys.quota_item(quota_day(clock.now()))
    counted = sorted((jobs.get(key) or {}).get("jobs", ()))
    jobs.change(Change(key=key, set={"exhausted": False}, add={"excluded": counted} if counted else {}))
    return quota_view(jobs, config, clock)


def quota_set(jobs: Jobs, config: Config, clock: Clock, daily: int | None) -> Quota:
    """Store the channel's videos a day, or with None go back to the setting. Raises UsageError out of range."""
    if daily is None:
        jobs.change(Change(key=SETTINGS, remove=["daily"]))
    elif 1 <= daily <= LIMIT_MAX:
        jobs.change(Change(key=SETTINGS, set={"daily": daily}))
    else:
        raise UsageError(f"a quota of {daily}: it must be from 1 to {LIMIT_MAX}", hint="mangavid quota set 3")
    return quota_view(jobs, config, clock)


# --- jobs -----------------------------------------------------------------------------------------------------------


def job_rows(jobs: Jobs) -> Iterator[Item]:
    """The job items, without what must not be shown: those at work or ready first, then failed, waiting, finished ones.

    Each newest change first. Read as they are asked for: who takes twenty of ten thousand does not read the rest.
    """
    finished = (*protocol.FINISHED, "withdrawn")
    waiting = ("awaiting_upload",)
    ready = tuple(state for state in get_args(JobState) if state not in (*FAILED, *waiting, *finished))
    # All are asked for before any is read: from AWS, their first pages come at the same time.
    return _rows([jobs.by_status(*group) for group in (ready, FAILED, waiting, finished)])


def _rows(groups: Sequence[Iterator[Item]]) -> Iterator[Item]:
    seen: set[str] = set()
    for group in groups:
        for item in group:
            if item["job_id"] not in seen:  # it may go from one to another meanwhile
                seen.add(str(item["job_id"]))
                yield shown(item)


def shown(item: Item) -> Item:
    return {field: value for field, value in item.items() if field not in SECRET and field != "key"}


def in_words(item: Item) -> str:
    """A job's status for a person. ``ready``: a run works on it, or the next one will."""
    match str(item["status"]):
        case "uploaded" | "cleaned":
            return "done"
        case "quarantined":
            return f"failed {item.get('attempts') or protocol.MAX_ATTEMPTS} times"
        case "awaiting_upload":
            return "waiting for quota"
        case "withdrawn":
            return "taken down"
        case ("failed" | "interrupted") as status:
            return status
        case _:
            return "ready"


def find_job(jobs: Jobs, name: str, *, exact: bool = False) -> Item | None:
    """The job of this id, or the only one whose id begins so: with whole words of it, or at least ``BEGINNING`` signs.

    ``exact``: only the first, which is a single look. Raises UsageError where several begin so.
    """
    item = jobs.get(keys.job_item(name)) if keys.JOB_ID.fullmatch(name) else None
    if item is not None and "status" in item:
        return shown(item)
    if exact:
        return None
    job_id = _one("jobs", name, [one for one in jobs.named(name) if _begins(one, name)] if name else [])
    item = jobs.get(keys.job_item(job_id)) if job_id else None
    return shown(item) if item else None


def _begins(job_id: str, name: str) -> bool:
    return len(name) >= BEGINNING or f"{job_id}-".startswith(f"{name.rstrip('-')}-")


def _one(what: str, name: str, found: list[str]) -> str | None:
    """The only name found, or None. Raises UsageError where there are several."""
    if len(found) > 1:
        names = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
        raise UsageError(f"{name} fits {len(found)} {what}: {names}", hint="give more of the name")
    return found[0] if found else None


def last_good(item: Item) -> str:
    """The status that a job's newest product stands for."""
    for field, status in (("rendered", "rendered"), ("speech_key", "voiced"), ("script_key", "scripted")):
        if item.get(field):
            return status
    return "fetched" if item.get("pages") else "claimed"


def retry(jobs: Jobs, clock: Clock, name: str) -> Item:
    """Put a failed, quarantined or interrupted job back to its last good product, for the next run to take up.

    A quarantined one gets its attempts back. Returns the job as it is now. Raises SourceNotFound where there is no such
    job, BadInput where it is in no state to be retried, UsageError where the name is not clear.
    """
    job = find_job(jobs, name)
    if job is None:
        raise SourceNotFound(f"no job {name}", hint="mangavid status lists the jobs")
    status = str(job["status"])
    if status not in FAILED:
        raise BadInput(f"{job['job_id']} has not failed: it is {in_words(job)}", hint=_instead(job))
    change = Change(
        key=keys.job_item(str(job["job_id"])),
        set={
            "status": last_good(job),
            "updated_at": clock.now().isoformat(timespec="microseconds"),
            "stalled": 0,
            **({"attempts": 0} if status == "quarantined" else {}),
        },
        remove=["error", "cause", "failed_in", "not_before", "last_interruption"],
        when=[(Clause("status", "eq", status),)],
    )
    try:
        return shown(jobs.change(change)[0])
    except ConditionFailed:
        raise BadInput(f"{job['job_id']} has changed at this moment", hint="mangavid status shows it") from None


def retry_failed(jobs: Jobs, clock: Clock) -> list[Item]:
    """``retry`` of every job that it takes."""
    return [retry(jobs, clock, str(item["job_id"])) for item in list(jobs.by_status(*FAILED))]


def withdraw(target: Target, name: str, *, delete: bool) -> tuple[Item, str]:
    """Take a job's video out of sight, or delete it, and block its chapter; the job as it is then, and what was done.

    The chapter is blocked first: whatever becomes of the video, no run makes it again. Whoever may still be at work for
    a run that has ended (a function, an uploader not yet told) is fenced off: neither brings it back. Raises BadInput
    where a run is at work on it, ConfigError where it was published elsewhere, and what the publisher raises.
    """
    key = keys.job_item(name)
    item = target.jobs.get(key) or {}
    owner = str(item.get("execution", ""))
    free = (*protocol.FINISHED, *FAILED, "withdrawn", "awaiting_upload")
    if item.get("status") not in free and owner and _described_as_running(target.executions, owner):
        raise BadInput(f"{name} is being made right now", hint=f"mangavid stop, then mangavid takedown {name}")
    stamp = target.clock.now().isoformat(timespec="microseconds")
    blocked = Change(
        key=key,
        set={"status": "withdrawn", "execution": "", "updated_at": stamp},
        plus={"epoch": 1},
        when=[(Clause("status", "eq", item.get("status")),)],
    )
    try:
        (item,) = target.jobs.change(blocked)
    except ConditionFailed:
        raise BadInput(f"{name} has changed at this moment", hint="the same command again") from None
    if not item.get("video_id"):
        return shown(item), "It has no video that was published"
    # In files a job's video has the job's own id; one publisher's id means nothing to another, or something else.
    kind = "folder" if item["video_id"] == name else "youtube"
    if kind != target.config.publisher.kind:
        raise ConfigError(
            f"{name} is blocked, but its video was published with publisher.kind: {kind}, and the setting is"
            f" {target.config.publisher.kind} now",
            hint=f"MANGAVID_PUBLISHER_KIND={kind} mangavid takedown {name}",
        )
    return shown(item), target.publisher().withdraw(str(item["video_id"]), delete=delete)


def allow_again(target: Target, name: str) -> Item:
    """Let a chapter that was blocked be made again: as one that failed. Raises BadInput where it is not blocked."""
    stamp = target.clock.now().isoformat(timespec="microseconds")
    old = (target.jobs.get(keys.job_item(name)) or {}).get("video_id")
    change = Change(
        key=keys.job_item(name),
        set={"status": "failed", "updated_at": stamp, "error": "", "cause": "it was taken down, and allowed again"},
        remove=["video_id", "published", "quota_day", "session_uri", "session_sha256", "steps"],
        add={"replaced": [str(old)]} if old else {},
        when=[(Clause("status", "eq", "withdrawn"),)],
    )
    try:
        return shown(target.jobs.change(change)[0])
    except ConditionFailed:
        raise BadInput(f"{name} is not taken down", hint=f"mangavid status {name}") from None


def _described_as_running(executions: Executions, arn: str) -> bool:
    found = _described(executions, arn)
    return found is not None and found.status == "RUNNING"


def retry_run(jobs: Jobs, executions: Executions, clock: Clock, execution: Execution) -> list[Item]:
    """Take up what an execution left: one that was stopped or broke goes on in the state where it ended (redrive).

    One that came to its own end would only end again: of it, the jobs that failed are put back, and returned. Raises
    BadInput where it runs, or left nothing.
    """
    if execution.status == "RUNNING":
        raise BadInput(f"{execution.name} has not ended", hint="mangavid run goes on with it, unless it is at work now")
    if execution.status != "SUCCEEDED" and execution.error != _ENDED_BY_FAILURES:
        executions.redrive(execution.arn)
        return []
    failed = sorted((jobs.get(keys.run_item(execution.name)) or {}).get("failed", ()))
    again = [name for name in failed if (jobs.get(keys.job_item(name)) or {}).get("status") in FAILED]
    if not again:
        raise BadInput(f"of {execution.name} nothing is left to try again", hint="mangavid run begins a new run")
    return [retry(jobs, clock, name) for name in again]


def _instead(job: Item) -> str:
    status = job["status"]
    if status in protocol.FINISHED:
        return "mangavid run CHAPTER --again makes it anew"
    if status == "withdrawn":
        return f"mangavid takedown {job['job_id']} --undo lets it be made again"
    if status == "awaiting_upload":
        return "its video is rendered and is published first once the quota resets: mangavid quota"
    return "mangavid run goes on with it, unless a run is at work on it now"


# --- executions -----------------------------------------------------------------------------------------------------


def runs(jobs: Jobs, executions: Executions) -> Iterator[Run]:
    """The executions, newest first, each with what its run made. Read as they are asked for."""
    return _runs(jobs, jobs.runs(), executions.list())


def _runs(jobs: Jobs, known: Iterator[Item], listed: Iterator[Execution]) -> Iterator[Run]:
    items: dict[str, Item] = {}
    for execution in listed:
        key = keys.run_item(execution.name)
        # Both are newest first, so a run's item is among the next few; one out of order is asked for by itself.
        for item in islice(known, 2 if key not in items else 0):
            items[str(item["key"])] = item
        yield run_of(execution, items.pop(key, {}) or jobs.get(key) or {})


def run_of(execution: Execution, item: Item) -> Run:
    """An execution and its run's item as one; the failure that ended a run says more than that it was ended."""
    own = execution.error not in (None, "", _ENDED_BY_FAILURES)
    return Run(
        name=execution.name,
        arn=execution.arn,
        status=execution.status,
        started=execution.started,
        stopped=execution.stopped,
        sources=tuple(item.get("sources", ())),
        made=tuple(sorted(item.get("made", ()))),
        failed=tuple(sorted(item.get("failed", ()))),
        skipped=str(item.get("skipped", "")),
        error=str((own and execution.error) or item.get("last_error") or execution.error or ""),
        cause=str((own and execution.cause) or item.get("last_cause") or execution.cause or ""),
    )


def find_execution(executions: Executions, name: str, *, exact: bool = False) -> Execution | None:
    """The execution by ``last``, ARN, name, or the only one whose name begins or ends so.

    ``exact``: not by how its name begins or ends, which lists all there are. Raises UsageError where several fit.
    """
    if name.startswith("arn:"):
        return _described(executions, name)
    last = next(executions.list(), None)
    if last is None or name == "last":
        return last and executions.describe(last.arn)
    found = _described(executions, f"{last.arn.rpartition(':')[0]}:{name}") if name else None
    if found is not None or exact:
        return found
    # Years of executions may be listed: only those that fit are kept.
    fits = {
        one.name: one for one in executions.list() if name and (one.name.startswith(name) or one.name.endswith(name))
    }
    only = _one("executions", name, list(fits))
    return executions.describe(fits[only].arn) if only else None


def _described(executions: Executions, arn: str) -> Execution | None:
    try:
        return executions.describe(arn)
    except SourceNotFound:
        return None
