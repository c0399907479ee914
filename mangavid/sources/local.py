"""Chapters on this machine: folders of images and CBZ/ZIP files, named one by one or as a library.

What is a chapter: a CBZ/ZIP file, or a folder that directly holds images. Its identity is taken from ComicInfo.xml
(series, volume, number, title) where that tells chapters apart, else from what it is (folder or archive), its own and
its folder's name (``titles.identity_of``): it stays the same when the series' folder is moved. Two files of the same
name in two folders are two chapters, and so are an archive and a folder of the same name: they may hold other pages.
"""

from __future__ import annotations

import difflib
import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from mangavid.errors import BadArchive, BadInput, BadSidecar, SourceNotFound
from mangavid.models import Sidecar
from mangavid.ports import Fetched, Found
from mangavid.sources import archive, comicinfo, intake, sidecar
from mangavid.sources.names import (
    ARCHIVE_SUFFIXES,
    SIDECAR_SUFFIXES,
    clean,
    is_junk,
    is_page,
    looks_like,
    page_order,
    shown,
    suffix,
)
from mangavid.sources.titles import read_path

_OTHER_CHAPTERS = {
    ".cbr": "RAR",
    ".rar": "RAR",
    ".cb7": "7z",
    ".7z": "7z",
    ".cbt": "TAR",
    ".tar": "TAR",
    ".pdf": "PDF",
    ".epub": "EPUB",
}
_MAX_DEPTH = 32
_NOTES = 3
_SIDECAR = "narration"
_INSIDE = tuple(f"{_SIDECAR}{ext}" for ext in SIDECAR_SUFFIXES)


class ChapterSource:
    """Chapters the person named, in the order given. ``ref`` is the absolute path."""

    def __init__(self, paths: Sequence[Path], read_sidecar: sidecar.ReadYaml) -> None:
        self._paths = tuple(_absolute(path) for path in paths)
        self._read_sidecar = read_sidecar

    def find(self) -> Iterator[Found]:
        """All named chapters. Raises SourceNotFound or BadInput for the first name that is no chapter, before any."""
        for path in self._paths:
            _check_is_chapter(path)
        for path in self._paths:
            yield _found(path, str(path))

    def fetch(self, found: Found) -> Fetched:
        path = Path(found.ref)
        _check_is_chapter(path)
        return _fetch(path, found, self._read_sidecar)


class Packed(msgspec.Struct, frozen=True):
    """A chapter as one CBZ or ZIP ``file``, and its ``narration`` as a JSON document (empty: it has none)."""

    file: Path
    narration: bytes


def pack(path: Path, folder: Path, read_sidecar: sidecar.ReadYaml) -> Packed:
    """A chapter for where neither folders nor YAML are read; what has to be made is made in ``folder``.

    Raises SourceNotFound, BadInput (BadSidecar among them) for what would not become a video there either.
    """
    path = _absolute(path)
    _check_is_chapter(path)
    with ExitStack() as stack:
        chapter = _open(path, stack)
        if not chapter.pages:
            raise BadInput(f"{chapter.name} holds no page images", hint=_what_instead(path))
        chapter.check()
        narration = _sidecar_text(path, chapter, read_sidecar)
        if not path.is_dir():
            return Packed(path, narration)
        made = folder / f"{path.name}.cbz"
        with zipfile.ZipFile(made, "x", zipfile.ZIP_STORED) as packed:  # images don't get smaller
            for name in (*chapter.pages, *chapter.find(comicinfo.NAME)[:1]):
                # One time for all: the same chapter is the same file.
                packed.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), (path / name).read_bytes())
    return Packed(made, narration)


class LibrarySource:
    """All chapters below a folder, in natural order of their paths. ``ref`` is the absolute path."""

    def __init__(self, root: Path, read_sidecar: sidecar.ReadYaml) -> None:
        self._root = _absolute(root)
        self._read_sidecar = read_sidecar

    def find(self) -> Iterator[Found]:
        """One broken chapter does not hide the others: what is wrong with it is told when it is fetched.

        Raises SourceNotFound where the folder is missing, BadInput where it is a file.
        """
        if not _exists(self._root):
            raise SourceNotFound(
                f"the library folder {_show(self._root)} does not exist{_did_you_mean(self._root)}",
                hint="set source.library to the folder your chapters are in",
            )
        if not self._root.is_dir():
            raise BadInput(f"the library {_show(self._root)} is not a folder", hint="set source.library to a folder")
        for path in sorted(_walk(self._root), key=lambda p: page_order(p.relative_to(self._root).as_posix())):
            yield _found(path, str(path))

    def fetch(self, found: Found) -> Fetched:
        path = _absolute(Path(found.ref))
        if not path.is_relative_to(self._root):
            raise BadInput(f"{clean(found.ref)} lies outside the library {_show(self._root)}")
        _check_is_chapter(path)
        return _fetch(path, found, self._read_sidecar)


# --- finding --------------------------------------------------------------------------------------------------------


def _walk(root: Path) -> Iterator[Path]:
    """Chapters below a folder. Each folder is entered once, so a loop of links ends; unreadable ones are left out."""
    seen: set[tuple[int, int]] = set()
    waiting = [(root, 0)]
    while waiting:
        folder, depth = waiting.pop()
        try:
            entries = list(os.scandir(folder))
            here = folder.stat()
        except OSError:
            continue
        if (here.st_dev, here.st_ino) in seen:
            continue
        seen.add((here.st_dev, here.st_ino))
        has_pages = False
        for entry in entries:
            if is_junk(entry.name):
                continue
            with suppress(OSError):
                if entry.is_dir():
                    if depth < _MAX_DEPTH:
                        waiting.append((Path(entry.path), depth + 1))
                elif entry.is_file():
                    if suffix(entry.name) in ARCHIVE_SUFFIXES:
                        yield Path(entry.path)
                    has_pages = has_pages or is_page(entry.name)
        if has_pages:
            yield folder


def _check_is_chapter(path: Path) -> None:
    """Raises SourceNotFound, or BadInput that says what to do instead."""
    if not _exists(path):
        raise SourceNotFound(
            f"{_show(path)} does not exist{_did_you_mean(path)}", hint="a chapter is a folder of images, or a CBZ/ZIP"
        )
    if path.is_dir():
        return
    if not path.is_file():
        raise BadInput(f"{_show(path)} is not a file or folder", hint="give a folder of images or a .cbz/.zip file")
    kind = _OTHER_CHAPTERS.get(path.suffix.lower())
    if kind:
        raise BadInput(f"{_show(path)}: {kind} files are not read", hint=archive.unpack_hint(path.name))
    if path.suffix.lower() not in ARCHIVE_SUFFIXES:
        hint = (
            f"give the folder it is in: {_show(path.parent)}"
            if is_page(path.name)
            else "give a folder of images or a .cbz/.zip file"
        )
        raise BadInput(f"{_show(path)} is not a chapter", hint=hint)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name longer than names may be, a loop of links
        return False


def _did_you_mean(path: Path) -> str:
    """A close name in the same folder, as the end of a sentence."""
    try:
        names = [entry.name for entry in os.scandir(path.parent) if not is_junk(entry.name)]
    except (OSError, ValueError):
        return ""
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(path.name.lower(), by_lower, 1, 0.7)
    stems = [name for name in names if Path(name).stem.lower() == path.name.lower()]
    best = stems[0] if stems else by_lower[close[0]] if close else ""
    return f"; did you mean {_show(path.parent / best)}?" if best else ""


def _found(path: Path, ref: str) -> Found:
    named = read_path(path)
    info = comicinfo.ComicInfo()
    with suppress(BadInput, OSError), ExitStack() as stack:
        info = _open(path, stack).comicinfo([])
    return Found(
        ref=ref,
        identity=info.identity or f"{'folder' if path.is_dir() else 'archive'}:{named.identity}",
        series=info.series or named.series,
        number=info.number or named.number,
        title=info.title or (info.series if info.series and not named.number else named.title),
        language=info.language,
        version=_version(path),
    )


def _version(path: Path) -> str:
    """A digest of names, sizes and times of the files a chapter is made from; what they hold is not read."""
    digest = hashlib.sha256()
    try:
        files = [path] if not path.is_dir() else [Path(entry.path) for entry in os.scandir(path) if _counts(entry.name)]
        for file in sorted((*files, *_beside(path))):
            with suppress(FileNotFoundError):
                stat = file.stat()
                digest.update(os.fsencode(file.name) + b"\0%d %d\0" % (stat.st_size, stat.st_mtime_ns))
    except OSError:
        return ""
    return digest.hexdigest()[:32]


def _counts(name: str) -> bool:
    """Whether a file of this name, in a chapter's folder, goes into the video."""
    return is_page(name) or name.lower() in (comicinfo.NAME, *_INSIDE)


# --- reading --------------------------------------------------------------------------------------------------------


class _Chapter:
    """What lies in a chapter: its files by name, and how to read one. ``read`` raises intake.Unusable, BadArchive."""

    def __init__(self, name: str, files: dict[str, archive.Member | Path], opened: archive.Archive | None) -> None:
        self.name = name
        self._files = {file: files[file] for file in files if not is_junk(file)}
        self._archive = opened
        self.pages = sorted((file for file in self._files if is_page(file)), key=page_order)

    def check(self) -> None:
        """Limits that what is said beforehand already breaks. Raises BadInput."""
        if self._archive is not None:
            self._archive.check([m for page in self.pages if isinstance(m := self._files[page], archive.Member)])
        if len(self.pages) > archive.MAX_ENTRIES:
            raise BadInput(
                f"{self.name} holds {len(self.pages):,} images; the limit is {archive.MAX_ENTRIES:,} a chapter"
            )

    def read(self, file: str, limit: int = archive.MAX_MEMBER) -> bytes:
        source = self._files[file]
        try:
            if isinstance(source, archive.Member):
                assert self._archive is not None
                return self._archive.read(source, limit)
            with source.open("rb") as opened:
                data = opened.read(limit + 1)
        except archive.CorruptMember as why:
            raise intake.Unusable(f"is {why}") from None
        except OSError as problem:
            raise intake.Unusable(f"can't be read ({problem.strerror or 'an error of the disk'})") from None
        if len(data) > limit:
            raise intake.Unusable(f"is larger than {limit // 1024:,} KiB")
        return data

    def find(self, *names: str) -> list[str]:
        """Files of these base names (lower case), those of the outermost folder that has any."""
        matching = [file for file in self._files if file.replace("\\", "/").rsplit("/", 1)[-1].lower() in names]
        depth = min((file.count("/") for file in matching), default=0)
        return sorted(file for file in matching if file.count("/") == depth)

    def find_like(self, word: str) -> list[str]:
        return sorted(file for file in self._files if looks_like(file.replace("\\", "/").rsplit("/", 1)[-1], word))

    def comicinfo(self, notes: list[str]) -> comicinfo.ComicInfo:
        for file in self.find(comicinfo.NAME)[:1]:
            try:
                return comicinfo.read(self.read(file, comicinfo.MAX_BYTES))
            except (comicinfo.Unreadable, intake.Unusable, BadArchive) as why:
                notes.append(f"{shown(file)}: left aside: {why}")
        return comicinfo.ComicInfo()


def _open(path: Path, stack: ExitStack) -> _Chapter:
    """Raises BadArchive, BadInput."""
    if path.is_dir():
        try:
            entries = list(os.scandir(path))
        except OSError as problem:
            raise BadInput(f"{_show(path)} can't be read: {problem.strerror}") from None
        files: dict[str, archive.Member | Path] = {}
        for entry in entries:
            with suppress(OSError):  # a link that leads to itself
                if entry.is_file():
                    files[entry.name] = Path(entry.path)
        return _Chapter(_show(path), files, None)
    opened = stack.enter_context(archive.open_archive(path, _show(path)))
    return _Chapter(_show(path), {member.name: member for member in opened.members}, opened)


def _fetch(path: Path, found: Found, read_sidecar: sidecar.ReadYaml) -> Fetched:
    notes: list[str] = []
    with ExitStack() as stack:
        chapter = _open(path, stack)
        if not chapter.pages:
            raise BadInput(f"{chapter.name} holds no page images", hint=_what_instead(path))
        chapter.check()
        narration = _sidecar(path, chapter, read_sidecar)
        info = chapter.comicinfo(notes)
        wanted = [position not in info.left_out for position in range(len(chapter.pages))]
        offered = [
            intake.Offered(shown(file), lambda file=file: chapter.read(file))  # type: ignore[misc]
            for file, want in zip(chapter.pages, wanted, strict=True)
            if want
        ]
        if not offered:
            raise BadInput(f"{chapter.name}: its ComicInfo.xml marks every page as deleted")
        taken = intake.take_in(chapter.name, offered)
    kept = iter(taken.kept)
    there = [want and next(kept) for want in wanted]
    deleted = [
        f"{shown(file)}: marked as deleted in ComicInfo.xml"
        for file, want in zip(chapter.pages, wanted, strict=True)
        if not want
    ]
    if narration is None:
        notes += _near_misses(path, chapter)
    return Fetched(
        found=found,
        pages=taken.pages,
        skipped=(*taken.skipped, *deleted),
        credits=info.credits if info.credits.groups else msgspec.structs.replace(info.credits, groups=_groups(path)),
        direction=info.direction,
        sidecar=sidecar.renumbered(narration, there) if narration else None,
        notes=tuple(notes),
    )


def _groups(path: Path) -> tuple[str, ...]:
    group = read_path(path).group
    return (group,) if group else ()


def _sidecar(path: Path, chapter: _Chapter, read_yaml: sidecar.ReadYaml) -> Sidecar | None:
    """Raises BadSidecar, also where there are two."""
    found = _sidecar_file(path, chapter)
    return sidecar.read(*found, read_yaml) if found else None


def _sidecar_text(path: Path, chapter: _Chapter, read_yaml: sidecar.ReadYaml) -> bytes:
    """The narration, checked, as JSON; empty where there is none. Raises BadSidecar."""
    found = _sidecar_file(path, chapter)
    if not found:
        return b""
    sidecar.read(*found, read_yaml)
    data, name = found
    return data if name.lower().endswith(".json") else msgspec.json.encode(read_yaml(data, name))


def _sidecar_file(path: Path, chapter: _Chapter) -> tuple[bytes, str] | None:
    """What the narration beside the chapter holds, else the one in it, and its name. Raises BadSidecar."""
    beside = _beside(path)
    inside = chapter.find(*_INSIDE)
    if len(beside or inside) > 1:
        names = " and ".join(clean(str(name), 80) for name in [p.name for p in beside] or inside)
        raise BadSidecar(f"{chapter.name} has more than one narration: {names}", hint="keep one of them")
    for file in beside:
        with file.open("rb") as opened:
            return opened.read(sidecar.MAX_BYTES + 1), _show(file)
    for name in inside:
        try:
            data = chapter.read(name, sidecar.MAX_BYTES)
        except (intake.Unusable, BadArchive) as why:
            raise BadSidecar(f"{chapter.name}: {shown(name)} {why}", hint="take it out, or write it anew") from None
        return data, f"{chapter.name}: {shown(name)}"
    return None


def _beside(path: Path) -> list[Path]:
    stem = path.name if path.is_dir() else path.stem
    return [p for ext in SIDECAR_SUFFIXES if (p := path.with_name(f"{stem}.{_SIDECAR}{ext}")).is_file()]


def _near_misses(path: Path, chapter: _Chapter) -> list[str]:
    """A note for each file that looks like a narration, by its name, and is none."""
    called = f"{path.name if path.is_dir() else path.stem}.{_SIDECAR}.yaml"
    inside = [f"{shown(file)} is not read; a narration is called {_INSIDE[0]}" for file in chapter.find_like(_SIDECAR)]
    try:
        names = sorted(entry.name for entry in os.scandir(path.parent) if entry.is_file())
    except OSError:
        names = []
    prefix = called.removesuffix(f"{_SIDECAR}.yaml")
    beside = [
        f"{shown(name)} is not read; a narration beside {clean(path.name, 80)} is called {clean(called, 100)}"
        for name in names
        if (name.startswith(prefix) and looks_like(name.removeprefix(prefix), _SIDECAR))
        or (name.lower() in _INSIDE and not any(is_page(other) for other in names))
    ]
    return [*inside, *beside][:_NOTES]


def _what_instead(path: Path) -> str:
    """Looks for the chapters the person may have meant."""
    if not path.is_dir():
        return "a chapter is a CBZ/ZIP of JPEG, PNG, WebP, GIF or AVIF images; archives inside it are not opened"
    inside = sorted((p.relative_to(path).as_posix() for p in _walk(path)), key=page_order)
    if inside:
        first = _show(path / inside[0])
        return f"it is a library of {len(inside)} chapters: name one, such as {first}, or set source.library"
    others = sorted(p.name for p in path.iterdir() if p.suffix.lower() in _OTHER_CHAPTERS)
    return archive.unpack_hint(others[0]) if others else "a chapter is a folder of images, or a CBZ/ZIP of them"


def _absolute(path: Path) -> Path:
    """From the root, without ``..``; links are kept as they are, since a chapter is named by the path it was given."""
    return Path(os.path.normpath(path.absolute()))


def _show(path: Path) -> str:
    """A path as it is shown: from the current folder where it is below it."""
    with suppress(ValueError, OSError):
        path = path.relative_to(Path.cwd())
    return clean(str(path), 300)
