"""IncrementCounter: count the video. A set of job ids, so that counting twice counts once."""

from __future__ import annotations

from mangavid import keys
from mangavid.ports import Change, Target
from mangavid.products import read_job
from mangavid.states.runs import Event, Result, facts, now, run_of


def handle(target: Target, event: Event) -> Result:
    """The quota facts. The uploader has counted the video already, in the transaction that recorded it."""
    job = read_job(target, event["job_id"])
    changes = [
        Change(
            key=keys.run_item(event["run"]),
            set={"failures_in_a_row": 0, "updated_at": now(target)},
            add={"made": [job.job_id]},
        )
    ]
    if job.counted and job.video_id and job.quota_day:
        changes.append(Change(key=keys.quota_item(job.quota_day), add={"jobs": [job.job_id]}))
    target.jobs.change(*changes)
    return facts(target, run_of(target, event))
