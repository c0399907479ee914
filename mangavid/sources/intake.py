"""Pages from outside become pages the rest may trust: they decode fully, are 8-bit grey or RGB, upright, within limits.

Decoding happens in child processes under limits (``decoder``), so that bytes which crash or blow up a decoder cost one
page and nothing else. What is already plain JPEG, PNG or WebP keeps its own bytes; the rest becomes PNG.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import msgspec

from mangavid.errors import BadImage
from mangavid.ports import RawPage
from mangavid.sources.names import clean

MAX_PAGE_BYTES = 64 * 1024 * 1024
MAX_CRASHES = 3
"""Children that pages of one chapter may kill; each costs up to a minute."""
_PATIENCE = 90.0
"""Seconds without a byte from a child, or without its taking one; its own limits end it well before."""
_LEAVE = 2.0
"""Seconds a child has to end by itself once its pipes are closed, so that its own exit code is seen."""
_MAX_ANSWER = 512 * 1024 * 1024
"""The largest page (132 Mpx) as uncompressed RGB, with room."""
_DECODERS = 2
_DEAD = {
    signal.SIGALRM: "takes more than a minute to decode",
    signal.SIGXCPU: "takes more than half a minute of processor time to decode",
    signal.SIGKILL: "needs more memory or time to decode than a page may",
}


class Offered(msgspec.Struct, frozen=True):
    """A page before intake. ``read`` gives its bytes; it raises Unusable where they can't be had."""

    name: str
    read: Callable[[], bytes]


class Unusable(Exception):
    """Why a page can't be used, in words that follow its name."""


class Taken(msgspec.Struct, frozen=True):
    """``kept`` says of each page offered whether it is in ``pages``; ``skipped`` has the rest as «name: why»."""

    pages: tuple[RawPage, ...]
    skipped: tuple[str, ...]
    kept: tuple[bool, ...]


def take_in(chapter: str, offered: Sequence[Offered]) -> Taken:
    """Take in a chapter's pages, in order; at most 1 of them, or 5 %, may be unusable.

    Raises BadImage where more are, or none is left. A BadArchive raised by a page's ``read`` passes through.
    """
    allowed = max(1, len(offered) // 20)
    results: list[RawPage | str] = []
    bad: list[str] = []
    for page, result in zip(offered, _decode_all(offered), strict=True):
        results.append(result)
        if isinstance(result, str):
            bad.append(f"{page.name}: {result}")
        if len(bad) > allowed:
            break
    pages = tuple(result for result in results if not isinstance(result, str))
    if len(bad) > allowed or not pages:
        many = "its only page" if len(offered) == 1 else f"too many of its {len(offered)} pages"
        raise BadImage(
            f"{chapter}: {many} can't be used: {bad[0] if bad else 'none was read'}",
            hint="get the chapter again, or take the broken pages out",
        )
    return Taken(pages, tuple(bad), tuple(not isinstance(result, str) for result in results))


def _decode_all(offered: Sequence[Offered]) -> Iterator[RawPage | str]:
    """Results in order, decoded by two children, at most a few pages ahead of what is asked for."""
    workers = max(1, min(_DECODERS, os.cpu_count() or 1, len(offered)))
    with ExitStack() as stack:
        decoders = [stack.enter_context(_Decoder()) for _ in range(workers)]
        pool = stack.enter_context(ThreadPoolExecutor(workers, thread_name_prefix="intake"))
        free = list(decoders)

        def run(page: Offered) -> RawPage | str:
            decoder = free.pop()
            try:
                return _one(decoder, page, sum(d.crashes for d in decoders))
            finally:
                free.append(decoder)

        ahead = [pool.submit(run, page) for page in offered[: workers * 2]]
        try:
            for position in range(len(offered)):
                yield ahead.pop(0).result()
                if position + workers * 2 < len(offered):
                    ahead.append(pool.submit(run, offered[position + workers * 2]))
        finally:
            for future in ahead:
                future.cancel()


def _one(decoder: _Decoder, page: Offered, crashes: int) -> RawPage | str:
    try:
        data = page.read()
    except Unusable as why:
        return str(why)
    problem = _not_an_image(data)
    if problem:
        return problem
    if crashes >= MAX_CRASHES:
        return "not tried, since other pages broke the decoder"
    try:
        verdict, png = decoder.decode(data)
    except Unusable as why:
        return str(why)
    if "error" in verdict:
        return clean(str(verdict["error"]), 160)
    return RawPage(
        name=page.name,
        ext=str(verdict["ext"]),
        data=png or data,
        width=int(str(verdict["width"])),
        height=int(str(verdict["height"])),
    )


# --- what the first bytes say ---------------------------------------------------------------------------------------

_OTHERS = (
    (b"%PDF", "is a PDF"),
    (b"BM", "is a BMP image; convert it to PNG"),
    (b"II*\0", "is a TIFF image; convert it to PNG"),
    (b"MM\0*", "is a TIFF image; convert it to PNG"),
    (b"\xff\x0a", "is a JPEG XL image; convert it to PNG"),
    (b"\0\0\0\x0cJXL ", "is a JPEG XL image; convert it to PNG"),
    (b"\0\0\0\x0cjP  ", "is a JPEG 2000 image; convert it to PNG"),
    (b"8BPS", "is a Photoshop file; convert it to PNG"),
    (b"PK\x03\x04", "is a ZIP archive"),
    (b"Rar!", "is a RAR archive"),
)


def _not_an_image(data: bytes) -> str:
    """Why these bytes are none of the formats taken (JPEG, PNG, WebP, GIF, AVIF) or over a limit; empty where fine."""
    head = data[:1024]
    if len(data) > MAX_PAGE_BYTES:
        return f"is larger than {MAX_PAGE_BYTES // 2**20} MB"
    if not data:
        return "is empty"
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a")):
        return ""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ""
    if head[4:8] == b"ftyp":
        brands = head[8 : int.from_bytes(head[:4], "big")]
        return "" if b"avif" in brands or b"avis" in brands else "is a HEIC image or a film; convert it to PNG or JPEG"
    for magic, why in _OTHERS:
        if head.startswith(magic):
            return why
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "is a web page, not an image (a download that failed?)"
    if text.startswith((b"<svg", b"<?xml")) or b"<svg" in text:
        return "is an SVG or XML file; convert it to PNG"
    return "is not an image mangavid knows (JPEG, PNG, WebP, GIF, AVIF)"


# --- the child ------------------------------------------------------------------------------------------------------


class _Decoder:
    """One child process at a time, started for the first page; a new one where a page ended the last."""

    def __init__(self) -> None:
        self.crashes = 0
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _start(self) -> subprocess.Popen[bytes]:
        script = Path(__file__).with_name("decoder.py")
        # No credentials in its environment. sys.path goes with it whole, as a Lambda's runtime sets up its own.
        environment = {
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(entry for entry in sys.path if entry)),
            "PYTHONDONTWRITEBYTECODE": "1",
            **{key: os.environ[key] for key in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if key in os.environ},
        }
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-S", str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        assert self._child.stdin is not None
        os.set_blocking(self._child.stdin.fileno(), False)
        return self._child

    def _stop(self) -> int:
        child, self._child = self._child, None
        if child is None:
            return 0
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                pipe.close()
        try:
            return child.wait(_LEAVE)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def decode(self, data: bytes) -> tuple[dict[str, object], bytes]:
        """The child's answer. Raises Unusable where the page ends it."""
        child = self._child or self._start()
        assert child.stdin is not None and child.stdout is not None
        try:
            _send(child.stdin.fileno(), struct.pack(">Q", len(data)) + data)
            answer = _receive(child.stdout.fileno(), 64 * 1024)
            png = _receive(child.stdout.fileno(), _MAX_ANSWER)
            verdict = json.loads(answer)
        except (OSError, EOFError, ValueError, struct.error):
            self.crashes += 1
            code = self._stop()
            if code > 0:
                raise Unusable("can't be checked: its decoder did not start or failed") from None
            raise Unusable(
                _DEAD.get(signal.Signals(-code), "breaks the decoder") if code else "breaks the decoder"
            ) from None
        return verdict, png


def _wait(pipe: int, event: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, event)
        if not selector.select(_PATIENCE):
            raise EOFError("no answer")


def _send(pipe: int, data: bytes) -> None:
    """``pipe`` does not block, so that a child which stopped reading can't hold this process."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(pipe, view[: 1 << 20]) :]
        except BlockingIOError:
            _wait(pipe, selectors.EVENT_WRITE)


def _receive(pipe: int, limit: int) -> bytes:
    size = struct.unpack(">Q", _exactly(pipe, 8))[0]
    if size > limit:
        raise EOFError("an answer larger than any page")
    return _exactly(pipe, size)


def _exactly(pipe: int, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        _wait(pipe, selectors.EVENT_READ)
        piece = os.read(pipe, min(1 << 20, size - len(data)))
        if not piece:
            raise EOFError("it ended")
        data += piece
    return bytes(data)
