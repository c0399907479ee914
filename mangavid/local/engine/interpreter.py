"""Drives executions: asks the rules what follows, makes it durable, calls the tasks, keeps the timers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from random import Random, SystemRandom
from typing import Any

from mangavid import faults
from mangavid.errors import Locked
from mangavid.local.engine import definition as definitions
from mangavid.local.engine.cursor import MAX_EVENTS, Cursor, Facts, Transition
from mangavid.local.engine.journal import MACHINE_ARN, ROLE_ARN, Journal, Seen
from mangavid.local.engine.rules import Rules
from mangavid.local.engine.tasks import Call, Handler, LambdaTasks, Pending, Raised, Returned, Submitted, Tasks
from mangavid.ports import Clock, Execution, Item

#: How long an answered token waits for the call that handed it out to return, so that its TaskSubmitted stands in the
#: history as it does on AWS. A call that hangs longer is left.
GRACE = 10.0
_LONGEST_NAP = 0.05
#: No transition makes more events than this.
_MOST_AT_ONCE = 3

OnEvent = Callable[[Item], None]
#: Waits until something may have happened, at most the seconds given (None: no timer is set).
Idle = Callable[[float | None], None]


class Engine:
    """Runs one state machine on the journal at a path. ``tasks`` are Lambda handlers by function name, or anything
    that speaks the protocol of ``tasks.Tasks``.

    ``idle`` replaces the polling nap (up to 50 ms on the clock) where the caller knows when something happens next: a
    virtual clock jumps there. ``random`` makes tokens, jitter and UUIDs; give a seeded one for a run that repeats.
    Raises UnsupportedDefinition, see ``definition.load``.
    """

    def __init__(
        self,
        journal: Path,
        definition: Mapping[str, Any],
        clock: Clock,
        tasks: Tasks | Mapping[str, Handler],
        *,
        random: Random | None = None,
        idle: Idle | None = None,
        strict: bool = True,
        machine_arn: str = MACHINE_ARN,
        role_arn: str = ROLE_ARN,
    ) -> None:
        self._strict = strict
        self._random = random or SystemRandom()
        self._tasks: Tasks = LambdaTasks(tasks, random=self._random) if isinstance(tasks, Mapping) else tasks
        self._load(dict(definition))
        self._definition = definition
        self._clock = clock
        self._idle = idle
        self._journal = Journal(journal, machine_arn=machine_arn, role_arn=role_arn)

    def _load(self, definition: dict[str, Any]) -> definitions.Machine:
        return definitions.load(definition, strict=self._strict, supports=self._tasks.supports)

    def start(self, name: str, input: Mapping[str, Any]) -> str:
        """Record an execution, for ``run`` to drive. The same name and input: the same ARN. Raises UsageError."""
        return self._journal.start(name, input, self._definition, self._clock.now())

    def stop(self, arn: str, *, error: str = "", cause: str = "") -> None:
        """Abort it, from any process. Raises SourceNotFound."""
        self._journal.stop(arn, error, cause, self._clock.now())

    def redrive(self, arn: str) -> None:
        """Put an unsuccessful execution back to the state it ended in, for ``run`` to drive. Raises UsageError."""
        self._journal.redrive(arn, self._clock.now())

    def expire(self, token: str) -> None:
        """Bring a heartbeat's expiry forward: the worker that held the token is known to be dead. Raises LeaseLost."""
        self._journal.expire(token)

    def describe(self, arn: str) -> Execution:
        """Raises SourceNotFound."""
        return self._journal.describe(arn)

    def list(self, *, status: str | None = None) -> Iterator[Execution]:
        """Newest first."""
        return self._journal.list(status)

    def history(self, arn: str, *, reverse: bool = False) -> Iterator[Item]:
        """Raises SourceNotFound."""
        return self._journal.history(arn, reverse=reverse)

    def retry_due(self, arn: str) -> datetime | None:
        """When the state it is in will be tried again; None where it does not wait for that. Raises SourceNotFound."""
        cursor = self._journal.cursor(arn)
        waits = cursor.phase == "retry" and cursor.due is not None
        return datetime.fromtimestamp(cursor.due or 0.0, UTC) if waits else None

    def run(
        self,
        arn: str,
        *,
        on_event: OnEvent | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> Execution:
        """Drive an execution until it ends, however often its driver died before; how it stands then.

        ``on_event`` gets each event when it is durable. Where ``should_stop`` says so, or on KeyboardInterrupt, the
        execution is left RUNNING, to be run again. Raises Locked where another process takes over.
        """
        driver = secrets.token_hex(8)
        cursor, facts, definition = self._journal.take(arn, driver)
        drive = _Drive(self, self._load(definition), cursor, facts, driver, on_event)
        try:
            drive.until_over(should_stop or (lambda: False))
        finally:
            drive.abandon()
        return self._journal.describe(arn)


class _Drive:
    """One process's driving of one execution."""

    def __init__(
        self,
        engine: Engine,
        machine: definitions.Machine,
        cursor: Cursor,
        facts: Facts,
        driver: str,
        on_event: OnEvent | None,
    ) -> None:
        self.clock, self.journal, self.tasks = engine._clock, engine._journal, engine._tasks
        self.idle = engine._idle or self._nap
        self.machine = machine
        self.rules = Rules(machine, facts, engine._random)
        self.arn = facts.arn
        self.cursor = cursor
        self.driver = driver
        self.on_event = on_event
        #: Events up to here were told by an earlier drive; a new execution's first was told by nobody.
        self.told = cursor.last if cursor.last > 1 else 0
        self.pending: Pending | None = None
        #: A call has just begun, and may have answered already: look again before waiting.
        self.begun = False
        self.answered_since: float | None = None
        self.nap = 0.001

    def until_over(self, should_stop: Callable[[], bool]) -> None:
        while not should_stop():
            seen = self.journal.look(self.arn, self.cursor.token)
            if seen.driver != self.driver:
                raise Locked("another process has taken over this execution", hint="mangavid status shows how it goes")
            if seen.status != "RUNNING":
                self._tell()
                return
            step = self._next(seen)
            if step is None:
                if not self.begun:
                    self._wait()
                self.begun = False
                continue
            self.nap = 0.001
            if not self._commit(step):
                return

    def abandon(self) -> None:
        if self.pending is not None:
            self.pending.abandon()
            self.pending = None

    def _next(self, seen: Seen) -> Transition | None:
        """What follows now, or None where there is nothing but to wait."""
        now = self.clock.now()
        at = now.timestamp()
        cursor = self.cursor
        if cursor.last >= MAX_EVENTS - _MOST_AT_ONCE:
            return self.rules.overflowing(cursor)
        if cursor.phase in ("task", "submitted"):
            step = self._of_task(seen)
            if step is not None:
                return step
        if cursor.expires is not None and at >= cursor.expires:
            return self.rules.expired(cursor)
        match cursor.phase:
            case "enter":
                return self.rules.enter(cursor, now)
            case "wait" | "retry":
                return self.rules.due(cursor, now) if cursor.due is not None and at >= cursor.due else None
        if seen.beats > cursor.beats:
            return self.rules.beat(cursor, seen.beats, now)
        late = seen.expired or _past(cursor.heartbeat, at) or _past(cursor.timeout, at)
        return self.rules.timed_out(cursor, now) if late and seen.answer is None else None

    def _of_task(self, seen: Seen) -> Transition | None:
        """An answer or an outcome, whichever counts. An answer that came stands, whatever the call then did."""
        now, cursor = self.clock.now(), self.cursor
        resource = self.machine.resources[cursor.state]
        calling = cursor.phase == "task" or resource.waits_for_job
        if calling and self.pending is None:
            self.pending = self._begin(cursor)
            self.begun = True
        outcome = self.pending.poll() if calling and self.pending is not None else None
        match outcome:
            case Submitted(output) if cursor.phase == "task":
                return self.rules.submitted(cursor, output)
            case Returned(output) if resource.waits_for_token:
                return self.rules.submitted(cursor, output)
            case Returned(output):
                return self.rules.succeeded(cursor, output, now)
            case Raised(error, cause, step) if seen.answer is None:
                return self.rules.failed(cursor, error, cause, now, step)
        if seen.answer is not None and (isinstance(outcome, Raised) or self._ripe()):
            return self.rules.answered(cursor, seen.answer, now)
        return None

    def _ripe(self) -> bool:
        """Whether an answer is taken now: at once after the submission, else when the call had its grace."""
        if self.cursor.phase == "submitted":
            return True
        since = self.clock.monotonic()
        if self.answered_since is None:
            self.answered_since = since
        return since - self.answered_since >= GRACE

    def _begin(self, cursor: Cursor) -> Pending:
        resource = self.machine.resources[cursor.state]
        faults.point("engine.call")
        pending = self.tasks.begin(
            Call(resource.arn, cursor.parameters, cursor.token, self.arn, cursor.state, cursor.retry_count)
        )
        faults.point("engine.called")
        return pending

    def _commit(self, step: Transition) -> bool:
        before = self.cursor
        self.cursor, running = self.journal.commit(self.arn, self.driver, step, self.clock.now())
        if self.cursor.token != before.token or self.cursor.phase not in ("task", "submitted"):
            self.abandon()
            self.answered_since = None
        elif self.cursor.phase == "submitted" and not self.machine.resources[self.cursor.state].waits_for_job:
            self.pending = None
        self._tell()
        return running

    def _tell(self) -> None:
        if self.on_event is not None:
            for event in self.journal.history(self.arn, after=self.told):
                self.told = event["id"]
                self.on_event(event)

    def _wait(self) -> None:
        at = self.clock.now().timestamp()
        deadlines = self.cursor.deadlines()
        if self.answered_since is not None:
            # The attempt's own timers no longer count.
            grace = at + GRACE - (self.clock.monotonic() - self.answered_since)
            deadlines = [grace] if self.cursor.expires is None else [grace, self.cursor.expires]
        self.idle(max(0.0, min(deadlines) - at) if deadlines else None)

    def _nap(self, seconds: float | None) -> None:
        """Short at first, so that a quick task costs nothing, then up to 50 ms."""
        self.clock.sleep(self.nap if seconds is None else min(self.nap, max(seconds, 0.0005)))
        self.nap = min(_LONGEST_NAP, self.nap * 1.5)


def _past(deadline: float | None, at: float) -> bool:
    return deadline is not None and at >= deadline
