"""Chapters in the artifact bucket.

A chapter is a CBZ or ZIP file below ``library/``, or below ``inbox/`` where a run was given it by name; its narration
is a JSON sidecar beside it or in it. Its ``ref`` is the object's key, so that a series' folder and a file's name tell
the same as they do on a disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from mangavid.aws.objects import S3Objects
from mangavid.errors import BadInput, BadSidecar, SourceNotFound
from mangavid.keys import digest
from mangavid.ports import Fetched, Found
from mangavid.sources.local import ChapterSource
from mangavid.sources.names import page_order

LIBRARY = "library/"
#: ``inbox/<digest of what it is>/<folder>/<file>``: chapters that ``mangavid run CHAPTER`` put there (``aws.inbox``).
INBOX = "inbox/"
_CHAPTERS = (".cbz", ".zip")
_NARRATION = ".narration.json"


class BucketLibrary:
    """``ports.Source``: the chapters ``named`` by their keys, else all of the library in natural order.

    A chapter is copied to ``folder`` while it is looked at, one at a time: disks of functions are small.
    """

    def __init__(self, objects: S3Objects, folder: Path, *, named: tuple[str, ...] = ()) -> None:
        self._objects = objects
        self._folder = folder
        self._named = named

    def find(self) -> Iterator[Found]:
        """Raises SourceNotFound for a named chapter that is not there."""
        for key in self._named or self._every():
            with self._copied(key) as file:
                (found,) = ChapterSource([file], _no_yaml).find()
            versions = (self._objects.version(key), self._objects.version(narration_key(key)))
            yield msgspec.structs.replace(found, ref=key, version=digest(*versions))

    def _every(self) -> Iterator[str]:
        keys = [one.key for one in self._objects.list(LIBRARY) if one.key.lower().endswith(_CHAPTERS)]
        return iter(sorted(keys, key=page_order))

    def fetch(self, found: Found) -> Fetched:
        with self._copied(found.ref) as file:
            fetched = ChapterSource([file], _no_yaml).fetch(msgspec.structs.replace(found, ref=str(file)))
        return msgspec.structs.replace(fetched, found=found)

    @contextmanager
    def _copied(self, key: str) -> Iterator[Path]:
        """The chapter's file with its narration beside it, under the names they have in the bucket."""
        if not key.startswith((LIBRARY, INBOX)) or not key.lower().endswith(_CHAPTERS):
            raise BadInput(f"{key[:300]} names no chapter of the bucket", hint=f"chapters are {LIBRARY}….cbz")
        placed = []
        try:
            try:
                placed.append(self._place(key))
            except (SourceNotFound, ValueError):
                raise SourceNotFound(f"no chapter {key[:300]}", hint="put it into the bucket first") from None
            with suppress(SourceNotFound):
                placed.append(self._place(narration_key(key)))
            try:
                yield placed[0]
            except BadInput as problem:
                # Whoever is to mend the chapter knows its key, not where it was copied to.
                named = str(problem)
                for path, one in zip(placed, (key, narration_key(key)), strict=False):
                    named = named.replace(str(path), one)
                problem.args = (named,)
                raise
        finally:
            for path in placed:
                path.unlink(missing_ok=True)

    def _place(self, key: str) -> Path:
        fetched = self._objects.fetch(key)
        path = self._folder / key.removeprefix(LIBRARY).removeprefix(INBOX)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Moved, not copied: the cache would keep every chapter that was only looked at.
        return fetched.replace(path)


def narration_key(chapter: str) -> str:
    """The key of the narration beside a chapter."""
    return chapter.rpartition(".")[0] + _NARRATION


def _no_yaml(_data: bytes, name: str) -> Any:
    raise BadSidecar(f"{name}: a narration on AWS is JSON", hint="write it as JSON: the fields are the same")
