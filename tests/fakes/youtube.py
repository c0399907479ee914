"""YouTube on this machine: real HTTP on 127.0.0.1, its resumable uploads, its data API, its login.

``fault`` queues what goes wrong with the next calls of a kind; ``calls`` and the videos are the ledger that judges.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes.youtube_data import Data
from tests.fakes.youtube_login import Login
from tests.fakes.youtube_model import Answer, Fault, refusal
from tests.fakes.youtube_uploads import Uploads

COSTS = {
    "channels.list": 1,
    "playlistItems.list": 1,
    "videos.list": 1,
    "captions.list": 50,
    "thumbnails.set": 50,
    "playlistItems.insert": 50,
    "videos.update": 50,
    "videos.delete": 50,
    "captions.insert": 400,
}


@dataclass
class FakeYoutube:
    """Use as a context manager. ``victim`` is called by the faults that kill, and returns when it is dead."""

    inserts_a_day: int = 100
    units_a_day: int = 10_000
    calls: list[str] = field(default_factory=list)
    units: int = 0
    #: Every header and body that came in, for what must not be in them.
    agents: set[str] = field(default_factory=set)
    victim: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.closing = threading.Event()
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.login = Login()
        self.uploads = Uploads()
        self.data = Data()
        self.uploads.made = self.data.made

    def __enter__(self) -> FakeYoutube:
        server = _Server(("127.0.0.1", 0), _handler(self))
        self.server = server
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        self.login.url = self.uploads.url = self.url
        self.thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.server.shutdown()
        self.server.server_close()

    def fault(self, call: str, kind: str, *, times: int = 1, after: int = 0, **told: Any) -> None:
        """The next ``times`` calls of this kind go wrong so, once ``after`` of them went well."""
        self.faults[call].extend([Fault("")] * after + [Fault(kind, **told)] * times)

    def count(self, call: str) -> int:
        return self.calls.count(call)

    @property
    def videos(self) -> dict[str, Any]:
        return self.data.videos

    def serve(self, method: str, target: str, headers: dict[str, str], body: bytes, fault: Fault, call: str) -> Answer:
        """Carry a request out."""
        query = {name: values[-1] for name, values in parse_qs(urlsplit(target).query).items()}
        if call in ("token", "consent"):
            return self.login.serve(call, query, headers, body)
        if not self.login.knows(headers.get("authorization", "")):
            return refusal(401, "authError", "Invalid Credentials")
        if spent := self._spent(call):
            return spent
        if call in ("videos.insert", "put", "ask"):
            return self.uploads.serve(call, target, headers, body, fault)
        return self.data.serve(call, query, headers, body)

    def _spent(self, call: str) -> Answer | None:
        self.units += COSTS.get(call, 0)
        over = self.count("videos.insert") > self.inserts_a_day if call == "videos.insert" else False
        if over or (call in COSTS and self.units > self.units_a_day):
            return refusal(403, "quotaExceeded", 'You have exceeded your <a href="/youtube/v3/quota">quota</a>.')
        return None


def named(method: str, target: str, headers: dict[str, str]) -> str:
    """What a request calls; empty where there is no such thing."""
    path = urlsplit(target).path
    if path in ("/token", "/consent"):
        return path[1:]
    if path.startswith("/upload/session/"):
        return "ask" if headers.get("content-range", "").startswith("bytes */") else "put"
    if method == "POST" and path in ("/upload/youtube/v3/videos", "/upload/youtube/v3/captions"):
        return f"{path.rpartition('/')[2]}.insert"
    if path == "/upload/youtube/v3/thumbnails/set":
        return "thumbnails.set"
    room = path.removeprefix("/youtube/v3/")
    act = {"GET": "list", "POST": "insert", "PUT": "update", "DELETE": "delete"}.get(method, "")
    return f"{room}.{act}" if f"{room}.{act}" in COSTS else ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is what these tests are about."""


def _handler(fake: FakeYoutube) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 20
        disable_nagle_algorithm = True

        def log_message(self, *_: object) -> None: ...

        def _act(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = named(self.command, self.path, headers)
            with fake.lock:
                fake.calls.append(call)
                fake.agents.add(headers.get("user-agent", ""))
                queue = fake.faults[call]
                fault = queue.popleft() if queue else Fault("")
            length = int(headers.get("content-length", "0"))
            if fault.kind == "kill-at":
                begin = self.rfile.read(min(fault.n, length))
                with fake.lock:
                    fake.uploads.partly(self.path, headers, begin)
                fake.victim()
                raise ConnectionResetError
            if fault.kind == "drop":
                return self._reset()
            body = self.rfile.read(length)
            if len(body) < length:
                raise ConnectionResetError
            if fault.kind == "kill":
                fake.victim()
                raise ConnectionResetError
            if fault.kind == "stall":
                fake.closing.wait(5)
                return self._reset()
            if fault.kind == "refuse":
                answer = refusal(fault.status, fault.reason, fault.message, **fault.more)
                return self._answer(answer._replace(headers={**answer.headers, **fault.headers}))
            if fault.kind == "bare":
                return self._answer(Answer(fault.status, b"<html>\x1b[31mnot JSON\x07</html>", {}))
            if fault.kind == "say":
                return self._answer(Answer(fault.status, fault.message.encode(), fault.headers))
            with fake.lock:
                answer = fake.serve(self.command, self.path, headers, body, fault, call)
            self._afterwards(fault, answer)

        def _afterwards(self, fault: Fault, answer: Answer) -> None:
            if fault.kind == "kill-after":
                fake.victim()
                raise ConnectionResetError
            if fault.kind == "drop-after":
                return self._reset()
            if fault.kind == "stall-after":
                fake.closing.wait(5)
                return self._reset()
            if fault.kind == "garbage":
                answer = answer._replace(body=b"\x00\xff{{{")
            if fault.kind == "list":
                answer = answer._replace(body=b"[1, 2]")
            if fault.kind == "huge":
                answer = answer._replace(body=b" " * (9 << 20))
            if fault.kind == "no-http":
                self.wfile.write(b"220 mail.example ESMTP\r\n\r\n")
                self.close_connection = True
                return None
            if fault.kind in ("cut", "drip"):
                self._head(answer)
                if fault.kind == "cut":
                    self.wfile.write(answer.body[: len(answer.body) // 2])
                    return self._reset()
                for byte in answer.body[:200]:
                    self.wfile.write(bytes([byte]))
                    if fake.closing.wait(0.02):
                        break
                return self._reset()
            return self._answer(answer)

        def _head(self, answer: Answer) -> None:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()

        def _answer(self, answer: Answer) -> None:
            self._head(answer)
            self.wfile.write(answer.body)

        def _reset(self) -> None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.wfile.flush()
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                self.connection.close()

        do_GET = do_POST = do_PUT = do_DELETE = _act

    return Handler
