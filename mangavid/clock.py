"""The real clock: the one place that reads time and sleeps."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """``ports.Clock``."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the Clock

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: TID251 - this is the Clock
