"""A small MangaDex: titles, chapters, at-home and its image servers, with a ledger that counts broken limits.

The answers have the shapes of the API's; what is in them was made up here.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from mangavid.config import Mangadex
from tests.drawn import encoded, png, small_page
from tests.fakes.web import FakeSite, Reply, Request, SharedClock, as_json, served

LONG_STRIP = "3e2b8dae-350e-4ab8-a8ce-016e844b9f0d"


def made(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"mangavid-test/{name}"))


def error(code: int) -> Reply:
    detail = {"id": made(f"error {code}"), "status": code, "title": "an_error", "detail": "It did not work."}
    return as_json({"result": "error", "errors": [detail]}, code)


class FakeMangadex(FakeSite):
    """The API and where deliveries are reported to. ``images`` is the other server, that of the pages."""

    def __init__(self, clock: SharedClock | None = None) -> None:
        super().__init__(clock)
        self.titles: dict[str, dict[str, Any]] = {}
        self.chapters: dict[str, dict[str, Any]] = {}
        self.pages: dict[str, dict[str, bytes]] = {}
        self.savers: dict[str, dict[str, bytes]] = {}
        self.images = FakeImages(self)
        self.nodes = 0
        #: Instead of the image server's address, the next base URLs that at-home gives.
        self.bases: list[str] = []
        self.enforced = False

    # --- what there is ---

    def title(self, name: str, *, original: str | None = "ja", strip: bool = False, **attributes: Any) -> str:
        key = made(f"title {name}")
        tag = {"id": LONG_STRIP, "type": "tag", "attributes": {"name": {"en": "Long Strip"}}, "relationships": []}
        about = {
            "title": {"en": name},
            "altTitles": [{"vi": f"{name} tiếng Việt"}, {"ja": f"{name}日本"}],
            "originalLanguage": original,
            "contentRating": "safe",
            "chapterNumbersResetOnNewVolume": False,
            "tags": [tag] if strip else [],
            "description": {},
            **attributes,
        }
        people = [
            {"id": made(f"{kind} {name}"), "type": kind, "attributes": {"name": who}}
            for kind, who in (("author", "Vân Trần"), ("artist", "Minh Lê"), ("cover_art", "unused"))
        ]
        self.titles[key] = {"id": key, "type": "manga", "attributes": about, "relationships": people}
        return key

    def chapter(
        self,
        manga: str,
        number: str | None,
        *,
        language: str = "vi",
        groups: Sequence[str] = ("Nhóm Trăng",),
        pages: int = 3,
        since: str = "2026-01-02T03:04:05+00:00",
        **attributes: Any,
    ) -> str:
        key = made(f"chapter {manga} {number} {language} {groups} {since} {attributes}")
        about = {
            "volume": None,
            "chapter": number,
            "title": f"Chuyện {number}" if number else "Ngoại truyện",
            "translatedLanguage": language,
            "externalUrl": None,
            "isUnavailable": False,
            "publishAt": since,
            "readableAt": since,
            "pages": pages,
            "version": 1,
            **attributes,
        }
        related: list[dict[str, Any]] = [
            {"id": made(f"group {name}"), "type": "scanlation_group", "attributes": {"name": name}} for name in groups
        ]
        related += [{"id": manga, "type": "manga"}, {"id": made("someone"), "type": "user"}]
        self.chapters[key] = {"id": key, "type": "chapter", "attributes": about, "relationships": related}
        self.draw(key, pages)
        return key

    def draw(self, chapter: str, pages: int) -> None:
        """Pages whose names sort in another order than they are listed in: A2, A1, B2, B1, …"""
        self.pages[chapter], self.savers[chapter] = {}, {}
        for page in range(1, pages + 1):
            original = png(small_page(page))
            smaller = encoded(small_page(page), "JPEG", quality=40)
            word = f"{'AB'[(page - 1) // 2 % 2]}{page + 1 if page % 2 else page - 1}"
            self.pages[chapter][f"{word}-{hashlib.sha256(original).hexdigest()}.png"] = original
            self.savers[chapter][f"{word}-{hashlib.sha256(b'saver' + original).hexdigest()}.jpg"] = smaller

    # --- answers ---

    def answer(self, request: Request) -> Reply:
        part = request.path.strip("/").split("/")
        if request.method == "POST" and request.path == "/report":
            return Reply(200, b"{}")
        if self.enforced and (late := self.over(request)):
            return late
        if request.path == "/manga":
            wanted = request.query["title"][0].lower().split()
            found = [
                one
                for one in self.titles.values()
                if any(w in json.dumps(one["attributes"], ensure_ascii=False).lower() for w in wanted)
            ]
            return self.collection(found, request)
        if len(part) == 2 and part[0] == "manga" and part[1] in self.titles:
            return as_json({"result": "ok", "response": "entity", "data": self.titles[part[1]]})
        if len(part) == 3 and part[::2] == ["manga", "feed"] and part[1] in self.titles:
            return self.collection(self.of(part[1], request), request)
        if len(part) == 2 and part[0] == "chapter" and part[1] in self.chapters:
            return as_json({"result": "ok", "response": "entity", "data": self.chapters[part[1]]})
        if part[:2] == ["at-home", "server"] and part[2] in self.chapters:
            return self.at_home(part[2])
        return error(404)

    def of(self, manga: str, request: Request) -> list[dict[str, Any]]:
        spoken = request.query.get("translatedLanguage[]", [])
        if self.titles[manga]["attributes"]["contentRating"] not in request.query.get("contentRating[]", []):
            return []
        return [
            one
            for one in self.chapters.values()
            if one["attributes"] is None
            or (
                one["attributes"]["translatedLanguage"] in spoken
                and any(related["id"] == manga for related in one["relationships"])
            )
        ]

    def collection(self, found: Sequence[Any], request: Request) -> Reply:
        limit, offset = int(request.query["limit"][0]), int(request.query.get("offset", ["0"])[0])
        assert limit <= 500 and limit + offset <= 10_000
        page = found[offset : offset + limit]
        body = {"result": "ok", "response": "collection", "data": page, "limit": limit, "offset": offset}
        return as_json({**body, "total": len(found)})

    def at_home(self, chapter: str) -> Reply:
        self.nodes += 1
        base = self.bases.pop(0) if self.bases else f"{self.images.base}/node{self.nodes}"
        files = {"hash": hashlib.md5(chapter.encode()).hexdigest()}
        lists = {"data": list(self.pages[chapter]), "dataSaver": list(self.savers[chapter])}
        return as_json({"result": "ok", "baseUrl": base, "chapter": {**files, **lists}})

    # --- the judge ---

    def over(self, request: Request) -> Reply | None:
        at_home = request.path.startswith("/at-home")
        for path, most, window in (("/", 5, 1.0), ("/at-home", 40, 60.0)):
            if path == "/at-home" and not at_home:
                continue
            recent = [r for r in self.api() if r.path.startswith(path) and request.at - window < r.at <= request.at]
            if len(recent) > most:
                until = int((self.clock.now().timestamp()) + 2)
                return Reply(429, b"{}", {"X-RateLimit-Retry-After": str(until)})
        return None

    def api(self) -> list[Request]:
        with self.lock:
            return [request for request in self.ledger if request.path != "/report"]

    def violations(self) -> int:
        """Requests that were one too many: of 5 in any second, or 40 to at-home in any minute."""
        everything = [request.at for request in self.api()]
        at_home = [request.at for request in self.api() if request.path.startswith("/at-home")]
        return broken(everything, 5, 1.0) + broken(at_home, 40, 60.0)

    def reports(self) -> list[dict[str, Any]]:
        return [json.loads(request.body) for request in list(self.ledger) if request.path == "/report"]


class FakeImages(FakeSite):
    """Where the pages are: ``/node<n>/data/<hash>/<file>``."""

    def __init__(self, site: FakeMangadex) -> None:
        super().__init__(site.clock)
        self.site = site
        #: Seconds that a page takes: of the shared clock, and of the real one.
        self.latency = self.slow = 0.0
        #: The most requests that were here together.
        self.most = self._now = 0

    def answer(self, request: Request) -> Reply:
        with self.lock:
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            if self.latency:
                self.clock.sleep(self.latency)
            self.stopping.wait(self.slow)
            return self.page(request)
        finally:
            with self.lock:
                self._now -= 1

    def page(self, request: Request) -> Reply:
        _, _, quality, _, file = request.path.split("/")
        for pages in (self.site.pages if quality == "data" else self.site.savers).values():
            if file in pages:
                return Reply(200, pages[file], {"Content-Type": "image/png", "X-Cache": "HIT"})
        return Reply(404)

    def times_asked(self) -> Counter[str]:
        return Counter(request.path.rsplit("/", 1)[1] for request in list(self.ledger))


def broken(times: Sequence[float], most: int, window: float) -> int:
    ordered = sorted(times)
    return sum(at - ordered[index - most] < window - 1e-9 for index, at in enumerate(ordered) if index >= most)


@contextmanager
def mangadex(clock: SharedClock | None = None) -> Iterator[FakeMangadex]:
    """The API and the image server, served."""
    site = FakeMangadex(clock)
    with served(site), served(site.images):
        yield site


def settings(site: FakeMangadex, **more: Any) -> Mangadex:
    return Mangadex(api=site.base, report=f"{site.base}/report", image_hosts=("127.0.0.1",), **more)
