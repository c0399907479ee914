"""Who may publish what: the owner's declaration in the settings, held against where a chapter comes from.

Files in a folder are the person's own affair. Anything that others can see needs a declaration first: what the right
is based on, and who holds it. MangaDex forbids making money with what it serves, and most of it is unlicensed
(api.mangadex.org/docs, acceptable use): its chapters need one more word before the public may see them.
"""

from __future__ import annotations

from mangavid.config import Config, Rights, Youtube
from mangavid.errors import RightsMissing
from mangavid.models import Credits
from mangavid.phrases import phrases

MANGADEX = "MangaDex"


def declared(rights: Rights) -> None:
    """Raises RightsMissing where no right is declared, or half of it."""
    if not rights.basis:
        raise RightsMissing(
            "no rights are declared: rights.basis is empty, and nothing is published without it",
            hint="rights.basis: own, permission, licence or public-domain, and rights.holder (docs/rights.md)",
        )
    if rights.basis == "licence" and not rights.licence.strip():
        raise RightsMissing(
            "the rights are declared by a licence that is not named: rights.licence is empty",
            hint="rights.licence: CC BY 4.0, for example",
        )
    if rights.basis != "public-domain" and not rights.holder.strip():
        raise RightsMissing(
            "the rights are declared, but not who holds them: rights.holder is empty",
            hint="rights.holder: your name, or whose work it is",
        )


def check(rights: Rights, youtube: Youtube, credits: Credits) -> None:
    """Whether a chapter with these credits may be published so. Raises RightsMissing."""
    declared(rights)
    seen = youtube.privacy != "private" or bool(youtube.publish_at)
    if credits.source == MANGADEX and seen and not rights.mangadex:
        raise RightsMissing(
            "a chapter from MangaDex would be shown to the public, and rights.mangadex is not declared",
            hint="youtube.privacy: private, or rights.mangadex: true if you hold these rights (docs/rights.md)",
        )


def credited(description: str, rights: Rights, language: str = "vi") -> str:
    """A description with who holds the rights, and under which licence, behind it: at most 600 bytes more."""
    words = phrases(language)
    lines = [(words.holder, rights.holder), (words.licence, rights.licence)]
    said = [f"{label}: {named}" for label, value in lines if (named := _plain(value)) and named not in description]
    return "\n".join([description, *said]).strip()


def _plain(text: str) -> str:
    """One line of at most 90 characters, without what YouTube refuses."""
    kept = (ch for ch in text.replace("<", "‹").replace(">", "›") if ch.isprintable() or ch.isspace())
    return " ".join("".join(kept).split())[:90]


def check_settings(config: Config) -> None:
    """What can be said before any chapter is there. Raises RightsMissing."""
    if config.publisher.kind == "folder":
        return
    named = Credits(source=MANGADEX) if config.source.kind == "mangadex" else Credits()
    check(config.rights, config.youtube, named)
