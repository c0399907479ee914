"""Finished videos that stay in the artifact bucket.

Apart from the library: a machine that publishes has none of what reads chapters.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mangavid.models import Rendered
from mangavid.ports import Publication


class BucketPublisher:
    """``ports.Publisher`` where the folder is the bucket: the finished files stay where the renderer put them."""

    name = "folder"

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def publish(self, job_id: str, rendered: Rendered, fetch: Callable[[str], Path]) -> Publication:  # noqa: ARG002 - nothing is moved
        return Publication(video_id=job_id, where=f"s3://{self._bucket}/{rendered.video.key}")
