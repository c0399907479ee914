"""From what the engine and the workers do to what a person is told, as ``Step``s; and the eye on dead workers."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable
from typing import Any

from mangavid import keys
from mangavid.errors import LeaseLost
from mangavid.local.engine.interpreter import Engine
from mangavid.ports import Item, Step, Target
from mangavid.states import dispatch
from mangavid.states.handle_error import readable

_TICK_SECONDS = 0.25
_WORKERS = {"WaitForRender": "segment", "WaitForUpload": "part"}


class Watch:
    """Follows one execution at a time. ``on_step`` gets steps from several threads, one at a time."""

    def __init__(self, on_step: Callable[[Step], None]) -> None:
        self._on_step = on_step
        self._lock = threading.Lock()
        self._name = self._arn = self._state = self._job_id = self._title = ""
        self._since = self._last_tick = 0.0
        self._failed = False
        self._told: tuple[int, int] = (0, 0)

    def follow(self, target: Target, engine: Engine) -> None:
        self._target = target
        self._engine = engine

    def begin(self, name: str, arn: str) -> None:
        """Steps from now on are this execution's. One that is gone on with is in the state it was left in."""
        self._name, self._arn = name, arn
        self._state = self._job_id = self._title = ""
        for event in self._target.executions.history(arn, reverse=True):
            if event["type"] == "TaskStateEntered":
                self._entered(event)
            if str(event["type"]).endswith(("StateEntered", "StateExited")):
                break

    def end(self) -> None:
        """Tell nothing more: a state that was at work when the run was stopped may go on for a moment."""
        with self._lock:
            self._on_step = lambda _step: None

    def note(self, text: str) -> None:
        self._emit("note", detail=text)

    def event(self, event: Item) -> None:
        """Take an event of the history as it becomes durable."""
        kind = str(event["type"])
        if kind == "TaskStateEntered":
            self._entered(event)
        elif kind in ("TaskFailed", "TaskTimedOut"):
            self._failure(event.get("taskFailedEventDetails") or event.get("taskTimedOutEventDetails") or {})
        elif kind == "TaskStateExited" and not self._failed:
            self._know(json.loads(event["stateExitedEventDetails"]["output"]))
            self._emit("succeeded", seconds=self._target.clock.monotonic() - self._since)
            if self._state == "FetchManga":
                for note in self._job().get("notes", ()):
                    self.note(note)
            if self._state == "GenerateScript" and self._job().get("writer") == "neutral":
                self.note("no narration.yaml beside the pages: short neutral lines are said")

    def _entered(self, event: Item) -> None:
        details = event["stateEnteredEventDetails"]
        self._state, self._since = str(details["name"]), self._target.clock.monotonic()
        self._failed, self._told = False, (0, 0)
        self._know(json.loads(details["input"]))
        self._emit("entered")

    def progress(self, job_id: str, done: int, total: int, unit: str) -> None:
        """``Target.progress``: from a state at work in this process."""
        self._learn(self._job_id or job_id)
        self._emit("progress", done=done, total=total, unit=unit)

    def tick(self) -> bool:
        """Called often while the engine waits: tells how far a worker is, and that it is dead. Always False."""
        now = self._target.clock.monotonic()
        if self._state in _WORKERS and now - self._last_tick >= _TICK_SECONDS:
            self._last_tick = now
            job = self._job()
            checkpoint = job.get("ckpt") or {}
            told = (int(checkpoint.get("done", 0)), int(checkpoint.get("total", 0)))
            if told != self._told and told[1]:
                self._told = told
                self._emit("progress", done=told[0], total=told[1], unit=_WORKERS[self._state])
            self._look_after(job)
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

    def _failure(self, details: dict[str, Any]) -> None:
        error, cause = str(details.get("error") or "unknown"), readable(str(details.get("cause") or ""))[0]
        due = self._engine.retry_due(self._arn)
        if due is not None:
            wait = max(0.0, (due - self._target.clock.now()).total_seconds())
            self._emit("retry", error=error, detail=cause, seconds=wait)
        else:
            self._failed = True
            seconds = self._target.clock.monotonic() - self._since
            self._emit("failed", error=error, detail=cause, seconds=seconds)

    def _know(self, data: Any) -> None:
        job = data.get("job") if isinstance(data, dict) else None
        job_id = str(job.get("job_id", "")) if isinstance(job, dict) else ""
        self._learn(job_id)

    def _learn(self, job_id: str) -> None:
        """From now on steps are this job's: its title is there from the moment it is claimed."""
        if job_id != self._job_id:
            self._job_id = job_id
            self._title = str(self._job().get("title", ""))

    def _job(self) -> Item:
        return (self._target.jobs.get(keys.job_item(self._job_id)) if self._job_id else None) or {}

    def _emit(self, what: Any, **fields: Any) -> None:
        step = Step(
            what=what, execution=self._name, state=self._state, job_id=self._job_id, title=self._title, **fields
        )
        with self._lock:
            self._on_step(step)
