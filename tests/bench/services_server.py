"""The services of `services`, as a process of their own: ``python -m tests.bench.services_server JSON``.

A MangaDex with one chapter, a chat server and an Edge service on loopback, each as slow as it is told to be. Prints
where they are; then, for every line that it reads, what they have seen so far. Times are of ``time.monotonic``, which
all processes of a machine share.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

from aiohttp import web

from mangavid.clock import SystemClock
from mangavid.voices import align, reading
from tests.drawn import page_of, png
from tests.fakes import sounds
from tests.fakes.chat import LINE, Call, ChatServer, serve
from tests.fakes.edge import EdgeService, edge_service
from tests.fakes.mangadex import FakeImages, FakeMangadex, broken, mangadex
from tests.fakes.web import Reply, Request

SIZE = (1100, 1560)
#: Two to a page.
PANELS = ((40, 40, 1020, 720), (40, 800, 1020, 720))

Spans = list[tuple[float, float]]


class _Open:
    """Notes from when to when something was open."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._spans.append((self._began, time.monotonic()))


def _slow_site(site: FakeMangadex | FakeImages, latency: float) -> Spans:
    """``site`` answers after ``latency`` seconds, and notes how long each request was with it."""
    spans: Spans = []
    answer = site.answer

    def slowly(request: Request) -> Reply:
        with _Open(spans):
            if request.path != "/report":
                site.stopping.wait(latency)
            return answer(request)

    site.answer = slowly  # type: ignore[method-assign]
    return spans


class _SlowChat(ChatServer):
    def __init__(self, latency: float) -> None:
        super().__init__(key="")
        self.latency = latency
        self.spans: Spans = []

    def answer(self, call: Call) -> tuple[int, bytes]:
        with _Open(self.spans):
            self.over.wait(self.latency)
            return super().answer(call)


def _noted(answer: Callable[[EdgeService, web.Request], Awaitable[web.StreamResponse]], spans: Spans) -> Any:
    async def noted(service: EdgeService, request: web.Request) -> web.StreamResponse:
        with _Open(spans):
            return await answer(service, request)

    return noted


def _draw(site: FakeMangadex, pages: int) -> str:
    """A chapter of full pages; its id."""
    chapter = site.chapter(site.title("Cánh cổng"), "1", pages=1)
    site.chapters[chapter]["attributes"]["pages"] = pages
    drawn = [png(page_of(PANELS, size=SIZE, seed=n)) for n in range(1, pages + 1)]
    site.pages[chapter] = {f"x{n}-{hashlib.sha256(data).hexdigest()}.png": data for n, data in enumerate(drawn, 1)}
    return chapter


def _prepare(lines: int) -> None:
    """Make the sound of the model's lines beforehand: a line then takes the service its latency, and little more."""
    for n in range(1, lines + 1):
        sounds.spoken_mp3(align.line(reading.tokens(LINE.format(n), "vi")).text)


def main(text: str) -> None:
    told: dict[str, Any] = json.loads(text)
    with ExitStack() as stack:
        clock: Any = SystemClock()
        site = stack.enter_context(mangadex(clock))
        site.enforced = True
        chapter = _draw(site, told["pages"])
        others = [site.chapter(site.title("Khác"), str(n), pages=1) for n in range(told["others"])]
        chat = stack.enter_context(serve(_SlowChat(told["answer"])))
        assert isinstance(chat, _SlowChat)
        lines: Spans = []
        EdgeService.answer = _noted(EdgeService.answer, lines)  # type: ignore[method-assign]
        edge = stack.enter_context(edge_service())
        edge.latency = told["line"]
        _prepare(60)
        spans = {
            "api": _slow_site(site, told["image"]),
            "images": _slow_site(site.images, told["image"]),
            "chat": chat.spans,
            "edge": lines,
        }
        where = {"mangadex": site.base, "chat": chat.url, "edge": edge.url, "chapter": chapter, "others": others}
        print(json.dumps(where), flush=True)
        for _ in sys.stdin:
            images = [request.at for request in list(site.images.ledger)]
            seen = {
                "spans": spans,
                "api": [request.at for request in site.api()],
                "images": images,
                "violations": site.violations(),
                "crowded": broken(images, 5, 1.0),
                "repairs": sum(call.repair for call in chat.calls),
                "connections": edge.ledger.most_at_once,
            }
            print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
