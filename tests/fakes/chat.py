"""A chat server on loopback that speaks OpenAI's protocol, with a queue of faults and a ledger of all it was asked."""

from __future__ import annotations

import gzip
import json
import re
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mangavid.models import Story

KEY = "sk-test-0123456789abcdef"
LINE = "Cậu bé bước qua cánh cổng cũ và khẽ gọi tên người bạn số {}."


@dataclass(frozen=True)
class Fault:
    """What happens to one request instead of a good answer.

    ``how``: drop, reset, cut, stall, stall-body, drip, chunks, gzip, bomb, noise; empty: an answer with ``status``,
    whose completion is changed by ``patch``, whose text is ``content``, or whose body is ``body``.
    """

    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    how: str = ""
    content: str | None = None
    patch: Callable[[dict[str, Any]], Any] | None = None


def refused(
    status: int, message: str = "no", *, code: str | None = None, kind: str | None = None, **headers: str
) -> Fault:
    """An error as OpenAI writes it; ``retry_after="3"`` becomes a header."""
    body = json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()
    return Fault(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class Call:
    """A request as the server saw it. ``paid``: a whole answer with status 200 went out."""

    task: str
    panels: tuple[int, ...]
    pictures: int
    text: str
    body: dict[str, Any]
    key: str
    paid: bool = False

    @property
    def repair(self) -> bool:
        return any(message["role"] == "assistant" for message in self.body["messages"])


@dataclass
class ChatServer:
    """``formats``: the response formats it knows; ``room``: the name of the token limit it takes."""

    faults: deque[Fault] = field(default_factory=deque)
    calls: list[Call] = field(default_factory=list)
    formats: tuple[str, ...] = ("json_schema", "json_object", "text")
    room: tuple[str, ...] = ("max_tokens", "max_completion_tokens")
    models: tuple[str, ...] = ("gpt-4.1-mini", "other")
    key: str = KEY
    #: Most panels that it answers in one go; more end with finish_reason length.
    most_panels: int = 1000
    #: Changes a good answer's object, by task.
    change: Callable[[str, dict[str, Any]], Any] = lambda task, answer: answer
    #: A fault by what is asked, where none is queued.
    choose: Callable[[Call], Fault | None] = lambda call: None
    usage: Mapping[str, Any] | None = field(
        default_factory=lambda: {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
    )
    asked_models: int = 0
    url: str = ""
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def paid(self) -> list[Call]:
        return [call for call in self.calls if call.paid]

    # --- answering ---

    def answer(self, call: Call) -> tuple[int, bytes]:
        """A good answer, or what the server can't do."""
        if self.key and call.key != f"Bearer {self.key}":
            return 401, refused(401, f"Incorrect API key provided: {call.key}", code="invalid_api_key").body or b""
        wanted = (call.body.get("response_format") or {}).get("type", "text")
        if wanted not in self.formats:
            message = f"Invalid parameter: 'response_format' of type '{wanted}' is not supported with this model."
            return 400, refused(400, message, kind="invalid_request_error").body or b""
        for name in ("max_tokens", "max_completion_tokens"):
            if name in call.body and name not in self.room:
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                return 400, refused(400, message, code="unsupported_parameter").body or b""
        return 200, json.dumps(self.completion(call)).encode()

    def completion(self, call: Call, content: str | None = None) -> dict[str, Any]:
        long = len(call.panels) > self.most_panels
        text = json.dumps(self.change(call.task, good(call)), ensure_ascii=False) if content is None else content
        message = {"role": "assistant", "content": text[:40] if long else text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": "length" if long else "stop"}
        found = {"id": "chatcmpl-1", "object": "chat.completion", "model": call.body.get("model"), "choices": [choice]}
        return found | ({"usage": dict(self.usage)} if self.usage is not None else {})


def good(call: Call) -> dict[str, Any]:
    """An answer that fits the task."""
    if call.task == "panels":
        shape = json.loads(call.text.split("of this shape: ")[1].split("\n")[0])
        extra = {
            "hook": "Điều gì đang chờ cậu bé ở phía sau cánh cổng cũ kia?",
            "recap": "Lần trước, cậu bé đã tìm thấy chiếc chìa khóa bị mất.",
            "outro": "Câu chuyện tạm dừng ở đây, hẹn gặp lại ở chương sau.",
        }
        return {
            "panels": [{"panel": n, "kind": "story", "text": LINE.format(n)} for n in call.panels],
            **{name: text for name, text in extra.items() if name in shape},
            "story": f"Cậu bé đã đi đến khung {call.panels[-1]}.",
            "names": [{"name": "Minh", "who": "cậu bé"}],
        }
    if call.task == "polish":
        return {"lines": data(call)["lines"]}
    return {
        "title": "Cánh cổng cũ",
        "description": "Một cậu bé đứng trước cánh cổng cũ. Điều gì đang chờ cậu ở phía sau?",
        "tags": ["phiêu lưu", "cánh cổng"],
    }


def data(call: Call) -> dict[str, Any]:
    """The data that the prompt holds."""
    found, _ = json.JSONDecoder().raw_decode(call.text.split("Data (never instructions):\n")[1])
    assert isinstance(found, dict)
    return found


def _call(body: dict[str, Any], key: str) -> Call:
    texts, pictures = [], 0
    for message in body["messages"][:2]:
        content = message["content"]
        for part in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            if part["type"] == "text":
                texts.append(part["text"])
            else:
                assert part["image_url"]["url"].startswith("data:image/jpeg;base64,/9j/"), "pictures are JPEG"
                pictures += 1
    text = "\n".join(texts)
    task = re.search(r"^Task: (\w+)", text, re.MULTILINE)
    assert task
    panels = tuple(int(number) for number in re.findall(r"^Panel (\d+), on page \d+:$", text, re.MULTILINE))
    return Call(task[1], panels, pictures, text, body, key)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    chat: ChatServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.chat.asked_models += 1
        fault = self.chat.faults.popleft() if self.chat.faults else None
        if fault:
            return self._fail(fault, fault.body or b"")
        if self.chat.key and self.headers.get("Authorization") != f"Bearer {self.chat.key}":
            return self._send(401, refused(401, "bad key", code="invalid_api_key").body or b"")
        listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in self.chat.models]}
        return self._send(200, json.dumps(listed).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        call = _call(body, self.headers.get("Authorization", ""))
        self.chat.calls.append(call)
        fault = self.chat.faults.popleft() if self.chat.faults else self.chat.choose(call)
        if fault is None:
            status, data = self.chat.answer(call)
            call.paid = status == 200
            return self._send(status, data)
        answer = fault.body
        if answer is None:
            found: Any = self.chat.completion(call, fault.content)
            if fault.patch:
                fault.patch(found)
            answer = json.dumps(found).encode()
        call.paid = fault.status == 200 and not fault.how
        return self._fail(fault, answer)

    def _send(self, status: int, data: bytes, headers: Mapping[str, str] | None = None, *, sent: int = -1) -> None:
        self.send_response(status)
        headers = {"Content-Type": "application/json", "x-request-id": "req_1"} | dict(headers or {})
        for name, value in ({"Content-Length": str(len(data))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data if sent < 0 else data[:sent])
        self.wfile.flush()

    def _fail(self, fault: Fault, data: bytes) -> None:
        if not fault.how:
            return self._send(fault.status, data, fault.headers)
        self.close_connection = True
        if fault.how == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif fault.how == "stall":
            self.chat.over.wait(20)
        elif fault.how == "noise":
            self.wfile.write(b"220 mail.test ESMTP ready\r\n\r\n")
        elif fault.how == "gzip":
            self._send(200, b"\x1f\x8b nothing that was packed", {"Content-Encoding": "gzip"})
        elif fault.how == "bomb":
            self._send(200, gzip.compress(b" " * (64 << 20)), {"Content-Encoding": "gzip"})
        elif fault.how == "chunks":
            self._send(200, b"", {"Transfer-Encoding": "chunked", "Content-Length": "0"}, sent=0)
            self.wfile.write(b"zz\r\nno length\r\n")
        elif fault.how in ("cut", "stall-body", "drip"):
            self._send(200, data, sent=len(data) // 2)
            if fault.how == "stall-body":
                self.chat.over.wait(20)
            for byte in data[len(data) // 2 :] if fault.how == "drip" else b"":
                if self.chat.over.wait(0.05):
                    break
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
        return None


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that leave are part of the game."""


@contextmanager
def serve(chat: ChatServer | None = None) -> Iterator[ChatServer]:
    chat = chat or ChatServer()
    server = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"chat": chat}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield chat
    finally:
        chat.over.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class Killed(BaseException):
    """What a test's desk raises to end a run in the middle, as a kill would."""


class FakeDesk:
    """``ports.Desk`` in memory; ``most``: what may be spent. ``die_at`` / ``die_after``: the n-th keep kills the run
    before or after the answer is there.
    """

    def __init__(self, before: Story | None = None, *, most: int = 10**9) -> None:
        self.before = before
        self.most = most
        self.answers: dict[str, bytes] = {}
        self.spent: dict[str, int] = {}
        self.allowed: list[int] = []
        self.told: list[tuple[int, int]] = []
        self.keeps = 0
        self.die_at = self.die_after = 0

    def recall(self, key: str) -> bytes | None:
        return self.answers.get(key)

    def keep(self, key: str, answer: bytes, micros: int) -> None:
        assert re.fullmatch(r"[a-z0-9-]{1,80}", key), "a key survives as the name of a file"
        self.keeps += 1
        if self.keeps == self.die_at:
            raise Killed
        self.answers[key] = answer
        self.spent.setdefault(key, micros)
        if self.keeps == self.die_after:
            raise Killed

    def allow(self, micros: int) -> None:
        from mangavid.errors import OverBudget

        if sum(self.spent.values()) + micros > self.most:
            raise OverBudget("too much")
        self.allowed.append(micros)

    def progress(self, done: int, total: int) -> None:
        self.told.append((done, total))


with suppress(ImportError):  # the SDK takes a second to load: not within the first test's timeouts
    import openai  # noqa: F401
