"""What the names of a chapter and of the folder it is in tell: its series, its number, its own title, who scanned it.

Names as people and programs give them: ``[Group] Series - Vol. 1 Ch. 12.5 - Title (2020) (Digital)``, ``Tập 5``,
``c012``, ``one-piece-chapter-1001``. Where a name leaves doubt, less is said rather than more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from mangavid.sources.names import ARCHIVE_SUFFIXES, clean, normalised, plain_number

_NUMBER = r"(\d{1,5}(?:[.,]\d{1,3})?(?:-\d{1,5})?)(?!-?[.,]?\d)"
_BEFORE = r"(?<![^\W\d_])"
#: The surest first: in «No.6 - Chapter 3» the chapter is the third.
_CHAPTER = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_BEFORE}(?:(?:chapter|chap|ch|chương|chuong)[\s._#-]*|c){_NUMBER}",
        rf"第\s*{_NUMBER}(?!\s*[巻卷])\s*[話话章回]?",
        rf"{_BEFORE}(?:episode|ep|kỳ|ky|hồi|hoi)[\s._#-]*{_NUMBER}",
        rf"#\s*{_NUMBER}",
    )
)
_VOLUME = re.compile(
    rf"{_BEFORE}(?:(?:volume|vol|quyển|quyen|tập|tap|tome)[\s._#-]*|v){_NUMBER}|第?\s*{_NUMBER}\s*[巻卷]", re.IGNORECASE
)
#: A number without a word: what stands at the end, or before a dash or colon, or is written with leading zeros.
_BARE = re.compile(rf"(?<![^\s-]){_NUMBER}(?=\s*$|\s*[:–—-]\s|\.\s)|(?<![^\s-])(0\d{{1,4}}(?:\.\d{{1,3}})?)(?=\s)")
_BRACKETED = re.compile(r"\[[^\]]*\]|\([^)]*\)|\{[^}]*\}|【[^】]*】")
_SEPARATORS = " -–—.:,_~|+#"


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_PLACES = _set(
    "page pages image images img scan scans raw raws manga mangas manhwa manhua webtoon webtoons comic comics truyện "
    "truyen chapter chapters library books downloads download desktop documents tmp temp home users media mnt data "
    "src input"
)
#: What stands beside a series' chapters: such a name is a title, and its number counts nothing else.
_APART = frozenset(
    ("extra", "extras", "oneshot", "special", "omake", "ngoại truyện", "ngoai truyen", "phiên ngoại", "side story")
)
_NO_TITLE = _set("end full hết het raw raws hq hd vn vi viet eng en jp fix fixed digital")
_TAGS = _NO_TITLE | _set("scan scans color colored colour web webrip official oneshot manga bản đẹp")


class Named(msgspec.Struct, frozen=True):
    """What a path says of a chapter; empty where it does not say. ``title`` is never empty.

    Where the number is that of a volume, ``title`` begins with «Tập 5»; where there is no title, it is the name.
    """

    series: str
    number: str
    title: str
    group: str
    #: The chapter's folder and own name, normalised; see ``identity_of``.
    identity: str


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
        if _says_a_name(_plain(parent.name)):
            break
    return "/".join(normalised(name) for name in names)


def read_path(path: Path) -> Named:
    """Series, number, title and group of the chapter at ``path`` (absolute), as far as the names say.

    The series is looked for in the chapter's own name, then, where that has a number, in its folder's; in the one above
    only where its folder is a volume's. A place such as a person's own folder or «Downloads» is no series.
    """
    stem = _stem(path)
    plain = _plain(stem)
    group = _group(stem)
    head, number, rest = _split(plain)
    if (before := re.match(r"([^_]*[^\W_][^_]*)_(?=\S+ )(?!.*_)", stem)) and normalised(head) == normalised(before[1]):
        head, group = "", group or clean(before[1], 100)  # «Group_Chapter 12», as reader programs save it
    apart = normalised(head or _BARE.sub("", plain)) in _APART
    if apart:
        head, number, rest = "", "", plain
    series = head or (_folder_series(path) if number or apart else "")
    title = rest
    if number and not _chapter(plain) and (volume := _VOLUME.search(plain)) and _counted(volume) == number:
        title = f"Tập {number}: {rest}" if rest else f"Tập {number}"
    return Named(series, number, title or plain or clean(stem) or "Untitled", group, identity_of(path))


def _split(plain: str) -> tuple[str, str, str]:
    """Series, number and title in a chapter's own name. A name without a number is all title."""
    match = _chapter(plain) or _VOLUME.search(plain) or _bare(plain)
    if not match:
        return "", "", ""
    head = _VOLUME.sub(" ", plain[: match.start()]).strip(_SEPARATORS)
    rest = _VOLUME.sub(" ", plain[match.end() :]).strip(_SEPARATORS)
    words = [word.casefold() for word in re.findall(r"[^\W\d_]+", rest)]
    titled = _says_a_name(rest) and not _NO_TITLE.issuperset(words)
    return clean(head) if _says_a_name(head) else "", _counted(match), clean(rest) if titled else ""


def _chapter(plain: str) -> re.Match[str] | None:
    return next((match for pattern in _CHAPTER if (match := pattern.search(plain))), None)


def _bare(plain: str) -> re.Match[str] | None:
    """The last number that stands by itself, but no year."""
    found = [match for match in _BARE.finditer(plain) if not re.fullmatch(r"(?:19|20)\d\d", match[0])]
    return found[-1] if found else None


def _counted(match: re.Match[str]) -> str:
    """The number in a match; ``1-3`` is a range, ``12-5`` in an address is 12.5."""
    text = next(group for group in match.groups() if group)
    first, _, second = text.partition("-")
    if not second:
        return plain_number(first)
    if float(second) > float(first.replace(",", ".")):
        return f"{plain_number(first)}-{plain_number(second)}"
    return plain_number(f"{first}.{second}" if len(second) == 1 else first)


def _folder_series(path: Path) -> str:
    folder = path.parent
    plain = _plain(folder.name)
    if _VOLUME.search(plain) and not _says_a_name(plain):
        folder = folder.parent
        plain = _plain(folder.name)
    named = clean(_VOLUME.sub(" ", plain).strip(_SEPARATORS))
    is_place = named.casefold() in _PLACES or folder.parent.name.casefold() in ("home", "users") or _chapter(named)
    return named if not is_place and re.search(r"[^\W\d_]", named) else ""


def _group(stem: str) -> str:
    """The first bracketed name that is no tag of another kind."""
    for bracketed in re.findall(r"\[([^\]]*)\]|【([^】]*)】", stem):
        text = clean("".join(bracketed).replace("_", " "), 100)
        words = re.findall(r"[^\W\d_]{2,}", text.casefold())
        coded = re.fullmatch(r"[0-9A-Fa-f]{8}|\d+p?", text) or _chapter(text) or _VOLUME.search(text)
        if words and not _TAGS.issuperset(words) and not coded:
            return text
    return ""


def _plain(stem: str) -> str:
    """A name without what is bracketed, with spaces where files have dots, dashes or underscores for them."""
    text = clean(_BRACKETED.sub(" ", stem).replace("_", " "))
    if " " not in text:
        if text.count("-") > 1:
            text = re.sub(r"-(?!\d+$)|(?<=[^\W\d_])-", " ", text)
        elif text.count(".") > 1:
            text = re.sub(r"(?<!\d)\.|\.(?!\d)", " ", text)
    return clean(text)


def _says_a_name(text: str) -> bool:
    """False for ``Chapter 12``, ``Vol.3``, ``007``, ``pages``: such a name does not tell one series from another."""
    return any(len(word) > 1 or ord(word[0]) > 0x2E7F for word in _words(text))


def _words(text: str) -> Iterator[str]:
    for pattern in (*_CHAPTER, _VOLUME):
        text = pattern.sub(" ", text)
    return (word for word in re.findall(r"[^\W\d_]+", text) if word.casefold() not in _PLACES)


def _stem(path: Path) -> str:
    return path.stem if path.suffix.lower() in ARCHIVE_SUFFIXES else path.name
