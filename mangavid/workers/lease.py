"""The worker's side of the token protocol: claim, token, heartbeat, fencing, drain (docs/protocol.md).

One ``Lease`` is one worker's hold on one job's phase at one epoch. A thread sends heartbeats while the work advances;
the work asks ``check()`` before each irreversible act.
"""

from __future__ import annotations

import contextlib
import math
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

from mangavid import faults, keys, protocol
from mangavid.errors import ConditionFailed, LeaseLost, MangavidError, SourceNotFound
from mangavid.models import Job, job_of
from mangavid.ports import Phase, Target

_POLL_SECONDS = 0.2
_CAUSE_LIMIT = 1000
_REPORT_SECONDS = 300.0


class Lease:
    """Claim with ``claim()``, then use as a context manager around the work.

    ``notice`` says why the machine is being taken away, or None; it is asked every second or so. ``on_lost`` ends this
    process where the work has not stopped by itself 50 s after the lease was lost. ``drain_seconds``: how long what is
    in hand may take once a notice came, where nothing else ends it. ``log`` is told what a person who
    looks for the reason should know, as level and text: drains, heartbeats that failed, why the lease was lost, and,
    with the error's name, why the work failed.
    """

    def __init__(
        self,
        target: Target,
        job_id: str,
        phase: Phase,
        epoch: int,
        *,
        owner: str,
        notice: Callable[[], str | None] = lambda: None,
        on_lost: Callable[[], None] = lambda: None,
        log: Callable[..., None] = lambda _level, _text, **_fields: None,
        keep_token: bool = False,
        drain_seconds: float = math.inf,
    ) -> None:
        self._target = target
        self.job_id = job_id
        self.phase: Phase = phase
        self.epoch = epoch
        self._owner = owner
        self._notice = notice
        self._on_lost = on_lost
        self._log = log
        self._keep_token = keep_token
        self._drain_seconds = drain_seconds
        self._drained_by = math.inf
        self._token = ""
        #: Whether it was answered that the work failed.
        self.failed = False
        self._last_beat = 0.0
        self._last_progress = 0.0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        #: Set when the machine is going away: take up nothing new, finish and push what is in hand.
        self.draining = threading.Event()
        #: Set when this worker is no longer the one.
        self.lost = threading.Event()

    # --- before the work ---

    def claim(self) -> Job:
        """Become the worker and wait for the token. Raises LeaseLost where another is, or no token comes in 240 s."""
        clock = self._target.clock
        self._change(protocol.claim_lease(self.job_id, self.phase, self.epoch, self._owner, self._now()))
        faults.point("lease.claimed")
        limit = clock.monotonic() + protocol.TOKEN_WAIT_SECONDS
        while True:
            job = self.job()
            if job.epoch != self.epoch:
                raise self._lose(f"{self.job_id} is at epoch {job.epoch}, this worker at {self.epoch}")
            if job.token and job.token_epoch == self.epoch:
                self._token = job.token
                break
            reason = self._notice()
            if reason or clock.monotonic() > limit:
                raise self._lose(f"no token came for {self.job_id}" + (f": {reason}" if reason else ""))
            clock.sleep(_POLL_SECONDS)
        self._beat()
        self.progressed()
        return job

    def job(self) -> Job:
        """The job as it is now."""
        item = self._target.jobs.get(keys.job_item(self.job_id))
        if item is None:
            raise SourceNotFound(f"no job {self.job_id}")
        return job_of(item)

    # --- during the work ---

    def __enter__(self) -> Lease:
        self._thread = threading.Thread(target=self._keep, name="heartbeat", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def progressed(self) -> None:
        """The work advanced: heartbeats go on only while it does."""
        self._last_progress = self._target.clock.monotonic()

    def check(self) -> None:
        """Before an irreversible act. Raises LeaseLost unless the last good heartbeat is fresh and the epoch mine."""
        if self.lost.is_set():
            raise LeaseLost(f"the lease on {self.job_id} is lost")
        if self._target.clock.monotonic() - self._last_beat > protocol.FRESH_SECONDS:
            self._beat()
        if self.job().epoch != self.epoch:
            raise self._lose(f"{self.job_id} has moved on from epoch {self.epoch}")

    @property
    def overdue(self) -> bool:
        """Whether what is in hand has had its time since the notice: it is left to who comes after."""
        return self._target.clock.monotonic() > self._drained_by

    def checkpoint(self, done: int, total: int) -> None:
        """Raises LeaseLost where the epoch has moved on."""
        self.progressed()
        self._change(protocol.checkpoint(self.job_id, self.epoch, done, total, self._now()))
        faults.point("lease.checkpointed")

    # --- the answer ---

    def succeed(self) -> None:
        """Tell Step Functions; the result is durable already, so a closed token changes nothing."""
        self._answer(
            lambda: self._target.callbacks.success(self._token, {"job_id": self.job_id, "status": "completed"})
        )

    def fail(self, error: str, cause: str) -> None:
        self.failed = True
        self._log("error", cause, error=error)
        self._fail(error, cause)

    def _fail(self, error: str, cause: str) -> None:
        cause = cause if len(cause) <= _CAUSE_LIMIT else cause[: _CAUSE_LIMIT - 1] + "…"
        self._answer(lambda: self._target.callbacks.failure(self._token, error, cause))

    def give_up(self, reason: str) -> None:
        """The machine is taken away: write so, then answer, so that the relaunch is not held against the job.

        With ``keep_token`` the token stays open, for the worker that another run puts in this one's place.
        """
        with contextlib.suppress(LeaseLost):
            self._change(protocol.interrupted(self.job_id, self.epoch, "SpotInterrupted", self._now()))
        if not self._keep_token:
            self._fail("SpotInterrupted", reason)

    def _answer(self, send: Callable[[], None]) -> None:
        clock = self._target.clock
        limit = clock.monotonic() + _REPORT_SECONDS
        delay = 1.0
        faults.point("lease.answer")
        while True:
            try:
                send()
                break
            except LeaseLost:
                break
            except MangavidError as problem:
                if not problem.transient or clock.monotonic() > limit:
                    raise
                clock.sleep(delay)
                delay = min(30.0, delay * 2)
        faults.point("lease.answered")

    # --- inside ---

    def _now(self) -> str:
        return self._target.clock.now().isoformat(timespec="microseconds")

    def _change(self, *changes: Any) -> list[Mapping[str, Any]]:
        try:
            return list(self._target.jobs.change(*changes))
        except ConditionFailed as refused:
            raise self._lose(f"{self.job_id} has another worker, or has moved on: {refused}") from refused

    def commit(self, *changes: Any) -> None:
        """Conditional writes that say the result is there. Raises LeaseLost where they are refused."""
        faults.point("lease.commit")
        self._change(*changes)
        faults.point("lease.committed")

    def _lose(self, why: str) -> LeaseLost:
        """From now on this worker is not the one. The error for who asked."""
        self.lost.set()
        self._log("warning", f"the lease is lost: {why}")
        return LeaseLost(why)

    def _beat(self) -> None:
        try:
            self._target.callbacks.heartbeat(self._token)
        except LeaseLost as closed:
            raise self._lose(str(closed)) from closed
        self._last_beat = self._target.clock.monotonic()
        with contextlib.suppress(ConditionFailed):
            self._target.jobs.change(protocol.beat(self.job_id, self.epoch, self._now()))

    def _keep(self) -> None:
        """Heartbeats and the notice, until the work ends; no error ends this unseen: each is ``lost`` or a retry.

        Work that does not notice ``lost`` in time (it hangs, or is inside a library) is ended by ``on_lost``.
        """
        self._watch()
        if self.lost.is_set() and not self._stop.wait(protocol.EXIT_SECONDS - protocol.FENCE_SECONDS):
            self._on_lost()

    def _watch(self) -> None:
        clock = self._target.clock
        due = clock.monotonic() + protocol.HEARTBEAT_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load
        while not self._stop.wait(1.0):
            reason = self._notice()
            if reason and not self.draining.is_set():
                self._drained_by = clock.monotonic() + self._drain_seconds
                self.draining.set()
                self._log("warning", f"drains: {reason}")
            now = clock.monotonic()
            if now - self._last_beat > protocol.FENCE_SECONDS:
                self._lose(f"no heartbeat got through for {protocol.FENCE_SECONDS:.0f} s")
                return
            if now < due:
                continue
            if now - self._last_progress > protocol.WATCHDOG_SECONDS:
                self._lose(f"the work advanced nothing for {protocol.WATCHDOG_SECONDS:.0f} s")
                return
            due = now + protocol.HEARTBEAT_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311
            try:
                self._beat()
            except LeaseLost:
                return
            except MangavidError as problem:
                self._log("warning", f"a heartbeat failed: {problem}")
                due = now + 5.0
