"""Text drawn with Be Vietnam Pro SemiBold. Pillow only: import this module inside functions."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import fontpkg_be_vietnam_pro
import numpy as np  # noqa: TID253 - this file exists for drawing text
from numpy.typing import NDArray  # noqa: TID253
from PIL import Image, ImageDraw, ImageFont  # noqa: TID253 - this file exists for drawing text

FONT = Path(fontpkg_be_vietnam_pro.__file__).parent / "files" / "BeVietnamPro-SemiBold.ttf"

BOX_ALPHA = 0.62
#: Limited-range luma of white and black.
WHITE, BLACK = 235, 16


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)


@lru_cache(maxsize=4096)
def drawable(ch: str) -> bool:
    """Whether the font has this character: a missing one is drawn as the same box that U+FFFF is."""
    return ch == " " or _glyph(ch) != _glyph("\uffff")


def _glyph(ch: str) -> bytes:
    # Basic layout: no shaping, so that a combining mark is looked up on its own.
    return bytes(ImageFont.truetype(str(FONT), 40, layout_engine=ImageFont.Layout.BASIC).getmask(ch))


@dataclass(frozen=True)
class Patch:
    """Text ready to be laid over a frame at (x, y): ``out = (frame * keep + add) / 256``, luma and half-size chroma.

    x, y, width and height are even. Chroma is drawn towards neutral as far as the patch covers.
    """

    x: int
    y: int
    keep: NDArray[np.uint16]
    add: NDArray[np.uint16]
    keep_chroma: NDArray[np.uint16]
    add_chroma: NDArray[np.uint16]

    @property
    def height(self) -> int:
        return int(self.keep.shape[0])

    @property
    def width(self) -> int:
        return int(self.keep.shape[1])


def caption(lines: Sequence[str], width: int, height: int) -> Patch:
    """A cue for a frame of ``width`` × ``height``: white on a translucent box near the lower edge, outlined."""
    lines = [unicodedata.normalize("NFC", line) for line in lines]
    size = max(10, round(min(height / 22, width / 26)))
    while size > 10 and max(font(size).getlength(line) for line in lines) > 0.9 * width:
        size -= 1
    face = font(size)
    stroke = max(1, round(size / 14))
    pad_x, pad_y, leading = round(size * 0.5), round(size * 0.28), round(size * 1.32)
    ascent, descent = face.getmetrics()
    text_width = round(max(face.getlength(line) for line in lines))
    w = min(_even(text_width + 2 * (pad_x + stroke)), width)
    h = min(_even(leading * (len(lines) - 1) + ascent + descent + 2 * pad_y), height)
    fill, edge, box = (Image.new("L", (w, h), 0) for _ in range(3))
    ImageDraw.Draw(box).rounded_rectangle((0, 0, w - 1, h - 1), radius=round(size * 0.3), fill=255)
    for n, line in enumerate(lines):
        spot = (w / 2, pad_y + ascent + n * leading)
        ImageDraw.Draw(fill).text(spot, line, font=face, fill=255, anchor="ms")
        ImageDraw.Draw(edge).text(spot, line, font=face, fill=255, anchor="ms", stroke_width=stroke)
    x = (width - w) // 4 * 2
    y = max(0, (height - h - round(height * 0.055)) // 2 * 2)
    return _patch(x, y, _unit(fill), _unit(edge), _unit(box))


def _patch(x: int, y: int, fill: NDArray[Any], edge: NDArray[Any], box: NDArray[Any]) -> Patch:
    cover = 1 - (1 - BOX_ALPHA * box) * (1 - edge)
    keep = (256 - np.rint(cover * 256)).astype(np.uint16)
    add = np.rint((fill * (WHITE - BLACK) + cover * BLACK) * 256).astype(np.uint16)
    halved = cover.reshape(cover.shape[0] // 2, 2, cover.shape[1] // 2, 2).mean(axis=(1, 3))
    keep_chroma = (256 - np.rint(halved * 256)).astype(np.uint16)
    return Patch(x, y, keep, np.minimum(add, 65407 - 255 * keep), keep_chroma, ((256 - keep_chroma) * 128))


def _unit(mask: Image.Image) -> NDArray[np.float64]:
    return np.asarray(mask, np.float64) / 255


def _even(n: int) -> int:
    return n + n % 2
