"""Publishing into a folder: the video, its captions, thumbnail and metadata side by side, ready for upload.

``<folder>/<job_id>/<job_id>.mp4 .srt .jpg .json``: players load the captions by the shared name. Each file is written
whole or not at all, the metadata last: where it is, the others are.

The video takes no room of its own where the stored one is on the same file system: it is a second name of it (a hard
link). Whoever changes it in place changes the stored one too, which is noticed by its SHA-256 before it is used again.
The small files, which a person may well edit, are copies.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from mangavid import keys
from mangavid.errors import PublishError, StorageFull
from mangavid.models import Rendered
from mangavid.ports import Publication


class FolderPublisher:
    """``ports.Publisher``. ``video_id`` is the job's own id."""

    name = "folder"

    def __init__(self, folder: Path, *, link: Callable[[Path, Path], None] = os.link) -> None:
        """``link`` gives the file of its first argument a second name; OSError where that can't be."""
        self._folder = folder
        self._link = link

    def publish(self, job_id: str, rendered: Rendered, fetch: Callable[[str], Path]) -> Publication:
        files = paths(self._folder, job_id)
        try:
            files["video"].parent.mkdir(parents=True, exist_ok=True)
            for kind, path in files.items():
                _place(fetch(getattr(rendered, kind).key), path, self._link if kind == "video" else _copy)
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"no space left in {self._folder}") from problem
            raise PublishError(
                f"can't write to {self._folder}: {problem.strerror or problem}",
                hint="set publisher.folder to a folder you may write to",
            ) from problem
        return Publication(video_id=job_id, where=str(files["video"]))


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
