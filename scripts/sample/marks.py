"""The small signs of manga: blush, sparkle, sweat, anger, surprise, speed."""

from __future__ import annotations

import math
import random

from sample.ink import Path, Pen, oval, smooth


def blush(pen: Pen, x: float, y: float, r: float) -> None:
    for dx in (-0.6, 0.0, 0.6):
        pen.line([(x + (dx + 0.18) * r, y - r * 0.4), (x + (dx - 0.18) * r, y + r * 0.4)], r * 0.2, 102)


def _rays(x: float, y: float, r: float, count: int, waist: float, turn: float = -90) -> Path:
    out = []
    for i in range(2 * count):
        a = math.radians(turn + 180 * i / count)
        k = r if i % 2 == 0 else r * waist
        out.append((x + k * math.cos(a), y + k * math.sin(a)))
    return out


def star(pen: Pen, x: float, y: float, r: float, tone: int, *, line: float = 0, turn: float = -90) -> None:
    points = _rays(x, y, r, 5, 0.42, turn)
    if line:
        pen.shape(points, tone, line)
    else:
        pen.fill(points, tone)


def sparkle(pen: Pen, x: float, y: float, r: float, tone: int = 255, line: float = 2.2) -> None:
    points = _rays(x, y, r, 4, 0.24)
    if line:
        pen.shape(points, tone, line)
    else:
        pen.fill(points, tone)


def sweat(pen: Pen, x: float, y: float, r: float, turn: float = 0) -> None:
    p = pen.at(x, y, r / 10, turn)
    drop = smooth([(0, -16), (0, -16), (8, 2), (6, 11), (0, 14), (-6, 11), (-8, 2)], closed=True)
    p.shape(drop, 255, 2)
    p.line([(-3.5, 4), (-2, 9)], 1.6)


def anger(pen: Pen, x: float, y: float, r: float, ink: int = 0) -> None:
    """Four bent strokes, as of a throbbing vein."""
    for sx, sy in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        bend = [(x + sx * r * 0.25, y + sy * r), (x + sx * r * 0.3, y + sy * r * 0.3), (x + sx * r, y + sy * r * 0.25)]
        pen.line(bend, r * 0.24, ink)


def surprise(pen: Pen, x: float, y: float, r: float, turn: float = 0, ink: int = 0) -> None:
    """Three short strokes above a head."""
    for a in (-28, 0, 28):
        t = math.radians(a + turn - 90)
        pen.line(
            [(x + r * math.cos(t), y + r * math.sin(t)), (x + 1.9 * r * math.cos(t), y + 1.9 * r * math.sin(t))],
            r * 0.22,
            ink,
        )


def focus(
    pen: Pen,
    w: float,
    h: float,
    x: float,
    y: float,
    rx: float,
    ry: float,
    *,
    count: int = 90,
    ink: int = 0,
    seed: int = 7,
) -> None:
    """Lines that run in from the edges of a w × h panel and stop around an ellipse at (x, y)."""
    dice = random.Random(seed)
    far = math.hypot(w, h)
    for i in range(count):
        a = 2 * math.pi * (i + dice.random() * 0.8) / count
        k = 1 + dice.random() * 0.5
        tip = (x + rx * k * math.cos(a), y + ry * k * math.sin(a))
        base = (x + far * math.cos(a), y + far * math.sin(a))
        pen.spike(base, tip, far * (0.006 + 0.02 * dice.random() ** 2), ink)


def speed(
    pen: Pen,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    *,
    count: int = 26,
    ink: int = 0,
    seed: int = 7,
    tail: str = "right",
) -> None:
    """Horizontal speed lines in a rectangle, broad at their ``tail``."""
    dice = random.Random(seed)
    for _ in range(count):
        y = y0 + (y1 - y0) * dice.random()
        length = (x1 - x0) * (0.25 + 0.6 * dice.random())
        width = 2 + 5 * dice.random() ** 2
        if tail == "right":
            pen.spike((x1, y), (x1 - length, y), width, ink)
        else:
            pen.spike((x0, y), (x0 + length, y), width, ink)


def note(pen: Pen, x: float, y: float, r: float, turn: float = 0, ink: int = 0) -> None:
    """A quaver."""
    p = pen.at(x, y, r / 10, turn)
    p.fill(oval(0, 0, 5.4, 4, -20), ink)
    p.line([(4.6, -1), (4.6, -22)], 1.8, ink, taper=0)
    p.line([(4.6, -22), (11, -17), (10, -10)], 2.6, ink)


def heart(pen: Pen, x: float, y: float, r: float, tone: int = 119, turn: float = 0) -> None:
    p = pen.at(x, y, r / 10, turn)
    p.shape(
        smooth([(0, 10), (0, 10), (-10, -1), (-7, -9), (0, -5), (0, -5), (7, -9), (10, -1)], closed=True), tone, 1.8
    )
