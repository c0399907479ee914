"""Bringing a chapter's pages from MangaDex@Home: two at once, each checked, kept as soon as it is there.

A server of MangaDex@Home is a volunteer's machine: it may be slow, gone, or send other bytes than it should. A page
that does not come as it should is reported, the API is asked for another server, and it is tried again there.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import msgspec

from mangavid.errors import BadInput, SourceNotFound, SourceUnavailable
from mangavid.ports import Clock
from mangavid.sources import archive, intake
from mangavid.sources.asking import NETWORK_HINT, Asker
from mangavid.sources.mangadex_api import Api, Delivery
from mangavid.sources.remote import Shelf, is_image
from mangavid.web import Answer, Broken, Web
from mangavid.webaddress import Refused

_AT_ONCE = 2
_TRIES = 3
_FRESH = 14 * 60.0
"""Seconds that a base URL is used; MangaDex promises 15 minutes."""
_RENEWALS = 12
_SHA256 = re.compile(r"-([0-9a-f]{64})\.[A-Za-z0-9]{1,5}")
_MUTE_AFTER = 3


class Brought(msgspec.Struct, frozen=True):
    """A page's name as it is shown, and its bytes; or why it could not be had, in words that follow its name."""

    name: str
    data: bytes
    why: str = ""

    def read(self) -> bytes:
        if self.why:
            raise intake.Unusable(self.why)
        return self.data


class _Stopped(Exception):
    """Another page ended the whole."""


class Pages:
    """One chapter's pages. ``allowed`` is asked, once, before the first is fetched."""

    def __init__(
        self,
        api: Api,
        asker: Asker,
        reports: Web,
        report_to: str,
        shelf: Shelf,
        *,
        chapter: str,
        version: int,
        quality: str,
        allowed: Callable[[], None],
        progress: Callable[[int, int], None],
    ) -> None:
        self._api, self._asker, self._shelf = api, asker, shelf
        self._reports, self._report_to = reports, report_to
        self._chapter, self._quality = chapter, quality
        self._list = f"{quality}-v{version}.json"
        self._allowed, self._progress = allowed, progress
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._done = self._bytes = self._failed = self._muted = 0

    @property
    def _clock(self) -> Clock:
        return self._asker.clock

    def bring(self) -> list[Brought]:
        """All pages in the order that MangaDex lists them. Raises BadInput, SourceUnavailable; what is there stays."""
        there: dict[str, bytes] = {}
        known = self._known()
        for file in known:
            if (data := self._kept(file)) is not None:
                there[file] = data
        if known and len(there) == len(set(known)):
            self._progress(len(known), len(known))
            return [Brought(_shown(file), there[file]) for file in known]
        self._allowed()
        server = _Server(self._api, self._chapter, self._clock)
        files = server.files
        if len(files) > archive.MAX_ENTRIES:
            raise BadInput(f"the chapter has {len(files):,} pages; the limit is {archive.MAX_ENTRIES:,}")
        self._shelf.put(self._list, msgspec.json.encode(files))
        with ThreadPoolExecutor(1, thread_name_prefix="reports") as reporter:
            self._reporter = reporter
            with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="pages") as pool:
                try:
                    waiting = [pool.submit(self._page, server, file, there.get(file), len(files)) for file in files]
                    # The first page that ended it all is what is raised, not one that was then left.
                    problems = [why for future in waiting if (why := future.exception())]
                    for why in sorted(problems, key=lambda why: isinstance(why, _Stopped)):
                        raise why
                    return [future.result() for future in waiting]
                finally:
                    self._stop.set()

    def _known(self) -> tuple[str, ...]:
        """The files, where this chapter was begun before."""
        try:
            return msgspec.json.decode(self._shelf.get(self._list) or b"[]", type=tuple[str, ...])
        except (msgspec.DecodeError, UnicodeError):
            return ()

    def _kept(self, file: str) -> bytes | None:
        data = self._shelf.get(self._name(file))
        return data if data and not _wrong(file, data, self._quality) else None

    def _name(self, file: str) -> str:
        return f"{self._quality}-{file}"

    def _page(self, server: _Server, file: str, data: bytes | None, total: int) -> Brought:
        why = ""
        try:
            if data is None:
                data, why = self._fetch(server, file)
            with self._lock:
                self._bytes += len(data)
                self._failed += bool(why)
                if self._bytes > archive.MAX_TOTAL:
                    raise BadInput(f"the chapter's pages are larger than {archive.MAX_TOTAL // 2**30} GB together")
                if self._failed > max(1, total // 20):
                    # More than intake lets pass: the rest is not asked for any more.
                    self._stop.set()
                self._done += 1
                self._progress(self._done, total)
            return Brought(_shown(file), data, why)
        except _Stopped:
            if self._failed > max(1, total // 20):
                return Brought(_shown(file), b"", "was not fetched, since others could not be")
            raise
        except BaseException:
            self._stop.set()
            raise

    def _fetch(self, server: _Server, file: str) -> tuple[bytes, str]:
        """The page's bytes, or why there are none. Raises SourceUnavailable where it is the network's fault."""
        why, passing = "", False
        for tried in range(_TRIES):
            if self._stop.is_set():
                raise _Stopped
            delivery, generation = server.now()
            with self._asker.manners.paces["images"].turn(self._clock):
                data, why, passing = self._try(delivery, file)
            if not why:
                self._shelf.put(self._name(file), data)
                return data, ""
            if tried + 1 < _TRIES:
                if passing:
                    self._clock.sleep(self._asker.pause(tried))
                server.renew(generation)
        if passing:
            raise SourceUnavailable(
                f"a page of the chapter does not come from MangaDex's image servers: {why}", hint=NETWORK_HINT
            )
        return b"", f"could not be fetched: {why}"

    def _try(self, delivery: Delivery, file: str) -> tuple[bytes, str, bool]:
        """Bytes; else why not, and whether that may pass by itself."""
        address = delivery.address(file)
        began = self._clock.monotonic()
        answer = None
        try:
            answer = self._asker.web.get(address, intake.MAX_PAGE_BYTES)
            why, passing = _problem(answer, file, delivery.quality)
            if answer.status == 429 and (asked := self._asker.asked_wait(answer)) is not None:
                held = min(asked, self._asker.patience.longest)
                self._asker.manners.paces["images"].hold(self._clock.monotonic() + held)
        except Refused as problem:
            # Nothing was sent there, so nothing is reported of it either.
            return b"", f"an image server's address {problem}", True
        except Broken as problem:
            why, passing = str(problem), problem.kind != "large"
        self._report(delivery, address, answer, not why, self._clock.monotonic() - began)
        return (answer.body, "", False) if answer is not None and not why else (b"", why, passing)

    def _report(self, delivery: Delivery, address: str, answer: Answer | None, good: bool, seconds: float) -> None:
        """Tell MangaDex how the delivery went, as it asks of everyone; not for its own hosts. It may fail."""
        host = urlsplit(delivery.base).hostname or ""
        if host == "mangadex.org" or host.endswith(".mangadex.org") or self._muted >= _MUTE_AFTER:
            return
        cached = answer is not None and answer.headers.get("x-cache", "").upper().startswith("HIT")
        report = {
            "url": address,
            "success": good,
            "bytes": len(answer.body) if answer is not None else 0,
            "duration": round(seconds * 1000),
            "cached": cached,
        }

        def send() -> None:
            try:
                self._reports.post(self._report_to, msgspec.json.encode(report))
                self._muted = 0
            except (Broken, Refused):
                self._muted += 1

        self._reporter.submit(send)


class _Server:
    """The server that at-home named, and the next one where it fails; the same for both threads."""

    def __init__(self, api: Api, chapter: str, clock: Clock) -> None:
        self._api, self._chapter, self._clock = api, chapter, clock
        self._lock = threading.Lock()
        self._asked = 1
        self._delivery, self._since = self._ask()
        self.files = self._delivery.files

    def now(self) -> tuple[Delivery, int]:
        with self._lock:
            if self._clock.monotonic() - self._since > _FRESH:
                self._renew()
            return self._delivery, self._asked

    def renew(self, generation: int) -> None:
        """Ask for another, unless somebody has since the ``generation`` that failed."""
        with self._lock:
            if generation == self._asked:
                if self._asked > _RENEWALS:
                    raise SourceUnavailable("MangaDex's image servers keep failing for this chapter", hint=NETWORK_HINT)
                self._renew()

    def _renew(self) -> None:
        self._delivery, self._since = self._ask()
        self._asked += 1
        if self._delivery.files != self.files:
            raise SourceUnavailable("the chapter was changed on MangaDex while it was fetched", hint="run it again")

    def _ask(self) -> tuple[Delivery, float]:
        try:
            delivery = self._api.at_home(self._chapter)
        except SourceNotFound:
            raise SourceNotFound(f"MangaDex has no pages of chapter {self._chapter} (any more)") from None
        return delivery, self._clock.monotonic()


def _problem(answer: Answer, file: str, quality: str) -> tuple[str, bool]:
    """Why an answer is not the page, and whether that may pass by itself."""
    if answer.status != 200:
        return f"its server answered {answer.status}", answer.status not in (401, 403, 404, 410)
    return _wrong(file, answer.body, quality), False


def _wrong(file: str, data: bytes, quality: str) -> str:
    """Why these are not the file's bytes; empty where they are, as far as can be told.

    The name of an original holds the SHA-256 of its bytes. Whether that of a smaller copy does is not documented: there
    a name that does not fit is let pass, if it is an image at all.
    """
    promised = _SHA256.search(file)
    if promised and hashlib.sha256(data).hexdigest() == promised[1]:
        return ""
    if promised and quality == "data":
        return "its bytes are not those that its name promises"
    return "" if is_image(data) else "what it sent is no image"


def _shown(file: str) -> str:
    """«x1.png» for «x1-<64 digits>.png»."""
    return _SHA256.sub(lambda found: file[found.start() + 65 :], file)
