"""Strands: threads of which one runs at a time, on a clock that jumps to when the next one wakes.

What runs is plain blocking code (the engine, a worker, its heartbeat thread); where it would wait it parks its strand.
The order is told by the clock alone, so that a scenario is played the same every time.
"""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

#: More turns than any scenario takes: something wakes itself without end.
_MOST_TURNS = 200_000


class Killed(BaseException):
    """Ends a strand where it parks. No handler of the code under test catches it."""


class Strand:
    def __init__(self, strands: Strands, name: str, work: Callable[[], object]) -> None:
        self._strands = strands
        self._work = work
        self.name = name
        self.go = threading.Semaphore(0)
        #: Counts its waits: what would wake it from an earlier one is out of date.
        self.wait = 0
        self.over = False
        self.killed = False
        self._joining: list[Strand] = []
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def _run(self) -> None:
        self.go.acquire()
        try:
            if not self.killed:
                self._work()
        except Killed:
            pass
        except BaseException as problem:
            problem.add_note(f"in the strand {self.name}")
            self._strands.broken = problem
        finally:
            self.over = True
            for one in self._joining:
                self._strands.wake(one)
            self._strands.back.release()

    def join(self) -> None:
        while not self.over:
            self._joining.append(self._strands.current)
            self._strands.park(None)

    def kill(self) -> None:
        """It has no more effects. One that kills itself goes on until it parks."""
        self.killed = True
        if not self.over:
            self._strands.wake(self)


class Strands:
    """``ports.Clock`` for everything that runs on a strand."""

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.time = start
        self.back = threading.Semaphore(0)
        self.broken: BaseException | None = None
        #: Whose turn it is; None between two turns.
        self.running: Strand | None = None
        self._queue: list[tuple[datetime, int, Strand, int]] = []
        self._order = itertools.count()
        self._all: list[Strand] = []

    # --- the clock ---

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - self.start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.park(self.time + timedelta(seconds=seconds))

    # --- strands ---

    @property
    def current(self) -> Strand:
        assert self.running is not None, "only a strand may wait"
        return self.running

    def spawn(self, name: str, work: Callable[[], object]) -> Strand:
        strand = Strand(self, name, work)
        self._all.append(strand)
        self.wake(strand)
        return strand

    def wake(self, strand: Strand) -> None:
        self._plan(self.time, strand)

    def park(self, until: datetime | None) -> None:
        """Let others run until then, or until somebody wakes this strand."""
        strand = self.current
        if strand.killed:
            raise Killed
        strand.wait += 1
        if until is not None:
            self._plan(until, strand)
        self.back.release()
        strand.go.acquire()
        if strand.killed:
            raise Killed

    def run(self) -> None:
        """Until nobody is left who will wake by himself. Raises what a strand died of."""
        for _ in range(_MOST_TURNS):
            if not self._queue:
                return
            at, _, strand, wait = heapq.heappop(self._queue)
            if strand.over or wait != strand.wait:
                continue
            self.time = max(self.time, at)
            self.running = strand
            strand.go.release()
            self.back.acquire()
            self.running = None
            if self.broken is not None:
                raise self.broken
        raise AssertionError(f"strands without end at {self.time}: {[one.name for one in self._all if not one.over]}")

    def close(self) -> None:
        """End all that are left."""
        for strand in self._all:
            strand.kill()
        self.broken = None
        while any(not strand.over for strand in self._all):
            self.run()

    def _plan(self, at: datetime, strand: Strand) -> None:
        heapq.heappush(self._queue, (at, next(self._order), strand, strand.wait))


class Flag:
    """``threading.Event`` between strands. ``coarse``: the least that a timed wait takes, which saves turns."""

    def __init__(self, strands: Strands, coarse: float = 0.0) -> None:
        self._strands = strands
        self._coarse = coarse
        self._set = False
        self._waiting: list[Strand] = []

    def set(self) -> None:
        self._set = True
        for one in self._waiting:
            self._strands.wake(one)
        self._waiting.clear()

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float) -> bool:
        if not self._set:
            mine = self._strands.current
            self._waiting.append(mine)
            self._strands.sleep(max(timeout, self._coarse))
            if mine in self._waiting:
                self._waiting.remove(mine)
        return self._set
