"""The fake's resumable uploads. A session makes one video; what it says it holds is what it holds.

Faults of a part: ``half`` (keeps half), ``back`` (forgets all but n bytes), ``ignore`` (keeps nothing), ``rotate``
(goes on at another address), ``expire`` (the session is lost), ``expire-after`` (it is lost once the part is in),
``late`` (it makes the video only when it is asked for the n-th time), ``range`` (names bytes that there are not).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.fakes.youtube_model import Answer, Fault, refusal, said

QUANTUM = 256 << 10
CANARY = "CANARY-SESSION"


@dataclass
class Session:
    about: dict[str, Any]
    size: int
    data: bytearray = field(default_factory=bytearray)
    video: dict[str, Any] | None = None
    late: int = 0


class Uploads:
    def __init__(self) -> None:
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.begun = 0
        self.bytes = 0
        #: Every part in order, as (first byte, length).
        self.parts: list[tuple[int, int]] = []
        self.queries: list[str] = []
        self.made: Callable[[dict[str, Any], str], dict[str, Any]] = lambda about, sha256: {}

    def serve(self, call: str, target: str, headers: dict[str, str], body: bytes, fault: Fault) -> Answer:
        if call == "videos.insert":
            return self._begin(target, headers, body)
        name = urlsplit(target).path.rpartition("/")[2]
        if fault.kind == "expire":
            self.sessions.pop(name, None)
        session = self.sessions.get(name)
        if session is None:
            return Answer(fault.status or 404, b"Not Found", {})
        if call == "ask":
            if headers["content-range"] != f"bytes */{session.size}":
                return refusal(400, "badContent")
            return self._state(session, {})
        return self._part(name, session, headers["content-range"], body, fault)

    def partly(self, target: str, headers: dict[str, str], begin: bytes) -> None:
        """What came of a part before its sender died: the whole quanta of it are kept."""
        session = self.sessions[urlsplit(target).path.rpartition("/")[2]]
        first = int(re.match(r"bytes (\d+)-", headers["content-range"])[1])  # type: ignore[index]
        if first == len(session.data):
            session.data += begin[: len(begin) // QUANTUM * QUANTUM]

    def expire_all(self) -> None:
        self.sessions.clear()

    def _begin(self, target: str, headers: dict[str, str], body: bytes) -> Answer:
        self.queries.append(urlsplit(target).query)
        about = json.loads(body)
        if not about["snippet"].get("title") or len(about["snippet"]["title"]) > 100:
            return refusal(400, "invalidTitle")
        if len(",".join(about["snippet"]["tags"])) > 500:
            return refusal(400, "invalidTags")
        self.begun += 1
        return Answer(200, b"", {"Location": self._opened(Session(about, int(headers["x-upload-content-length"])))})

    def _opened(self, session: Session) -> str:
        name = f"{CANARY}-{len(self.sessions)}-{self.begun}-{self.bytes}"
        self.sessions[name] = session
        return f"{self.url}/upload/session/{name}?upload_id={CANARY}"

    def _part(self, name: str, session: Session, content_range: str, body: bytes, fault: Fault) -> Answer:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", content_range)
        assert found is not None
        first, last, size = (int(number) for number in found.groups())
        assert size == session.size and last - first + 1 == len(body)
        assert last + 1 == size or len(body) % QUANTUM == 0, "a part is a multiple of 256 KiB, but for the last"
        self.parts.append((first, len(body)))
        self.bytes += len(body)
        headers = {}
        if fault.kind == "ignore":
            return self._held(session, {})
        if fault.kind == "half":
            body = body[: len(body) // 2]
        if session.video is None and first <= len(session.data):
            session.data[first:] = body
        if fault.kind == "back":
            del session.data[fault.n :]
        if fault.kind == "late":
            session.late = fault.n
        if fault.kind == "rotate":
            del self.sessions[name]
            headers["Location"] = self._opened(session)
        if fault.kind == "range":
            return Answer(308, b"", {"Range": f"bytes=0-{session.size + 7}"})
        answer = self._state(session, headers)
        if fault.kind == "expire-after":
            del self.sessions[name]
            return Answer(fault.status or 410, b"", {})
        return answer

    def _state(self, session: Session, headers: dict[str, str]) -> Answer:
        if session.video is None and len(session.data) == session.size:
            if session.late:
                session.late -= 1
                return self._held(session, headers)
            session.video = self.made(session.about, hashlib.sha256(session.data).hexdigest())
        if session.video is not None:
            return said(session.video, 200)
        return self._held(session, headers)

    def _held(self, session: Session, headers: dict[str, str]) -> Answer:
        if session.data:
            headers = {**headers, "Range": f"bytes=0-{len(session.data) - 1}"}
        return Answer(308, b"", headers)
