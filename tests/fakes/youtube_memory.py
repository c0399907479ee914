"""``ports.Upload`` in a file, so that what one process was told another one knows; and a video to publish."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any

from mangavid.errors import LeaseLost, YouTubeQuotaError
from mangavid.models import Product, Rendered

JOB = "mot-cau-chuyen-0123456789"
KINDS = {"video": "video.mp4", "captions": "captions.srt", "thumbnail": "thumbnail.jpg", "metadata": "metadata.json"}
SRT = "1\n00:00:00,000 --> 00:00:02,000\nXin chào\n"


def made(folder: Path, *, size: int = (1 << 20) + 12345, metadata: dict[str, Any] | None = None) -> None:
    """The files of a rendered video."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KINDS["video"]).write_bytes(
        b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(size // 32 + 1))[:size]
    )
    (folder / KINDS["captions"]).write_text(SRT, "utf-8")
    (folder / KINDS["thumbnail"]).write_bytes(b"\xff\xd8 a picture")
    snippet = {
        "title": "Một câu chuyện – chương 3",
        "description": "Chuyện kể.\n\nTác giả: Hoạ sĩ",
        "tags": ["truyện tranh", "manga"],
        "categoryId": "1",
        "defaultLanguage": "vi",
        "defaultAudioLanguage": "vi",
    }
    found = {"job_id": JOB, "snippet": snippet, "language": "vi", "credits": {"authors": ["Hoạ sĩ"]}, "frames": 30}
    (folder / KINDS["metadata"]).write_text(json.dumps({**found, **(metadata or {})}), "utf-8")


class FileUpload:
    """``kill``: ``name:before`` or ``name:after`` of a call, at which the process kills itself. ``lost``: a call that
    raises LeaseLost.
    """

    def __init__(
        self, folder: Path, *, kill: str = "", lost: str = "", units: int = 10_000, inserts: int = 100
    ) -> None:
        self.job_id = JOB
        self.folder = folder
        self.file = folder / "memory.json"
        self.kill = kill
        self.lost = lost
        self.units_left = units
        self.inserts_left = inserts
        self.rendered = Rendered(
            inputs="i",
            **{kind: self._product(name) for kind, name in KINDS.items()},
            seconds=4.0,
            lufs=-14.0,
            epoch=1,
            segments=1,
        )
        self.checks = 0
        self.lives = 0
        self.advance: list[int] = []
        self._read()

    def fetch(self, key: str) -> Path:
        return self.folder / key

    def check(self) -> None:
        self._passes("check")
        self.checks += 1

    def began(self, session: str) -> None:
        with _Point(self, "began"):
            self.remember(session=session, sha256=self.rendered.video.sha256)

    def sent(self, done: int, total: int) -> None:
        assert total == self.rendered.video.bytes
        with _Point(self, f"sent-{done}"):
            self.advance.append(done)

    def alive(self) -> None:
        self._passes("alive")
        self.lives += 1

    def spend(self, units: int, *, inserts: int = 0) -> None:
        if units > self.units_left or inserts > self.inserts_left:
            raise YouTubeQuotaError("the day is used up")
        self.units_left -= units
        self.inserts_left -= inserts
        known = self.known()
        self.remember(units=known.get("units", 0) + units, inserts=known.get("inserts", 0) + inserts)

    def done(self, step: str) -> None:
        with _Point(self, f"done-{step}"):
            known = self.known().get("steps", [])
            assert step not in known
            self.remember(steps=[*known, step])

    def note(self, text: str) -> None:
        self.remember(notes=[*self.known().get("notes", []), text])

    @property
    def notes(self) -> list[str]:
        return list(self.known().get("notes", []))

    def known(self) -> dict[str, Any]:
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def remember(self, **facts: Any) -> None:
        made = self.file.with_suffix(".new")
        made.write_text(json.dumps({**self.known(), **facts}))
        made.replace(self.file)
        self._read()

    def _read(self) -> None:
        known = self.known()
        self.begun = bool(known.get("session"))
        self.replaced = frozenset(known.get("replaced", ()))
        self.session = known.get("session", "") if known.get("sha256") == self.rendered.video.sha256 else ""
        self.steps = frozenset(known.get("steps", []))

    def _product(self, name: str) -> Product:
        data = (self.folder / name).read_bytes()
        return Product(key=name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))

    def _passes(self, name: str) -> None:
        if self.lost == name:
            raise LeaseLost("another worker has taken over")


class _Point:
    def __init__(self, upload: FileUpload, name: str) -> None:
        self.upload, self.name = upload, name

    def __enter__(self) -> None:
        self.upload._passes(self.name)
        if self.upload.kill == f"{self.name}:before":
            os.kill(os.getpid(), signal.SIGKILL)

    def __exit__(self, *_: object) -> None:
        if self.upload.kill == f"{self.name}:after":
            os.kill(os.getpid(), signal.SIGKILL)
