"""The night and the village: sky, moon, clouds, tiled roofs near and far."""

from __future__ import annotations

import math
import random

import numpy as np

from sample.ink import Path, Pen, arc, box, limb, oval
from sample.marks import sparkle

NIGHT = 34


def sky(
    pen: Pen, w: float, h: float, moon: tuple[float, float, float] | None = None, *, stars: int = 40, seed: int = 5
) -> None:
    """A night sky over w × h, paling in dots around a moon (x, y, r), with stars kept off it."""
    pen.fill(box(0, 0, w, h), NIGHT)
    if moon is not None:
        mx, my, r = moon
        px, py = pen.place(mx, my)
        pen.fill(oval(mx, my, r * 1.9, r * 1.9, steps=90), 51)

        def halo(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
            distance = np.sqrt((xs - px) ** 2 + (ys - py) ** 2) / (r * pen.unit)
            return 0.5 * np.clip(1 - (distance - 1) / 1.3, 0, 1) ** 1.4

        pen.dots(box(0, 0, w, h), halo, 187)
    dice = random.Random(seed)
    for _ in range(stars):
        x, y, r = dice.random() * w, dice.random() * h, 1.5 + 2.2 * dice.random()
        if moon is not None and math.hypot(x - moon[0], y - moon[1]) < moon[2] * 1.6:
            continue
        if dice.random() < 0.22:
            sparkle(pen, x, y, r * 4, 238, 0)
        else:
            pen.fill(oval(x, y, r, r, steps=12), 221)
    if moon is not None:
        the_moon(pen, *moon)


def the_moon(pen: Pen, x: float, y: float, r: float, *, bitten: bool = False, line: float = 0) -> None:
    """The full moon with its old stains; ``bitten``: three teeth have been at its upper right."""
    disc = _bitten(x, y, r) if bitten else oval(x, y, r, r, steps=96)
    if line:
        pen.shape(disc, 255, line)
    pen.fill(disc, 221)
    with pen.clip(disc):
        pen.fill(oval(x - r * 0.09, y - r * 0.09, r * 1.02, r * 1.02, steps=96), 255)
        for dx, dy, k in (
            (-0.36, -0.3, 0.22),
            (-0.1, -0.46, 0.13),
            (0.34, 0.3, 0.26),
            (0.1, 0.52, 0.12),
            (-0.5, 0.3, 0.13),
            (0.5, -0.22, 0.11),
            (-0.16, 0.12, 0.08),
        ):
            pen.fill(oval(x + dx * r, y + dy * r, k * r, k * r * 0.84, -20), 221)


def _bitten(x: float, y: float, r: float) -> Path:
    """A disc less three round bites on its upper right."""
    bites = [(0.98 * math.cos(math.radians(a)), 0.98 * math.sin(math.radians(a)), 0.3) for a in (-76, -47, -18)]
    out = []
    for i in range(240):
        a = 2 * math.pi * i / 240
        c, s = math.cos(a), math.sin(a)
        reach = 1.0
        for bx, by, size in bites:
            along = bx * c + by * s
            inside = along**2 - (bx**2 + by**2 - size**2)
            if along > 0 and inside > 0:
                reach = min(reach, along - math.sqrt(inside))
        out.append((x + r * reach * c, y + r * reach * s))
    return out


def clouds(pen: Pen, x: float, y: float, size: float, tone: int = 102, rim: int = 153) -> None:
    """A long low cloud, flat below, about 4 × ``size`` wide, its upper edge lit."""
    puffs = [
        (-1.6, 0.1, 0.34),
        (-1.0, -0.16, 0.5),
        (-0.3, -0.34, 0.62),
        (0.5, -0.2, 0.54),
        (1.1, -0.02, 0.42),
        (1.7, 0.16, 0.26),
    ]
    flat = box(x - 2.6 * size, y - 2 * size, x + 2.6 * size, y + 0.32 * size)
    with pen.clip(flat):
        for dx, dy, r in puffs:
            pen.fill(oval(x + dx * size, y + dy * size, r * size, r * size), rim)
        for dx, dy, r in puffs:
            pen.fill(oval(x + dx * size + 0.03 * size, y + dy * size + 0.07 * size, r * size, r * size), tone)
    pen.fill(
        limb(
            [(x - 2.2 * size, y + 0.3 * size), (x, y + 0.3 * size), (x + 2.3 * size, y + 0.3 * size)],
            [1, 0.08 * size, 1],
        ),
        tone,
    )


def roof(
    pen: Pen,
    x: float,
    y: float,
    w: float,
    h: float,
    *,
    tone: int = 102,
    lit: int = 170,
    line: float = 4,
    rows: int = 6,
    tiles: int = 14,
) -> None:
    """A tiled roof seen from the front: its ridge w long from (x, y), its eaves wider by a fifth each side, h below."""
    out = w * 0.2
    slope = [
        (x, y),
        (x + w, y),
        (x + w + out * 0.6, y + h * 0.7),
        (x + w + out * 1.25, y + h),
        (x - out * 1.25, y + h),
        (x - out * 0.6, y + h * 0.7),
    ]
    pen.shape(slope, tone, line)
    with pen.clip(slope):
        for row in range(rows):
            t0 = (row / rows) ** 1.15
            t1 = ((row + 1) / rows) ** 1.15
            y0, y1 = y + h * t0, y + h * t1
            left, right = x - out * 1.25 * t1, x + w + out * 1.25 * t1
            step = (right - left) / tiles
            for k in range(-1, tiles + 1):
                cx = left + (k + (0.5 if row % 2 else 1.0)) * step
                pen.line(
                    arc(cx, y0 + (y1 - y0) * 0.3, step / 2, (y1 - y0) * 0.72, 176, 4, 10),
                    line * 0.62,
                    0,
                    taper=0.3,
                    curve=False,
                )
                if (k * 7 + row * 5) % 6 == 0:
                    pen.line(
                        arc(cx, y0 + (y1 - y0) * 0.3, step * 0.34, (y1 - y0) * 0.5, 160, 90, 8),
                        line * 0.6,
                        lit,
                        curve=False,
                    )
    ridge = limb(
        [
            (x - w * 0.05, y - h * 0.12),
            (x + w * 0.02, y),
            (x + w * 0.5, y + h * 0.02),
            (x + w * 0.98, y),
            (x + w * 1.05, y - h * 0.12),
        ],
        [h * 0.03, h * 0.055, h * 0.06, h * 0.055, h * 0.03],
    )
    pen.shape(ridge, lit, line)
    eave = limb(
        [(x - out * 1.4, y + h * 0.97), (x + w / 2, y + h * 1.02), (x + w + out * 1.4, y + h * 0.97)],
        [h * 0.03, h * 0.045, h * 0.03],
    )
    pen.shape(eave, tone, line * 0.9)


def house(
    pen: Pen,
    x: float,
    y: float,
    w: float,
    h: float,
    *,
    tone: int = 102,
    wall: int = 136,
    tiles: int = 14,
    rows: int = 6,
    door: bool = True,
) -> None:
    """A low house: roof of height h, a wall as high again under it, a lit doorway and windows."""
    pen.shape(box(x - w * 0.1, y + h, x + w * 1.1, y + 2.1 * h), wall, 4)
    pen.fill(box(x - w * 0.1, y + h, x + w * 1.1, y + 1.2 * h), 68)
    if door:
        for cx, width in ((0.5, 0.13), (0.12, 0.09), (0.88, 0.09)):
            top = y + (1.32 if width > 0.1 else 1.42) * h
            bottom = y + (2.1 if width > 0.1 else 1.84) * h
            pen.shape(box(x + (cx - width) * w, top, x + (cx + width) * w, bottom), 255, 4)
            for k in (-0.5, 0, 0.5):
                pen.line([(x + (cx + width * k) * w, top), (x + (cx + width * k) * w, bottom)], 3, 68, taper=0)
            pen.line(
                [(x + (cx - width) * w, (top + bottom) / 2), (x + (cx + width) * w, (top + bottom) / 2)], 3, 68, taper=0
            )
    roof(pen, x, y, w, h, tone=tone, tiles=tiles, rows=rows)


def far_roofs(pen: Pen, w: float, y: float, size: float, tone: int, seed: int = 2) -> None:
    """A row of roofs too far for tiles, standing on y, darker and lower between them, some windows lit."""
    dice = random.Random(seed)
    pen.fill(box(0, y - size * 0.16, w, y + size * 1.1), tone - 17)
    x = -size * 0.4
    near = False
    while x < w:
        wide, high = size * (1 + dice.random() * 0.6), size * (0.5 + dice.random() * 0.26)
        lift = high * (0.0 if near else 0.24)
        roof_tone, wall_tone = (tone + 17, tone) if near else (tone, tone - 17)
        top, eave = y - high - lift, y - high * 0.44 - lift
        pen.fill(box(x + wide * 0.08, eave - 2, x + wide * 0.92, y + size * 1.1), wall_tone)
        slope = [
            (x + wide * 0.2, top),
            (x + wide * 0.8, top),
            (x + wide * 0.9, eave - high * 0.12),
            (x + wide * 1.06, eave),
            (x - wide * 0.06, eave),
            (x + wide * 0.1, eave - high * 0.12),
        ]
        pen.fill(slope, roof_tone)
        ridge = [(x + wide * 0.15, top - high * 0.09), (x + wide * 0.24, top), (x + wide * 0.76, top)]
        pen.line([*ridge, (x + wide * 0.85, top - high * 0.09)], size * 0.045, roof_tone + 51, taper=0.4)
        pen.line([(x - wide * 0.07, eave), (x + wide * 1.07, eave)], size * 0.03, roof_tone + 34, taper=0.4)
        for k in (0.22, 0.58):
            if dice.random() < 0.75:
                pen.fill(box(x + wide * k, eave + high * 0.14, x + wide * (k + 0.16), eave + high * 0.36), 221)
                pen.fill(
                    box(x + wide * (k + 0.07), eave + high * 0.14, x + wide * (k + 0.09), eave + high * 0.36), wall_tone
                )
        x += wide * (0.62 + dice.random() * 0.2)
        near = not near
