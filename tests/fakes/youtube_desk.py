"""A publisher at the fake, with all that a test of it needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mangavid.config import Rights, Youtube
from mangavid.publishers.youtube import YoutubePublisher
from tests.fakes.memory import FakeClock
from tests.fakes.youtube import FakeYoutube
from tests.fakes.youtube_memory import FileUpload, made

CHUNK = 256 << 10


@dataclass
class Desk:
    fake: FakeYoutube
    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    made: dict[str, Any] = field(default_factory=dict)

    def settings(self, **changes: Any) -> Youtube:
        return Youtube(**{"api": self.fake.url, "login": f"{self.fake.url}/token", **changes})

    def publisher(self, rights: Rights | None = None, *, timeout: float = 3.0, **changes: Any) -> YoutubePublisher:
        return YoutubePublisher(
            self.settings(**changes),
            rights or Rights(basis="own", holder="us"),
            self.fake.login.token,
            clock=self.clock,
            time_zone="Asia/Ho_Chi_Minh",
            jitter=lambda: 0.0,
            chunk=CHUNK,
            timeout=timeout,
        )

    def upload(self, **told: Any) -> FileUpload:
        if not (self.folder / "video.mp4").exists():
            made(self.folder, **self.made)
        return FileUpload(self.folder, **told)
