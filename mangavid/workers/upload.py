"""The uploader: publish a rendered video, once, and what belongs to it."""

from __future__ import annotations

from datetime import UTC
from pathlib import Path

from mangavid import faults, keys, protocol
from mangavid.errors import ConditionFailed, LeaseLost, MangavidError, YouTubeQuotaError, told
from mangavid.models import Job, Rendered
from mangavid.ports import Change, Clause, Target
from mangavid.products import fetch_whole
from mangavid.quota import next_reset, quota_day
from mangavid.workers.lease import Lease


def upload(target: Target, lease: Lease) -> None:
    """Claim, publish, record with its count, finish, answer. Never raises: what goes wrong is the token's answer."""
    try:
        job = lease.claim()
        with lease:
            _publish(target, lease, job)
        lease.succeed()
    except LeaseLost:
        return
    except YouTubeQuotaError as over:
        _wait_for_quota(target, lease, over)
    except MangavidError as problem:
        lease.fail(type(problem).__name__, told(problem))


def _publish(target: Target, lease: Lease, job: Job) -> None:
    if job.video_id and job.status in protocol.FINISHED:
        return
    assert job.rendered is not None, "prepare launches an uploader only for a rendered job"
    record = LeasedUpload(target, lease, job, job.rendered)
    publisher = target.publisher()
    clock = target.clock
    video_id = job.video_id
    if not video_id:
        record.check()
        faults.point("upload.publish")
        published = publisher.publish(record)
        faults.point("upload.published")
        video_id = published.video_id
        day = job.quota_day or quota_day(clock.now())
        stamp = clock.now().isoformat(timespec="microseconds")
        lease.commit(*protocol.commit_upload(job, video_id, published.where, day, stamp))
    publisher.finish(record, video_id)
    faults.point("upload.finished")
    lease.commit(protocol.commit_finish(job.job_id, video_id, clock.now().isoformat(timespec="microseconds")))


class LeasedUpload:
    """``ports.Upload`` under a lease: what is remembered stands on the job item, under the worker's epoch."""

    def __init__(self, target: Target, lease: Lease, job: Job, rendered: Rendered) -> None:
        self._target = target
        self._lease = lease
        self._job = job
        self.job_id = job.job_id
        self.rendered = rendered
        self.begun = bool(job.session_uri)
        self.replaced = job.replaced
        # What was begun with another file can't be gone on with.
        self.session = job.session_uri if job.session_sha256 == rendered.video.sha256 else ""
        self._known = job.session_uri
        self.steps = job.steps

    def fetch(self, key: str) -> Path:
        digests = {one.key: one.sha256 for one in (getattr(self.rendered, kind) for kind in keys.FILES)}
        return fetch_whole(self._target.objects, key, digests[key])

    def check(self) -> None:
        self._lease.check()

    def began(self, session: str) -> None:
        faults.point("upload.session")
        stamp = self._now()
        sha256 = self.rendered.video.sha256
        self._lease.commit(protocol.begin_upload(self._job, self._lease.epoch, session, sha256, self._known, stamp))
        self.session = self._known = session
        self.begun = True

    def sent(self, done: int, total: int) -> None:
        # Whole megabytes: a person reads them.
        self._lease.checkpoint(done >> 20, -(-total >> 20))

    def alive(self) -> None:
        self._lease.progressed()

    def spend(self, units: int, *, inserts: int = 0) -> None:
        settings = self._target.config.youtube
        day = quota_day(self._target.clock.now())
        change = protocol.spend(
            day,
            units=units,
            inserts=inserts,
            units_a_day=settings.units_a_day,
            inserts_a_day=settings.inserts_a_day,
        )
        try:
            self._target.jobs.change(change)
        except ConditionFailed:
            what = f"{settings.inserts_a_day} uploads" if inserts else f"{settings.units_a_day:,} units"
            raise YouTubeQuotaError(f"YouTube's {what} of {day} are used up") from None

    def done(self, step: str) -> None:
        self._lease.commit(protocol.step_done(self.job_id, self._lease.epoch, step))
        self.steps |= {step}
        # A step is an advance, too: whoever takes over from here has not been started in vain.
        sent = -(-self.rendered.video.bytes >> 20)
        self._lease.checkpoint(sent + len(self.steps), sent + len(self.steps))

    def note(self, text: str) -> None:
        notes = self._lease.job().notes
        if text in notes:
            return
        same_epoch = (Clause("epoch", "eq", self._lease.epoch),)
        self._lease.commit(Change(key=keys.job_item(self.job_id), set={"notes": [*notes, text]}, when=[same_epoch]))

    def _now(self) -> str:
        return self._target.clock.now().isoformat(timespec="microseconds")


def _wait_for_quota(target: Target, lease: Lease, over: YouTubeQuotaError) -> None:
    clock = target.clock
    stamp = clock.now()
    again = next_reset(stamp).astimezone(UTC).isoformat(timespec="microseconds")
    now = stamp.isoformat(timespec="microseconds")
    changes = protocol.await_upload(lease.job_id, lease.epoch, quota_day(stamp), again, now)
    try:
        lease.commit(*changes)
    except LeaseLost:
        return
    lease.fail(type(over).__name__, told(over))
