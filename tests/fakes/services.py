"""All four services on loopback at once, and the settings that lead a whole pipeline to them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fakes import chat, edge, mangadex, web, youtube


class RealClock(web.SharedClock):
    """Time as it is: who asks are other processes, and whether they ask too often is measured by it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class Services:
    mangadex: mangadex.FakeMangadex
    chat: chat.ChatServer
    edge: edge.EdgeService
    youtube: youtube.FakeYoutube
    #: Ends the chat server before the others.
    stop_chat: ExitStack = field(default_factory=ExitStack)

    def settings(self, *titles: str, **changes: Mapping[str, Any]) -> dict[str, Any]:
        """What a mangavid.yaml says (JSON is YAML). ``changes``: more settings, by section."""
        found: dict[str, dict[str, Any]] = {
            "quota": {"daily": 1},
            "rights": {"basis": "permission", "holder": "Xưởng Trăng"},
            "source": {"kind": "mangadex"},
            "mangadex": {
                "titles": list(titles),
                "api": self.mangadex.base,
                "report": f"{self.mangadex.base}/report",
                "image_hosts": ["127.0.0.1"],
            },
            "writer": {"kind": "openai", "base_url": self.chat.url, "ocr": False},
            "voice": {"engines": ["edge", "espeak"]},
            "edge": {"endpoint": self.edge.url},
            "video": {"width": 640, "height": 360, "fps": 24},
            "publisher": {"kind": "youtube"},
            "youtube": {"api": self.youtube.url, "login": f"{self.youtube.url}/token"},
        }
        for section, values in changes.items():
            found[section] = {**found.get(section, {}), **values}
        return found

    def write(self, file: Path, *titles: str, **changes: Mapping[str, Any]) -> Path:
        file.write_text(json.dumps(self.settings(*titles, **changes), ensure_ascii=False), encoding="utf-8")
        return file

    def asked(self) -> dict[str, int]:
        """Requests so far, by service."""
        return {
            "mangadex": len(self.mangadex.ledger) + len(self.mangadex.images.ledger),
            "chat": len(self.chat.calls) + self.chat.asked_models,
            "edge": len(self.edge.ledger.connections),
            "youtube": len(self.youtube.calls),
        }


@contextmanager
def services() -> Iterator[Services]:
    with ExitStack() as stack:
        site = stack.enter_context(mangadex.mangadex(RealClock()))
        voice = stack.enter_context(edge.edge_service())
        channel = stack.enter_context(youtube.FakeYoutube())
        stop_chat = stack.enter_context(ExitStack())
        yield Services(site, stop_chat.enter_context(chat.serve()), voice, channel, stop_chat)
