"""From an execution's history to what a person is told, as ``Step``s; whatever drives it, and from any process."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import takewhile
from typing import Any

from mangavid import keys
from mangavid.ports import Execution, Item, Step, Target
from mangavid.states.handle_error import readable

#: States that wait for a worker, and what its checkpoints count.
WORKERS = {"WaitForRender": "segment", "WaitForUpload": "megabyte"}
_SLOWEST, _QUICKEST = 2.0, 0.25


class Watch:
    """Follows one execution at a time. ``on_step`` gets steps from several threads, one at a time."""

    def __init__(self, on_step: Callable[[Step], None]) -> None:
        self._on_step = on_step
        self._lock = threading.Lock()
        self._name = self._arn = self._state = self._job_id = self._title = ""
        self._since: datetime | None = None
        self._failed = False
        self._told: tuple[int, int] = (0, 0)

    def look_at(self, target: Target) -> None:
        self._target = target

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
            details = event.get("taskFailedEventDetails") or event.get("taskTimedOutEventDetails") or {}
            error, cause = str(details.get("error") or "unknown"), readable(str(details.get("cause") or ""))[0]
            self._failure(error, cause, self._took(event))
        elif kind == "TaskStateExited" and not self._failed:
            self._know(json.loads(event["stateExitedEventDetails"]["output"]))
            self._emit("succeeded", seconds=self._took(event))
            if self._state == "FetchManga":
                for note in self._job().get("notes", ()):
                    self.note(note)
            if self._state == "GenerateScript" and self._job().get("writer") == "neutral":
                self.note("no narration.yaml beside the pages: short neutral lines are said")

    def _entered(self, event: Item) -> None:
        details = event["stateEnteredEventDetails"]
        self._state, self._since = str(details["name"]), event["timestamp"]
        self._failed, self._told = False, (0, 0)
        self._know(json.loads(details["input"]))
        self._emit("entered")

    def look(self) -> Item:
        """Tell how far the worker is that the state waits for; its job."""
        job = self._job()
        checkpoint = job.get("ckpt") or {}
        told = (int(checkpoint.get("done", 0)), int(checkpoint.get("total", 0)))
        if told != self._told and told[1]:
            self._told = told
            unit, now = WORKERS[self._state], self._target.clock.now()
            worked = max(0.0, (now - (self._since or now)).total_seconds())
            self._emit("progress", done=told[0], total=told[1], unit=unit, seconds=worked)
        return job

    @property
    def waits_for_worker(self) -> bool:
        return self._state in WORKERS

    def _took(self, event: Item) -> float:
        """Seconds from when the state was entered to an event of it."""
        seconds: float = (event["timestamp"] - (self._since or event["timestamp"])).total_seconds()
        return max(0.0, seconds)

    def _failure(self, error: str, cause: str, seconds: float) -> None:
        """An attempt failed, and with it the state."""
        self._failed = True
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


class _Follower(Watch):
    """Of an execution that something else drives: an attempt that failed is told when it shows what followed."""

    def __init__(self, on_step: Callable[[Step], None]) -> None:
        super().__init__(on_step)
        self._attempt: tuple[str, str, float] | None = None
        self._machine = ""

    def of(self, execution: Execution) -> None:
        self._name, self._arn = execution.name, execution.arn

    def look(self) -> Item:
        """And which machine it is, when there is another."""
        job = super().look()
        machine = str(job.get("instance", ""))
        if machine and machine != self._machine:
            self._machine = machine
            attempt = int(job.get("sfn_retry", 0)) + 1
            self.note(f"at work on it: {machine}{f', attempt {attempt}' if attempt > 1 else ''}")
        return job

    def event(self, event: Item) -> None:
        if self._attempt is not None:
            error, cause, seconds = self._attempt
            self._attempt = None
            if event["type"] == "TaskScheduled":
                self._emit("retry", error=error, detail=cause)
            else:
                super()._failure(error, cause, seconds)
        super().event(event)

    def _failure(self, error: str, cause: str, seconds: float) -> None:
        self._attempt = (error, cause, seconds)


def follow(target: Target, execution: Execution, on_step: Callable[[Step], None]) -> Execution:
    """Tell of an execution from its beginning until it ends; how it ended.

    Asks every quarter of a second while something happens, and every two seconds at least.
    """
    watch = _Follower(on_step)
    watch.look_at(target)
    watch.of(execution)
    seen, pause = 0, _QUICKEST
    while True:
        now = target.executions.describe(execution.arn)
        newest_first = target.executions.history(execution.arn, reverse=True)
        news = _after(seen, newest_first)
        for event in reversed(news):
            watch.event(event)
            seen = event["id"]
        if now.status != "RUNNING":
            return now
        if watch.waits_for_worker:
            watch.look()
        pause = _QUICKEST if news else min(_SLOWEST, pause * 1.5)
        target.clock.sleep(pause)


def _after(seen: int, newest_first: Iterable[Item]) -> list[Item]:
    return list(takewhile(lambda event: event["id"] > seen, newest_first))
