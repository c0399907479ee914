"""``ComicInfo.xml`` (Anansi schema 2.0 and 2.1): what a CBZ says about itself.

The file is data from outside: at most 512 KiB, no DOCTYPE (so no entities), every text cleaned and cut. A file that
does not fit is left aside with a note; it never stops a chapter.
"""

from __future__ import annotations

import re
from xml.parsers import expat

import msgspec

from mangavid.models import Credits, Direction
from mangavid.sources.names import clean, normalised, plain_number

NAME = "comicinfo.xml"
MAX_BYTES = 512 * 1024
_MAX_TEXT = 20_000
_MAX_DEPTH = 8
_PEOPLE = ("Writer", "Penciller", "Inker", "Translator", "ScanInformation")
_FIELDS = frozenset((*_PEOPLE, "Title", "Series", "Number", "Volume", "Summary", "LanguageISO", "Web", "Manga"))


class ComicInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The fields used here, cleaned; empty where absent. ``left_out``: page positions (from 0) of type Deleted."""

    series: str = ""
    number: str = ""
    volume: str = ""
    title: str = ""
    summary: str = ""
    language: str = ""
    direction: Direction | None = None
    credits: Credits = Credits()
    left_out: frozenset[int] = frozenset()

    @property
    def identity(self) -> str:
        """Series, volume, number and title where they tell this chapter from the others of its series, else empty."""
        if not self.series or not (self.number or self.title):
            return ""
        return "comicinfo:" + "|".join(normalised(t) for t in (self.series, self.volume, self.number, self.title))


class Unreadable(ValueError):
    """Why a ComicInfo.xml is left aside."""


def read(data: bytes) -> ComicInfo:
    """Parse the file's bytes (any encoding expat knows). Raises Unreadable."""
    if len(data) > MAX_BYTES:
        raise Unreadable(f"larger than {MAX_BYTES // 1024} KiB")
    fields, deleted = _parse(data)

    def field(name: str, limit: int = 300) -> str:
        return clean(fields.get(name, ""), limit)

    def people(*names: str) -> tuple[str, ...]:
        listed = (clean(part, 100) for name in names for part in fields.get(name, "").split(","))
        return tuple(dict.fromkeys(person for person in listed if person))[:20]

    manga = field("Manga").lower()
    web = re.search(r"https?://[!-~]{1,500}", field("Web", 2000))
    language = field("LanguageISO", 20)
    return ComicInfo(
        series=field("Series"),
        number=plain_number(field("Number", 40)),
        volume=plain_number(field("Volume", 40)),
        title=field("Title"),
        summary=field("Summary", 4000),
        language=language if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", language) else "",
        direction="rtl" if manga == "yesandrighttoleft" else "ltr" if manga == "no" else None,
        credits=Credits(
            authors=people("Writer", "Penciller", "Inker"),
            translators=people("Translator"),
            groups=people("ScanInformation"),
            url=web[0] if web else "",
        ),
        left_out=deleted,
    )


def _parse(data: bytes) -> tuple[dict[str, str], frozenset[int]]:
    """Texts of the root's children by name, and the positions of the pages marked as deleted."""
    fields: dict[str, str] = {}
    deleted: set[int] = set()
    path: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if not path and name != "ComicInfo":
            raise Unreadable(f"its root is <{clean(name, 40)}>, not <ComicInfo>")
        path.append(name)
        if len(path) > _MAX_DEPTH:
            raise Unreadable("it is nested too deeply")
        position = attributes.get("Image", "")
        if path[1:] == ["Pages", "Page"] and attributes.get("Type") == "Deleted" and re.fullmatch(r"\d{1,5}", position):
            deleted.add(int(position))

    def text(piece: str) -> None:
        if len(path) == 2 and path[1] in _FIELDS:
            fields[path[1]] = (fields.get(path[1], "") + piece)[:_MAX_TEXT]

    def end(_name: str) -> None:
        path.pop()

    def doctype(*_: object) -> None:
        raise Unreadable("it has a DOCTYPE")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start
    parser.CharacterDataHandler = text
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, UnicodeError, ValueError, LookupError) as problem:
        if isinstance(problem, Unreadable):
            raise
        raise Unreadable(f"it is not well-formed XML ({problem})") from None
    return fields, frozenset(deleted)
