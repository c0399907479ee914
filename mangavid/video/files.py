"""Files that appear whole or not at all, and disks that are full."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mangavid import faults
from mangavid.errors import RenderError, StorageFull


def commit(part: Path, out: Path) -> None:
    """Make ``part`` durable under the name ``out``."""
    with part.open("rb+") as file:
        os.fsync(file.fileno())
    faults.point("file.before_rename")
    part.replace(out)
    if os.name == "posix":
        folder = os.open(out.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def disk(out: Path) -> Iterator[None]:
    """A full disk, in whatever words it is reported, as StorageFull."""
    try:
        yield
    except OSError as problem:  # av.error.OSError among them
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(f"no space left in {out.parent}") from problem
        raise RenderError(f"{out.name} could not be written: {problem.strerror or problem}") from problem
