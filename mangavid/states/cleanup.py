"""Cleanup: delete the job's temporary artifacts."""

from __future__ import annotations

from mangavid import keys, protocol
from mangavid.errors import ConditionFailed
from mangavid.ports import Change, Clause, Target
from mangavid.products import delete_temporary, read_job
from mangavid.states.runs import Event, Result, now


def handle(target: Target, event: Event) -> Result:
    """``{"deleted"}``. Only of a job that is published (read here, consistently), and only temporary prefixes."""
    job = read_job(target, event["job_id"])
    if job.status not in protocol.FINISHED or not job.video_id:
        return {"deleted": 0}
    deleted = delete_temporary(target.objects, job.job_id)
    cleaned = Change(
        key=keys.job_item(job.job_id),
        set={"status": "cleaned", "updated_at": now(target)},
        when=[(Clause("status", "in", protocol.FINISHED),)],
    )
    try:
        target.jobs.change(cleaned)
    except ConditionFailed:
        return {"deleted": deleted}
    return {"deleted": deleted}
