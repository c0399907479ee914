"""CheckQuota: is any of the day's quota left, and is no other execution at work?"""

from __future__ import annotations

from mangavid import keys
from mangavid.errors import ConditionFailed, SourceNotFound
from mangavid.ports import Change, Clause, Target
from mangavid.quota import quota_day
from mangavid.states.runs import Event, Result, facts, now, run_of


def handle(target: Target, event: Event) -> Result:
    """Opens the run's item, pins its quota day and takes the lock. A loser of the lock reports the quota as reached."""
    _open_run(target, event)
    run = run_of(target, event)
    if not _lock(target, event["execution"]):
        target.jobs.change(Change(key=keys.run_item(event["run"]), set={"skipped": "another execution is at work"}))
        return {**facts(target, run), "quota_reached": True, "next": "done"}
    return facts(target, run, next_step="continue")


def _open_run(target: Target, event: Event) -> None:
    stamp = now(target)
    opened = Change(
        key=keys.run_item(event["run"]),
        set={
            "name": event["run"],
            "execution": event["execution"],
            "started_at": stamp,
            "quota_day": quota_day(target.clock.now()),
        },
        when=[(Clause("execution", "absent"),)],
    )
    try:
        target.jobs.change(opened)
    except ConditionFailed:
        return


def _lock(target: Target, execution: str) -> bool:
    """One execution at a time. A lock is stolen only from an owner that no longer runs: no clocks compared."""
    mine = {"owner": execution}
    try:
        target.jobs.change(
            Change(key=keys.LOCK, set=mine, when=[(Clause("owner", "absent"), Clause("owner", "eq", execution))])
        )
        return True
    except ConditionFailed as held:
        owner = str((held.current or {}).get("owner", ""))
    if _running(target, owner):
        return False
    try:
        target.jobs.change(Change(key=keys.LOCK, set=mine, when=[(Clause("owner", "eq", owner),)]))
    except ConditionFailed:
        return False
    return True


def _running(target: Target, execution: str) -> bool:
    try:
        return target.executions.describe(execution).status == "RUNNING"
    except SourceNotFound:
        return False
