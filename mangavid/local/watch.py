"""What a run tells while it drives an execution on this machine; and the eye on dead workers."""

from __future__ import annotations

import contextlib

from mangavid.errors import LeaseLost
from mangavid.local.engine.interpreter import Engine
from mangavid.ports import Item, Target
from mangavid.states import dispatch, watch

_TICK_SECONDS = 0.25


class Watch(watch.Watch):
    """Of the execution that the engine of this process drives."""

    _last_tick = 0.0

    def follow(self, target: Target, engine: Engine) -> None:
        self.look_at(target)
        self._engine = engine

    def progress(self, job_id: str, done: int, total: int, unit: str) -> None:
        """``Target.progress``: from a state at work in this process."""
        self._learn(self._job_id or job_id)
        self._emit("progress", done=done, total=total, unit=unit)

    def tick(self) -> bool:
        """Called often while the engine waits: tells how far a worker is, and that it is dead. Always False."""
        now = self._target.clock.monotonic()
        if self.waits_for_worker and now - self._last_tick >= _TICK_SECONDS:
            self._last_tick = now
            self._look_after(self.look())
        return False

    def _look_after(self, job: Item) -> None:
        """A worker process that died can't answer: its heartbeat need not be waited out.

        One that stopped because an earlier run was stopped is replaced under the same token.
        """
        token, instance = str(job.get("token", "")), str(job.get("instance", ""))
        if not token or not instance or self._target.instances.alive(instance):
            return
        with contextlib.suppress(LeaseLost):
            if job.get("last_interruption"):
                dispatch.replace(self._target, self._job_id)
            else:
                self._engine.expire(token)
                self.note("the worker's process has died")

    def _failure(self, error: str, cause: str, seconds: float) -> None:
        due = self._engine.retry_due(self._arn)
        if due is None:
            super()._failure(error, cause, seconds)
            return
        wait = max(0.0, (due - self._target.clock.now()).total_seconds())
        self._emit("retry", error=error, detail=cause, seconds=wait)
