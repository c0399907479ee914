"""What came of executions: the videos they made, the chapters that failed, and the exit code that says so."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from mangavid import keys
from mangavid.errors import Interrupted, by_name
from mangavid.models import Job, job_of
from mangavid.ports import Execution, Item, Target
from mangavid.protocol import FINISHED


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A chapter that has its video. ``existed``: it was made before, nothing was done now."""

    job_id: str
    title: str
    video: str
    captions: str
    thumbnail: str
    metadata: str
    seconds: float
    existed: bool = False


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    job_id: str
    title: str
    state: str
    error: str
    cause: str
    hint: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a run: ``status`` is the execution's (empty where none was needed)."""

    execution: str
    status: str
    made: tuple[Made, ...]
    failed: tuple[Failed, ...]
    skipped: tuple[str, ...]
    quota_reached: bool
    exit_code: int


def outcome_of(target: Target, driven: Sequence[Execution], existing: Sequence[str] = ()) -> Outcome:
    """Of these executions, in their order. ``existing``: jobs that had their video before, and nothing was done."""
    made = [_made(_job(target, job_id), existed=True) for job_id in existing]
    failed: list[Failed] = []
    notes: list[str] = []
    reached = False
    status = ""
    for one in driven:
        item = target.jobs.get(keys.run_item(one.name)) or {}
        status = one.status
        reached = reached or _over_quota(one.output or {})
        attempted = [_job(target, job_id) for job_id in sorted(item.get("attempted", ()))]
        for job in attempted:
            if job.status in FINISHED:
                made.append(_made(job, existed=False))
                notes += [f"{job.title}: {note}" for note in job.notes]
            elif job.job_id in item.get("failed", ()):
                failed.append(_failed(job))
        tried = {job.source for job in attempted}
        if one.status != "RUNNING":
            notes += [f"not tried any more: {ref}" for ref in item.get("sources", ()) if ref not in tried]
        failed += _of_the_run(item, one)
    return Outcome(
        execution=driven[-1].name if driven else "",
        status=status,
        made=tuple(made),
        failed=tuple(failed),
        skipped=tuple(notes),
        quota_reached=reached,
        exit_code=exit_code(made, failed, reached=reached, stopped=status == "ABORTED"),
    )


def _of_the_run(item: Item, ended: Execution) -> list[Failed]:
    """What failed before a chapter was taken, or ended the run and could not be recorded."""
    if item.get("failed"):
        return []
    if item.get("last_failure"):
        error, cause, hint = (str(item.get(f"last_{part}", "")) for part in ("error", "cause", "hint"))
        return [_failure("", "", "FetchManga", error, cause, hint)]
    if ended.status in ("FAILED", "TIMED_OUT"):
        return [_failure("", "", "Aborted", ended.error or ended.status, ended.cause, "")]
    return []


def _job(target: Target, job_id: str) -> Job:
    item = target.jobs.get(keys.job_item(job_id))
    assert item is not None, "a run's jobs exist"
    return job_of(item)


def exit_code(made: Sequence[Made], failed: Sequence[Failed], *, reached: bool, stopped: bool = False) -> int:
    """0 where a video was made or nothing was to be made; failures of one kind give that kind's code, else 4.

    ``stopped``: by ``mangavid stop`` or in AWS's console.
    """
    if made:
        return 0
    if stopped:
        return Interrupted.exit_code
    if failed:
        codes = {cls.exit_code if (cls := by_name(one.error)) else 4 for one in failed}
        return codes.pop() if len(codes) == 1 and codes <= {3, 5, 6, 7} else 4
    return 5 if reached else 0


def _over_quota(output: dict[str, Any]) -> bool:
    """Whether an execution ended over quota: before it began, or when a rendered video was to be published."""
    refused = output.get("error", {}).get("Error") == "YouTubeQuotaError"
    return refused or bool(output.get("quota", {}).get("quota_reached"))


def _made(job: Job, *, existed: bool) -> Made:
    files = _files(job)
    return Made(
        job_id=job.job_id,
        title=job.title,
        video=files["video"],
        captions=files["captions"],
        thumbnail=files["thumbnail"],
        metadata=files["metadata"],
        seconds=job.rendered.seconds if job.rendered else 0.0,
        existed=existed,
    )


def _files(job: Job) -> dict[str, str]:
    """Where the four files are: beside each other in a folder, or each under its key in the bucket. Of a video that was
    published at an address there is only that.
    """
    if job.published.startswith("https://"):
        return {**dict.fromkeys(keys.FILES, ""), "video": job.published}
    if job.published.startswith("s3://") and job.rendered is not None:
        bucket = job.published.removeprefix("s3://").partition("/")[0]
        return {kind: f"s3://{bucket}/{getattr(job.rendered, kind).key}" for kind in keys.FILES}
    video = Path(job.published)
    return {kind: str(video.with_suffix(suffix)) for kind, suffix in keys.FILES.items()}


def _failed(job: Job) -> Failed:
    return _failure(job.job_id, job.title, job.failed_in, job.error, job.cause, job.hint)


def _failure(job_id: str, title: str, state: str, error: str, cause: str, hint: str) -> Failed:
    cls = by_name(error)
    hint = hint or (cls.default_hint if cls else "")
    return Failed(job_id=job_id, title=title, state=state, error=error, cause=cause, hint=hint)
