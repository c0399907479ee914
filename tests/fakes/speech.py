"""A speech server of OpenAI's protocol on loopback: ``POST /v1/audio/speech``.

What it says sounds like tones (``tests.fakes.sounds``). Faults are taken from a queue, one a request; the ledger notes
what was asked, with which key, and how many requests were open at once.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes import sounds

RATE = 24_000


@dataclass
class Ledger:
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    open: int = 0
    most_at_once: int = 0


class SpeechService:
    def __init__(self) -> None:
        self.faults: deque[str] = deque()
        self.ledger = Ledger()
        self.lock = threading.Lock()
        self.latency = 0.0
        self.url = ""


#: Statuses with the errors that belong to them, as providers write them.
ERRORS: dict[str, tuple[int, dict[str, str], Any]] = {
    "a wrong key": (
        401,
        {},
        {"error": {"message": "Incorrect API key provided: sk-CANARY", "code": "invalid_api_key"}},
    ),
    "a key without permission": (403, {}, {"error": {"message": "Missing scopes", "code": None}}),
    "no such model": (404, {}, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}),
    "no such path": (404, {}, {"detail": "Not Found"}),
    "no such method": (405, {}, {"detail": "Method Not Allowed"}),
    "no such voice": (400, {}, {"error": {"message": "Voice not found", "param": "voice", "code": None}}),
    "a text it refuses": (400, {}, {"error": {"message": "Rejected by\u202e safety", "param": "input", "code": None}}),
    "an unprocessable text": (422, {}, {"detail": [{"loc": ["body", "input"], "msg": "bad"}]}),
    "a text too large": (413, {}, {}),
    "no credit": (429, {}, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}),
    "payment required": (402, {}, {"error": {"message": "Pay"}}),
    "too many requests": (
        429,
        {"Retry-After": "7"},
        {"error": {"message": "Rate limit", "code": "rate_limit_exceeded"}},
    ),
    "a request timeout": (408, {}, {}),
    "a conflict": (409, {}, {}),
    "a server error": (500, {}, {"error": {"message": "The server had an error"}}),
    "a bad gateway": (502, {}, "<html>bad gateway</html>"),
    "an overloaded server": (503, {"Retry-After": "soon"}, {}),
    "a gateway timeout": (504, {}, {}),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: SpeechService

    def do_POST(self) -> None:
        service = self.service
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with service.lock:
            ledger = service.ledger
            ledger.requests.append({**asked, "path": self.path})
            ledger.keys.append(self.headers.get("Authorization", ""))
            ledger.open += 1
            ledger.most_at_once = max(ledger.most_at_once, ledger.open)
            fault = service.faults.popleft() if service.faults else ""
        try:
            time.sleep(service.latency)
            self._answer(asked["input"], fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with service.lock:
                ledger.open -= 1

    def _answer(self, text: str, fault: str) -> None:
        wav = sounds.wav(sounds.tones(text, RATE), RATE)
        if fault in ERRORS:
            status, headers, body = ERRORS[fault]
            self._send(json.dumps(body).encode(), "application/json", status, **headers)
        elif fault == "no answer":
            self.close_connection = True
        elif fault == "a reset":
            with suppress(OSError):
                self.connection.shutdown(2)
            self.close_connection = True
        elif fault == "nonsense instead of HTTP":
            self.wfile.write(b"\0\1\2 nonsense\r\n\r\n")
            self.close_connection = True
        elif fault == "a stall":
            self.connection.settimeout(10)
            self._gone()
        elif fault == "a stall in the middle":
            self._head("audio/wav", len(wav))
            self.wfile.write(wav[: len(wav) // 2])
            self._gone()
        elif fault == "a slow drip":
            self._head("audio/wav", len(wav))
            for at in range(0, len(wav), 64):
                self.wfile.write(wav[at : at + 64])
                time.sleep(0.1)
        elif fault == "a body cut off":
            self._head("audio/wav", len(wav))
            self.wfile.write(wav[: len(wav) // 2])
            self.close_connection = True
        elif fault == "an endless body":
            self.send_response(200)
            self.send_header("Content-Type", "audio/wav")
            self.send_header("Connection", "close")
            self.end_headers()
            for _ in range(10_000):
                self.wfile.write(wav)
        elif fault == "a redirect to nowhere":
            self._send(b"", "text/plain", 302, Location="http://127.0.0.1:9/")
        else:
            self._send(*_audio(text, wav, fault))

    def _gone(self) -> None:
        self.connection.recv(1)
        self.close_connection = True

    def _head(self, kind: str, length: int, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _send(self, body: bytes, kind: str, status: int = 200, **headers: str) -> None:
        self._head(kind, len(body), status, **headers)
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Not on stderr."""


def _audio(text: str, wav: bytes, fault: str) -> tuple[bytes, str]:
    if fault == "nothing":
        return b"", "audio/wav"
    if fault == "JSON with a friendly word":
        return b'{"status": "queued"}', "application/json"
    if fault == "HTML":
        return b"<html>login</html>" * 50, "text/html; charset=\x1b[31m"
    if fault == "silence":
        return sounds.wav(sounds.tones(text, RATE, level=0), RATE), "audio/wav"
    if fault == "a tenth of a second":
        return sounds.wav(sounds.tones(text, RATE)[2400:4800], RATE), "audio/wav"
    if fault == "another text":
        return sounds.wav(sounds.tones("một hai " * 60, RATE), RATE), "audio/wav"
    if fault == "a WAV that promises more":
        return wav[: len(wav) // 2], "audio/wav"
    if fault == "a WAV with nothing behind its header":
        return wav[:40], "audio/wav"
    if fault == "a broken FLAC":
        return b"fLaC" + bytes(range(256)) * 8, "audio/flac"
    if fault == "MP3":
        return sounds.spoken_mp3(text), "audio/mpeg"
    if fault == "bare samples":
        return sounds.tones(text, RATE).astype("<i2").tobytes(), "audio/pcm"
    if fault == "bare samples at their own rate":
        return sounds.tones(text, 16_000).astype("<i2").tobytes(), "audio/L16; rate=16000"
    if fault == "a WAV of unknown length":
        return wav[:4] + b"\xff\xff\xff\xff" + wav[8:40] + b"\xff\xff\xff\xff" + wav[44:], "audio/wav"
    if fault == "stereo at 44100":
        return sounds.wav(sounds.tones(text, 44_100), 44_100, channels=2), "audio/wav"
    if fault == "a WAV without a type":
        return wav, "application/octet-stream"
    return wav, "audio/wav"


@contextmanager
def speech_service() -> Iterator[SpeechService]:
    """The server, in threads; its base address is ``url``."""
    service = SpeechService()
    handler = type("Handler", (_Handler,), {"service": service})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="speech-service")
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
