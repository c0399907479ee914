"""Publishing into a folder: the video, its captions, thumbnail and metadata side by side, ready for upload.

``<folder>/<job_id>/<job_id>.mp4 .srt .jpg .json``: players load the captions by the shared name. Each file is written
whole or not at all, the metadata last: where it is, the others are.
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
from mangavid.models import Rendered
from mangavid.ports import Publication


class FolderPublisher:
    """``ports.Publisher``. ``video_id`` is the job's own id."""

    name = "folder"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def publish(self, job_id: str, rendered: Rendered, fetch: Callable[[str], Path]) -> Publication:
        files = paths(self._folder, job_id)
        try:
            files["video"].parent.mkdir(parents=True, exist_ok=True)
            for kind, path in files.items():
                _place(fetch(getattr(rendered, kind).key), path)
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


def _place(source: Path, target: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=".publish-", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out, source.open("rb") as data:
            shutil.copyfileobj(data, out, 1 << 20)
            out.flush()
            os.fsync(out.fileno())
        temporary.chmod(0o644)
        temporary.replace(target)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
