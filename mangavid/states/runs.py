"""The run's item and the quota facts that states pass on."""

from __future__ import annotations

from typing import Any

from mangavid import keys, protocol
from mangavid.ports import Item, Target
from mangavid.quota import quota_day

Event = dict[str, Any]
Result = dict[str, Any]


def now(target: Target) -> str:
    """The time as it is stored: ISO 8601, UTC, whole microseconds, so that text order is time order."""
    return target.clock.now().isoformat(timespec="microseconds")


def run_of(target: Target, event: Event) -> Item:
    """The RUN# item of the execution an event comes from; an empty one where there is none yet."""
    return target.jobs.get(keys.run_item(event["run"])) or {}


def current_job(target: Target, run: Item) -> str:
    """The chapter this run took and has not ended, or nothing. One that is published has ended, counted or not."""
    current = str(run.get("current", ""))
    if not current or current in frozenset(run.get("made", ())) | frozenset(run.get("failed", ())):
        return ""
    item = target.jobs.get(keys.job_item(current)) or {}
    return "" if item.get("status") in protocol.FINISHED else current


def daily_limit(target: Target) -> int:
    """The quota in force: what ``mangavid quota set`` stored, else the setting."""
    stored = target.jobs.get(keys.quota_item("settings")) or {}
    return int(stored.get("daily", target.config.quota.daily))


def facts(target: Target, run: Item, *, next_step: str | None = None) -> Result:
    """``quota_reached daily_count daily_quota next``, as CheckQuota, IncrementCounter and HandleError return them.

    A run that makes files from named sources has its sources for a quota.
    """
    today = quota_day(target.clock.now())
    if run.get("counted", True):
        day = target.jobs.get(keys.quota_item(str(run.get("quota_day", today)))) or {}
        done, limit = protocol.count(day), daily_limit(target)
        reached = done >= limit or bool(day.get("exhausted"))
    else:
        done, limit = len(run.get("made", ())), max(1, len(run.get("sources", ())))
        reached = False
    step = next_step or protocol.next_step(run, quota=limit, today=today)
    return {"quota_reached": reached, "daily_count": done, "daily_quota": limit, "next": step}
