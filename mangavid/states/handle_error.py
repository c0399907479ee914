"""HandleError: record the failure on the job, and decide whether the run goes on."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from mangavid import keys, protocol
from mangavid.errors import ConditionFailed, message_and_hint
from mangavid.ports import Target
from mangavid.states.runs import Event, Result, current_job, facts, now, run_of

_CAUSE_LIMIT = 1000
#: The state that was at work when the job's status was this.
_WORKING_IN = {
    "claimed": "FetchManga",
    "fetched": "GenerateScript",
    "scripted": "GenerateTTS",
    "voiced": "StartRenderer",
    "rendering": "WaitForRender",
    "rendered": "StartUploader",
    "uploading": "WaitForUpload",
    "awaiting_upload": "StartUploader",
}


def handle(target: Target, event: Event) -> Result:
    """The quota facts, with ``next``. Needs the jobs table only, and may be delivered twice.

    A run that failed in CheckQuota has no lock, and does not go on without it.
    """
    state: dict[str, Any] = event.get("state") or {}
    failure = state.get("error") or {}
    run = run_of(target, event)
    job_id = str((state.get("job") or {}).get("job_id") or current_job(target, run))
    item = target.jobs.get(keys.job_item(job_id)) if job_id else None
    if item and item.get("instance") and item.get("status") in ("rendering", "uploading"):
        target.instances.terminate(str(item["instance"]))
    cause, hint = readable(str(failure.get("Cause") or ""))
    changes = protocol.record_failure(
        item,
        job_id,
        run=event["run"],
        execution=event["execution"],
        entered=str(event.get("entered", "")),
        error=str(failure.get("Error", "Unknown")),
        cause=cause,
        hint=hint,
        failed_in=_WORKING_IN.get(str((item or {}).get("status")), "CheckQuota"),
        now=now(target),
    )
    try:
        target.jobs.change(*changes)
    except ConditionFailed:
        # Delivered twice, or the job is finished or held by another execution: then the run's part alone is tried.
        with contextlib.suppress(ConditionFailed):
            target.jobs.change(changes[0])
    return facts(target, run_of(target, event), next_step=None if "quota" in state else "abort")


def readable(cause: str) -> tuple[str, str]:
    """Message and hint in a cause: a Lambda's is JSON with ``errorMessage``. At most 1,000 characters each."""
    try:
        found = json.loads(cause)
    except ValueError:
        found = None
    if isinstance(found, dict) and isinstance(found.get("errorMessage"), str):
        cause = found["errorMessage"]
    message, hint = message_and_hint(cause)
    return _cut(message), _cut(hint)


def _cut(text: str) -> str:
    return text if len(text) <= _CAUSE_LIMIT else text[: _CAUSE_LIMIT - 1] + "…"
