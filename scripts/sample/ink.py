"""Pen and ink on a sheet: smooth shapes, strokes that swell and taper, clipping, screentone.

Lengths are page pixels; the sheet itself is ``SCALE`` times finer and is reduced once at the end. A pen carries an
affine frame, so that a figure is drawn in its own units and put anywhere, at any size, turned or mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageDraw

SCALE = 3
PITCH = 8
"""Distance of screentone dots in page pixels: whole, so that the pattern repeats and compresses."""

Point = tuple[float, float]
Path = list[Point]
Matrix = tuple[float, float, float, float, float, float]
Level = float | Callable[[np.ndarray, np.ndarray], np.ndarray]


def smooth(points: Sequence[Point], *, closed: bool = False, steps: int = 10) -> Path:
    """A Catmull-Rom curve through the points; a point given twice in a row makes a corner."""
    n = len(points)
    if n < 3:
        return list(points)
    out: Path = []
    for i in range(n if closed else n - 1):
        p1, p2 = points[i], points[(i + 1) % n]
        if p1 == p2:
            continue
        p0 = points[i - 1] if closed or i else p1
        p3 = points[(i + 2) % n] if closed or i + 2 < n else p2
        for step in range(steps):
            t = step / steps
            t2, t3 = t * t, t * t * t
            a, b, c, d = 2 * t2 - t - t3, 2 - 5 * t2 + 3 * t3, t + 4 * t2 - 3 * t3, t3 - t2
            out.append(
                (
                    (a * p0[0] + b * p1[0] + c * p2[0] + d * p3[0]) / 2,
                    (a * p0[1] + b * p1[1] + c * p2[1] + d * p3[1]) / 2,
                )
            )
    if not closed:
        out.append(points[-1])
    return out


def oval(cx: float, cy: float, rx: float, ry: float, turn: float = 0, steps: int = 48) -> Path:
    """An ellipse as a polygon, turned by ``turn`` degrees."""
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    out = []
    for i in range(steps):
        a = 2 * math.pi * i / steps
        x, y = rx * math.cos(a), ry * math.sin(a)
        out.append((cx + x * c - y * s, cy + x * s + y * c))
    return out


def arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float, steps: int = 20) -> Path:
    """A part of an ellipse, in degrees clockwise from the right."""
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def limb(points: Sequence[Point], widths: Sequence[float]) -> Path:
    """The outline of a soft tube along the points; half-widths are spread evenly over its length, ends are round."""
    line = (
        smooth(points)
        if len(points) > 2
        else [
            (
                points[0][0] + (points[1][0] - points[0][0]) * i / 10,
                points[0][1] + (points[1][1] - points[0][1]) * i / 10,
            )
            for i in range(11)
        ]
    )
    left: Path = []
    right: Path = []
    last = len(line) - 1
    for i, (x, y) in enumerate(line):
        ax, ay = line[max(0, i - 1)]
        bx, by = line[min(last, i + 1)]
        length = math.hypot(bx - ax, by - ay) or 1.0
        nx, ny = -(by - ay) / length, (bx - ax) / length
        at = i / last * (len(widths) - 1)
        k = min(int(at), len(widths) - 2)
        w = widths[k] + (widths[k + 1] - widths[k]) * (at - k)
        left.append((x + nx * w, y + ny * w))
        right.append((x - nx * w, y - ny * w))
        if i in (0, last):
            heading = math.degrees(math.atan2(by - ay, bx - ax))
            cap = (
                arc(x, y, w, w, heading + 90, heading + 270) if i == 0 else arc(x, y, w, w, heading + 90, heading - 90)
            )
            if i == 0:
                head = cap
            else:
                tail = cap
    return left[1:-1] + tail + right[-2:0:-1] + head[::-1]


class Sheet:
    """The pixels that several pens share."""

    def __init__(self, width: int, height: int, paper: int = 255) -> None:
        self.width, self.height = width, height
        self.replace(Image.new("L", (width * SCALE, height * SCALE), paper))

    def replace(self, image: Image.Image) -> None:
        self.image = image
        self.draw = ImageDraw.Draw(image)


class Pen:
    """A sheet seen through an affine frame."""

    def __init__(self, sheet: Sheet, matrix: Matrix = (1, 0, 0, 0, 1, 0)) -> None:
        self.sheet, self.matrix = sheet, matrix
        a, b, _, d, e, _ = matrix
        self.unit = math.sqrt(abs(a * e - b * d))

    def at(self, x: float, y: float, scale: float = 1, turn: float = 0, *, flip: bool = False) -> Pen:
        """A pen whose origin is (x, y) here, scaled, turned by degrees clockwise, mirrored left to right on demand."""
        c, s = math.cos(math.radians(turn)) * scale, math.sin(math.radians(turn)) * scale
        m = -1 if flip else 1
        a, b, tx, d, e, ty = self.matrix
        return Pen(
            self.sheet,
            (
                (a * c + b * s) * m,
                -a * s + b * c,
                a * x + b * y + tx,
                (d * c + e * s) * m,
                -d * s + e * c,
                d * x + e * y + ty,
            ),
        )

    def place(self, x: float, y: float) -> Point:
        """Where a point of this frame stands on the sheet, in page pixels."""
        a, b, tx, d, e, ty = self.matrix
        return a * x + b * y + tx, d * x + e * y + ty

    def _fine(self, points: Sequence[Point]) -> Path:
        a, b, tx, d, e, ty = self.matrix
        return [((a * x + b * y + tx) * SCALE, (d * x + e * y + ty) * SCALE) for x, y in points]

    def fill(self, points: Sequence[Point], tone: int) -> None:
        """A polygon without an outline."""
        self.sheet.draw.polygon(self._fine(points), fill=tone)

    def group(self, shapes: Sequence[Sequence[Point]], tone: int, line: float = 4, ink: int = 0) -> None:
        """Polygons filled as one: outlined around their union only, heavier on the side away from the light."""
        for points in shapes:
            self._contour(self._fine(points), line * self.unit * SCALE, ink)
        for points in shapes:
            self.fill(points, tone)

    def shape(self, points: Sequence[Point], tone: int, line: float = 4, ink: int = 0) -> None:
        self.group([points], tone, line, ink)

    def _contour(self, points: Path, width: float, ink: int) -> None:
        draw = self.sheet.draw
        area = sum(p[0] * q[1] - q[0] * p[1] for p, q in zip(points, points[1:] + points[:1], strict=True))
        sign = 1 if area > 0 else -1
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
            length = math.hypot(x1 - x0, y1 - y0)
            if length < 0.01:
                continue
            nx, ny = sign * (y1 - y0) / length, -sign * (x1 - x0) / length
            r = max(1.5, width * (1 + 0.35 * (0.45 * nx + 0.9 * ny)))
            draw.polygon(
                [(x0 + nx * r, y0 + ny * r), (x1 + nx * r, y1 + ny * r), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny)],
                fill=ink,
            )
            draw.ellipse((x0 - r, y0 - r, x0 + r, y0 + r), fill=ink)

    def line(
        self, points: Sequence[Point], width: float = 4, ink: int = 0, *, taper: float = 0.6, curve: bool = True
    ) -> None:
        """A stroke: full in the middle, thinner towards both ends by ``taper`` (0 not at all, 1 to a point)."""
        path = self._fine(smooth(points) if curve else points)
        if len(path) == 2:
            (x0, y0), (x1, y1) = path
            path = [(x0 + (x1 - x0) * i / 12, y0 + (y1 - y0) * i / 12) for i in range(13)]
        last = len(path) - 1
        radius = [
            max(0.6, width * self.unit * SCALE / 2 * (1 - taper * abs(2 * i / last - 1) ** 2.2))
            for i in range(last + 1)
        ]
        draw = self.sheet.draw
        for i, (x, y) in enumerate(path):
            r = radius[i]
            draw.ellipse((x - r, y - r, x + r, y + r), fill=ink)
            if i == last:
                break
            bx, by = path[i + 1]
            length = math.hypot(bx - x, by - y)
            if length < 0.01:
                continue
            nx, ny = -(by - y) / length, (bx - x) / length
            q = radius[i + 1]
            draw.polygon(
                [
                    (x + nx * r, y + ny * r),
                    (bx + nx * q, by + ny * q),
                    (bx - nx * q, by - ny * q),
                    (x - nx * r, y - ny * r),
                ],
                fill=ink,
            )

    def spike(self, base: Point, tip: Point, width: float, ink: int = 0) -> None:
        """A wedge from a broad base to a point: stripes of fur, speed lines."""
        dx, dy = tip[0] - base[0], tip[1] - base[1]
        length = math.hypot(dx, dy) or 1
        nx, ny = -dy / length * width / 2, dx / length * width / 2
        self.fill([(base[0] + nx, base[1] + ny), tip, (base[0] - nx, base[1] - ny)], ink)

    @contextmanager
    def clip(self, *shapes: Sequence[Point]) -> Iterator[None]:
        """What is drawn inside the block shows only within the shapes."""
        before = self.sheet.image.copy()
        mask = Image.new("1", before.size, 0)
        pencil = ImageDraw.Draw(mask)
        for points in shapes:
            pencil.polygon(self._fine(points), fill=1)
        yield
        before.paste(self.sheet.image, (0, 0), mask)
        self.sheet.replace(before)

    def dots(self, points: Sequence[Point], level: Level, ink: int = 0, pitch: int = PITCH) -> None:
        """Screentone in a polygon: ``level`` is the share of ink, a number or a function of page-pixel arrays x, y."""
        path = self._fine(points)
        x0 = max(0, math.floor(min(x for x, _ in path)))
        y0 = max(0, math.floor(min(y for _, y in path)))
        x1 = min(self.sheet.image.width, math.ceil(max(x for x, _ in path)))
        y1 = min(self.sheet.image.height, math.ceil(max(y for _, y in path)))
        if x1 <= x0 or y1 <= y0:
            return
        mask = Image.new("1", (x1 - x0, y1 - y0), 0)
        ImageDraw.Draw(mask).polygon([(x - x0, y - y0) for x, y in path], fill=1)
        xs = (np.arange(x0, x1, dtype=np.float32) / SCALE)[None, :]
        ys = (np.arange(y0, y1, dtype=np.float32) / SCALE)[:, None]
        half = pitch / 2
        ax, ay = np.abs(xs % pitch - half), np.abs(ys % pitch - half)
        near = np.minimum(ax**2 + ay**2, (half - ax) ** 2 + (half - ay) ** 2)
        share = level(xs, ys) if callable(level) else level
        inked = (near < np.clip(share, 0, 1) * pitch**2 / (2 * math.pi)) & np.asarray(mask)
        self.sheet.image.paste(ink, (x0, y0), Image.fromarray(inked))
        self.sheet.replace(self.sheet.image)


def box(x0: float, y0: float, x1: float, y1: float) -> Path:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
