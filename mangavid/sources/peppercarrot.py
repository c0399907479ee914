"""Episodes of Pepper&Carrot by David Revoy: a comic that may be shown, changed and sold by anyone who credits it.

Source of the formats: peppercarrot.com/en/documentation/130_API.html and its successor for ``episodes-v2.json``. Three
lists of episodes are known, each newer one saying more; the newest that is there is read. What a list leaves out
(names of pages) follows from the documented naming.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from mangavid import keys
from mangavid.config import Peppercarrot
from mangavid.errors import BadInput, SourceNotFound
from mangavid.models import Credits
from mangavid.ports import Clock, Fetched, Found
from mangavid.sources import archive, intake, remote
from mangavid.sources.asking import Asker, Manners, Pace, Patience, Unreadable, decoded, manners_of
from mangavid.sources.names import clean, plain_number
from mangavid.web import Answer, Web, agent

NAME = "Pepper&Carrot"
SITE = "https://www.peppercarrot.com"
LICENCE = "CC BY 4.0"
AUTHOR = "David Revoy"
_INDEXES = ("episodes-v2.json", "episodes-v1.json", "episodes.json")
_MAX_INDEX = 8 * 1024 * 1024
_MAX_EPISODES = 2_000
_FOLDER = re.compile(r"ep([0-9]{1,4})_([A-Za-z0-9-]{1,100})")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,150}\.(?:jpg|jpeg|png|gif|webp)", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z]{2,3}")
#: The comic's own codes where they differ from ISO 639; its langs.json says more, where it can be had.
_CODES = {"zh": "cn", "ja": "ja", "ko": "kr", "nb": "no"}


class Episode(msgspec.Struct, frozen=True):
    """One episode of the index. ``sure``: its files are listed there, not derived from their number."""

    folder: str
    number: str
    title: str
    languages: tuple[str, ...]
    files: tuple[str, ...]
    sure: bool
    authors: tuple[str, ...]
    translators: tuple[str, ...]


class _Language(msgspec.Struct):
    translators: list[str] = []
    iso_code: str = ""


def _manners() -> Manners:
    """No limit is published; a website of one person's is asked no faster than a reader turns pages."""
    return Manners(site=Pace(spacing=0.3))


class PeppercarrotSource:
    """``ports.Source``: the episodes at the addresses that are ``named``, else all of them, oldest first.

    Parameters as of ``MangadexSource``. Pages are asked for one by one.
    """

    def __init__(
        self,
        settings: Peppercarrot,
        languages: Sequence[str],
        *,
        clock: Clock,
        shelf: Callable[[Found], remote.Shelf],
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
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._languages = tuple(languages)
        self._language = language
        self._named = tuple(named)
        self._shelf, self._progress = shelf, progress
        known = known if known is not None else manners_of(urlsplit(settings.address).netloc.lower(), _manners)
        web = Web(agent(), (settings.address,), connect=connect, read=read, deadline=deadline)
        patience = Patience(tries=tries, backoff=backoff, longest=longest, whole=whole, jitter=jitter)
        self._asker = Asker(NAME, web, clock, known, patience)
        self._read_episodes: list[Episode] = []
        self._read_codes: dict[str, _Language] | None = None

    def find(self) -> Iterator[Found]:
        """Raises SourceNotFound for an address that names no episode, or one that is in none of the languages."""
        try:
            yield from self._find()
        finally:
            self._asker.web.close()

    def _find(self) -> Iterator[Found]:
        if not self._named:
            for episode in self._episodes():
                if spoken := self._spoken(episode, ""):
                    yield self._found(episode, spoken)
            return
        asked = [self._parsed(ref) for ref in self._named]
        gone: SourceNotFound | None = None
        for folder, language in asked:
            try:
                episode = self._episode(folder)
                yield self._found(episode, self._must_speak(episode, language))
            except SourceNotFound as problem:
                gone = gone or problem
        if gone:
            raise gone

    def fetch(self, found: Found) -> Fetched:
        try:
            return self._fetch(found)
        finally:
            self._asker.web.close()

    def _fetch(self, found: Found) -> Fetched:
        folder, language = self._parsed(found.ref)
        episode = self._episode(folder)
        spoken = self._must_speak(episode, language)
        shelf = self._shelf(found)
        pages: list[intake.Offered] = []
        total = bad = 0
        for done, file in enumerate(episode.files, 1):
            data, why = self._page(shelf, episode, spoken, file)
            if why and not episode.sure and done == len(episode.files):
                break  # it was only guessed that there is one more
            total += len(data)
            if total > archive.MAX_TOTAL:
                raise BadInput(f"{NAME} {folder} is larger than {archive.MAX_TOTAL // 2**30} GB")
            pages.append(intake.Offered(f"{spoken}_{file}", _reader(data, why)))
            self._progress(found, done, len(episode.files))
            bad += bool(why)
            if bad > max(1, len(episode.files) // 20):
                break  # more than intake lets pass
        taken = intake.take_in(f"{NAME} {folder}", pages)
        return Fetched(
            found=found,
            pages=taken.pages,
            skipped=taken.skipped,
            credits=Credits(
                authors=tuple(dict.fromkeys((AUTHOR, *episode.authors))),
                translators=episode.translators or self._translators(spoken),
                licence=LICENCE,
                source=NAME,
                url=found.ref,
            ),
            direction="ltr",
            sidecar=None,
            notes=(f"from {NAME}, in {spoken}, {LICENCE}",),
        )

    def _page(self, shelf: remote.Shelf, episode: Episode, spoken: str, file: str) -> tuple[bytes, str]:
        """Bytes, else why there are none. Raises SourceUnavailable."""
        resolution = self._settings.resolution
        name = f"{resolution}-{keys.digest(episode.folder, spoken, file, episode.files)}"
        if (data := shelf.get(name)) and remote.is_image(data):
            return data, ""

        def read(answer: Answer) -> tuple[bytes, str]:
            if answer.status != 200:
                return b"", f"is not there (its server answered {answer.status})"
            if not remote.is_image(answer.body):
                raise Unreadable("what it sent for a page is no image")
            return answer.body, ""

        address = f"{self._settings.address.rstrip('/')}/{episode.folder}/{resolution}/{spoken}_{file}"
        data, why = self._asker.ask(address, read, limit=intake.MAX_PAGE_BYTES, paces=("site",), accept=(403, 404, 410))
        if not why:
            shelf.put(name, data)
        return data, why

    # --- the index ---------------------------------------------------------------------------------------------------

    def _episodes(self) -> list[Episode]:
        for index in _INDEXES:
            if self._read_episodes:
                break
            self._read_episodes = self._asker.ask(
                f"{self._settings.address.rstrip('/')}/{index}",
                _index,
                limit=_MAX_INDEX,
                paces=("site",),
                accept=(403, 404, 410),
                compressed=True,
            )
        if not self._read_episodes:
            raise SourceNotFound(
                f"{NAME} has no list of episodes at {clean(self._settings.address)}",
                hint=f"peppercarrot.address is {SITE}/0_sources, unless that has moved",
            )
        return self._read_episodes

    def _episode(self, folder: str) -> Episode:
        episodes = self._episodes()
        for episode in episodes:
            if episode.folder.lower() == folder.lower():
                return episode
        number = plain_number(folder.partition("_")[0].removeprefix("ep"))
        near = next((episode.folder for episode in episodes if episode.number == number), "")
        raise SourceNotFound(
            f"{NAME} has no episode {clean(folder)}" + (f"; did you mean {near}?" if near else ""),
            hint=f"{SITE}/en/webcomics/peppercarrot.html lists them",
        )

    def _spoken(self, episode: Episode, asked: str) -> str:
        """The comic's own code of the first wanted language that the episode is in; empty where it is in none."""
        wanted = [asked] if asked else []
        for language in self._languages:
            wanted += self._codes_of(language)
        return next((code for code in wanted if code in episode.languages), "")

    def _must_speak(self, episode: Episode, asked: str) -> str:
        spoken = self._spoken(episode, asked)
        if not spoken:
            raise SourceNotFound(
                f"{NAME} {episode.folder} is not in {', '.join(self._languages) or 'any language'}",
                hint=f"source.languages: it is in {', '.join(episode.languages[:40])}",
            )
        return spoken

    def _codes_of(self, language: str) -> list[str]:
        plain = language.lower().split("-")[0]
        said = [code for code, about in self._codes().items() if about.iso_code.lower() == plain]
        return [*said, _CODES.get(plain, plain)]

    def _translators(self, spoken: str) -> tuple[str, ...]:
        about = self._codes().get(spoken)
        return _names(about.translators) if about else ()

    def _codes(self) -> dict[str, _Language]:
        """What the comic says of its languages; nothing where that is not there or makes no sense."""
        if self._read_codes is None:

            def read(answer: Answer) -> dict[str, _Language]:
                raw = decoded(answer) if answer.status == 200 else {}
                found: dict[str, _Language] = {}
                for code, about in list(raw.items())[:500] if isinstance(raw, dict) else []:
                    try:
                        found[str(code)] = msgspec.convert(about, _Language)
                    except msgspec.ValidationError:
                        continue
                return found

            self._read_codes = self._asker.ask(
                f"{self._settings.address.rstrip('/')}/langs.json",
                read,
                limit=_MAX_INDEX,
                paces=("site",),
                accept=(403, 404, 410),
                compressed=True,
            )
        return self._read_codes

    # -----------------------------------------------------------------------------------------------------------------

    def _parsed(self, ref: str) -> tuple[str, str]:
        address = remote.peppercarrot(ref)
        if address is None:
            raise SourceNotFound(f"{clean(ref)} is no address of an episode of {NAME}", hint=remote.UNDERSTOOD)
        return address

    def _found(self, episode: Episode, spoken: str) -> Found:
        return Found(
            ref=f"{SITE}/{spoken}/webcomic/{episode.folder}.html",
            identity=f"peppercarrot/{episode.folder.lower()}",
            series=NAME,
            number=episode.number,
            title=episode.title,
            language=self._language,
            version=keys.digest(spoken, episode.files, self._settings.resolution),
        )


def _reader(data: bytes, why: str) -> Callable[[], bytes]:
    def read() -> bytes:
        if why:
            raise intake.Unusable(why)
        return data

    return read


def _index(answer: Answer) -> list[Episode]:
    """The episodes of a list, in any of its three formats; none where it is not there. Raises Unreadable."""
    if answer.status != 200:
        return []
    raw = decoded(answer)
    if not isinstance(raw, list):
        raise Unreadable("its list of episodes makes no sense")
    found = [episode for one in raw[:_MAX_EPISODES] if (episode := _episode(one))]
    if raw and not found:
        raise Unreadable("its list of episodes makes no sense")
    return found


def _episode(raw: Any) -> Episode | None:
    """One entry; None where it makes no sense: it does not hide the others."""
    if not isinstance(raw, dict):
        return None
    folder = next((raw[key] for key in ("dir", "directory", "name") if isinstance(raw.get(key), str)), "")
    named = _FOLDER.fullmatch(folder)
    languages = raw.get("translations", raw.get("translated_languages"))
    if not named or not isinstance(languages, list):
        return None
    files, sure = _files(raw, named[1])
    spoken = tuple(one for one in languages if isinstance(one, str) and _LANGUAGE.fullmatch(one))
    if not files or not spoken:
        return None
    authors, translators = _people(raw)
    title = clean(named[2].replace("-", " "), 100)
    return Episode(folder, plain_number(named[1]), title, spoken, files, sure, authors, translators)


def _files(raw: Mapping[str, Any], number: str) -> tuple[tuple[str, ...], bool]:
    """The comic's pages, in order, without the language before their names; the marked cover and credits are none."""
    listed = raw.get("filenames")
    pages = listed.get("comic") if isinstance(listed, dict) else raw.get("pages")
    if isinstance(pages, dict):
        # v1: by number, beside «cover» and the like.
        numbered = [key for key in pages if isinstance(key, str) and re.fullmatch(r"\d{1,4}", key)]
        pages = [pages[key] for key in sorted(numbered, key=int)]
    if isinstance(pages, list):
        good = all(isinstance(file, str) and _FILE.fullmatch(file) for file in pages)
        return (tuple(pages) if good and len(pages) <= archive.MAX_ENTRIES else ()), True
    total = raw.get("total_pages")
    if not isinstance(total, int) or not 0 < total <= archive.MAX_ENTRIES:
        return (), False
    # «Numbered from 00 to total_pages»: whether that one is there too differs.
    stem = f"Pepper-and-Carrot_by-David-Revoy_E{int(number):02}"
    return tuple(f"{stem}P{page:02}.jpg" for page in range(total + 1)), False


def _people(raw: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Authors and translators, where the entry names any."""
    authors = _names(raw.get("authors"))
    translators = _names(raw.get("translators"))
    credits = raw.get("credits")
    for kind, people in list(credits.items())[:50] if isinstance(credits, dict) else []:
        if "translat" in str(kind).lower():
            translators += _names(people)
        else:
            authors += _names(people)
    return tuple(dict.fromkeys(authors))[:40], tuple(dict.fromkeys(translators))[:40]


def _names(raw: Any) -> tuple[str, ...]:
    listed = [clean(one, 100) for one in raw[:40] if isinstance(one, str)] if isinstance(raw, list) else []
    return tuple(dict.fromkeys(one for one in listed if one))
