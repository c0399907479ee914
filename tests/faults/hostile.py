"""Hostile and broken chapters, made here: archives, images, folders, and what must come of each.

``CASES`` maps «class/name» to a maker and what is expected: the class of the error, or how many pages are made of it.
"""

from __future__ import annotations

import io
import os
import random
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from PIL import Image, ImageCms

from mangavid.errors import BadArchive, BadImage, BadInput, BadSidecar, SourceNotFound
from tests.drawn import chapter, encoded, png, small_page

Maker = Callable[[Path], Path]
"""Makes the chapter below a folder that is its own; returns the path to give to mangavid."""
Expected = type[Exception] | int | None
"""An error class, a number of pages, or None where either is fine (bytes changed at random) but nothing else is."""

CASES: dict[str, tuple[Maker, Expected]] = {}
PAGE = png(small_page())
PHOTO = encoded(small_page(3, (400, 560)).convert("RGB"), "JPEG", quality=90)


def add(name: str, expected: Expected, make: Maker) -> None:
    assert name not in CASES, name
    CASES[name] = (make, expected)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, data in members:
            made.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def of_bytes(data: bytes | Callable[[], bytes], name: str = "chapter.cbz") -> Maker:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(data if isinstance(data, bytes) else data())
        return path

    return make


def of_members(*members: tuple[str, bytes]) -> Maker:
    return of_bytes(zipped(*members))


def of_page(data: bytes, name: str = "1.jpg") -> Maker:
    """A chapter whose only page is these bytes."""
    return of_bytes(zipped((name, data), method=zipfile.ZIP_STORED))


def patched(data: bytes, signature: bytes, offset: int, value: bytes, nth: int = 0) -> bytes:
    """With bytes written at an offset after the n-th place a signature stands at."""
    at = -1
    for _ in range(nth + 1):
        at = data.index(signature, at + 1)
    return data[: at + offset] + value + data[at + offset + len(value) :]


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
THREE = zipped(*((f"{n}.png", png(small_page(n))) for n in (1, 2, 3)))

# --- not an archive at all ------------------------------------------------------------------------------------------

add("empty/file", BadArchive, of_bytes(b""))
add("empty/archive", BadInput, of_bytes(zipped()))
for name, head in {
    "rar": b"Rar!\x1a\x07\x01\x00",
    "7z": b"7z\xbc\xaf\x27\x1c",
    "pdf": b"%PDF-1.7\n",
    "gzip": b"\x1f\x8b\x08",
    "xz": b"\xfd7zXZ\x00",
}.items():
    add(f"other kind/{name} called cbz", BadArchive, of_bytes(head + bytes(500)))
for name in ("a.rar", "a.cbr", "a.cb7", "a.7z", "a.pdf", "a.epub", "a.tar"):
    add(f"other kind/{name}", BadInput, of_bytes(b"anything", name))
add("other kind/a text file", BadInput, of_bytes(b"hello", "a.txt"))
add("other kind/a single page", BadInput, of_bytes(PAGE, "1.png"))
for seed in range(8):
    add(f"random bytes/{seed}", BadArchive, of_bytes(random.Random(seed).randbytes(3000)))
add("random bytes/html", BadArchive, of_bytes(b"<!doctype html><title>404</title>" * 20))
add("random bytes/end record only", BadInput, of_bytes(END + bytes(18)))
for part in range(1, 16):
    add(f"truncated archive/{part} of 16", BadArchive, of_bytes(THREE[: len(THREE) * part // 16]))

# --- bombs and limits -----------------------------------------------------------------------------------------------


def bomb(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(bytes(size)) + packer.flush()


def raw_zip(members: list[tuple[bytes, bytes, int, int]], *, flags: int = 0, method: int = 8) -> bytes:
    """Members as (name, stored bytes, said size, said checksum), as they are: nothing is checked."""
    body, directory = bytearray(), bytearray()
    for name, data, size, crc in members:
        head = struct.pack("<HHHHHIIIHH", 20, flags, method, 0, 33, crc, len(data), size, len(name), 0)
        at = len(body)
        body += LOCAL + head + name + data
        directory += CENTRAL + struct.pack("<H", 20) + head + struct.pack("<HHHII", 0, 0, 0, 0, at) + name
    count = min(len(members), 0xFFFF)
    return bytes(body + directory) + END + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)


@cache
def zeros() -> bytes:
    """200 MB in 200 kB."""
    return bomb(200 << 20)


def page_and(name: bytes, data: Callable[[], bytes], size: int) -> Maker:
    """A good page, and something else packed."""
    good = zlib.compress(PAGE)[2:-4]
    return of_bytes(lambda: raw_zip([(b"1.png", good, len(PAGE), zlib.crc32(PAGE)), (name, data(), size, 0)]))


add("bomb/200 MB said plainly", BadArchive, of_bytes(lambda: raw_zip([(b"1.png", zeros(), 200 << 20, 0)])))
add("bomb/60 MB at ratio 1,000", BadArchive, of_bytes(lambda: raw_zip([(b"1.png", bomb(60 << 20), 60 << 20, 0)])))
for said in (0, 1, 1000, 1 << 20):
    make = of_bytes(lambda said=said: raw_zip([(b"1.png", zeros(), said, 0)]))  # type: ignore[misc]
    add(f"bomb/200 MB said to be {said}", BadImage, make)
add("bomb/in a comic info", 1, page_and(b"ComicInfo.xml", zeros, 200 << 20))
add("bomb/in a file that is no page", 1, page_and(b"readme.txt", zeros, 200 << 20))
add("bomb/in a sidecar", BadSidecar, page_and(b"narration.json", zeros, 200 << 20))
BIG = [(b"%d.png" % n, bytes(400 << 10), 60 << 20, 0) for n in range(40)]
add("bomb/2.4 GB in 40 pages", BadArchive, of_bytes(lambda: raw_zip(BIG)))
add("too many/2,001 pages", BadArchive, of_members(*((f"{n}.png", b"x") for n in range(2001))))
add("too many/100,000 files", BadArchive, of_bytes(lambda: raw_zip([(b"%d.txt" % n, b"", 0, 0) for n in range(10**5)])))
add("too many/long names", BadArchive, of_bytes(lambda: raw_zip([(b"n" * 60_000 + b".png", b"", 0, 0)] * 100)))

# --- lies in headers ------------------------------------------------------------------------------------------------

for said in (0, 1, 5, 10**6, 2**31, 2**32 - 2):
    add(f"lying size/unpacked {said}", None, of_bytes(patched(THREE, CENTRAL, 24, struct.pack("<I", said))))
    add(f"lying size/packed {said}", None, of_bytes(patched(THREE, CENTRAL, 20, struct.pack("<I", said))))
for at in (1, 30, 2**31, 2**32 - 2):
    add(f"lying place/member at {at}", None, of_bytes(patched(THREE, CENTRAL, 42, struct.pack("<I", at))))
for at in (0, 1, 2**31, 2**32 - 2):
    add(f"lying place/directory at {at}", BadArchive, of_bytes(patched(THREE, END, 16, struct.pack("<I", at))))
for size in (0, 10, 2**31, 2**32 - 2):
    add(f"lying place/directory of {size}", BadInput, of_bytes(patched(THREE, END, 12, struct.pack("<I", size))))
add("overlap/two entries of one member", BadArchive, of_bytes(patched(THREE, CENTRAL, 42, struct.pack("<I", 0), 1)))
add("overlap/a member inside another", BadArchive, of_bytes(patched(THREE, CENTRAL, 42, struct.pack("<I", 20), 1)))
add(
    "overlap/a member over the directory", BadArchive, of_bytes(patched(THREE, CENTRAL, 20, struct.pack("<I", 9999), 2))
)
add(
    "lying place/a second end record in the comment",
    BadInput,
    of_bytes(patched(THREE, END, 20, b"\x16\0") + END + bytes(18)),
)
add("lying place/bytes before the archive", 3, of_bytes(b"#!/bin/sh\n" * 50 + THREE))
add("wrong checksum/one of three", 2, of_bytes(patched(THREE, CENTRAL, 16, b"\0\0\0\0")))
add(
    "wrong checksum/all of two",
    BadImage,
    of_bytes(raw_zip([(b"%d.png" % n, PAGE, len(PAGE), 1) for n in (1, 2)], method=0)),
)
for flag in (0x1, 0x41, 0x2001):
    two = raw_zip([(b"1.png", PAGE, len(PAGE), zlib.crc32(PAGE))], flags=flag, method=0)
    add(f"encrypted/flags {flag:#x}", BadArchive, of_bytes(two))
for method in (1, 6, 9, 12, 14, 93, 95, 98, 99, 65535):
    add(f"compression/{method}", BadArchive, of_bytes(raw_zip([(b"1.png", PAGE, len(PAGE), 0)], method=method)))
for seed in range(30):
    chance = random.Random(seed)
    changed = bytearray(THREE)
    for _ in range(1 + seed % 8):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    add(f"changed bytes of an archive/{seed}", None, of_bytes(bytes(changed)))

# --- names, links, nested -------------------------------------------------------------------------------------------

for name in (
    "../../outside.png", "/etc/outside.png", "C:\\outside.png", "\\\\host\\share\\outside.png", "..\\..\\outside.png",
    "a/../../../outside.png", "CON.png", "nul.png", "a:b.png", "-y.png", "concat:a.png", "%{pts}.png", "';[x].png",
    "$(touch outside).png", "a\nb.png", "\x1b[31mred.png", "\u202egnp.1.png", "x" * 3000 + ".png", "a/" * 500 + "1.png",
    "\U0001f600.png", "e\u0301.png", "[/b].png", "con/aux/1.png", " .png", "1.png ", "~/.ssh.png",
):  # fmt: skip
    expected: Expected = BadInput if name in ("1.png ", "~/.ssh.png") else 1
    add(f"names/{name[:30]!r}", expected, of_members((name, PAGE)))
add("names/NUL inside", 1, of_bytes(raw_zip([(b"1.png\0.exe", PAGE, len(PAGE), zlib.crc32(PAGE))], method=0)))
add("names/empty", BadInput, of_bytes(raw_zip([(b"", PAGE, len(PAGE), zlib.crc32(PAGE))], method=0)))
add(
    "names/Shift-JIS",
    1,
    of_bytes(raw_zip([("漫画.png".encode("shift-jis"), PAGE, len(PAGE), zlib.crc32(PAGE))], method=0)),
)
add("names/said to be UTF-8 and not", BadArchive, of_bytes(
    raw_zip([(b"\xff\xfe.png", PAGE, len(PAGE), zlib.crc32(PAGE))], method=0, flags=0x800)))  # fmt: skip
add("names/twice the same", 1, of_bytes(raw_zip([(b"1.png", PAGE, len(PAGE), zlib.crc32(PAGE))] * 2, method=0)))
add("names/differing in case only", 2, of_members(("A.png", PAGE), ("a.png", PAGE)))


def special(kind: int, target: bytes) -> Maker:
    def make(folder: Path) -> Path:
        path = folder / "chapter.cbz"
        with zipfile.ZipFile(path, "w") as made:
            made.writestr("1.png", PAGE)
            info = zipfile.ZipInfo("2.png")
            info.create_system = 3
            info.external_attr = (kind | 0o777) << 16
            made.writestr(info, target)
        return path

    return make


for name, kind in {"link": stat.S_IFLNK, "device": stat.S_IFCHR, "disk": stat.S_IFBLK, "pipe": stat.S_IFIFO}.items():
    add(f"special members/{name}", 1, special(kind, b"/etc/passwd"))
add("special members/a folder called 2.png", 1, of_members(("1.png", PAGE), ("2.png/", b"")))
add("nested/an archive of an archive", BadInput, of_members(("inner.cbz", THREE)))
add("nested/an archive called png", BadImage, of_members(("1.png", THREE)))
add("nested/beside a page", 1, of_members(("1.png", PAGE), ("inner.zip", THREE)))
add("only junk/of a Mac", BadInput, of_members(("__MACOSX/._1.png", PAGE), (".DS_Store", b""), ("Thumbs.db", b"")))
add("only junk/texts", BadInput, of_members(("credits.txt", b"hello"), ("ComicInfo.xml", b"<ComicInfo/>")))

# --- what comes with the pages --------------------------------------------------------------------------------------

LAUGHS = b'<!DOCTYPE c [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9)
)
for name, xml in {
    "entities that grow": LAUGHS + b"]><ComicInfo><Title>&j;</Title></ComicInfo>",
    "a file of this machine": b'<!DOCTYPE c [<!ENTITY a SYSTEM "file:///etc/passwd">]><ComicInfo><Title>&a;</Title></ComicInfo>',
    "a host": b'<!DOCTYPE c SYSTEM "http://127.0.0.1:9/x"><ComicInfo/>',
    "not closed": b"<ComicInfo><Title>",
    "bytes": bytes(range(256)),
    "too large": b"<ComicInfo>" + b"x" * (600 << 10) + b"</ComicInfo>",
    "very deep": b"<ComicInfo>" + b"<a>" * 20_000,
    "orders to a terminal": "<ComicInfo><Series>\x9b31m\u202e[/b]</Series></ComicInfo>".encode(),
}.items():
    add(f"comic info/{name}", 1, of_members(("1.png", PAGE), ("ComicInfo.xml", xml)))
for name, (file, text) in {
    "an alias bomb": ("narration.yaml", b"a: &a [x,x,x]\nb: &b [*a,*a,*a]\npages: {1: [*b,*b]}\n"),
    "a tag": ("narration.yaml", b"pages: !!python/object/apply:os.system ['touch outside']\n"),
    "very deep": ("narration.yaml", b"pages: " + b"[" * 50_000),
    "very deep JSON": ("narration.json", b"[" * 500_000),
    "bytes": ("narration.yaml", bytes(range(256))),
    "too large": ("narration.yaml", b"pages: {1: '" + b"x" * (2 << 20) + b"'}"),
    "a huge number": ("narration.yaml", b"pages: {1: " + b"9" * 5000 + b"}"),
    "empty": ("narration.yaml", b""),
    "two of them": ("narration.yml", b"pages: {1: a}"),
}.items():
    more = [("narration.json", b'{"pages": {"1": "a"}}')] if name == "two of them" else []
    add(f"sidecar/{name}", BadSidecar, of_members(("1.png", PAGE), (file, text), *more))

# --- images ---------------------------------------------------------------------------------------------------------

SAMPLES = {
    "jpg": PHOTO,
    "png": png(small_page(4, (300, 420))),
    "webp": encoded(small_page(5, (300, 420)), "WEBP", quality=80),
    "gif": encoded(small_page(6, (300, 420)), "GIF"),
    "avif": encoded(small_page(7, (300, 420)).convert("RGB"), "AVIF"),
}
for ext, sample in SAMPLES.items():
    for part in (1, 4, 8, 12, 15) if ext != "jpg" else range(1, 16):
        add(f"truncated {ext}/{part} of 16", BadImage, of_page(sample[: len(sample) * part // 16], f"1.{ext}"))
    for seed in range(6):
        chance = random.Random(seed)
        noisy = bytearray(sample)
        for _ in range(4):
            noisy[chance.randrange(len(noisy))] = chance.randrange(256)
        add(f"changed bytes of a {ext}/{seed}", None, of_page(bytes(noisy), f"1.{ext}"))


def png_header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def with_chunk(sample: bytes, kind: bytes, data: bytes) -> bytes:
    """A PNG with one more chunk behind its header."""
    return sample[:33] + chunk(kind, data) + sample[33:]


for width, height in (
    (100_000, 100_000),
    (1, 100_000_000),
    (65_501, 10),
    (12_001, 11_000),
    (2**31 - 1, 2**31 - 1),
    (0, 9),
):
    add(f"pixel bomb/png {width} x {height}", BadImage, of_page(png_header(width, height), "1.png"))
add(
    "pixel bomb/gif 65,535 x 65,535", BadImage, of_page(SAMPLES["gif"][:6] + b"\xff" * 4 + SAMPLES["gif"][10:], "1.gif")
)
add("pixel bomb/jpg 65,535 x 65,535", BadImage, of_page(
    patched(PHOTO, b"\xff\xc0", 5, b"\xff\xff\xff\xff"), "1.jpg"))  # fmt: skip
add("pixel bomb/webp 16,383 x 16,383", BadImage, of_page(
    b"RIFF" + struct.pack("<I", 30) + b"WEBPVP8X" + struct.pack("<II", 10, 0) + b"\xfe\x3f\0" * 2 + b"VP8 " + bytes(4),
    "1.webp"))  # fmt: skip
add(
    "pixel bomb/text of a png",
    None,
    of_page(with_chunk(PAGE, b"zTXt", b"a\0\0" + zlib.compress(bytes(100 << 20), 9)), "1.png"),
)
add("pixel bomb/profile of a png", None, of_page(
    with_chunk(PAGE, b"iCCP", b"a\0\0" + zlib.compress(bytes(100 << 20), 9)), "1.png"))  # fmt: skip
add("tiny/1 x 1", BadImage, of_page(encoded(Image.new("RGB", (1, 1)), "GIF"), "1.gif"))
add("tiny/empty page", BadImage, of_page(b""))
add("tiny/one byte", BadImage, of_page(b"\xff"))
for name, data in {
    "html": b"<!DOCTYPE html><html><body>404</body></html>",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    "svg with a declaration": b'\xef\xbb\xbf<?xml version="1.0"?><svg><image href="file:///etc/passwd"/></svg>',
    "pdf": b"%PDF-1.4 ...",
    "bmp": encoded(small_page(), "BMP"),
    "tiff": encoded(small_page(), "TIFF"),
    "jpeg xl": b"\xff\x0a" + bytes(50),
    "jpeg 2000": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(50),
    "heic": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(50),
    "film": b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + bytes(50),
    "photoshop": b"8BPS" + bytes(60),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "text": b"hello",
    "a playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "program": b"\x7fELF" + bytes(60),
}.items():
    add(f"not an image/{name}", BadImage, of_page(data))


def srgb_like() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def exif(orientation: int) -> bytes:
    data = Image.Exif()
    data[0x0112] = orientation
    return data.tobytes()


RGB = small_page(9).convert("RGB")
FRAMES = [small_page(n).convert("RGB") for n in (1, 5, 9)]
for name, data in {
    "CMYK": encoded(RGB.convert("CMYK"), "JPEG"),
    "16-bit grey": png(Image.new("I;16", (120, 170), 40_000)),
    "palette": encoded(RGB.convert("P"), "PNG"),
    "palette with alpha": encoded(RGB.convert("P"), "PNG", transparency=3),
    "RGBA": png(RGB.convert("RGBA")),
    "grey with alpha": png(small_page().convert("LA")),
    "one bit": png(small_page().convert("1")),
    "a profile that does not fit": encoded(RGB, "JPEG", icc_profile=srgb_like()),
    "a profile of zeros": encoded(RGB, "JPEG", icc_profile=bytes(3000)),
    "turned": encoded(RGB, "JPEG", exif=exif(6)),
    "turned by an unknown number": encoded(RGB, "JPEG", exif=exif(77)),
    "EXIF of noise": encoded(RGB, "JPEG", exif=b"Exif\0\0" + random.Random(1).randbytes(500)),
    "animated gif": encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]),
    "animated webp": encoded(FRAMES[0], "WEBP", save_all=True, append_images=FRAMES[1:]),
    "animated png": encoded(FRAMES[0], "PNG", save_all=True, append_images=FRAMES[1:]),
    "avif": SAMPLES["avif"],
    "progressive": encoded(RGB, "JPEG", progressive=True),
    "something behind its end": PHOTO + zipped(("1.png", PAGE)),
}.items():
    add(f"odd image/{name}", 1, of_page(data))

# --- folders and paths ----------------------------------------------------------------------------------------------


def folder_with(arrange: Callable[[Path], object]) -> Maker:
    def make(folder: Path) -> Path:
        made = folder / "chapter"
        made.mkdir()
        arrange(made)
        return made

    return make


def beside_a_page(arrange: Callable[[Path], object]) -> Maker:
    return folder_with(lambda made: ((made / "1.png").write_bytes(PAGE), arrange(made)))


add("folder/empty", BadInput, folder_with(lambda made: None))
add("folder/a pipe called 2.png", 1, beside_a_page(lambda made: os.mkfifo(made / "2.png")))
add("folder/a link to a device", 1, beside_a_page(lambda made: (made / "2.png").symlink_to("/dev/zero")))
add("folder/a link to nothing", 1, beside_a_page(lambda made: (made / "2.png").symlink_to("none.png")))
add("folder/a link to itself", 1, beside_a_page(lambda made: (made / "2.png").symlink_to("2.png")))
add("folder/a folder called 2.png", 1, beside_a_page(lambda made: (made / "2.png").mkdir()))
add("folder/a loop of folders", 1, beside_a_page(lambda made: (made / "loop").symlink_to(made)))
add(
    "folder/a link to a text of this machine", 1, beside_a_page(lambda made: (made / "2.png").symlink_to("/etc/passwd"))
)
add("folder/orders in names", 2, beside_a_page(lambda made: (made / "\x1b]0;x\x07\u202e[b].png").write_bytes(PAGE)))
add("folder/names that are not UTF-8", 2, beside_a_page(
    lambda made: Path(os.fsdecode(os.fsencode(made) + b"/\xff\xfe.png")).write_bytes(PAGE)))  # fmt: skip
add("folder/of archives of other kinds", BadInput, folder_with(lambda made: (made / "a.cbr").write_bytes(b"Rar!")))
add("folder/of chapters", BadInput, folder_with(lambda made: chapter(made / "a.cbz")))
add("folder/no pages, a loop of folders", BadInput, folder_with(lambda made: (made / "loop").symlink_to(made)))
add("path/missing", SourceNotFound, lambda folder: folder / "none.cbz")
add("path/missing, with orders in its name", SourceNotFound, lambda folder: folder / "\x1b[31m\n.cbz")
add("path/missing, longer than any name", SourceNotFound, lambda folder: folder / ("x" * 5000))


def piped(folder: Path) -> Path:
    path = folder / "chapter.cbz"
    os.mkfifo(path)
    return path


def linked(target: str) -> Maker:
    def make(folder: Path) -> Path:
        path = folder / "chapter.cbz"
        path.symlink_to(target)
        return path

    return make


add("path/a pipe", BadInput, piped)
add("path/a link to a device", BadInput, linked("/dev/zero"))
add("path/a link to itself", SourceNotFound, linked("chapter.cbz"))
add("path/a link to a chapter", 3, lambda folder: (chapter(folder / "a.zip"), linked("a.zip")(folder))[1])


def classes() -> Iterator[str]:
    yield from sorted({name.split("/")[0] for name in CASES})


def build(name: str, folder: Path) -> Path:
    """The case's chapter, in a folder made for it."""
    folder.mkdir(parents=True)
    return CASES[name][0](folder)
