"""Things to hang, climb, fall into and eat: lanterns, leaves, the areca palm, the jar, the straw, the cake, a frog."""

from __future__ import annotations

import math
import random

import numpy as np

from sample.ink import Path, Pen, Point, arc, box, limb, oval, smooth
from sample.marks import star


def lantern(pen: Pen, x: float, y: float, r: float, turn: float = 0, *, glow: bool = True) -> None:
    """A round paper lantern with ribs and a tassel, hung from (x, y - 1.3 r)."""
    if glow:
        px, py = pen.place(x, y)
        size = r * pen.unit

        def light(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
            return 0.62 * np.clip(1.75 - np.sqrt((xs - px) ** 2 + (ys - py) ** 2) / (1.25 * size), 0, 1) ** 1.3

        pen.dots(oval(x, y, r * 2.2, r * 2.2), light, 238, 6)
    p = pen.at(x, y, r / 50, turn)
    p.line([(0, -66), (0, -46)], 4, taper=0)
    p.line([(0, 46), (-2, 76), (2, 104)], 3, taper=0)
    for dx in (-7, -2, 3, 8):
        p.line([(0, 72), (dx, 108)], 3, 51)
    p.shape(oval(0, 0, 52, 46), 238, 4)
    for k in (0.38, 0.78):
        p.line(arc(0, 0, 52 * k, 46, -90, 90), 3, 102, taper=0.3)
        p.line(arc(0, 0, 52 * k, 46, 90, 270), 3, 102, taper=0.3)
    p.line([(0, -44), (0, 44)], 3, 102, taper=0.3)
    p.shape(box(-20, -53, 20, -42), 51, 3)
    p.shape(box(-20, 42, 20, 53), 51, 3)


def star_lantern(pen: Pen, x: float, y: float, r: float, turn: float = 0, stick: Point | None = None) -> None:
    """A star in a ring, as children carry at mid-autumn, on a stick down to ``stick``."""
    if stick is not None:
        pen.line([(x, y), stick], r * 0.13, 51, taper=0)
    p = pen.at(x, y, r / 100, turn)
    p.shape(oval(0, 0, 104, 104, steps=64), 0, 3)
    p.fill(oval(0, 0, 98, 98, steps=64), 221)
    p.shape(oval(0, 0, 84, 84, steps=64), 119, 4)
    star(p, 0, 0, 94, 255, line=4)
    for k in range(5):
        a = math.radians(-90 + 72 * k)
        p.line([(0, 0), (92 * math.cos(a), 92 * math.sin(a))], 3, 102, taper=0.2)
        b = a + math.radians(36)
        p.line([(0, 0), (40 * math.cos(b), 40 * math.sin(b))], 3, 102, taper=0.2)
        c = (104 * math.cos(b), 104 * math.sin(b))
        p.shape(oval(c[0], c[1], 11, 11), 187, 3)
    p.shape(oval(0, 0, 14, 14), 187, 3)


def garland(pen: Pen, start: Point, end: Point, sag: float, count: int, r: float) -> None:
    """A string of lanterns hung between two points."""

    def on(t: float) -> Point:
        return (start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t + sag * 4 * t * (1 - t))

    pen.line([on(i / 20) for i in range(21)], 3.4, 170, taper=0)
    for i in range(count):
        x, y = on((i + 0.5) / count)
        lantern(pen, x, y + r * 1.3, r, (i % 3 - 1) * 5)


def banana(pen: Pen, points: list[Point], width: float, tone: int = 85, *, line: float = 4, vein: int = 0) -> None:
    """One banana leaf along its midrib, slit here and there by the wind."""
    leaf = limb(points, [width * 0.25, width * 0.9, width, width * 0.8, width * 0.12])
    pen.shape(leaf, tone, line)
    rib = smooth(points)
    with pen.clip(leaf):
        for i in range(2, len(rib) - 2, 3):
            (x, y), (bx, by) = rib[i], rib[i + 1]
            n = math.hypot(bx - x, by - y) or 1
            ux, uy = (bx - x) / n, (by - y) / n
            for side in (-1, 1):
                pen.line(
                    [(x, y), (x + (ux * 0.5 - side * uy) * width * 1.1, y + (uy * 0.5 + side * ux) * width * 1.1)],
                    2.6,
                    vein,
                    taper=0.5,
                )
    pen.line(points, line * 1.3, 170 if vein == 0 else vein, taper=0.7)


def areca(pen: Pen, x: float, top: float, bottom: float, half: float, *, tone: int = 170, crown: bool = True) -> None:
    """A slim areca trunk with its rings, and its crown of fronds."""
    if crown:
        for a, length in (
            (-168, 1.0),
            (-140, 1.15),
            (-108, 1.1),
            (-72, 1.1),
            (-40, 1.15),
            (-12, 1.0),
            (20, 0.8),
            (160, 0.8),
        ):
            t = math.radians(a)
            size = half * 8.5 * length
            tip = (x + size * math.cos(t), top + size * 0.8 * math.sin(t) + size * 0.5)
            mid = (x + size * 0.55 * math.cos(t), top + size * 0.7 * math.sin(t))
            rib = smooth([(x, top), mid, tip])
            for i in range(2, len(rib) - 1):
                (ax, ay), (bx, by) = rib[i], rib[i + 1]
                for side in (-1, 1):
                    dx, dy = bx - ax, by - ay
                    n = math.hypot(dx, dy) or 1
                    reach = half * 2.4 * math.sin(math.pi * min(0.96, i / len(rib)))
                    pen.line(
                        [
                            (ax, ay),
                            (
                                ax + (dx / n * 0.6 - side * dy / n) * reach,
                                ay + (dy / n * 0.6 + side * dx / n) * reach + reach * 0.35,
                            ),
                        ],
                        half * 0.26,
                        85,
                        taper=0.8,
                    )
            pen.line(rib, half * 0.34, 136, taper=0.4, curve=False)
    trunk = [(x - half, bottom), (x - half * 0.86, top), (x + half * 0.86, top), (x + half, bottom)]
    pen.shape(trunk, tone, 4)
    with pen.clip(trunk):
        pen.fill([(x + half * 0.3, top), (x + half, top), (x + half, bottom), (x + half * 0.36, bottom)], tone - 51)
        y = top + half
        while y < bottom:
            pen.line([(x - half, y), (x, y + half * 0.22), (x + half, y)], 3.4, taper=0.2)
            y += half * 1.5
    if crown:
        for k in range(9):
            dx, dy = (k % 3 - 1) * half * 0.75, (k // 3) * half * 0.7
            pen.shape(oval(x + dx, top + half * 0.5 + dy, half * 0.42, half * 0.5), 136, 3)


def jar(pen: Pen, x: float, y: float, w: float, h: float) -> None:
    """A glazed water jar seen from the side, its mouth (an ellipse) centred on (x, y), w wide; h high."""
    half = w / 2
    body = smooth(
        [
            (x - half * 0.96, y),
            (x - half * 1.34, y + h * 0.3),
            (x - half * 1.24, y + h * 0.66),
            (x - half * 0.8, y + h),
            (x + half * 0.8, y + h),
            (x + half * 1.24, y + h * 0.66),
            (x + half * 1.34, y + h * 0.3),
            (x + half * 0.96, y),
        ],
        closed=True,
    )
    pen.shape(body, 119, 5)
    with pen.clip(body):
        pen.fill(
            smooth(
                [
                    (x + half * 0.4, y - 20),
                    (x + half * 0.9, y + h * 0.4),
                    (x + half * 0.3, y + h * 1.1),
                    (x + half * 2, y + h * 1.1),
                    (x + half * 2, y),
                ],
                closed=True,
            ),
            85,
        )
        for k in (0.24, 0.3, 0.74):
            pen.line([(x - half * 1.4, y + h * k), (x, y + h * (k + 0.07)), (x + half * 1.4, y + h * k)], 4, taper=0)
        pen.line(
            [(x - half * 1.1, y + h * 0.36), (x - half * 1.08, y + h * 0.5), (x - half * 0.96, y + h * 0.64)],
            11,
            221,
            taper=0.8,
        )
    pen.shape(oval(x, y, half * 1.06, half * 0.3), 153, 5)
    pen.shape(oval(x, y + 3, half * 0.9, half * 0.22), 34, 3)


def straw(pen: Pen, x: float, y: float, w: float, h: float, *, seed: int = 4) -> None:
    """A heap of straw whose foot is centred on (x, y)."""
    heap = smooth(
        [
            (x - w / 2, y),
            (x - w * 0.42, y - h * 0.4),
            (x - w * 0.22, y - h * 0.86),
            (x, y - h),
            (x + w * 0.24, y - h * 0.84),
            (x + w * 0.43, y - h * 0.38),
            (x + w / 2, y),
        ],
        closed=True,
    )
    pen.shape(heap, 204, 4)
    dice = random.Random(seed)
    with pen.clip(heap):
        for _ in range(int(w / 3)):
            sx, sy = x + (dice.random() - 0.5) * w, y - dice.random() * h * 1.05
            lean = (sx - x) / w * 1.6 + dice.uniform(-0.5, 0.5)
            pen.line([(sx, sy), (sx + lean * 34, sy + 44)], 3, dice.choice((0, 85, 136, 255)), taper=0.8)
    for _ in range(26):
        a = math.pi * (1 + dice.random())
        sx, sy = x + math.cos(a) * w * 0.42, y + math.sin(a) * h * 0.86
        pen.line([(sx, sy), (sx + math.cos(a) * 30, sy + math.sin(a) * 26)], 3.4)


def mooncake(pen: Pen, x: float, y: float, r: float, *, tilt: float = 0.62) -> None:
    """A mooncake: scalloped, with a flower pressed into its top; seen from a little above."""

    def rim(k: float, dy: float) -> Path:
        out = []
        for i in range(96):
            a = 2 * math.pi * i / 96
            q = r * k * (1 + 0.035 * math.cos(12 * a))
            out.append((x + q * math.cos(a), y + dy + q * tilt * math.sin(a)))
        return out

    pen.group([rim(1, r * 0.36), rim(1, r * 0.18), rim(1, 0)], 136, 4)
    for i in range(13):
        a = math.pi * i / 12
        px, py = x + r * 1.0 * math.cos(a), y + r * tilt * math.sin(a)
        pen.line([(px, py + 4), (px, py + r * 0.34)], 3, 68, taper=0.4)
    pen.shape(rim(1, 0), 204, 3.4)
    pen.line([*rim(0.84, 0), rim(0.84, 0)[0]], 3, 85, taper=0)
    for i in range(8):
        a = 2 * math.pi * i / 8
        petal = [
            (x + r * k * math.cos(a + d), y + r * tilt * k * math.sin(a + d))
            for k, d in ((0.2, 0.0), (0.5, -0.3), (0.72, -0.12), (0.74, 0.0), (0.72, 0.12), (0.5, 0.3))
        ]
        pen.shape(smooth(petal, closed=True), 238, 2.6)
    pen.shape(oval(x, y, r * 0.2, r * 0.2 * tilt), 255, 3)


def slice_of_cake(pen: Pen, x: float, y: float, size: float, *, flip: bool = False) -> None:
    """A wedge of mooncake, its round yolk showing like a small moon."""
    p = pen.at(x, y, size / 50, flip=flip)
    p.shape([(-46, -8), (40, -26), (48, -2), (48, 30), (-46, 24)], 136, 3.4)
    p.shape([(-46, -8), (40, -26), (52, -4)], 204, 3.2)
    p.shape([(-46, -8), (52, -4), (50, 30), (-46, 24)], 102, 3.2)
    p.shape(oval(6, 10, 14, 12), 255, 3)


def grass(pen: Pen, x: float, y: float, size: float, tone: int = 0) -> None:
    for dx, lean in ((-10, -9), (-4, -3), (2, 4), (8, 11)):
        pen.spike(
            (x + dx * size / 10, y), (x + (dx + lean) * size / 10, y - size * (1.5 - abs(lean) / 14)), size * 0.34, tone
        )


def ripples(pen: Pen, x: float, y: float, rx: float, ry: float, count: int, ink: int = 255) -> None:
    """Rings on water, broken here and there."""
    for k in range(count):
        q = 1 + k * 0.42
        for start in range(0, 360, 60):
            a = start + k * 23
            pen.line(arc(x, y, rx * q, ry * q, a, a + 46, 12), 5 - k * 0.6, ink, taper=0.8, curve=False)


def frog(pen: Pen, x: float, y: float, size: float, look: str = "at", *, flip: bool = False) -> None:
    """A small frog that sees it all, its seat on (x, y). look: at (the reader), up, wide, shut."""
    p = pen.at(x, y, size / 50, flip=flip)
    for side in (-1, 1):
        p.shape(oval(side * 33, -14, 20, 14, side * -30), 153, 3)
    body = smooth([(-30, 2), (-38, -28), (-30, -58), (0, -68), (30, -58), (38, -28), (30, 2)], closed=True)
    p.group([body, oval(-20, -66, 15, 15), oval(20, -66, 15, 15)], 170, 3)
    p.fill(oval(0, -16, 24, 18), 238)
    for side in (-1, 1):
        if look == "shut":
            p.line(arc(side * 20, -68, 9, 7, 0, 180), 4)
        else:
            p.shape(oval(side * 20, -67, 11, 11), 255, 2.6)
            dx, dy, r = {"at": (0, 0, 6), "up": (-3, -4, 6), "wide": (0, 0, 3.4)}[look]
            p.fill(oval(side * 20 + dx, -67 + dy, r, r), 0)
        p.shape(oval(side * 18, -2, 12, 6), 170, 3)
    if look == "wide":
        p.shape(oval(0, -40, 6, 7), 51, 3)
    else:
        p.line([(-20, -46), (-8, -39), (8, -39), (20, -46)], 4)
