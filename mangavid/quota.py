"""The quota day: YouTube's day, midnight to midnight in America/Los_Angeles (a fixed UTC-8 is wrong in summer)."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

PACIFIC = ZoneInfo("America/Los_Angeles")


def quota_day(now: datetime) -> str:
    """The quota day an aware time falls in, as ``YYYY-MM-DD``."""
    if now.tzinfo is None:
        raise ValueError("quota_day needs an aware time")
    return now.astimezone(PACIFIC).date().isoformat()


def next_reset(now: datetime) -> datetime:
    """The next midnight Pacific after ``now``, aware. Days of 23 and 25 hours come out right."""
    local = now.astimezone(PACIFIC)
    tomorrow = local.date() + timedelta(days=1)
    return datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=PACIFIC)
