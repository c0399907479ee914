"""Which addresses are understood, and what sources on the network are given. Light: nothing here opens a connection."""

from __future__ import annotations

import re
from typing import Literal, Protocol

from mangavid.errors import SourceNotFound
from mangavid.sources.names import clean
from mangavid.webaddress import Refused, parse

Provider = Literal["mangadex", "peppercarrot"]

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_MANGADEX = re.compile(rf"/(chapter|title)/({UUID})(?:/[^?]*)?(?:\?.*)?", re.IGNORECASE)
_EPISODE = r"ep\d{1,4}_[A-Za-z0-9-]{1,100}"
_PEPPERCARROT = re.compile(
    rf"(?:/(?P<language>[a-z]{{2,3}}))?/webcomic/(?P<page>{_EPISODE})(?:__[a-z-]+)?\.html|/0_sources/(?P<folder>{_EPISODE})/?"
)
UNDERSTOOD = (
    "understood are https://mangadex.org/chapter/… and …/title/…, and "
    "https://www.peppercarrot.com/…/webcomic/….html; else a folder of images, or a CBZ/ZIP file"
)


class Shelf(Protocol):
    """Where a chapter's pages are kept while it is fetched, so that none is fetched twice. Durable when put returns.

    Names are ``[A-Za-z0-9._-]{1,250}``. Used from several threads.
    """

    def get(self, name: str) -> bytes | None:
        """What was put under this name; None where there is none."""

    def put(self, name: str, data: bytes) -> None: ...


def is_image(data: bytes) -> bool:
    """Whether bytes begin as a picture does; whether they are one is for ``intake`` to find out."""
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF")) or data[4:8] == b"ftyp"


def provider_of(ref: str) -> Provider:
    """Whose address this is. Raises SourceNotFound for one of others (``keys.is_address`` says whether it is any)."""
    if mangadex(ref):
        return "mangadex"
    if peppercarrot(ref):
        return "peppercarrot"
    raise SourceNotFound(f"{clean(ref)} is not an address that chapters are taken from", hint=UNDERSTOOD)


def mangadex(ref: str) -> tuple[Literal["chapter", "title"], str] | None:
    """What a MangaDex address names, and its id; None for any other address."""
    found = _MANGADEX.fullmatch(_target(ref, "mangadex.org"))
    if not found:
        return None
    return ("chapter" if found[1].lower() == "chapter" else "title"), found[2].lower()


def peppercarrot(ref: str) -> tuple[str, str] | None:
    """An episode's folder, and the language in its address (may be empty); None for any other address."""
    found = _PEPPERCARROT.fullmatch(_target(ref, "peppercarrot.com").partition("?")[0])
    return (found["page"] or found["folder"], found["language"] or "") if found else None


def _target(ref: str, host: str) -> str:
    """Path and query of an address of this host (with or without www); empty for any other."""
    try:
        where = parse(ref.strip().partition("#")[0])
    except Refused:
        return ""
    return where.target if where.host.removeprefix("www.") == host else ""
