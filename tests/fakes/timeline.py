"""A clock that jumps: what is planned happens in order, and waiting goes straight to the next thing planned."""

from __future__ import annotations

import functools
import heapq
import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from mangavid.local.engine.tasks import Call, Outcome, Pending

Plan = Sequence[tuple[float, Outcome]]


class Timeline:
    """``ports.Clock``, and an Engine's ``idle``."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)) -> None:
        self.start = start
        self.time = start
        self._plans: list[tuple[datetime, int, Callable[[], object]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - self.start).total_seconds()

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        heapq.heappush(self._plans, (self.time + timedelta(seconds=seconds), next(self._order), action))

    def sleep(self, seconds: float) -> None:
        """Everything planned until then happens first."""
        until = self.time + timedelta(seconds=seconds)
        while self._plans and self._plans[0][0] <= until:
            self._step()
        self.time = until

    def idle(self, seconds: float | None) -> None:
        """To the next thing planned, or by ``seconds`` where that is sooner."""
        until = None if seconds is None else self.time + timedelta(seconds=seconds, microseconds=1)
        if self._plans and (until is None or self._plans[0][0] <= until):
            self._step()
        elif until is not None:
            self.time = until
        else:
            raise AssertionError("nothing is planned and no timer is set: this would wait for ever")

    def _step(self) -> None:
        at, _, action = heapq.heappop(self._plans)
        self.time = max(self.time, at)
        action()


class Planned:
    """A call whose outcomes arrive at planned times."""

    def __init__(self, timeline: Timeline, plan: Plan) -> None:
        self._arrived: list[Outcome] = []
        self.abandoned = False
        for seconds, outcome in plan:
            if seconds <= 0:
                self._arrived.append(outcome)
            else:
                timeline.after(seconds, functools.partial(self._arrived.append, outcome))

    def poll(self) -> Outcome | None:
        return self._arrived.pop(0) if self._arrived else None

    def abandon(self) -> None:
        self.abandoned = True


class PlannedTasks:
    """``tasks.Tasks``: ``plan`` says what comes of each call, and when. ``calls`` is the ledger."""

    def __init__(self, timeline: Timeline, plan: Callable[[Call], Plan]) -> None:
        self._timeline = timeline
        self._plan = plan
        self.calls: list[Call] = []

    def supports(self, resource: str) -> bool:
        return True

    def begin(self, call: Call) -> Pending:
        self.calls.append(call)
        return Planned(self._timeline, self._plan(call))
