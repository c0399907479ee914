"""Speech: balloons, thought clouds, shouts, and sounds drawn as big letters. The typeface is Be Vietnam Pro (OFL)."""

from __future__ import annotations

import math
import random
from functools import lru_cache
from importlib.resources import files
from pathlib import Path as FilePath

from PIL import Image, ImageDraw, ImageFont

from sample.ink import SCALE, Path, Pen, Point, oval

LEADING = 1.22
"""Line distance in ems: room for a hook above a circumflex under a dot below."""


@lru_cache(maxsize=64)
def font(size: float, weight: str = "SemiBold") -> ImageFont.FreeTypeFont:
    """The typeface at a size in page pixels. Basic layout: composed letters need no shaping, and no library decides."""
    folder = FilePath(str(files("fontpkg_be_vietnam_pro"))) / "files"
    return ImageFont.truetype(
        folder / f"BeVietnamPro-{weight}.ttf", round(size * SCALE), layout_engine=ImageFont.Layout.BASIC
    )


def _measure(lines: list[str], size: float, weight: str) -> tuple[float, float]:
    face = font(size, weight)
    return max(face.getlength(line) for line in lines) / SCALE, len(lines) * size * LEADING


def write(pen: Pen, x: float, y: float, text: str, size: float, weight: str = "SemiBold", ink: int = 0) -> None:
    """Lines of text centred on (x, y)."""
    lines = text.split("\n")
    face = font(size, weight)
    px, py = pen.place(x, y)
    top = py - (len(lines) - 1) / 2 * size * LEADING
    for i, line in enumerate(lines):
        # «middle» centres the em box; the small lift centres what the eye sees, the x-height with its marks
        at = (px * SCALE, (top + i * size * LEADING - size * 0.02) * SCALE)
        pen.sheet.draw.text(at, line, font=face, fill=ink, anchor="mm")


def _inside(pen: Pen, points: Path, text: str) -> None:
    for x, y in (pen.place(*p) for p in points):
        if not (4 <= x <= pen.sheet.width - 4 and 4 <= y <= pen.sheet.height - 4):
            raise ValueError(f"the balloon «{text}» leaves its panel at ({x:.0f}, {y:.0f})")


def _tail(x: float, y: float, rx: float, ry: float, tip: Point) -> Path:
    heading = math.atan2((tip[1] - y) / ry, (tip[0] - x) / rx)
    spread = min(0.32, 15 / min(rx, ry))
    a, b = ((x + rx * 0.93 * math.cos(heading + k), y + ry * 0.93 * math.sin(heading + k)) for k in (-spread, spread))
    # both sides bow the same way, so that the tail curls
    bow = ((tip[1] - y) * 0.06, -(tip[0] - x) * 0.06)

    def side(root: Point) -> Path:
        mid = ((root[0] + tip[0]) / 2 + bow[0], (root[1] + tip[1]) / 2 + bow[1])
        weights = [((1 - t) ** 2, 2 * t * (1 - t), t * t) for t in (k / 8 for k in range(9))]
        return [(u * root[0] + v * mid[0] + w * tip[0], u * root[1] + v * mid[1] + w * tip[1]) for u, v, w in weights]

    return side(a) + side(b)[-2::-1]


def say(pen: Pen, x: float, y: float, text: str, tip: Point | None = None, size: float = 34) -> None:
    """A balloon centred on (x, y), its tail pointing at ``tip``. Raises ValueError where it would leave the panel."""
    w, h = _measure(text.split("\n"), size, "SemiBold")
    rx, ry = w / 2 * 1.22 + 22, h / 2 * 1.3 + 18
    balloon = oval(x, y, rx, ry, steps=120)
    shapes = [balloon] if tip is None else [_tail(x, y, rx, ry, tip), balloon]
    _inside(pen, [p for s in shapes for p in s], text)
    pen.group(shapes, 255, 3.2)
    write(pen, x, y, text, size)


def cloud(pen: Pen, x: float, y: float, rx: float, ry: float, tip: Point) -> None:
    """An empty thought cloud with its trail of bubbles."""
    count = max(9, round((rx + ry) / 17))
    puffs = []
    for i in range(count):
        a = 2 * math.pi * i / count + 0.3
        r = min(rx, ry) * (0.36 if i % 2 else 0.30)
        puffs.append(oval(x + (rx - r * 0.75) * math.cos(a), y + (ry - r * 0.75) * math.sin(a), r, r, steps=28))
    shapes = [*puffs, oval(x, y, rx * 0.86, ry * 0.86)]
    _inside(pen, [p for s in shapes for p in s], "…")
    pen.group(shapes, 255, 3.2)
    heading = math.atan2((tip[1] - y) / ry, (tip[0] - x) / rx)
    start = (x + rx * 1.02 * math.cos(heading), y + ry * 1.02 * math.sin(heading))
    for t, r in ((0.22, 14), (0.6, 9.5), (0.95, 6)):
        pen.shape(oval(start[0] + (tip[0] - start[0]) * t, start[1] + (tip[1] - start[1]) * t, r * 1.15, r), 255, 3)


def think(pen: Pen, x: float, y: float, text: str, tip: Point, size: float = 34) -> None:
    """Words in a thought cloud."""
    w, h = _measure(text.split("\n"), size, "SemiBold")
    cloud(pen, x, y, w / 2 * 1.25 + 34, h / 2 * 1.35 + 32, tip)
    write(pen, x, y, text, size)


def shout(pen: Pen, x: float, y: float, text: str, tip: Point | None = None, size: float = 42, seed: int = 1) -> None:
    """A balloon all spikes; the spike nearest to ``tip`` reaches for it."""
    w, h = _measure(text.split("\n"), size, "ExtraBold")
    rx, ry = w / 2 * 1.2 + 26, h / 2 * 1.3 + 22
    dice = random.Random(seed)
    count = 2 * round((rx + ry) / 18)
    wanted = None if tip is None else math.atan2((tip[1] - y) / ry, (tip[0] - x) / rx) % (2 * math.pi)
    outline: Path = []
    reach = min(range(count // 2), key=lambda k: abs(4 * math.pi * k / count - wanted)) if wanted is not None else -1
    for i in range(count):
        a = 2 * math.pi * i / count
        k = 1.0 if i % 2 else 1.2 + dice.random() * 0.16
        if i == 2 * reach and tip is not None:
            outline.append(tip)
        else:
            outline.append((x + rx * k * math.cos(a), y + ry * k * math.sin(a)))
    _inside(pen, outline, text)
    pen.shape(outline, 255, 3.6)
    write(pen, x, y, text, size, "ExtraBold")


def sound(
    pen: Pen,
    x: float,
    y: float,
    text: str,
    size: float,
    turn: float = 0,
    *,
    ink: int = 0,
    edge: int = 255,
    bend: float = 0,
    grow: float = 0,
    seed: int = 3,
) -> None:
    """A sound effect centred on (x, y): letters along a slope of ``turn`` degrees, each a little loose, growing by
    ``grow`` from first to last and bent by ``bend`` degrees, filled with ``ink`` inside an ``edge``."""
    dice = random.Random(seed)
    px, py = pen.place(x, y)
    sizes = [size * (1 + grow * (i / max(1, len(text) - 1) - 0.5)) for i in range(len(text))]
    widths = [font(s, "Black").getlength(c) / SCALE * 0.96 for c, s in zip(text, sizes, strict=True)]
    total = sum(widths)
    stamps: list[tuple[Image.Image, Image.Image, tuple[int, int]]] = []
    along = -total / 2
    for letter, s, w in zip(text, sizes, widths, strict=True):
        middle = along + w / 2
        along += w
        if letter == " ":
            continue
        lean = turn + bend * (middle / total) + dice.uniform(-5, 5)
        c, sn = math.cos(math.radians(turn)), math.sin(math.radians(turn))
        sag = bend / 90 * total * (middle / total) ** 2 * 1.2
        lift = dice.uniform(-0.05, 0.05) * s + sag
        lx, ly = px + middle * c - lift * sn, py + middle * sn + lift * c
        face = font(s, "Black")
        side = round(s * 2.4 * SCALE)
        pair = []
        for stroke in (round(s * 0.085 * SCALE), 0):
            stamp = Image.new("L", (side, side), 0)
            ImageDraw.Draw(stamp).text(
                (side / 2, side / 2), letter, font=face, fill=255, anchor="mm", stroke_width=stroke
            )
            pair.append(stamp.rotate(-lean, Image.Resampling.BICUBIC))
        corner = (round(lx * SCALE - side / 2), round(ly * SCALE - side / 2))
        seen = pair[1].getbbox() or (0, 0, 0, 0)
        if min(corner[0] + seen[0], corner[1] + seen[1]) < 0 or (
            corner[0] + seen[2] > pen.sheet.image.width or corner[1] + seen[3] > pen.sheet.image.height
        ):
            raise ValueError(f"the letter {letter} of the sound «{text}» leaves its panel")
        stamps.append((pair[0], pair[1], corner))
    for outer, _, corner in stamps:
        pen.sheet.image.paste(edge, corner, outer)
    for _, inner, corner in stamps:
        pen.sheet.image.paste(ink, corner, inner)
    pen.sheet.replace(pen.sheet.image)
