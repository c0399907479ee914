"""Finished videos that stay in the artifact bucket.

Apart from the library: a machine that publishes has none of what reads chapters.
"""

from __future__ import annotations

from mangavid.errors import PublishError
from mangavid.ports import Publication, Upload


class BucketPublisher:
    """``ports.Publisher`` where the folder is the bucket: the finished files stay where the renderer put them."""

    name = "folder"

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def publish(self, upload: Upload) -> Publication:
        return Publication(video_id=upload.job_id, where=f"s3://{self._bucket}/{upload.rendered.video.key}")

    def finish(self, upload: Upload, video_id: str) -> None:
        """Nothing: the files are where they belong."""

    def withdraw(self, video_id: str, *, delete: bool) -> str:
        """They were never shown to anybody. Raises PublishError for ``delete``: no worker may delete finished ones."""
        if not delete:
            return f"The files in s3://{self._bucket}/jobs/{video_id}/final/ are left: nobody but you sees them"
        raise PublishError(
            f"{video_id} was published into the bucket only, where nobody but you sees it",
            hint=f"aws s3 rm --recursive s3://{self._bucket}/jobs/{video_id}/final/ deletes it",
        )
