"""Chapters from MangaDex: which ones there are of the titles that are followed, and their pages.

One chapter is made once, whichever group or language it is taken from: its identity is the title's id and its number.
Credits always travel: MangaDex, the groups and the authors, as its terms ask (api.mangadex.org/docs).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from mangavid.config import Mangadex
from mangavid.errors import BadInput, SourceNotFound, SourceUnavailable
from mangavid.models import Credits
from mangavid.ports import Clock, Fetched, Found
from mangavid.sources import intake, remote
from mangavid.sources.asking import Asker, Manners, Patience, manners_of
from mangavid.sources.mangadex_api import NAME, SITE, Api, Listed, Title, manners
from mangavid.sources.mangadex_pages import Pages
from mangavid.sources.names import clean, normalised
from mangavid.web import Web, agent

_ALONE = 10 * 60.0
"""Seconds that MangaDex is left alone after it refused: asking on makes a ban longer."""


class MangadexSource:
    """``ports.Source``: the chapters at the addresses that are ``named``, else those of the settings' titles.

    ``languages``: of the chapters, the first that there is being taken; ``language``: of the videos, a part of
    ``Found``. ``allowance(name, most)``: whether one more chapter may be fetched today, counting it. ``progress``:
    pages that are there, of all. What stands after ``named`` is for tests.
    """

    def __init__(
        self,
        settings: Mangadex,
        languages: Sequence[str],
        *,
        clock: Clock,
        shelf: Callable[[Found], remote.Shelf],
        allowance: Callable[[str, int], bool],
        progress: Callable[[Found, int, int], None],
        language: str = "",
        named: Sequence[str] = (),
        known: Manners | None = None,
        connect: float = 10.0,
        read: float = 20.0,
        deadline: float = 120.0,
        tries: int = 4,
        backoff: float = 1.0,
        longest: float = 120.0,
        whole: float = 300.0,
        alone: float = _ALONE,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._languages = tuple(languages)
        self._language = language
        self._named = tuple(named)
        self._shelf, self._allowance, self._progress = shelf, allowance, progress
        self._report_to = settings.report
        server = urlsplit(settings.api).netloc.lower()
        known = known if known is not None else manners_of(server, manners)
        patience = Patience(tries=tries, backoff=backoff, longest=longest, whole=whole, jitter=jitter)
        user_agent = agent(settings.contact)

        def web(*addresses: str, hosts: Sequence[str] = (), deadline: float = deadline) -> Web:
            return Web(user_agent, addresses, hosts, connect=connect, read=read, deadline=deadline)

        self._api = Api(settings, self._languages, web(settings.api), clock, known, patience, alone)
        # An address of the API among its addresses only says whether all of this is on this machine.
        self._images = Asker(NAME, web(settings.api, hosts=settings.image_hosts), clock, known, patience)
        self._reports = web(settings.report, deadline=min(deadline, 10.0))
        self._webs = (self._api.web, self._images.web, self._reports)

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Connections stay open while something is asked for, and no longer."""
        try:
            yield
        finally:
            for web in self._webs:
                web.close()

    # --- finding -----------------------------------------------------------------------------------------------------

    def find(self) -> Iterator[Found]:
        """Title by title, each in the order of its chapters. A title that is not there is told of after the others.

        Raises SourceNotFound at once for a name that is no address of MangaDex.
        """
        if not self._named and not self._settings.titles:
            raise SourceNotFound(
                "there are no titles to follow: mangadex.titles is empty",
                hint="mangadex.titles: [address, id or name of a title], or give the address of a chapter",
            )
        asked = [self._parsed(ref) for ref in self._named] if self._named else self._followed()
        gone: BadInput | None = None
        with self._connected():
            for look_up in asked:
                try:
                    yield from look_up()
                except BadInput as problem:
                    gone = gone or problem
        if gone:
            raise gone

    def _parsed(self, ref: str) -> Callable[[], Iterator[Found]]:
        address = remote.mangadex(ref)
        if address is None:
            raise SourceNotFound(
                f"{clean(ref)} is no address of a chapter or title on MangaDex", hint=remote.UNDERSTOOD
            )
        kind, uuid = address
        return lambda: self._one(uuid) if kind == "chapter" else self._all(uuid)

    def _followed(self) -> list[Callable[[], Iterator[Found]]]:
        return [self._title(entry.strip()) for entry in self._settings.titles if entry.strip()]

    def _title(self, entry: str) -> Callable[[], Iterator[Found]]:
        address = remote.mangadex(entry if "://" in entry else f"{SITE}/title/{entry}")
        if address and address[0] == "title":
            return lambda: self._all(address[1])
        if "://" in entry:
            raise SourceNotFound(
                f"{clean(entry)} is no address of a title on MangaDex",
                hint="mangadex.titles: https://mangadex.org/title/…",
            )
        return lambda: self._all(self._api.named(entry))

    def _one(self, uuid: str) -> Iterator[Found]:
        chapter = self._api.chapter(uuid)
        title = self._api.title(chapter.manga)
        self._check_rating(title)
        self._check(chapter)
        yield self._found(title, chapter, (chapter.number and _number_of(title, chapter)) or chapter.id)

    def _all(self, uuid: str) -> Iterator[Found]:
        title = self._api.title(uuid)
        self._check_rating(title)
        chapters: dict[str, list[Listed]] = {}
        for chapter in self._api.feed(title):
            chapters.setdefault(_same(title, chapter), []).append(chapter)
        for uploads in sorted(chapters.values(), key=lambda uploads: _order(title, uploads[0])):
            chosen = self._chosen(uploads)
            # A chapter without a number is known by its first upload, which stays the first.
            oldest = min(uploads, key=lambda one: (one.since, one.id))
            yield self._found(title, chosen, _number_of(title, chosen) if chosen.number else oldest.id)

    def _chosen(self, uploads: Sequence[Listed]) -> Listed:
        """By language, then by the groups that are preferred, then the latest."""
        preferred = [normalised(group) for group in self._settings.groups]

        def rank(upload: Listed) -> tuple[int, int]:
            ranks = [
                preferred.index(name)
                for group in upload.groups
                for name in (normalised(group.name), group.id)
                if name in preferred
            ]
            return self._languages.index(upload.language), min(ranks, default=len(preferred))

        best = min(map(rank, uploads))
        return max((one for one in uploads if rank(one) == best), key=lambda one: (one.since[:19], one.version, one.id))

    def _found(self, title: Title, chapter: Listed, number: str) -> Found:
        return Found(
            ref=f"{SITE}/chapter/{chapter.id}",
            identity=f"mangadex/{title.id}/{number}",
            series=title.name,
            number=chapter.number,
            title=chapter.title,
            language=self._language,
            version=f"{chapter.id}.{chapter.version}",
        )

    # --- fetching ----------------------------------------------------------------------------------------------------

    def fetch(self, found: Found) -> Fetched:
        with self._connected():
            return self._fetch(found)

    def _fetch(self, found: Found) -> Fetched:
        address = remote.mangadex(found.ref)
        if address is None or address[0] != "chapter":
            raise SourceNotFound(f"{clean(found.ref)} is no address of a chapter on MangaDex", hint=remote.UNDERSTOOD)
        chapter = self._api.chapter(address[1])
        self._check(chapter)
        title = self._api.title(chapter.manga)
        self._check_rating(title)
        name = f"{title.name}, {f'chapter {chapter.number}' if chapter.number else chapter.title or 'a chapter'}"
        pages = Pages(
            self._api,
            self._images,
            self._reports,
            self._report_to,
            self._shelf(found),
            chapter=chapter.id,
            version=chapter.version,
            quality="data-saver" if self._settings.data_saver else "data",
            allowed=self._allow,
            progress=lambda done, total: self._progress(found, done, total),
        ).bring()
        taken = intake.take_in(name, [intake.Offered(page.name, page.read) for page in pages])
        return Fetched(
            found=found,
            pages=taken.pages,
            skipped=taken.skipped,
            credits=Credits(
                authors=title.authors,
                groups=tuple(group.name for group in chapter.groups),
                source=NAME,
                url=f"{SITE}/chapter/{chapter.id}",
            ),
            direction=title.direction,
            sidecar=None,
            notes=(f"from MangaDex, in {chapter.language or 'an unknown language'}, by {chapter.made_by}",),
        )

    def _allow(self) -> None:
        most = self._settings.chapters_a_day
        if not self._allowance("mangadex", most):
            day = "ten chapters for guests are" if most == 10 else f"{most} chapters from MangaDex are"
            raise SourceUnavailable(
                f"the day's {day} used up",
                hint="it goes on tomorrow (UTC); mangadex.chapters_a_day is the limit, and MangaDex gives guests ten",
            )

    def _check(self, chapter: Listed) -> None:
        if why := self._api.why_not(chapter):
            raise BadInput(
                f"chapter {chapter.number or chapter.id} on MangaDex {why}",
                hint="choose another chapter, or use a folder or CBZ of this one",
            )

    def _check_rating(self, title: Title) -> None:
        if title.rating and title.rating not in self._settings.ratings:
            raise BadInput(
                f"«{title.name}» is rated {title.rating} on MangaDex, which mangadex.ratings leaves out",
                hint=f"mangadex.ratings: add {title.rating}, if you want it",
            )


def _number_of(title: Title, chapter: Listed) -> str:
    return f"v{chapter.volume or '-'}/{chapter.number}" if title.resets else chapter.number


def _same(title: Title, chapter: Listed) -> str:
    """What uploads of one chapter have in common; of one without a number, its language and title."""
    if chapter.number:
        return f"number {_number_of(title, chapter)}"
    return f"unnumbered {chapter.language} {normalised(chapter.title)}"


def _order(title: Title, chapter: Listed) -> tuple[bool, Decimal, bool, Decimal, str, str]:
    """By number, within volumes where those count anew; what has none comes last, by its date."""
    volume = _decimal(chapter.volume) if title.resets else Decimal(0)
    number = _decimal(chapter.number)
    last = Decimal(0)
    return (
        volume is None,
        last if volume is None else volume,
        number is None,
        last if number is None else number,
        chapter.number,
        chapter.since,
    )


def _decimal(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
