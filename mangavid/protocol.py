"""Lease, epoch and counting: the decisions of the token protocol, as data.

Pure: each function takes items as they were read and gives the conditional ``Change`` to make, or the decision. The
rules and why each is there: docs/protocol.md. A worker is *the* worker of a job while the item's ``epoch`` is the one
it was launched for; everything it writes is conditional on that, so a zombie's writes are refused by the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from mangavid import keys
from mangavid.models import Job
from mangavid.ports import Change, Clause, Item, Phase

MAX_ATTEMPTS = 3
"""Failures of a chapter before it is quarantined."""
MAX_FAILURES_IN_A_ROW = 3
"""Failures in a row that stop a run."""
STALLED_LIMIT = 2
"""Relaunches in a row that advanced nothing before NoProgress."""
HEARTBEAT_SECONDS = 60.0
FENCE_SECONDS = 240.0
"""Without a good heartbeat for this long a worker has no more effects (its token expires at 300 s)."""
EXIT_SECONDS = 290.0
FRESH_SECONDS = 90.0
"""An irreversible act needs a heartbeat at most this old."""
TOKEN_WAIT_SECONDS = 240.0
DRAIN_SECONDS = 10.0
"""For what a Spot machine has in hand. Goal: its replacement is asked for 30 s after the notice, the Retry included."""
WATCHDOG_SECONDS = 600.0
"""Without progress for this long a worker stops its heartbeats."""

FINISHED = ("uploaded", "cleaned")
STOPPING = ("ConfigError", "AuthError", "RightsMissing", "StorageFull", "BudgetReached")
"""Errors that are no fault of the chapter and would meet every other: the run stops, the job can be taken up again."""

Next = Literal["continue", "done", "abort"]


def _eq(field: str, value: Any) -> Sequence[Clause]:
    return (Clause(field, "eq", value),)


def _nothing(field: str) -> Clause:
    return Clause(field, "eq", "")


# --- claiming a chapter ----------------------------------------------------------------------------------------------


def may_take(item: Item | None, *, mine: str, running: bool, again: bool) -> bool:
    """Whether a run may take this chapter: new, left unfinished by an execution that no longer runs, or failed before.

    ``running``: whether the execution that holds the item still runs. One that is finished, quarantined or waits for
    quota is taken only with ``again``; one that was withdrawn, never.
    """
    if item is None or "status" not in item:
        return True
    status = item["status"]
    if status == "withdrawn":
        return False
    if status in (*FINISHED, "quarantined", "awaiting_upload"):
        return again and not running
    if status == "failed":
        return True
    return item.get("execution") == mine or not running


def claim(
    item: Item | None, job_id: str, *, run: str, execution: str, fields: Mapping[str, Any], now: str, again: bool
) -> tuple[Change, Change]:
    """Take a chapter for a run: the job item and the run's, together. Lost where another took it in between."""
    held: list[Sequence[Clause]]
    if item is None or "status" not in item:
        held = [(Clause("status", "absent"),)]
        base: dict[str, Any] = {"created_at": now, "attempts": 0, "epoch": 0, "schema_version": 1}
    else:
        held = [_eq("status", item["status"]), _eq("execution", item.get("execution", ""))]
        base = {}
    remove = ["error", "cause", "hint", "failed_in", "writer", "not_before", "token", "lease_owner"]
    if again:
        remove += ["rendered", "video_id", "published", "script_key", "speech_key", "session_uri", "session_sha256"]
        remove += ["steps", "ckpt", "answers", "micros", "quota_day"]
        base["attempts"] = 0
    job = Change(
        key=keys.job_item(job_id),
        set={
            **base,
            **fields,
            "job_id": job_id,
            "status": "claimed",
            "execution": execution,
            "updated_at": now,
            "stalled": 0,
        },
        remove=remove,
        add={"replaced": [str(old)]} if again and (old := (item or {}).get("video_id")) else {},
        when=held,
    )
    taken = Change(key=keys.run_item(run), set={"current": job_id}, add={"attempted": [job_id]}, plus={"iterations": 1})
    return job, taken


def advance(job_id: str, execution: str, status: str, now: str, **fields: Any) -> Change:
    """A state finished its part of the job: only while this execution holds it, and never back from a finished job."""
    return Change(
        key=keys.job_item(job_id),
        set={"status": status, "updated_at": now, **fields},
        when=[_eq("execution", execution), *(((Clause("status", "ne", done),)) for done in FINISHED)],
    )


# --- launching workers -----------------------------------------------------------------------------------------------


def open_epoch(job: Job, phase: Phase, now: str) -> Change:
    """Begin a phase: a new epoch, which fences off every worker of an older one."""
    return Change(
        key=keys.job_item(job.job_id),
        set={
            "epoch": job.epoch + 1,
            "phase": phase,
            "status": "rendering" if phase == "render" else "uploading",
            "updated_at": now,
            "dispatched_at": now,
            "ckpt": {"done": 0, "total": 0},
            "ckpt_at_dispatch": 0,
            "stalled": 0,
            "sfn_retry": 0,
        },
        remove=["token", "lease_owner", "instance", "last_interruption", "heartbeat_at"],
        when=[_eq("epoch", job.epoch), _eq("execution", job.execution)],
    )


def note_instance(job_id: str, epoch: int, instance: str) -> Change:
    return Change(key=keys.job_item(job_id), set={"instance": instance}, when=[_eq("epoch", epoch)])


def stalled_after(job: Job) -> int:
    """Relaunches in a row that will have advanced nothing, if one is made now; a Spot interruption is none."""
    if job.last_interruption == "SpotInterrupted" or job.ckpt.done > job.ckpt_at_dispatch:
        return 0
    return job.stalled + 1


def attach(job: Job, *, token: str, retry: int, relaunch: bool, now: str) -> Change:
    """Give the job's worker its token; with ``relaunch``, open a new epoch for a new worker in the same write."""
    remove = ["last_interruption"]
    fields: dict[str, Any] = {
        "token": token,
        "token_epoch": job.epoch + int(relaunch),
        "sfn_retry": retry,
        "updated_at": now,
    }
    if relaunch:
        remove += ["lease_owner", "instance", "heartbeat_at"]
        fields |= {
            "epoch": job.epoch + 1,
            "dispatched_at": now,
            "ckpt_at_dispatch": job.ckpt.done,
            "stalled": stalled_after(job),
        }
    return Change(
        key=keys.job_item(job.job_id),
        set=fields,
        remove=remove,
        when=[
            _eq("epoch", job.epoch),
            _eq("execution", job.execution),
            (Clause("token", "absent"), Clause("token", "ne", token)),
        ],
    )


def replace(job: Job, now: str) -> Change:
    """A new worker for the token that is open: the old one stopped with its run, which is no failure of the job."""
    return Change(
        key=keys.job_item(job.job_id),
        set={
            "epoch": job.epoch + 1,
            "token_epoch": job.epoch + 1,
            "dispatched_at": now,
            "updated_at": now,
            "ckpt_at_dispatch": job.ckpt.done,
        },
        remove=["lease_owner", "instance", "heartbeat_at", "last_interruption"],
        when=[_eq("epoch", job.epoch), _eq("token", job.token)],
    )


# --- the worker's writes ---------------------------------------------------------------------------------------------


def claim_lease(job_id: str, phase: Phase, epoch: int, owner: str, now: str) -> Change:
    """Become the worker of this epoch; a second instance of it loses."""
    return Change(
        key=keys.job_item(job_id),
        set={"lease_owner": owner, "heartbeat_at": now},
        when=[
            _eq("epoch", epoch),
            _eq("phase", phase),
            (Clause("lease_owner", "absent"), Clause("lease_owner", "eq", owner)),
        ],
    )


def beat(job_id: str, epoch: int, now: str) -> Change:
    return Change(key=keys.job_item(job_id), set={"heartbeat_at": now}, when=[_eq("epoch", epoch)])


def checkpoint(job_id: str, epoch: int, done: int, total: int, now: str) -> Change:
    return Change(
        key=keys.job_item(job_id),
        set={"ckpt": {"done": done, "total": total}, "updated_at": now},
        when=[_eq("epoch", epoch)],
    )


def interrupted(job_id: str, epoch: int, why: str, now: str) -> Change:
    """The worker says, before it answers its token, that its machine is being taken away."""
    return Change(
        key=keys.job_item(job_id), set={"last_interruption": why, "updated_at": now}, when=[_eq("epoch", epoch)]
    )


def commit_render(job_id: str, epoch: int, rendered: Mapping[str, Any], now: str) -> Change:
    """Point the job at its finished files: once, and only by the worker of this epoch."""
    return Change(
        key=keys.job_item(job_id),
        set={"rendered": dict(rendered), "status": "rendered", "updated_at": now},
        when=[_eq("epoch", epoch), _eq("phase", "render")],
    )


def begin_upload(job: Job, epoch: int, session: str, sha256: str, known: str, now: str) -> Change:
    """Remember where an upload's bytes go before the first is sent: in place of the session known, and of no other."""
    held = (
        (Clause("session_uri", "eq", known),) if known else (Clause("session_uri", "absent"), _nothing("session_uri"))
    )
    return Change(
        key=keys.job_item(job.job_id),
        set={"session_uri": session, "session_sha256": sha256, "updated_at": now},
        when=[_eq("epoch", epoch), held],
    )


def commit_upload(job: Job, video_id: str, published: str, quota_day: str, now: str) -> list[Change]:
    """Record the published video and count it, in one transaction. Needs no epoch: what is published is true.

    The status is left: what belongs to the video (``commit_finish``) may be missing still.
    """
    changes = [
        Change(
            key=keys.job_item(job.job_id),
            set={"video_id": video_id, "published": published, "quota_day": quota_day, "updated_at": now},
            when=[(Clause("video_id", "absent"), _nothing("video_id"), Clause("video_id", "eq", video_id))],
        )
    ]
    if job.counted:
        changes.append(Change(key=keys.quota_item(quota_day), add={"jobs": [job.job_id]}))
    return changes


def commit_finish(job_id: str, video_id: str, now: str) -> Change:
    """All that belongs to a published video is done. As true as the video: needs no epoch.

    The address its bytes went to is a secret that nobody needs any more.
    """
    return Change(
        key=keys.job_item(job_id),
        set={"status": "uploaded", "updated_at": now},
        remove=["session_uri", "session_sha256"],
        when=[_eq("video_id", video_id), (Clause("status", "ne", "cleaned"),), (Clause("status", "ne", "withdrawn"),)],
    )


def step_done(job_id: str, epoch: int, step: str) -> Change:
    return Change(key=keys.job_item(job_id), add={"steps": [step]}, when=[_eq("epoch", epoch)])


def spend(day: str, *, units: int, inserts: int, units_a_day: int, inserts_a_day: int) -> Change:
    """Count what a call to YouTube costs, before it is made; refused where the day's rest does not suffice.

    YouTube keeps the same count, and refuses every call behind it: what was refused costs a unit, too.
    """
    limits = {"units": (units, units_a_day), "inserts": (inserts, inserts_a_day)}
    return Change(
        key=keys.quota_item(day),
        plus={name: cost for name, (cost, _) in limits.items() if cost},
        when=[
            (Clause(name, "absent"), Clause(name, "lt", most - cost + 1))
            for name, (cost, most) in limits.items()
            if cost
        ],
    )


def pay(job_id: str, day: str, answer: str, micros: int) -> list[Change]:
    """Count what a model's answer cost (millionths of a US dollar) on its job and its day: once for an answer."""
    counted = [(Clause("answers", "absent"), Clause("answers", "not_contains", answer))]
    return [
        Change(key=keys.job_item(job_id), add={"answers": [answer]}, plus={"micros": micros}, when=counted),
        Change(key=keys.quota_item(day), plus={"micros": micros}),
    ]


def await_upload(job_id: str, epoch: int, day: str, not_before: str, now: str) -> list[Change]:
    """Over quota: the rendered video waits, and the day is marked used up, before the token is answered."""
    return [
        Change(
            key=keys.job_item(job_id),
            set={"status": "awaiting_upload", "not_before": not_before, "updated_at": now},
            when=[_eq("epoch", epoch)],
        ),
        Change(key=keys.quota_item(day), set={"exhausted": True}),
    ]


# --- the run ---------------------------------------------------------------------------------------------------------


def count(day: Item | None) -> int:
    """Videos counted on a quota day: the set of job ids less those a reset excluded."""
    day = day or {}
    return len(frozenset(day.get("jobs", ())) - frozenset(day.get("excluded", ())))


def record_failure(
    item: Item | None,
    job_id: str,
    *,
    run: str,
    execution: str,
    entered: str,
    error: str,
    cause: str,
    hint: str,
    failed_in: str,
    now: str,
) -> list[Change]:
    """Write a failure on the job and the run; delivered twice (same ``entered``), the table refuses the second."""
    stop = error in STOPPING
    run_change = Change(
        key=keys.run_item(run),
        set={
            "last_failure": entered,
            "last_error": error,
            "last_cause": cause,
            "last_hint": hint,
            **({"stop": error} if stop else {}),
        },
        add={"failed": [job_id]} if job_id else {},
        plus={"failures_in_a_row": 1},
        when=[(Clause("last_failure", "absent"), Clause("last_failure", "ne", entered))],
    )
    if not job_id or item is None:
        return [run_change]
    attempts = int(item.get("attempts", 0)) + (0 if stop else 1)
    status = "interrupted" if stop else "quarantined" if attempts >= MAX_ATTEMPTS else "failed"
    if item.get("rendered") and item.get("status") == "awaiting_upload":
        status = "awaiting_upload"
    job_change = Change(
        key=keys.job_item(job_id),
        set={
            "status": status,
            "attempts": attempts,
            "error": error,
            "cause": cause,
            "hint": hint,
            "failed_in": failed_in,
            "updated_at": now,
        },
        remove=["token"],
        when=[_eq("execution", execution), *(((Clause("status", "ne", done),)) for done in FINISHED)],
    )
    return [run_change, job_change]


def next_step(run: Item, *, quota: int, today: str) -> Next:
    """Whether the run goes on to another chapter. It ends when it can't go on, and aborts where it made nothing.

    The cap on iterations bounds the history; a run is pinned to the quota day it began in.
    """
    over = (
        bool(run.get("stop"))
        or int(run.get("failures_in_a_row", 0)) >= MAX_FAILURES_IN_A_ROW
        or int(run.get("iterations", 0)) >= quota + MAX_FAILURES_IN_A_ROW
        or (bool(run.get("counted", True)) and run.get("quota_day", today) != today)
    )
    if not over:
        return "continue"
    return "done" if run.get("made") or not run.get("failures_in_a_row") else "abort"
