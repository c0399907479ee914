"""A source on the small MangaDex, with small times, and what it was given and told."""

from __future__ import annotations

from typing import Any

from mangavid.config import Mangadex
from mangavid.ports import Fetched
from mangavid.sources.mangadex import MangadexSource
from mangavid.sources.mangadex_api import manners
from tests.fakes.mangadex import FakeMangadex, settings


class Shelf:
    def __init__(self) -> None:
        self.data: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        return self.data.get(name)

    def put(self, name: str, data: bytes) -> None:
        self.data[name] = data


class World:
    """The fake, a source on it with small times, and what the source told."""

    def __init__(self, site: FakeMangadex) -> None:
        self.site = site
        self.clock = site.clock
        self.known = manners()
        self.shelf = Shelf()
        self.allowed = 10
        self.asked_for: list[tuple[str, int]] = []
        self.told: list[tuple[int, int]] = []

    def allowance(self, name: str, most: int) -> bool:
        self.asked_for.append((name, most))
        return len(self.asked_for) <= self.allowed

    def source(self, *named: str, config: Mangadex | None = None, **more: Any) -> MangadexSource:
        options = {"known": self.known, "connect": 2.0, "read": 0.3, "deadline": 3.0, "jitter": lambda: 0.5, **more}
        return MangadexSource(
            config or settings(self.site, titles=tuple(self.site.titles)),
            ("vi", "en"),
            language="vi",
            clock=self.clock,
            shelf=lambda _found: self.shelf,
            allowance=self.allowance,
            progress=lambda _found, done, total: self.told.append((done, total)),
            named=named,
            **options,
        )

    def fetch(self, chapter: str, **more: Any) -> Fetched:
        source = self.source(f"https://mangadex.org/chapter/{chapter}", **more)
        (found,) = source.find()
        return source.fetch(found)
