"""MangaDex's API, version 5, as far as chapters need it: asked within its limits, its answers read as data.

Sources: api.mangadex.org/docs/2-limitations (about 5 requests a second from one address to api.mangadex.org as a whole,
40 a minute to at-home; a User-Agent that tells the truth), /docs/04-chapter/retrieving-chapter (pages, base URLs).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn, TypeVar
from urllib.parse import urlencode

import msgspec

from mangavid.config import Mangadex
from mangavid.errors import BadInput, SourceNotFound, SourceUnavailable
from mangavid.models import Direction
from mangavid.ports import Clock
from mangavid.sources.asking import Asker, Manners, Pace, Patience, Unreadable, decoded
from mangavid.sources.names import clean, normalised, plain_number
from mangavid.sources.remote import UUID
from mangavid.web import Answer, Web

T = TypeVar("T")
NAME = "MangaDex"
SITE = "https://mangadex.org"
_MAX_ANSWER = 32 * 1024 * 1024
_FEED = 500
_MAX_OFFSET = 10_000
"""The API refuses offset + limit beyond this."""
_LONG_STRIP = "3e2b8dae-350e-4ab8-a8ce-016e844b9f0d"
_BAN_HINT = (
    "going on asking would make it worse; if it lasts, MangaDex may have banned this address, or want a login, which"
    " mangavid does not have: use a folder or CBZ (docs/sources.md)"
)
_GUEST_HINT = (
    "MangaDex gives guests ten chapters a day, counted by address: run it again tomorrow, or use a folder or CBZ"
)


def manners() -> Manners:
    """A little under MangaDex's limits.

    Images come from other hosts, to which the limit of the API does not apply (it is one «for api.mangadex.org as a
    whole»); they are volunteers' machines, so they are asked no faster than the API all the same.
    """
    return Manners(api=Pace(5, 1.0, 1 / 4.7), at_home=Pace(37, 60.0), images=Pace(spacing=1 / 4.7))


class Group(msgspec.Struct, frozen=True):
    id: str
    name: str


class Title(msgspec.Struct, frozen=True):
    """A manga. ``resets``: its chapters are counted from 1 again in every volume."""

    id: str
    name: str
    names: tuple[str, ...]
    direction: Direction | None
    rating: str
    resets: bool
    authors: tuple[str, ...]


class Listed(msgspec.Struct, frozen=True):
    """A chapter as one upload of it: in one language, by its groups. ``number`` is empty where it has none.

    ``elsewhere``: the host of another site it is only on.
    """

    id: str
    manga: str
    volume: str
    number: str
    title: str
    language: str
    groups: tuple[Group, ...]
    pages: int
    version: int
    since: str
    elsewhere: str
    available: bool

    @property
    def made_by(self) -> str:
        return ", ".join(group.name for group in self.groups) or "no group"


class Delivery(msgspec.Struct, frozen=True):
    """Where a chapter's pages are: ``base/quality/hash/file``, the files in reading order."""

    base: str
    quality: Literal["data", "data-saver"]
    hash: str
    files: tuple[str, ...]

    def address(self, file: str) -> str:
        return f"{self.base}/{self.quality}/{self.hash}/{file}"


# --- the shapes of answers; what they leave out or null is nothing ----------------------------------------------------


class _Relation(msgspec.Struct):
    id: str
    type: str
    attributes: dict[str, Any] | None = None


class _Item(msgspec.Struct):
    id: str
    attributes: dict[str, Any]
    relationships: list[_Relation] = []

    def related(self, *kinds: str) -> Iterator[_Relation]:
        return (relation for relation in self.relationships if relation.type in kinds)


class _Entity(msgspec.Struct):
    data: _Item
    result: str = "ok"


class _Collection(msgspec.Struct):
    #: Read one by one: a chapter that makes no sense does not hide the others.
    data: list[Any]
    total: int
    result: str = "ok"


class _Pages(msgspec.Struct, rename={"data_saver": "dataSaver"}):
    hash: str
    data: list[str]
    data_saver: list[str]


class _AtHome(msgspec.Struct, rename={"base_url": "baseUrl"}):
    base_url: str
    chapter: _Pages


class Api:
    """Asks the API. Each method raises SourceUnavailable; SourceNotFound where MangaDex has no such thing."""

    def __init__(
        self,
        settings: Mangadex,
        languages: Sequence[str],
        web: Web,
        clock: Clock,
        known: Manners,
        patience: Patience,
        alone: float,
    ) -> None:
        self.web = web
        self._settings = settings
        self._languages = tuple(languages)
        self._clock = clock
        self._manners = known
        self._alone = alone
        self._asker = Asker(NAME, web, clock, known, patience)
        self._titles: dict[str, Title] = {}

    def title(self, uuid: str) -> Title:
        if uuid not in self._titles:
            item = self._get(f"/manga/{uuid}", {"includes[]": ["author", "artist"]}, _Entity, f"title {uuid}").data
            self._titles[uuid] = self._checked(lambda: _title(item))
        return self._titles[uuid]

    def named(self, name: str) -> str:
        """The id of the title of exactly this name, in any of its languages, case and spacing aside."""
        query = {"title": name, "limit": 100, "contentRating[]": self._settings.ratings}
        found = self._items(self._get("/manga", query, _Collection, f"title «{clean(name)}»").data, _title)
        wanted = normalised(name)
        same = [title for title in found if wanted in map(normalised, title.names)]
        if len(same) == 1:
            return same[0].id
        shown = f"{NAME}: «{clean(name)}»"
        if same:
            where = ", ".join(f"{SITE}/title/{title.id}" for title in same[:4])
            raise SourceNotFound(
                f"{shown} is the name of {len(same)} titles: {where}", hint="mangadex.titles takes addresses too"
            )
        by_name = {normalised(other): (other, title) for title in found for other in title.names}
        close = difflib.get_close_matches(wanted, by_name, 1, 0.3) or list(by_name)[:1]
        nearest = ""
        if close:
            other, title = by_name[close[0]]
            nearest = f"; the nearest is «{clean(other)}», {SITE}/title/{title.id}"
        raise SourceNotFound(f"{shown} is no title there{nearest}", hint="mangadex.titles takes addresses too")

    def feed(self, title: Title) -> list[Listed]:
        """All chapters of a title that can be read now, in the languages and ratings that are wanted."""
        found: dict[str, Listed] = {}
        for offset in range(0, _MAX_OFFSET, _FEED):
            query: dict[str, Any] = {
                "translatedLanguage[]": self._languages,
                "contentRating[]": self._settings.ratings,
                "includes[]": ["scanlation_group"],
                "order[chapter]": "asc",
                "includeFutureUpdates": 0,
                "limit": _FEED,
                "offset": offset,
            }
            page = self._get(f"/manga/{title.id}/feed", query, _Collection, f"«{title.name}»")
            for one in self._items(page.data[:_FEED], lambda item: _listed(item, title.id)):
                if not self.why_not(one):
                    found.setdefault(one.id, one)
            if not page.data or offset + len(page.data) >= page.total:
                break
        return [one for one in found.values() if one.language in self._languages]

    def chapter(self, uuid: str) -> Listed:
        item = self._get(
            f"/chapter/{uuid}", {"includes[]": ["scanlation_group", "manga"]}, _Entity, f"chapter {uuid}"
        ).data
        return self._checked(lambda: _listed(item, ""))

    def why_not(self, chapter: Listed) -> str:
        """Why a chapter can't be read there now; empty where it can."""
        if chapter.elsewhere:
            return f"is only on another site ({chapter.elsewhere})"
        if not chapter.available:
            return "is not available there"
        if chapter.pages < 1:
            return "has no pages there"
        try:
            begins = datetime.fromisoformat(chapter.since)
            begins = begins if begins.tzinfo else begins.replace(tzinfo=UTC)
        except ValueError:
            return ""
        return f"comes out on {begins:%Y-%m-%d}" if begins > self._clock.now() else ""

    def at_home(self, uuid: str) -> Delivery:
        """Raises BadInput where it has no pages."""
        self._manners.check("at-home", self._clock)
        where = f"{self._settings.api}/at-home/server/{uuid}"
        saver = self._settings.data_saver

        def read(answer: Answer) -> Delivery:
            self._refusals(answer, f"chapter {uuid}", guest=True)
            got = _fits(decoded(answer), _AtHome)
            files = got.chapter.data_saver if saver else got.chapter.data
            if not files:
                raise BadInput(f"{NAME} has no pages of chapter {uuid}: it may be only on another site")
            if not all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", file) for file in files):
                raise Unreadable("its list of pages makes no sense")
            if not re.fullmatch(r"[A-Za-z0-9]{1,128}", got.chapter.hash):
                raise Unreadable("its list of pages makes no sense")
            return Delivery(got.base_url.rstrip("/"), "data-saver" if saver else "data", got.chapter.hash, tuple(files))

        self._manners.check("api", self._clock)
        return self._asker.ask(
            where, read, limit=4 * 1024 * 1024, paces=("at_home", "api"), accept=(401, 403, 404), compressed=True
        )

    def _get(self, path: str, query: Mapping[str, Any], kind: type[T], what: str) -> T:
        self._manners.check("api", self._clock)

        def read(answer: Answer) -> T:
            self._refusals(answer, what, guest=False)
            return _fits(decoded(answer), kind)

        address = f"{self._settings.api}{path}?{urlencode(query, doseq=True)}"
        return self._asker.ask(
            address, read, limit=_MAX_ANSWER, paces=("api",), accept=(400, 401, 403, 404), compressed=True
        )

    def _refusals(self, answer: Answer, what: str, *, guest: bool) -> None:
        if answer.status in (400, 404):
            raise SourceNotFound(f"{NAME} has no {what} (any more)", hint="look it up at mangadex.org; it may be gone")
        if guest and answer.status in (401, 403):
            self._close("at-home", f"{NAME} gives no pages now: the day's chapters for guests are used up", _GUEST_HINT)
        if answer.status == 401:
            raise SourceUnavailable(f"{NAME} wants a login for this ({what})", hint=_BAN_HINT)
        if answer.status == 403:
            self._close("api", f"{NAME} refuses requests from here (403)", _BAN_HINT)

    def _close(self, what: str, why: str, hint: str) -> NoReturn:
        self._manners.close(what, self._clock.monotonic() + self._alone, why, hint)
        raise SourceUnavailable(why, hint=hint)

    def _items(self, data: Sequence[Any], read: Callable[[_Item], T]) -> list[T]:
        found = []
        for raw in data:
            try:
                found.append(read(msgspec.convert(raw, _Item)))
            except (msgspec.ValidationError, Unreadable):
                continue
        return found

    def _checked(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except Unreadable as why:
            raise SourceUnavailable(f"{NAME} does not answer as it should: {why}") from None


def _fits(raw: Any, kind: type[T]) -> T:
    try:
        got = msgspec.convert(raw, kind)
    except msgspec.ValidationError:
        raise Unreadable("its answer is not of the shape that was asked for") from None
    if getattr(got, "result", "ok") != "ok":
        raise Unreadable("it answered with an error")
    return got


def _text(value: Any, limit: int = 300) -> str:
    return clean(value, limit) if isinstance(value, str) else ""


def _id(value: str) -> str:
    if not re.fullmatch(UUID, value.lower()):
        raise Unreadable("an id in its answer makes no sense")
    return value.lower()


def _title(item: _Item) -> Title:
    about = item.attributes
    main = about.get("title")
    names = [_text(name) for name in main.values()] if isinstance(main, dict) else []
    # One that does not change with the settings, since the job's id is made of it.
    name = (_text(main.get("en")) if isinstance(main, dict) else "") or (names[0] if names else "")
    others = about.get("altTitles")
    for other in others if isinstance(others, list) else []:
        names += [_text(one) for one in other.values()] if isinstance(other, dict) else []
    people = (_text((one.attributes or {}).get("name"), 100) for one in item.related("author", "artist"))
    return Title(
        id=_id(item.id),
        name=name or "Untitled",
        names=tuple(dict.fromkeys(one for one in names if one)),
        direction=_direction(about),
        rating=_text(about.get("contentRating"), 20),
        resets=about.get("chapterNumbersResetOnNewVolume") is True,
        authors=tuple(dict.fromkeys(person for person in people if person))[:20],
    )


def _direction(about: Mapping[str, Any]) -> Direction | None:
    """Strips say so by a tag of theirs; what was drawn in Japanese is read from right to left, all else from left."""
    tags = about.get("tags")
    for tag in tags if isinstance(tags, list) else []:
        if isinstance(tag, dict) and tag.get("id") == _LONG_STRIP:
            return "ttb"
    original = _text(about.get("originalLanguage"), 10)
    return None if not original else "rtl" if original == "ja" else "ltr"


def _listed(item: _Item, manga: str) -> Listed:
    about = item.attributes
    number = about.get("chapter")
    pages, version, link = about.get("pages"), about.get("version"), _text(about.get("externalUrl"), 500)
    groups = []
    for one in item.related("scanlation_group"):
        groups.append(Group(one.id.lower(), _text((one.attributes or {}).get("name"), 100) or "a group"))
    related = next((one.id for one in item.related("manga")), manga)
    return Listed(
        id=_id(item.id),
        manga=_id(manga or related),
        volume=plain_number(_text(about.get("volume"), 40)),
        number=plain_number(_text(str(number) if isinstance(number, int | float) else number, 40)),
        title=_text(about.get("title"), 200),
        language=_text(about.get("translatedLanguage"), 20),
        groups=tuple(groups[:20]),
        pages=pages if isinstance(pages, int) and not isinstance(pages, bool) else 0,
        version=version if isinstance(version, int) and not isinstance(version, bool) else 0,
        since=_text(about.get("readableAt") or about.get("publishAt"), 40),
        elsewhere=clean(re.sub(r"^[a-z]+://|/.*", "", link), 80) or ("elsewhere" if link else ""),
        available=about.get("isUnavailable") is not True,
    )
