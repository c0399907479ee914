"""Pages from files, panels from pages, and the planes of BT.709 limited-range video from both.

OpenCV and Pillow: import this module inside functions. Only operations that gave the same bytes on every processor
tried are used (OpenCV 4's INTER_AREA, GaussianBlur and linear warpAffine, Pillow's integer resampling, numpy's integer
arithmetic), so that a segment rendered on one machine joins those of another.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2  # noqa: TID253 - this file exists for pixels
import numpy as np  # noqa: TID253 - this file exists for pixels
from numpy.typing import NDArray  # noqa: TID253
from PIL import Image  # noqa: TID253 - this file exists for pixels

from mangavid.errors import RenderError
from mangavid.models import Piece

Pixels = NDArray[np.uint8]
"""Height × width (grey), or height × width × 3 (blue, green, red)."""

#: Decoded pages kept for the panels to come; the one in use is kept however large.
CACHE_BYTES = 96 << 20
#: Channels that differ by less, once neighbouring pixels are averaged, are a grey scan's noise.
GREY_TOLERANCE = 6
NEUTRAL = 128


class Planes(NamedTuple):
    """Luma, and chroma at half its size in both directions (None: grey, chroma is neutral throughout)."""

    y: Pixels
    u: Pixels | None
    v: Pixels | None


class Pages:
    """Pages by index, each decoded once while its panels are being drawn."""

    def __init__(self, files: Mapping[int, Path]) -> None:
        self.files = dict(files)
        self._decoded: OrderedDict[int, Pixels] = OrderedDict()

    def panel(self, pieces: tuple[Piece, ...]) -> Pixels:
        """A panel's pixels, its pieces stacked downward on white. Raises RenderError naming the page's file."""
        cut = [self._cut(piece) for piece in pieces]
        if len(cut) == 1:
            return cut[0]
        width, colour = max(part.shape[1] for part in cut), any(part.ndim == 3 for part in cut)
        stacked = np.full((sum(part.shape[0] for part in cut), width, *((3,) if colour else ())), 255, np.uint8)
        top = 0
        for part in cut:
            left = (width - part.shape[1]) // 2
            rows = stacked[top : top + part.shape[0], left : left + part.shape[1]]
            rows[:] = part[:, :, None] if colour and part.ndim == 2 else part
            top += part.shape[0]
        return stacked

    def _cut(self, piece: Piece) -> Pixels:
        page, box = self._page(piece.page), piece.box
        if box.x < 0 or box.y < 0 or box.right > page.shape[1] or box.bottom > page.shape[0]:
            name = self.files[piece.page].name
            raise RenderError(f"page {piece.page + 1} ({name}) is {page.shape[1]}×{page.shape[0]}, smaller than said")
        return page[box.y : box.bottom, box.x : box.right]

    def _page(self, index: int) -> Pixels:
        if index in self._decoded:
            self._decoded.move_to_end(index)
            return self._decoded[index]
        if index not in self.files:
            raise RenderError(f"page {index + 1} is missing")
        page = decode(self.files[index], name=f"page {index + 1}")
        self._decoded[index] = page
        while len(self._decoded) > 1 and sum(p.nbytes for p in self._decoded.values()) > CACHE_BYTES:
            self._decoded.popitem(last=False)
        return page


def decode(file: Path, *, name: str) -> Pixels:
    """An image file as it is stored, transparency laid on white. Raises RenderError."""
    try:
        data = np.fromfile(file, np.uint8)
    except OSError as problem:
        raise RenderError(f"{name} ({file.name}) can't be read: {problem.strerror}") from problem
    image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if image is None or image.dtype != np.uint8:
        raise RenderError(f"{name} ({file.name}) is not an 8-bit JPEG, PNG or WebP that can be decoded")
    if image.ndim == 3 and image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.uint16)
        return ((image[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    return np.asarray(image, np.uint8)


def without_false_colour(panel: Pixels) -> Pixels:
    """The panel as grey where it holds no colour but noise."""
    if panel.ndim == 2:
        return panel
    height, width = panel.shape[:2]
    half = cv2.resize(panel, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    blue, green, red = cv2.split(half)
    if max(int(cv2.absdiff(blue, green).max()), int(cv2.absdiff(red, green).max())) >= GREY_TOLERANCE:
        return panel
    return np.asarray(cv2.cvtColor(panel, cv2.COLOR_BGR2GRAY), np.uint8)


def resample(panel: Pixels, width: int, height: int) -> Pixels:
    """The panel at exactly ``width`` × ``height``: antialiased bicubic, after an exact reduction of very large ones."""
    h, w = panel.shape[:2]
    if (w, h) == (width, height):
        return panel
    by_x, by_y = max(1, w // (2 * width)), max(1, h // (2 * height))
    if by_x > 1 or by_y > 1:
        panel = np.asarray(cv2.resize(panel, (w // by_x, h // by_y), interpolation=cv2.INTER_AREA), np.uint8)
    image = Image.fromarray(np.ascontiguousarray(panel))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC), np.uint8)


def backdrop(panel: Pixels, width: int, height: int) -> Pixels:
    """The panel's middle filling ``width`` × ``height``, blurred and dimmed: what lies behind a panel."""
    h, w = panel.shape[:2]
    crop_w, crop_h = max(1, min(w, round(h * width / height))), max(1, min(h, round(w * height / width)))
    left, top = (w - crop_w) // 2, (h - crop_h) // 2
    small = resample(
        panel[top : top + crop_h, left : left + crop_w], max(1, round(width / 8)), max(1, round(height / 8))
    )
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), small.shape[0] / 27), np.uint8)
    dim = (np.arange(256) * 0.35 + 0.5).astype(np.uint8)
    return dim[resample(small, width, height)]


# --- BT.709, limited range (ITU-R BT.709-6, items 3.2 to 3.5 and 4.6) ------------------------------------------------

_LUMA_OF_GREY = (16 + np.arange(256) * 219 / 255 + 0.5).astype(np.uint8)
#: 0.2126, 0.7152, 0.0722 of red, green, blue, times 219/255, in 256ths.
_RED, _GREEN, _BLUE = 47, 157, 16


def luma(pixels: Pixels) -> Pixels:
    """Luma 16 to 235; within half a level of the exact formula."""
    if pixels.ndim == 2:
        return np.asarray(cv2.LUT(pixels, _LUMA_OF_GREY), np.uint8)
    out = np.empty(pixels.shape[:2], np.uint8)
    for top in range(0, pixels.shape[0], 128):  # in bands: the 16-bit intermediates stay in the cache
        band = pixels[top : top + 128]
        total = band[:, :, 2] * np.uint16(_RED)
        total += band[:, :, 1] * np.uint16(_GREEN)
        total += band[:, :, 0] * np.uint16(_BLUE)
        total += np.uint16(128)
        total >>= 8
        total += np.uint16(16)
        out[top : top + 128] = total
    return out


def chroma(pixels: Pixels) -> tuple[Pixels, Pixels]:
    """Blue and red difference, 16 to 240, of an even-sized colour picture, at half its size."""
    height, width = pixels.shape[0] // 2, pixels.shape[1] // 2
    half = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA).astype(np.int32)
    blue, green, red = half[:, :, 0], half[:, :, 1], half[:, :, 2]
    # Weights in 65536ths: (0.5, luma weights / 1.8556) and (0.5, luma weights / 1.5748), times 224/255.
    u = (28784 * blue - 6596 * red - 22188 * green + (NEUTRAL << 16) + 32768) >> 16
    v = (28784 * red - 26145 * green - 2639 * blue + (NEUTRAL << 16) + 32768) >> 16
    return u.astype(np.uint8), v.astype(np.uint8)


def planes(pixels: Pixels) -> Planes:
    """An even-sized picture as planes."""
    return Planes(luma(pixels), *chroma(pixels)) if pixels.ndim == 3 else Planes(luma(pixels), None, None)
