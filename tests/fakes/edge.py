"""Microsoft's reading service as edge-tts speaks with it: a websocket on loopback, with tokens that depend on the time.

What it says of a word is the word; what it sounds like is a tone (``tests.fakes.sounds``). Faults are taken from a
queue, one a connection; the ledger notes every connection, what was asked, and how many were open at once.
"""

from __future__ import annotations

import asyncio
import html
import json
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

from aiohttp import web
from edge_tts import drm

from tests.fakes import sounds

PATH = "/consumer/speech/synthesize/readaloud/edge/v1"
_TICKS = 10_000_000
_FRAME = 1440


@dataclass
class Ledger:
    connections: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    voices: list[str] = field(default_factory=list)
    configs: list[Any] = field(default_factory=list)
    open: int = 0
    most_at_once: int = 0


class EdgeService:
    """``skew``: seconds its clock is ahead of ours; ``latency``: seconds before an answer begins."""

    def __init__(self) -> None:
        self.faults: deque[str] = deque()
        self.ledger = Ledger()
        self.skew = 0.0
        self.latency = 0.0
        self.url = ""

    # --- handshake ---

    async def answer(self, request: web.Request) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else ""
        self.ledger.connections.append(fault or "ok")
        if fault == "drop on accept":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault.startswith("status "):
            _, code, *after = fault.split()
            headers = {"Retry-After": after[0]} if after else {}
            return web.Response(status=int(code), headers=headers)
        if fault == "403 without date":
            return _Dateless(status=403)
        if fault == "403 with a bad date":
            return web.Response(status=403, headers={"Date": "yesterday"})
        if fault == "403" or not self._fresh(request.query.get("Sec-MS-GEC", "")):
            return web.Response(status=403, headers={"Date": formatdate(time.time() + self.skew, usegmt=True)})
        if fault == "no upgrade":
            return web.Response(text="<html>proxy login</html>", content_type="text/html")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.ledger.open += 1
        self.ledger.most_at_once = max(self.ledger.most_at_once, self.ledger.open)
        try:
            await self._turn(request, socket, fault)
        except (ConnectionError, RuntimeError):  # who asked is gone
            pass
        finally:
            self.ledger.open -= 1
        return socket

    def _fresh(self, token: str) -> bool:
        now = time.time() + self.skew
        return token in {drm.generate_sec_ms_gec_v2(now + shift) for shift in (-300, 0, 300)}

    # --- a turn ---

    async def _turn(self, request: web.Request, socket: web.WebSocketResponse, fault: str) -> None:
        if fault == "drop after handshake":
            return self._abort(request)
        config = (await socket.receive()).data
        head, _, body = config.partition("\r\n\r\n")
        assert "Path:speech.config" in head
        self.ledger.configs.append(json.loads(body)["context"]["synthesis"]["audio"])
        ssml = (await socket.receive()).data
        assert "Path:ssml" in ssml
        text = html.unescape(re.sub(r"<[^>]*>", "", ssml.partition("\r\n\r\n")[2]))
        self.ledger.texts.append(text)
        self.ledger.voices.extend(re.findall(r"voice name='([^']*)'", ssml))
        if self.latency:
            await asyncio.sleep(self.latency)
        await socket.send_str(_text("turn.start", {"context": {"serviceTag": "f"}}))
        await socket.send_str(_text("response", {"context": {"serviceTag": "f"}, "audio": {"type": "inline"}}))
        if await self._misbehave(request, socket, fault, text):
            return None
        words, _ = sounds.timed(text)
        await self._words(socket, _altered(fault, words))
        await self._audio(socket, _sound(fault, text))
        await socket.send_bytes(_binary(b"", content_type=None))
        await socket.send_str(_text("turn.end", {}))
        await socket.close()
        return None

    async def _words(self, socket: web.WebSocketResponse, words: list[tuple[str, Any, Any]]) -> None:
        for word, start, end in words:
            data = {"Offset": start, "Duration": end, "text": {"Text": word, "Length": len(word)}}
            if not isinstance(start, str):
                data |= {"Offset": int(start * _TICKS), "Duration": int((end - start) * _TICKS)}
            await socket.send_str(_text("audio.metadata", {"Metadata": [{"Type": "WordBoundary", "Data": data}]}))

    async def _audio(self, socket: web.WebSocketResponse, mp3: bytes) -> None:
        for at in range(0, len(mp3), _FRAME):
            await socket.send_bytes(_binary(mp3[at : at + _FRAME]))

    async def _misbehave(self, request: web.Request, socket: web.WebSocketResponse, fault: str, text: str) -> bool:
        """Whether the turn ends with what was done here."""
        words, _ = sounds.timed(text)
        mp3 = sounds.spoken_mp3(text)
        half = len(mp3) // 2 // 144 * 144
        if fault == "no audio":
            await socket.send_str(_text("turn.end", {}))
        elif fault == "drop after the start":
            self._abort(request)
        elif fault in ("drop in the middle", "close in the middle"):
            await self._words(socket, words[: len(words) // 2])
            await self._audio(socket, mp3[:half])
            if fault == "drop in the middle":
                await asyncio.sleep(0.05)
                self._abort(request)
            await socket.close()
        elif fault == "audio cut after all words":
            await self._words(socket, words)
            await self._audio(socket, mp3[:half])
            await socket.close()
        elif fault == "endless audio":
            with suppress(ConnectionError):
                for _ in range(4000):
                    await self._audio(socket, mp3)
        elif fault == "endless words":
            with suppress(ConnectionError):
                for _ in range(30_000):
                    await self._words(socket, words[:1])
        elif fault == "stall":
            await socket.receive()  # until who asked has had enough
        elif fault == "stall in the middle":
            await self._audio(socket, mp3[:half])
            await socket.receive()
        elif fault == "slow drip":
            dripping = asyncio.create_task(self._drip(socket, mp3))
            await socket.receive()
            dripping.cancel()
        elif fault in _MESSAGES:
            message = _MESSAGES[fault]
            await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
            await socket.close()
        else:
            return False
        return True

    @staticmethod
    async def _drip(socket: web.WebSocketResponse, mp3: bytes) -> None:
        for at in range(0, len(mp3), 8):
            await socket.send_bytes(_binary(mp3[at : at + 8]))
            await asyncio.sleep(0.1)

    @staticmethod
    def _abort(request: web.Request) -> None:
        assert request.transport is not None
        request.transport.abort()


class _Dateless(web.Response):
    async def _prepare_headers(self) -> None:
        await super()._prepare_headers()
        self.headers["Date"] = ""


def _text(path: str, body: Any) -> str:
    kind = "application/json; charset=utf-8"
    return f"X-RequestId:0\r\nContent-Type:{kind}\r\nPath:{path}\r\n\r\n{json.dumps(body)}"


def _binary(data: bytes, *, content_type: str | None = "audio/mpeg", path: str = "audio") -> bytes:
    kind = f"Content-Type:{content_type}\r\n" if content_type else ""
    head = f"X-RequestId:0\r\n{kind}X-StreamId:0\r\nPath:{path}\r\n".encode()
    return len(head).to_bytes(2, "big") + head + data


_MESSAGES: dict[str, str | bytes] = {
    "one byte": b"\0",
    "a header longer than the message": b"\xff\xffPath:audio",
    "a header without a colon": b"\0\x09nonsense\r\n",
    "binary of another path": _binary(b"x", path="image"),
    "binary of another type": _binary(b"x", content_type="audio/webm"),
    "binary without a type": _binary(b"x", content_type=None),
    "empty audio": _binary(b""),
    "an unknown path": _text("billing", {}),
    "text without headers": "hello",
    "unknown metadata": _text("audio.metadata", {"Metadata": [{"Type": "Viseme", "Data": {}}]}),
    "metadata without words": _text("audio.metadata", {"Metadata": []}),
    "broken JSON": _text("audio.metadata", {}).replace("{}", '{"Metadata": ['),
    "JSON of another shape": _text("audio.metadata", [1]),
    "a message of 5 MiB": b"\0" * (5 << 20),
}


def _altered(fault: str, words: list[tuple[str, Any, Any]]) -> list[tuple[str, Any, Any]]:
    if fault == "no words":
        return []
    if fault == "half of the words":
        return words[: len(words) // 2]
    if fault == "other words":
        return [("lorem", start, end) for _, start, end in words]
    if fault == "times as text":
        return [(word, "soon", "a while") for word, _, _ in words]
    if fault == "negative times":
        return [(word, -5.0, -4.0) for word, _, _ in words]
    if fault == "times of another day":
        return [(word, 90_000.0, 90_001.0) for word, _, _ in words]
    if fault == "words in reverse order":
        return words[::-1]
    if fault == "words long after the audio":
        return [(word, start + 8, end + 8) for word, start, end in words]
    if fault == "a stray word between":
        return [*words[:1], ("<unk>", words[0][2], words[0][2]), *words[1:]]
    return words


def _sound(fault: str, text: str) -> bytes:
    if fault == "silence":
        return sounds.spoken_mp3(text, 0)
    if fault == "a tenth of a second":
        return sounds.spoken_mp3(text)[:720]
    if fault == "another text's audio":
        return sounds.spoken_mp3("một " * 200)
    if fault == "noise instead of audio":
        return bytes(range(1, 256)) * 40
    if fault == "HTML instead of audio":
        return b"<html>blocked</html>" * 100
    if fault == "a hole in the audio":
        mp3 = sounds.spoken_mp3(text)
        return mp3[:1440] + bytes(1440) + mp3[2880:]
    return sounds.spoken_mp3(text)


@contextmanager
def edge_service() -> Iterator[EdgeService]:
    """The service, in a thread; its address is ``url``."""
    service = EdgeService()
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        app = web.Application()
        app.router.add_get(PATH, service.answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        service.url = f"ws://127.0.0.1:{runner.addresses[0][1]}{PATH}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="edge-service")
    thread.start()
    assert ready.wait(10)
    try:
        yield service
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
