"""The object store as a folder. A put writes a temporary file, syncs it, renames it, syncs the folder."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from mangavid import faults
from mangavid.errors import ConditionFailed, SourceNotFound, StorageFull
from mangavid.models import Product

_CHUNK = 1 << 20
#: How files begin that are being written: no object, and left behind only by a kill.
TEMPORARY = ".put-"


class FolderObjects:
    """``ports.Objects`` over one folder; keys are paths below it. Safe for several processes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if not key or any(part in ("", ".", "..") or "\\" in part or "\0" in part for part in parts):
            raise ValueError(f"not an object key: {key!r}")
        return self._root.joinpath(*parts)

    def put(self, key: str, data: bytes | Path, *, if_absent: bool = False) -> Product:
        target = self._path(key)
        if if_absent and target.exists():
            raise ConditionFailed(f"{key} exists")
        try:
            return self._write(target, key, data, if_absent)
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(f"no space left for {key} in {self._root}") from problem
            raise

    def _write(self, target: Path, key: str, data: bytes | Path, if_absent: bool) -> Product:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=target.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                digest = hashlib.sha256()
                if isinstance(data, Path):
                    with data.open("rb") as source:
                        while chunk := source.read(_CHUNK):
                            digest.update(chunk)
                            out.write(chunk)
                else:
                    digest.update(data)
                    out.write(data)
                size = out.tell()
                out.flush()
                os.fsync(out.fileno())
            faults.point("objects.put")
            if if_absent:
                try:
                    os.link(temporary, target)
                except FileExistsError:
                    raise ConditionFailed(f"{key} exists") from None
            else:
                temporary.replace(target)
            _sync(target.parent)
        finally:
            temporary.unlink(missing_ok=True)
        faults.point("objects.stored")
        return Product(key=key, sha256=digest.hexdigest(), bytes=size)

    def get(self, key: str) -> bytes:
        return self.fetch(key).read_bytes()

    def fetch(self, key: str) -> Path:
        path = self._path(key)
        if not path.is_file():
            raise SourceNotFound(f"no object {key}", hint="remake the chapter with --again")
        return path

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def list(self, prefix: str) -> Iterator[Product]:
        root = self._path(prefix.rstrip("/"))
        for path in sorted(root.rglob("*")):
            if path.is_file() and not path.name.startswith(TEMPORARY):
                key = path.relative_to(self._root).as_posix()
                yield Product(key=key, sha256="", bytes=path.stat().st_size)

    def delete(self, keys: Sequence[str]) -> int:
        count = 0
        for key in keys:
            path = self._path(key)
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
                count += 1
            self._prune(path.parent)
        return count

    def _prune(self, folder: Path) -> None:
        """Remove folders left empty, up to the root."""
        while folder != self._root and folder.is_dir():
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    def free_bytes(self) -> int:
        """Space left where the store is."""
        self._root.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._root).free


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
