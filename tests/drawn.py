"""Pages and archives drawn and packed by the tests themselves."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

Rect = tuple[int, int, int, int]
"""Left, top, width, height."""


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def small_page(number: int = 1, size: tuple[int, int] = (120, 170)) -> Image.Image:
    """A grey page with one shape that differs by number."""
    image = Image.new("L", size, 255)
    ImageDraw.Draw(image).ellipse((10 + number, 20, 80 + number, 120), fill=60 + 5 * (number % 20))
    return image


def art(draw: ImageDraw.ImageDraw, rect: Rect, seed: int, ink: int = 0) -> None:
    """Something to look at inside a panel: shapes and strokes that do not touch its edge."""
    x, y, w, h = rect
    chance = random.Random(seed)

    def point() -> tuple[int, int]:
        return x + chance.randint(w // 10, w - w // 10), y + chance.randint(h // 10, h - h // 10)

    for _ in range(14):
        (ax, ay), (bx, by) = point(), point()
        draw.line((ax, ay, bx, by), fill=ink, width=chance.randint(1, 4))
    cx, cy = point()
    r = min(w, h) // 12
    draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=120, outline=ink, width=3)


def page_of(
    panels: Sequence[Rect], *, size: tuple[int, int] = (830, 1170), gutter: int = 255, frame: int = 0, seed: int = 1
) -> Image.Image:
    """Framed panels with something in each, on gutters of one grey."""
    image = Image.new("L", size, gutter)
    draw = ImageDraw.Draw(image)
    for i, (x, y, w, h) in enumerate(panels):
        draw.rectangle((x, y, x + w - 1, y + h - 1), fill=235, outline=frame, width=4)
        art(draw, (x, y, w, h), seed * 100 + i)
    return image


def pack(path: Path, members: Sequence[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in members:
            made.writestr(zipfile.ZipInfo(name), data, method)
    return path


def chapter(path: Path, pages: int = 3, extra: Sequence[tuple[str, bytes]] = ()) -> Path:
    """A CBZ of small pages 1.png, 2.png, …, and other members."""
    return pack(path, [*((f"{n}.png", png(small_page(n))) for n in range(1, pages + 1)), *extra])
