"""Names of files and folders: the order of pages, which files are no pages, and how names are shown and compared.

Names come from outside. Here they are only compared and shown, never used as a path.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable

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


def looks_like(name: str, word: str) -> bool:
    """Whether a text file is called by a word, misspelt (``naration.yaml``) or with other endings."""
    text, *endings = name.lower().split(".")
    is_text = bool(endings) and f".{endings[-1]}" in (*SIDECAR_SUFFIXES, ".txt")
    return is_text and difflib.SequenceMatcher(None, text, word).ratio() >= 0.75


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


def plain_number(text: str) -> str:
    """``007`` → ``7``, ``012,50`` → ``12.5``, ``３`` → ``3``; other text stays, without surrounding spaces."""
    text = unicodedata.normalize("NFKC", text).strip().replace(",", ".")
    if not re.fullmatch(r"\d+(?:\.\d+)?", text):
        return text
    whole, _, rest = text.partition(".")
    rest = rest.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{rest}" if rest else "")


def normalised(text: str) -> str:
    """For comparing: NFKC, without case, single spaces."""
    return clean(unicodedata.normalize("NFKC", text).casefold().replace("_", " "), 300)
