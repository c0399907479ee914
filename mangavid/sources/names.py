"""What the names of files and folders tell: the order of pages, which files are no pages, and what a chapter is called.

Names come from outside. Here they are only compared and shown, never used as a path.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import msgspec
from natsort import natsort_keygen, ns

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".avif", ".bmp", ".tif", ".tiff")
)
ARCHIVE_SUFFIXES = frozenset((".cbz", ".zip"))
SIDECAR_SUFFIXES = (".yaml", ".yml", ".json")
_JUNK = frozenset(("thumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "system volume information"))

_natural: Callable[[str], object] = natsort_keygen(alg=ns.IGNORECASE | ns.PATH)


def page_order(name: str) -> tuple[object, str]:
    """Sort key: numbers by value, letters without case, folder by folder; ``page0 Page1 page2 page10``.

    Names are put in the form NFKC first, so that full-width digits and the two ways to write «é» sort alike.
    """
    plain = unicodedata.normalize("NFKC", name.replace("\\", "/"))
    return _natural(plain), name


def is_junk(name: str) -> bool:
    """Hidden files and what operating systems leave behind, in any part of a name."""
    return any(part.startswith(".") or part.lower() in _JUNK for part in _parts(name))


def is_page(name: str) -> bool:
    """By suffix only: the bytes decide later whether it really is one."""
    return suffix(name) in IMAGE_SUFFIXES and not is_junk(name)


def suffix(name: str) -> str:
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    dot = base.rfind(".")
    return base[dot:].lower() if dot > 0 else ""


def _parts(name: str) -> list[str]:
    return [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]


def clean(text: str, limit: int = 200) -> str:
    """Text from outside as one line to show: no control, format (bidi, zero-width) or private characters.

    Longer than ``limit`` characters is cut, with an ellipsis. The form is NFC.
    """
    text = unicodedata.normalize("NFC", re.sub(r"\s+", " ", text[: limit * 4]))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def shown(name: str) -> str:
    """A member's name as it is shown and stored: its parts without drive, root and ``..``, at most 120 characters."""
    parts = [part for part in (clean(part, 120) for part in _parts(name)) if not re.fullmatch(r"[A-Za-z]:", part)]
    text = "/".join(parts) or "unnamed"
    return text if len(text) <= 120 else "…" + text[-119:]


# --- what a chapter is called ---------------------------------------------------------------------------------------

_NUMBER = r"(\d{1,5}(?:[.,]\d{1,3})?)"
_CHAPTER = re.compile(
    rf"(?:(?<![^\W\d_])(?:chapter|chap|ch|c|chương|chuong|tập|tap|kỳ|ky|episode|ep|no)[\s._-]*|#\s*|第\s*){_NUMBER}(?!\d)",
    re.IGNORECASE,
)
_VOLUME = re.compile(rf"(?<![^\W\d_])(?:volume|vol|v|quyển|quyen|tome)[\s._-]*{_NUMBER}(?!\d)", re.IGNORECASE)
_BARE_NUMBER = re.compile(rf"(?<![\w.]){_NUMBER}(?![\w])")
_BRACKETED = re.compile(r"\[[^\]]*\]|\([^)]*\)|\{[^}]*\}")
_GENERIC = frozenset(
    ("page", "pages", "image", "images", "img", "scan", "scans", "raw", "raws", "manga", "comic", "comics", "chapters")
)


class Named(msgspec.Struct, frozen=True):
    """What a path says of a chapter; empty where it does not say."""

    series: str
    number: str
    title: str
    #: The chapter's folder and own name, normalised; see ``identity_of``.
    identity: str


def plain_number(text: str) -> str:
    """``007`` → ``7``, ``012,50`` → ``12.5``, ``３`` → ``3``; other text stays, without surrounding spaces."""
    text = unicodedata.normalize("NFKC", text).strip().replace(",", ".")
    if not re.fullmatch(r"\d+(?:\.\d+)?", text):
        return text
    whole, _, rest = text.partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{rest}" if rest else "")


def _without_marks(stem: str) -> str:
    return clean(_BRACKETED.sub(" ", stem).replace("_", " "))


def _says_a_name(stem: str) -> bool:
    """False for ``Chapter 12``, ``Vol.3``, ``007``, ``pages``: such a name does not tell one series from another."""
    rest = _VOLUME.sub(" ", _CHAPTER.sub(" ", _without_marks(stem)))
    words = [word for word in re.findall(r"[^\W\d_]+", rest) if word.lower() not in _GENERIC]
    return any(len(word) > 1 or ord(word[0]) > 0x2E7F for word in words)


def normalised(text: str) -> str:
    """For comparing: NFKC, without case, single spaces."""
    return clean(unicodedata.normalize("NFKC", text).casefold().replace("_", " "), 300)


def identity_of(path: Path) -> str:
    """Names a chapter by its own name and its folder's, climbing on while that folder is only «Vol. 2» or «pages».

    So a series' folder may move anywhere, alone or with a whole library, and its chapters stay the same; and
    ``A/Vol 1/ch 1.cbz`` and ``B/Vol 1/ch 1.cbz`` stay two chapters.
    """
    names = [_stem(path)]
    for parent in path.parents:
        if not parent.name:
            break
        names.insert(0, parent.name)
        if _says_a_name(parent.name):
            break
    return "/".join(normalised(name) for name in names)


def _stem(path: Path) -> str:
    return path.stem if path.suffix.lower() in ARCHIVE_SUFFIXES else path.name


def read_path(path: Path) -> Named:
    """Series, number and title of the chapter at ``path`` (absolute), as far as the names say."""
    stem = _stem(path)
    plain = _without_marks(stem)
    found = _CHAPTER.search(stem) or _CHAPTER.search(plain)
    number = plain_number(found[1]) if found else ""
    if not number:
        bare = list(_BARE_NUMBER.finditer(_VOLUME.sub(" ", plain)))
        number = plain_number(bare[-1][1]) if bare else ""
    series = ""
    if _says_a_name(plain):
        head = plain[: m.start()] if (m := _CHAPTER.search(plain)) else _BARE_NUMBER.sub("", plain)
        head = _VOLUME.sub(" ", head).strip(" -–—._#")
        series = clean(head) if _says_a_name(head) else ""
    if not series:
        named = next((p.name for p in path.parents if p.name and _says_a_name(p.name)), "")
        series = _without_marks(named)
    return Named(series, number, clean(stem.replace("_", " ")) or "Untitled", identity_of(path))
