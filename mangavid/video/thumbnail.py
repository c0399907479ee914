"""The picture that stands for the video: its most telling panel with the title.

OpenCV and Pillow: import this module inside functions.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2  # noqa: TID253 - this file exists for pixels
import numpy as np  # noqa: TID253 - this file exists for pixels
from PIL import Image, ImageDraw, ImageFont  # noqa: TID253 - this file exists for pixels

from mangavid.models import Chapter, Panel
from mangavid.video import captions, lettering, pictures
from mangavid.video.pictures import Pages, Pixels

WIDTH, HEIGHT = 1280, 720
#: YouTube took at most 2 MB for years, and other places still do.
MOST_BYTES = 2_000_000
#: Panels looked at: the largest ones of the chapter's first part (its end would give the story away).
CANDIDATES, FIRST_PART = 8, 0.7
TITLE_LINES = 4


def make_thumbnail(chapter: Chapter, title: str, page_files: Mapping[int, Path]) -> bytes:
    """A 1280×720 JPEG below 2 MB. Raises RenderError where a page can't be read."""
    pages = Pages(page_files)
    panel = _best(chapter, pages)
    image = Image.fromarray(_rgb(pictures.backdrop(panel, WIDTH, HEIGHT)))
    words = captions.clean(title, lettering.drawable)
    height, width = panel.shape[:2]
    beside = width / height < 1.25
    room = (WIDTH * 0.5, HEIGHT * 0.92) if beside and words else (WIDTH * 0.94, HEIGHT * 0.92)
    scale = min(room[0] / width, room[1] / height, 4.0)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    left = WIDTH - size[0] - round(WIDTH * 0.04) if beside and words else (WIDTH - size[0]) // 2
    image.paste(Image.fromarray(_rgb(pictures.resample(panel, *size))), (left, (HEIGHT - size[1]) // 2))
    if words:
        area = (48, 48, left - 40, HEIGHT - 48) if beside else (48, HEIGHT // 2, WIDTH - 48, HEIGHT - 40)
        image = _with_title(image, words, area, shade=not beside)
    return _jpeg(image)


def _best(chapter: Chapter, pages: Pages) -> Pixels:
    """The candidate with the most contrast for its size: large, and neither empty nor a grey mush."""
    panels = list(chapter.panels)
    early = panels[: max(1, round(len(panels) * FIRST_PART))]
    candidates = sorted(early, key=_area, reverse=True)[:CANDIDATES]
    largest = max(_area(panel) for panel in candidates)

    def score(panel: Panel) -> float:
        picture = pages.panel(panel.pieces)
        small = cv2.resize(picture, (64, 64), interpolation=cv2.INTER_AREA)
        grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        tall = picture.shape[0] / picture.shape[1]
        fits = min(1.0, 1.8 / tall, tall / 0.35)
        size = (_area(panel) / largest) ** 0.35
        return float(grey.std() * size * fits)

    # By page, so that each is decoded once.
    scores = {panel.index: score(panel) for panel in sorted(candidates, key=lambda panel: panel.index)}
    best = max(candidates, key=lambda panel: scores[panel.index])
    return pictures.without_false_colour(pages.panel(best.pieces))


def _area(panel: Panel) -> int:
    return sum(piece.box.area for piece in panel.pieces)


def _rgb(pixels: Pixels) -> Pixels:
    if pixels.ndim == 2:
        return np.repeat(pixels[:, :, None], 3, axis=2)
    return np.ascontiguousarray(pixels[:, :, ::-1])


def _with_title(image: Image.Image, words: str, area: tuple[int, int, int, int], *, shade: bool) -> Image.Image:
    """The title as large as fits the area, white with a dark outline, bottom-aligned over a shade or centred."""
    left, top, right, bottom = area
    for size in range(128, 27, -4):
        face = lettering.font(size)
        lines = _wrap(words, face, right - left)
        leading = round(size * 1.2)
        if len(lines) <= TITLE_LINES and len(lines) * leading <= bottom - top:
            break
    else:
        lines = [*lines[: TITLE_LINES - 1], lines[TITLE_LINES - 1].rstrip(" .,;:") + "…"]
    block = len(lines) * leading
    if shade:
        image = _shaded(image, HEIGHT - block - 120)
    draw = ImageDraw.Draw(image)
    y = bottom - block if shade else top + (bottom - top - block) // 2
    for n, line in enumerate(lines):
        spot = ((left + right) / 2 if shade else left, y + n * leading)
        draw.text(
            spot,
            line,
            font=face,
            fill="white",
            anchor="ma" if shade else "la",
            stroke_width=max(3, size // 14),
            stroke_fill="black",
        )
    return image


def _wrap(words: str, face: ImageFont.FreeTypeFont, width: int) -> Sequence[str]:
    lines: list[str] = []
    for word in words.split():
        while face.getlength(word) > width and len(word) > 1:
            cut = next(n for n in range(len(word) - 1, 0, -1) if n == 1 or face.getlength(word[:n]) <= width)
            lines.append(word[:cut])
            word = word[cut:]
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and face.getlength(joined) <= width:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines


def _shaded(image: Image.Image, top: int) -> Image.Image:
    """Darker towards the lower edge from ``top`` on."""
    rows = np.clip((np.arange(HEIGHT) - top) / max(1, HEIGHT - top), 0, 1) * 200
    mask = Image.fromarray(np.repeat(rows.astype(np.uint8)[:, None], WIDTH, axis=1))
    return Image.composite(Image.new("RGB", image.size), image, mask)


def _jpeg(image: Image.Image) -> bytes:
    for quality in (90, 80, 65, 45):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() < MOST_BYTES:
            break
    return file.getvalue()
