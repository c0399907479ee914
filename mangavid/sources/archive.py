"""Reading CBZ/ZIP files from anyone: members by position, into memory, within limits; nothing is ever extracted.

A member's name serves for sorting and for messages only, so ``../``, ``C:\\`` or ``NUL`` in it can do nothing. Links,
devices and folders among the members are passed over. What is refused: archives over a limit, encrypted ones,
compression other than stored or deflate (their readers take memory the limits here don't see), members that overlap.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from mangavid.errors import BadArchive
from mangavid.sources.names import clean, shown

MAX_ENTRIES = 2_000
MAX_MEMBER = 64 * 1024 * 1024
MAX_TOTAL = 2 * 1024 * 1024 * 1024
MAX_RATIO = 200
_RATIO_FREE = 1024 * 1024
"""A member this small may be compressed as far as it likes."""
_MAX_DIRECTORY = 4 * 1024 * 1024
"""Bytes of the central directory; 2,000 entries of 2 KiB each. Read at once by zipfile, so held before it does."""
_LOCAL_HEADER = 30
_KINDS = {
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file",
    b"\xfd7zX": "an xz file",
}


class CorruptMember(Exception):
    """One member can't be read: broken data or a wrong checksum. The rest of the archive may be fine."""


class Member(msgspec.Struct, frozen=True):
    """A regular file in an archive: its position there, its name as it stands and as it is shown, bytes unpacked."""

    position: int
    name: str
    shown: str
    size: int


class _TooLarge(Exception):
    pass


class _Metered(io.FileIO):
    """A file that refuses to be read in pieces larger than a central directory may be."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > _MAX_DIRECTORY:
            raise _TooLarge
        return super().read(size) or b""


class Archive:
    """An open archive. Made by ``open_archive``."""

    def __init__(self, name: str, opened: zipfile.ZipFile) -> None:
        self.name = name
        self._zip = opened
        self._infos = opened.infolist()
        self._read = 0
        _check_layout(name, self._infos, opened.start_dir)
        latest: dict[str, Member] = {}
        for position, info in enumerate(self._infos):
            kind = stat.S_IFMT(info.external_attr >> 16)
            if info.filename.endswith(("/", "\\")) or not info.filename or kind not in (0, stat.S_IFREG):
                continue
            latest[info.filename] = Member(position, info.filename, shown(info.filename), info.file_size)
        #: Regular files, in the archive's order. Of two with the same name, the later one, as every zip tool does.
        self.members: tuple[Member, ...] = tuple(sorted(latest.values(), key=lambda m: m.position))

    def check(self, members: Sequence[Member]) -> None:
        """Refuse at once, by what the headers say, members that may not all be read. Raises BadArchive."""
        total = 0
        for member in members:
            info = self._infos[member.position]
            where = f"{self.name}: {member.shown}"
            if info.flag_bits & 0x1:
                raise BadArchive(f"{where} is encrypted", hint="unpack the archive and give the folder of images")
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise BadArchive(
                    f"{where} is compressed in a way mangavid doesn't read (method {info.compress_type})",
                    hint="repack it with plain zip, or unpack it and give the folder of images",
                )
            if info.file_size > MAX_MEMBER:
                raise BadArchive(
                    f"{where} is {_mb(info.file_size)} unpacked; the limit is {_mb(MAX_MEMBER)}", hint=_LIMIT
                )
            if info.file_size > _RATIO_FREE and info.file_size > MAX_RATIO * max(1, info.compress_size):
                raise BadArchive(
                    f"{where} unpacks to over {MAX_RATIO} times its size, as zip bombs do",
                    hint="if it is a real chapter, unpack it and give the folder of images",
                )
            total += info.file_size
        if total > MAX_TOTAL:
            raise BadArchive(f"{self.name} unpacks to {_mb(total)}; the limit is {_mb(MAX_TOTAL)}", hint=_LIMIT)

    def read(self, member: Member, limit: int = MAX_MEMBER) -> bytes:
        """A member's bytes. Raises CorruptMember, BadArchive (over a limit: what comes out is counted)."""
        self.check((member,))
        data = bytearray()
        try:
            with self._zip.open(self._infos[member.position]) as stream:
                while piece := stream.read(min(1 << 20, limit + 1 - len(data))):
                    data += piece
                    self._read += len(piece)
                    if len(data) > limit or self._read > MAX_TOTAL:
                        raise BadArchive(f"{self.name}: {member.shown} is over {_mb(limit)} unpacked", hint=_LIMIT)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, struct.error, _TooLarge) as problem:
            raise CorruptMember(f"broken in the archive ({clean(str(problem), 80) or 'it ends early'})") from None
        # zipfile's own words for a method it lacks (NotImplementedError), a password, a name that is no text.
        except (NotImplementedError, RuntimeError, UnicodeError, ValueError):
            raise CorruptMember("broken in the archive (its header makes no sense)") from None
        return bytes(data)


_LIMIT = "split the chapter, or unpack it, shrink its pages and give the folder"


@contextmanager
def open_archive(path: Path, name: str) -> Iterator[Archive]:
    """Open a CBZ/ZIP; ``name`` is how messages call it. Raises BadArchive."""
    try:
        with _Metered(path, "rb") as file:
            start = super(_Metered, file).read(8) or b""
            file.seek(0)
            if not start:
                raise BadArchive(f"{name} is empty", hint="get the file again")
            for magic, kind in _KINDS.items():
                if start.startswith(magic):
                    raise BadArchive(f"{name} is {kind}, not a ZIP", hint=unpack_hint(name))
            with zipfile.ZipFile(file) as opened:
                yield Archive(name, opened)
    except _TooLarge:
        raise BadArchive(
            f"{name} lists more than {MAX_ENTRIES:,} files", hint="split it into chapters, one archive each"
        ) from None
    # NotImplementedError is zipfile's for an archive that asks for a newer ZIP version, or is split over disks.
    except (zipfile.BadZipFile, EOFError, struct.error, NotImplementedError, OverflowError, ValueError) as problem:
        raise BadArchive(
            f"{name} is not a whole ZIP archive ({clean(str(problem), 80)})",
            hint="get the file again; it may be cut short",
        ) from None
    except OSError as problem:
        raise BadArchive(f"{name} can't be read: {problem.strerror or clean(str(problem), 80)}") from None


def unpack_hint(name: str) -> str:
    """What to do with an archive of another kind."""
    return f"unpack {clean(name, 80)} into a folder of images and give that folder, or repack it as .cbz (zip)"


def _check_layout(name: str, infos: Sequence[zipfile.ZipInfo], directory: int) -> None:
    """At most 2,000 entries, none over another or over the directory (as quines and overlap bombs are built)."""
    if len(infos) > MAX_ENTRIES:
        raise BadArchive(
            f"{name} holds {len(infos):,} files; the limit is {MAX_ENTRIES:,}",
            hint="split it into chapters, one archive each",
        )
    end, before = 0, ""
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise BadArchive(
                f"{name}: {shown(info.filename)} overlaps {before}: not an honest archive", hint="get it elsewhere"
            )
        end = info.header_offset + _LOCAL_HEADER + info.compress_size
        before = shown(info.filename)
    if end > directory:
        raise BadArchive(
            f"{name}: {before} runs past the end of its data: not a whole archive", hint="get the file again"
        )


def _mb(size: int) -> str:
    return f"{size / 2**20:,.0f} MB" if size >= 2**20 else f"{size // 1024:,} KB"
