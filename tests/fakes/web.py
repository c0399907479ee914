"""A web server on loopback: real HTTP/1.1 with kept connections, a queue of faults, and a ledger of what was asked."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class SharedClock:
    """Time for several threads: who sleeps moves it to where they wake, and those who sleep together wake together."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)) -> None:
        self.start = start
        self.slept: list[float] = []
        self._passed = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return self.start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        with self._lock:
            return self._passed

    def sleep(self, seconds: float) -> None:
        with self._lock:
            wakes = self._passed + seconds
            self.slept.append(seconds)
            self._passed = max(self._passed, wakes)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    at: float


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the next request whose path holds ``path``.

    ``kind``: reply (``reply`` instead), reset, cut (half the body), stall (silence), drip (a byte at a time), headers
    (a byte of them at a time), endless (a body without end), bomb (a little gzip that is huge), garbage (no HTTP),
    brotli (an encoding nobody asked for), wrong (other bytes of the same length), more (bytes after the body).
    """

    kind: str
    path: str = ""
    reply: Reply = Reply()

    def __post_init__(self) -> None:
        if self.kind == "bomb":
            bomb()  # made before anybody waits for it


@cache
def bomb() -> bytes:
    return gzip.compress(bytes(64 * 1024 * 1024), 1)


def status(code: int, path: str = "", body: bytes = b"{}", **headers: str) -> Fault:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Fault("reply", path, Reply(code, body, named))


def as_json(value: Any, code: int = 200) -> Reply:
    return Reply(code, json.dumps(value).encode(), {"Content-Type": "application/json"})


class FakeSite:
    """``answer`` makes the replies; ``faults`` go before it, one a request; ``ledger`` has every request."""

    def __init__(self, clock: SharedClock | None = None) -> None:
        self.clock = clock or SharedClock()
        self.faults: list[Fault] = []
        self.ledger: list[Request] = []
        self.hits = 0
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.base = ""

    def answer(self, request: Request) -> Reply:
        return Reply(404)

    def asked(self, part: str) -> list[Request]:
        return [request for request in self.ledger if part in request.path]

    def fault_for(self, request: Request) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.path in request.path:
                    self.faults.remove(fault)
                    return fault
        return None


class Canned(FakeSite):
    """One reply for all."""

    def __init__(self, reply: Reply | Callable[[Request], Reply], clock: SharedClock | None = None) -> None:
        super().__init__(clock)
        self.reply = reply

    def answer(self, request: Request) -> Reply:
        return self.reply(request) if callable(self.reply) else self.reply


@contextmanager
def served(site: FakeSite) -> Iterator[str]:
    """The site's address while it is served. A request that nobody finished does not hold the end up."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 10

        def setup(self) -> None:
            site.hits += 1
            super().setup()

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, parse_qs(parts.query), headers, body, site.clock.monotonic())
            with site.lock:
                site.ledger.append(request)
            fault = site.fault_for(request)
            with suppress(OSError):
                if fault is None:
                    self.send(site.answer(request))
                elif fault.kind == "reply":
                    self.send(fault.reply)
                else:
                    self.close_connection = True
                    _go_wrong(self, fault.kind, site.answer(request), site.stopping)

        do_GET = do_POST = do_HEAD = handle_any

        def send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            packed = reply.body
            if "gzip" in (self.headers.get("Accept-Encoding") or "") and len(packed) > 500:
                packed = gzip.compress(packed)
                self.send_header("Content-Encoding", "gzip")
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return f"{site.clock.now():%a, %d %b %Y %H:%M:%S} GMT"

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            return  # the reader went away in the middle

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        site.base = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield site.base
        finally:
            site.stopping.set()
            server.shutdown()
            thread.join()


def _go_wrong(handler: Any, kind: str, reply: Reply, stopping: threading.Event) -> None:
    raw: socket.socket = handler.connection

    def head(length: int | None, *more: str) -> bytes:
        lines = [f"HTTP/1.1 {reply.status} OK", *more]
        lines += [f"Content-Length: {length}"] if length is not None else []
        return "\r\n".join([*lines, "", ""]).encode()

    def slowly(data: bytes) -> None:
        for at in range(len(data)):
            raw.sendall(data[at : at + 1])
            if stopping.wait(0.02):
                return

    if kind == "reset":
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.rfile.close()
        raw.close()
    elif kind == "cut":
        raw.sendall(head(len(reply.body)) + reply.body[: len(reply.body) // 2])
    elif kind == "stall":
        stopping.wait(30)
    elif kind == "drip":
        raw.sendall(head(10_000))
        slowly(b"x" * 10_000)
    elif kind == "headers":
        slowly(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: " + b"y" * 10_000)
    elif kind == "endless":
        raw.sendall(head(None))
        while not stopping.is_set():
            raw.sendall(b"z" * 65536)
    elif kind == "bomb":
        raw.sendall(head(len(bomb()), "Content-Encoding: gzip") + bomb())
    elif kind == "garbage":
        raw.sendall(b"\x16\x03\x01 hello \r\n\r\n")
    elif kind == "brotli":
        raw.sendall(head(4, "Content-Encoding: br") + b"abcd")
    elif kind == "wrong":
        raw.sendall(head(len(reply.body)) + bytes(byte ^ 1 for byte in reply.body))
    elif kind == "more":
        raw.sendall(head(len(reply.body)) + reply.body + b"and more")
    else:
        raise AssertionError(kind)
