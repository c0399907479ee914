"""The uploader: publish a rendered video, once."""

from __future__ import annotations

from datetime import UTC

from mangavid import faults, protocol
from mangavid.errors import LeaseLost, MangavidError, YouTubeQuotaError, told
from mangavid.ports import Target
from mangavid.quota import next_reset, quota_day
from mangavid.workers.lease import Lease


def upload(target: Target, lease: Lease) -> None:
    """Claim, publish, record with its count, answer. Never raises: what goes wrong is the token's answer."""
    try:
        job = lease.claim()
        with lease:
            if not job.video_id:
                _publish(target, lease)
        lease.succeed()
    except LeaseLost:
        return
    except YouTubeQuotaError as over:
        _wait_for_quota(target, lease, over)
    except MangavidError as problem:
        lease.fail(type(problem).__name__, told(problem))


def _publish(target: Target, lease: Lease) -> None:
    job = lease.job()
    assert job.rendered is not None, "prepare launches an uploader only for a rendered job"
    lease.check()
    faults.point("upload.publish")
    published = target.publisher().publish(job.job_id, job.rendered, target.objects.fetch)
    faults.point("upload.published")
    clock = target.clock
    day = job.quota_day or quota_day(clock.now())
    stamp = clock.now().isoformat(timespec="microseconds")
    lease.commit(*protocol.commit_upload(job, published.video_id, published.where, day, stamp))


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
