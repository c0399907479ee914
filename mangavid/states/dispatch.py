"""Launching a phase's worker and handing it its token: *prepare* and *attach* of the token protocol.

Order of effects: the epoch is stored before the instance is launched, the token before the old instance is ended. A
crash in between leaves no second worker that could write, and both steps can be run again (docs/protocol.md).
"""

from __future__ import annotations

from mangavid import faults, protocol
from mangavid.errors import ConditionFailed, JobFailed, LeaseLost, NoProgress
from mangavid.models import Job
from mangavid.ports import Phase, Target
from mangavid.products import read_job, render_inputs
from mangavid.states.runs import Event, Result, now


def committed(target: Target, job: Job, phase: Phase) -> bool:
    """Whether the phase's result is there already, made from what the job holds now."""
    if phase == "upload":
        return bool(job.video_id) and job.status in protocol.FINISHED
    return job.rendered is not None and job.rendered.inputs == render_inputs(job, target.config)


def prepare(target: Target, event: Event, phase: Phase) -> Result:
    """``{"done", "epoch"}``: says where the result is there; else opens an epoch and launches a worker for it."""
    job = _held_job(target, event)
    if committed(target, job, phase):
        return {"done": True, "epoch": job.epoch}
    if phase == "upload" and job.rendered is None:
        raise JobFailed(f"{job.job_id} has no rendered video to publish", hint=f"mangavid retry {job.job_id}")
    waiting = job.phase == phase and not job.token and job.instance and target.instances.alive(job.instance)
    if waiting and job.status in ("rendering", "uploading"):
        return {"done": False, "epoch": job.epoch}
    target.jobs.change(protocol.open_epoch(job, phase, now(target)))
    faults.point("dispatch.opened")
    epoch = job.epoch + 1
    _launch(target, job.job_id, phase, epoch)
    return {"done": False, "epoch": epoch}


def attach(target: Target, event: Event, phase: Phase) -> Result:
    """Store the token for the worker that waits, or for a new one where this is a retry or the worker is gone.

    Raises NoProgress where relaunches keep advancing nothing, SpotCapacity where none can be launched.
    """
    job = _held_job(target, event)
    token = str(event["token"])
    if committed(target, job, phase):
        target.callbacks.success(token, {"job_id": job.job_id, "status": "completed"})
        return {}
    retry = int(event.get("retry", 0))
    if job.token == token:
        # This very call, delivered again: the launch may be what was lost.
        _launch(target, job.job_id, phase, job.epoch)
        return {}
    relaunch = retry > 0 or not job.instance or not target.instances.alive(job.instance)
    if relaunch and protocol.stalled_after(job) >= protocol.STALLED_LIMIT:
        raise NoProgress(f"the worker of {job.job_id} was started again and advanced nothing ({job.ckpt.done} done)")
    try:
        target.jobs.change(protocol.attach(job, token=token, retry=retry, relaunch=relaunch, now=now(target)))
    except ConditionFailed as lost:
        raise _held_by_another(job.job_id) from lost
    faults.point("dispatch.attached")
    if relaunch:
        if job.instance:
            target.instances.terminate(job.instance)
        _launch(target, job.job_id, phase, job.epoch + 1)
    return {}


def replace(target: Target, job_id: str) -> None:
    """Launch another worker for a token that is still open, in the place of one that stopped with its run.

    Raises LeaseLost where the token is closed, and with it the need.
    """
    job = read_job(target, job_id)
    if not job.phase:
        return
    # Its heartbeats stopped with the worker; the time since then is nobody's fault.
    target.callbacks.heartbeat(job.token)
    try:
        target.jobs.change(protocol.replace(job, now(target)))
    except ConditionFailed as lost:
        raise LeaseLost(f"{job_id} has another worker already") from lost
    _launch(target, job_id, job.phase, job.epoch + 1)


def _held_job(target: Target, event: Event) -> Job:
    job = read_job(target, event["job_id"])
    if job.execution != event["execution"]:
        raise _held_by_another(job.job_id)
    return job


def _held_by_another(job_id: str) -> JobFailed:
    return JobFailed(f"{job_id} is held by another execution")


def _launch(target: Target, job_id: str, phase: Phase, epoch: int) -> None:
    instance = target.instances.launch(phase, job_id, epoch)
    faults.point("dispatch.launched")
    target.jobs.change(protocol.note_instance(job_id, epoch, instance))
