"""A chapter of ten panels, and the writer that asks the chat server of a test about it."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image

from mangavid import config
from mangavid.models import Chapter, Script
from mangavid.writers.openai import OpenAIWriter
from tests.fakes.chat import KEY, ChatServer, FakeDesk
from tests.fakes.memory import FakeClock
from tests.unit.test_writer_offline import chapter

TEN = chapter([5, 5])


def jpeg(panel: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300 + panel, 200), (panel, 90, 90)).save(out, "JPEG")
    return out.getvalue()


def settings(server: ChatServer, **changes: Any) -> config.Writer:
    return config.Writer(**({"kind": "openai", "base_url": server.url, "batch": 4} | changes))


def writer(
    server: ChatServer, clock: Any = None, key: str = KEY, timeout: float = 20.0, **changes: Any
) -> OpenAIWriter:
    return OpenAIWriter(
        settings(server, **changes),
        lambda: key,
        clock=clock or FakeClock(),
        language="vi",
        timeout=timeout,
        jitter=lambda: 0.5,
    )


def write(server: ChatServer, desk: FakeDesk | None = None, of: Chapter = TEN, **changes: Any) -> Script:
    return writer(server, **changes).write(of, jpeg, desk or FakeDesk())


def texts(script: Script) -> list[str]:
    return [scene.text for scene in script.scenes]


def tasks(server: ChatServer) -> list[tuple[str, tuple[int, ...]]]:
    return [(call.task, call.panels) for call in server.calls]
