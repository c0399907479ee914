"""The reaper: ends machines that nobody waits for, and frees what executions that ended have left behind.

It looks at what is, not at what was told: run at any time, twice, or after an event that came late, it does the same.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from mangavid import keys
from mangavid.errors import ConditionFailed, SourceNotFound
from mangavid.ports import Change, Clause, InstanceInfo, Item, Target
from mangavid.states.runs import Event, Result, now

#: Statuses of a job that an execution has in hand.
_IN_HAND = ("claimed", "fetched", "scripted", "voiced", "rendering", "rendered", "uploading")
_WORKING = {"render": "rendering", "upload": "uploading"}
#: A wait state gives a worker four hours; a machine powers itself off after four and a half.
OLDEST = timedelta(hours=4, minutes=45)
#: A worker whose result is recorded may still be trying to answer its token.
GRACE = timedelta(minutes=10)


def handle(target: Target, _event: Event) -> Result:
    """``{"terminated", "interrupted", "freed"}``: machines ended, jobs put back, locks freed."""
    reaper = _Reaper(target)
    return {"terminated": reaper.machines(), "interrupted": reaper.jobs(), "freed": reaper.lock()}


class _Reaper:
    def __init__(self, target: Target) -> None:
        self._target = target
        self._known: dict[str, bool] = {}

    def machines(self) -> int:
        ended = 0
        for machine in list(self._target.instances.list()):
            if not self._wanted(machine):
                self._target.instances.terminate(machine.instance)
                ended += 1
        return ended

    def _wanted(self, machine: InstanceInfo) -> bool:
        time = self._target.clock.now()
        if time - machine.launched > OLDEST:
            return False
        job = self._target.jobs.get(keys.job_item(machine.job_id)) if keys.JOB_ID.fullmatch(machine.job_id) else None
        if job is None or job.get("epoch") != machine.epoch or job.get("phase") != machine.phase:
            return False
        if job.get("status") != _WORKING[machine.phase]:
            return time - datetime.fromisoformat(str(job["updated_at"])) < GRACE
        return self._running(job)

    def jobs(self) -> int:
        """Jobs whose execution has ended are marked, so that it shows; the next run takes them up."""
        marked = 0
        for job in list(self._target.jobs.by_status(*_IN_HAND)):
            if self._running(job):
                continue
            change = Change(
                key=str(job["key"]),
                set={"status": "interrupted", "updated_at": now(self._target)},
                when=[
                    (Clause("status", "eq", job["status"]),),
                    (Clause("execution", "eq", job.get("execution", "")),),
                ],
            )
            # Somebody has taken it up meanwhile, or it went on: then it is not left behind.
            with suppress(ConditionFailed):
                self._target.jobs.change(change)
                marked += 1
        return marked

    def lock(self) -> int:
        owner = str((self._target.jobs.get(keys.LOCK) or {}).get("owner", ""))
        if not owner or self._running({"execution": owner}):
            return 0
        with suppress(ConditionFailed):
            self._target.jobs.change(Change(key=keys.LOCK, remove=["owner"], when=[(Clause("owner", "eq", owner),)]))
            return 1
        return 0

    def _running(self, job: Item) -> bool:
        arn = str(job.get("execution", ""))
        if arn not in self._known:
            try:
                self._known[arn] = bool(arn) and self._target.executions.describe(arn).status == "RUNNING"
            except SourceNotFound:
                self._known[arn] = False
        return self._known[arn]
