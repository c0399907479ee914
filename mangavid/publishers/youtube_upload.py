"""The bytes of a video, by YouTube's resumable protocol.

An upload is a session: a POST with the video's metadata gives an address, the bytes are PUT there in parts, and the
answer to the last is the video. What the server says it holds is the truth, whatever was sent: it may hold half of a
part, or less than before. A session makes one video at most, whoever sends to it and however often. The protocol:
developers.google.com/youtube/v3/guides/using_resumable_upload_protocol.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from mangavid.config import Youtube
from mangavid.errors import PublishError
from mangavid.ports import Upload
from mangavid.publishers.youtube_errors import Lost, Refused, error, passes, refused
from mangavid.publishers.youtube_http import Http, Patience, Reply, as_object

#: Parts must be multiples of it, but for the last.
QUANTUM = 256 << 10
VIDEO_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SESSION_CHARS = 4096
#: Times that the server may lose what it had said it holds.
_STEPS_BACK = 10


class Gone(NamedTuple):
    """The session is not there any more. ``whole``: all bytes may have reached it, so its video may exist."""

    whole: bool


class _Holds(NamedTuple):
    offset: int


class Sender:
    """Begins sessions and sends a file to one."""

    def __init__(self, settings: Youtube, http: Http, patience: Patience, *, chunk: int) -> None:
        if chunk < QUANTUM or chunk % QUANTUM:
            raise ValueError(f"chunk must be a multiple of {QUANTUM}")
        self._settings = settings
        self._http = http
        self._patience = patience
        self._chunk = chunk

    def begin(self, upload: Upload, body: dict[str, Any], size: int) -> str:
        """A new session's address, remembered by ``upload`` before this returns. Each try is counted as an insert.

        A POST whose answer was lost leaves a session that nobody sends to: no video comes of it.
        """
        url = (
            f"{self._settings.api.rstrip('/')}/upload/youtube/v3/videos"
            "?uploadType=resumable&part=snippet,status&notifySubscribers=false"
        )
        data = json.dumps(body, ensure_ascii=False).encode()
        head = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Upload-Content-Length": str(size),
            "X-Upload-Content-Type": "video/mp4",
        }

        def attempt() -> str:
            self._http.ready()
            upload.check()
            upload.spend(0, inserts=1)
            reply = self._http.send("POST", url, head, data)
            if reply.status != 200:
                raise refused(reply.status, reply.body, reply.headers.get("retry-after", ""))
            return self._session(reply, url)

        session = self._patience("beginning the upload", attempt)
        upload.began(session)
        return session

    def send(self, upload: Upload, session: str, path: Path, size: int, *, fresh: bool) -> str | Gone:
        """Send what the server lacks; the video's id. ``fresh``: the session was begun by this very call's process.

        Raises UpstreamUnavailable where nothing advances, Refused.
        """
        offset: int | None = 0 if fresh else None  # None: to be asked for
        whole = not fresh
        known = stuck = back = 0
        while True:
            answer: str | Gone | _Holds | None = None
            problem: Lost | Refused
            try:
                upload.check()
                if offset is None:
                    reply = self._put(session, f"bytes */{size}", b"")
                else:
                    part = _part(path, offset, min(self._chunk, size - offset))
                    whole = whole or offset + len(part) >= size
                    reply = self._put(session, f"bytes {offset}-{offset + len(part) - 1}/{size}", part)
                answer = self._answer(reply, size)
            except (Lost, Refused) as caught:
                if not passes(caught):
                    raise
                problem = caught
            if isinstance(answer, str):
                upload.sent(size, size)
                return answer
            if isinstance(answer, Gone):
                return Gone(whole)
            if answer is None:
                offset = None
            else:
                session = self._followed(upload, reply, session)
                asked, moved = offset is None, answer.offset != known
                if answer.offset > known:
                    upload.sent(answer.offset, size)
                    stuck = 0
                back += answer.offset < known
                known = answer.offset
                offset = known if known < size else None
                if back > _STEPS_BACK:
                    problem, stuck = Lost("it loses again and again what was sent"), self._patience.tries
                elif offset is None:  # still at work on the end; asked again after a wait
                    problem = Lost("it has all bytes and gives no video")
                elif moved or asked:
                    continue
                else:
                    problem = Lost("it takes no more bytes")
            stuck += 1
            if stuck >= self._patience.tries:
                raise error(problem, "sending the video")
            upload.alive()
            self._patience.wait(stuck - 1, problem)

    def _put(self, session: str, content_range: str, data: bytes) -> Reply:
        return self._http.send("PUT", session, {"Content-Range": content_range, "Content-Type": "video/mp4"}, data)

    def _answer(self, reply: Reply, size: int) -> str | Gone | _Holds:
        if reply.status in (200, 201):
            video_id = as_object(reply.body).get("id")
            if not isinstance(video_id, str) or not VIDEO_ID.fullmatch(video_id):
                raise Lost("the answer names no video")
            return video_id
        if reply.status == 308:
            return _Holds(_held(reply.headers.get("range", ""), size))
        if reply.status in (404, 410):
            return Gone(True)
        raise refused(reply.status, reply.body, reply.headers.get("retry-after", ""))

    def _session(self, reply: Reply, base: str) -> str:
        """The address in an answer. The login goes along with every part, so only Google's own is taken."""
        found = urljoin(base, reply.headers.get("location", ""))
        ours, theirs = urlsplit(self._settings.api), urlsplit(found)
        google = theirs.scheme == "https" and (theirs.hostname or "").endswith(".googleapis.com")
        same = (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc)
        if not reply.headers.get("location") or len(found) > _SESSION_CHARS or not found.isascii():
            raise Lost("the answer names no address to send the video to")
        if not (same or google) or not found.isprintable():
            raise PublishError("the upload was given an address that is not YouTube's, and nothing was sent there")
        return found

    def _followed(self, upload: Upload, reply: Reply, session: str) -> str:
        """The session's address from now on: where the answer names another, that one, remembered before it is used."""
        if not reply.headers.get("location"):
            return session
        found = self._session(reply, session)
        if found != session:
            upload.began(found)
        return found


def _held(text: str, size: int) -> int:
    """Bytes that are there, by the header Range of a 308: ``bytes=0-524287``; without the header none are."""
    if not text:
        return 0
    found = re.fullmatch(r"(?:bytes=)?0-(\d{1,15})", text.strip())
    if found is None or int(found[1]) >= size:
        raise Lost("the answer names bytes that there are not")
    return int(found[1]) + 1


def _part(path: Path, offset: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(length)
    if len(data) != length:
        raise PublishError(f"the video is shorter than it was: {path}", hint="mangavid retry makes it anew")
    return data
