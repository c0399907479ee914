"""The child process that decodes pages: the parser of hostile bytes, held by limits, with nothing to steal.

Run as a script by ``intake``, with the standard library and Pillow only. It reads frames from stdin and answers each
on stdout: request = 8-byte length, page; answer = 8-byte length, JSON, 8-byte length, PNG (none: keep the page's own
bytes). JSON: {"width", "height", "ext"}, or {"error": why it can't be a page}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import struct
import sys
import warnings
from typing import IO

from PIL import (  # noqa: TID253  (this file exists to run Pillow in a process of its own)
    GifImagePlugin,
    Image,
    ImageChops,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

MAX_PIXELS = 12_000 * 11_000
MAX_SIDE = 65_500
MIN_SIDE = 16
MEMORY = 2 * 1024 * 1024 * 1024
"""Address space: 132 Mpx of CMYK (528 MB) and its RGB copy (396 MB) fit, with room for the PNG."""
CPU_SECONDS = 30
WALL_SECONDS = 60
PLUGINS = (JpegImagePlugin, PngImagePlugin, WebPImagePlugin, GifImagePlugin)
"""Imported to be there; AVIF's, which takes longer than all of them, is imported where a page needs it."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF")
KEPT = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
_PNG_DEPTH = 24
"""Where a PNG says its bits a channel; Pillow shows 16-bit RGB as 8-bit."""


def limit_self() -> None:
    """Memory, no files, no core. A limit the system refuses (macOS: address space) is left as it is."""
    import resource

    for what, limit in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 32),
    ):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (limit, limit))


def limit_page() -> None:
    """Processor and wall time for the next page; the kernel ends the process where it takes longer."""
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime) + 1
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CPU, (used + CPU_SECONDS, resource.getrlimit(resource.RLIMIT_CPU)[1]))
    signal.alarm(WALL_SECONDS)


class NotAPage(Exception):
    """Why these bytes can't be a page."""


def take_in(data: bytes) -> tuple[dict[str, object], bytes]:
    """Decode a page fully; returns what it is, and it as PNG where its own bytes are not plain."""
    if data[4:8] == b"ftyp":
        from PIL import AvifImagePlugin  # noqa: F401
    if canvas := _webp_canvas(data):
        _check_size(*canvas)
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        _check_size(*image.size)
        width, height = image.size
        image.load()
        plain = (
            image.format in KEPT
            and getattr(image, "n_frames", 1) == 1
            and image.mode in ("L", "RGB")
            and (image.format != "PNG" or data[_PNG_DEPTH] == 8)
            and "transparency" not in image.info
            and _orientation(image) == 1
            and _is_srgb(image.info.get("icc_profile"))
        )
        if plain:
            return {"width": width, "height": height, "ext": KEPT[image.format or ""]}, b""
        page = _plain(image)
    out = io.BytesIO()
    page.save(out, "PNG", compress_level=1)
    return {"width": page.width, "height": page.height, "ext": "png"}, out.getvalue()


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise NotAPage(
            f"is {width:,} x {height:,} pixels; the limit is {MAX_PIXELS // 10**6} megapixels and {MAX_SIDE:,} a side"
        )
    if min(width, height) < MIN_SIDE:
        raise NotAPage(f"is {width} x {height} pixels, too small to be a page")


def _webp_canvas(data: bytes) -> tuple[int, int] | None:
    """The size an extended WebP says it has. Pillow takes memory for all of it as soon as it opens one."""
    if data[:4] != b"RIFF" or data[12:16] != b"VP8X" or len(data) < 30:
        return None
    return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(0x0112, 1))
    except Exception:  # broken EXIF of a page that decodes: as if it had none
        return 1


def _plain(image: Image.Image) -> Image.Image:
    """8-bit grey or RGB in sRGB, upright, on white, without metadata."""
    profile = image.info.get("icc_profile")
    if _orientation(image) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):
        # 16-bit grey: its high byte. Pillow's own conversion would clip everything above 255 to white.
        image = image.convert("I").point(lambda v: v * (1 / 256)).convert("L")
    if isinstance(profile, bytes) and not _is_srgb(profile):
        image = _to_srgb(image, profile)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        image = white
    if image.mode in ("1", "L"):
        page = image.convert("L")
    else:
        page = image.convert("RGB")
        page = page.getchannel("G") if _grey(page) else page
    page.info.clear()
    return page


def _grey(image: Image.Image) -> bool:
    red, green, blue = image.split()
    return all(ImageChops.difference(green, other).getextrema()[1] <= 2 for other in (red, blue))  # type: ignore[operator]


def _is_srgb(profile: object) -> bool:
    if not isinstance(profile, bytes) or not profile:
        return True
    from PIL import ImageCms

    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return True
    return "srgb" in name.lower() or name.strip() == "c2"


def _to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """Colours by the page's own profile; one that does not fit the page is left unused."""
    from PIL import ImageCms

    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "LA" else "RGB")
    grey = image.mode == "L"
    try:
        converted = ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image
    if converted is None:
        return image
    if grey:
        converted = converted.convert("L")
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def answer(data: bytes) -> tuple[dict[str, object], bytes]:
    try:
        return take_in(data)
    except NotAPage as why:
        return {"error": str(why)}, b""
    except MemoryError:
        return {"error": f"needs more than {MEMORY // 2**30} GB of memory"}, b""
    except UnidentifiedImageError:
        return {"error": "its header can't be read"}, b""
    except Exception as problem:  # Pillow's parsers raise nearly anything on broken input
        return {"error": f"can't be decoded ({str(problem) or type(problem).__name__})"}, b""


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    while head := requests.read(8):
        data = requests.read(struct.unpack(">Q", head)[0])
        limit_page()
        verdict, png = answer(data)
        signal.alarm(0)
        text = json.dumps(verdict).encode()
        for part in (text, png):
            answers.write(struct.pack(">Q", len(part)))
            answers.write(part)
        answers.flush()


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # a C library that prints must not break the answers' frame
    Image.MAX_IMAGE_PIXELS = None  # ours is checked in take_in, before anything is decoded
    warnings.simplefilter("ignore")
    limit_self()
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
