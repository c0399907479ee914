"""Publishing into a folder: the video, its captions, thumbnail and metadata side by side, ready for upload.

``<folder>/<job_id>/<job_id>.mp4 .srt .jpg .json``: players load the captions by the shared name. Each file is written
whole or not at all, the metadata last: where it is, the others are.

The video takes no room of its own where the stored one is on the same file system: it is a second name of it (a hard
link). Whoever changes it in place changes the stored one too, which is noticed by its SHA-256 before it is used again.
The small files, which a person may well edit, are copies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from mangavid import keys
from mangavid.errors import PublishError, StorageFull
from mangavid.models import Product, Rendered
from mangavid.ports import Publication, Upload


class FolderPublisher:
    """``ports.Publisher``. ``video_id`` is the job's own id."""

    name = "folder"

    def __init__(self, folder: Path, *, link: Callable[[Path, Path], None] = os.link) -> None:
        """``link`` gives the file of its first argument a second name; OSError where that can't be."""
        self._folder = folder
        self._link = link

    def publish(self, upload: Upload) -> Publication:
        where = self.place(upload.job_id, upload.rendered, lambda product: upload.fetch(product.key))
        return Publication(video_id=upload.job_id, where=where)

    def place(self, job_id: str, rendered: Rendered, fetch: Callable[[Product], Path]) -> str:
        """Put a video's files into the folder; ``fetch`` gives the stored file of each. Where the video is.

        Raises PublishError, StorageFull, and what ``fetch`` does.
        """
        files = paths(self._folder, job_id)
        try:
            files["video"].parent.mkdir(parents=True, exist_ok=True)
            for kind, path in files.items():
                stored = fetch(getattr(rendered, kind))
                _place(stored, path, self._link if kind == "video" else _copy)
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"no space left in {self._folder}") from problem
            raise PublishError(
                f"can't write to {self._folder}: {problem.strerror or problem}",
                hint="set publisher.folder to a folder you may write to",
            ) from problem
        return str(files["video"])

    def finish(self, upload: Upload, video_id: str) -> None:
        """Nothing: all four files are placed at once."""

    def withdraw(self, video_id: str, *, delete: bool) -> str:
        """The published files are deleted, where that is wanted. Those they were made from stay in the store."""
        if not keys.JOB_ID.fullmatch(video_id):
            raise PublishError(f"{video_id!r} can't be the id of a published video")
        files = paths(self._folder, video_id)
        if not delete:
            return f"The files in {files['video'].parent} are left: nobody but you sees them (--delete deletes them)"
        try:
            there = [path for path in files.values() if path.exists()]
            # The metadata first: it is placed last, and where it is the others are.
            for path in reversed(there):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # other files are in it
                files["video"].parent.rmdir()
        except OSError as problem:
            raise PublishError(
                f"can't delete in {self._folder}: {problem.strerror or problem}",
                hint=f"delete {files['video'].parent} yourself",
            ) from problem
        return (
            f"The files in {files['video'].parent} were deleted"
            if there
            else f"The files of {video_id} are not there any more"
        )


def paths(folder: Path, job_id: str) -> dict[str, Path]:
    """Where the four files of a job are published, by kind."""
    return {kind: folder / job_id / f"{job_id}{suffix}" for kind, suffix in keys.FILES.items()}


def _place(source: Path, target: Path, place: Callable[[Path, Path], None]) -> None:
    with tempfile.TemporaryDirectory(prefix=".publish-", dir=target.parent) as folder:
        temporary = Path(folder, target.name)
        try:
            place(source, temporary)
        except OSError as problem:
            if place is _copy or problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            _copy(source, temporary)  # another file system, or one without links
        temporary.chmod(0o644)
        temporary.replace(target)


def _copy(source: Path, target: Path) -> None:
    with target.open("xb") as out, source.open("rb") as data:
        shutil.copyfileobj(data, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
