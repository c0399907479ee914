"""Bé Na, a girl of five with two buns and a star lantern, and her grandmother, with a bun, glasses and a kind face.

Heads are drawn around their centre, about 200 units wide, as the cat's are.
"""

from __future__ import annotations

from dataclasses import dataclass

from sample.ink import Path, Pen, Point, arc, limb, oval, smooth
from sample.marks import blush

SKIN = 255


@dataclass(frozen=True)
class Mood:
    """eyes: open, happy, wide, doubt · mouth: smile, laugh, small, o · turn: -1 (to the left) … 1."""

    eyes: str = "open"
    mouth: str = "smile"
    turn: float = 0


def _face() -> Path:
    half: list[Point] = [(0, -90), (54, -80), (90, -34), (94, 14), (82, 52), (48, 84)]
    return smooth([*half, (0, 94), *[(-x, y) for x, y in reversed(half[1:])]], closed=True)


def _features(pen: Pen, mood: Mood, *, lash: bool = True) -> None:
    t = mood.turn * 20
    for side in (-1, 1):
        e = pen.at(side * 40 + t, 14)
        if mood.eyes == "happy":
            e.line([(-19, 6), (-10, -7), (0, -11), (10, -7), (19, 6)], 7, taper=0.45)
        else:
            k = 1.15 if mood.eyes == "wide" else 1.0
            lens = oval(0, 0, 16 * k, 23 * k)
            e.fill(lens, 0)
            with e.clip(lens):
                e.fill(oval(0, 11 * k, 13 * k, 11 * k), 102)
                e.fill(oval(0, 0, 9 * k, 14 * k), 0)
            e.fill(oval(-5, -8 * k, 6, 7), 255)
            e.fill(oval(5, 8 * k, 3.4, 3.6), 255)
            if mood.eyes == "doubt":
                e.fill([(-24, -34), (24, -34), (24, -7), (-24, -7)], SKIN)
                e.line([(-20, -7), (20, -7)], 6.5, taper=0.3)
            elif lash:
                e.line([(-side * 17, -14 * k), (0, -25 * k), (side * 17, -16 * k), (side * 25, -19 * k)], 6, taper=0.5)
        if mood.eyes == "doubt":
            e.line([(-16, -28 + side * 5), (16, -28 - side * 5)], 5, taper=0.5)
        else:
            e.line([(-14, -38), (0, -43), (14, -39)], 4.5, taper=0.7)
        blush(pen, side * 64 + t, 46, 16)
    m = pen.at(t * 1.2, 56)
    pen.line([(t * 1.3 - 3, 34), (t * 1.3 + 4, 37)], 3.4)
    if mood.mouth == "smile":
        m.line([(-18, -2), (-9, 7), (0, 9), (9, 7), (18, -2)], 4.5, taper=0.5)
    elif mood.mouth == "laugh":
        gape = smooth([(-24, -6), (-24, -6), (0, -2), (24, -6), (24, -6), (16, 16), (0, 22), (-16, 16)], closed=True)
        m.shape(gape, 51, 3.2)
        with m.clip(gape):
            m.fill(oval(0, 22, 16, 10), 170)
            m.fill([(-22, -10), (22, -10), (18, 2), (-18, 2)], 255)
    elif mood.mouth == "o":
        m.shape(oval(0, 6, 8, 10), 51, 3)
    else:
        m.line([(-8, 3), (0, 6), (8, 3)], 4)


def na_head(pen: Pen, mood: Mood = Mood()) -> None:
    t = mood.turn * 14
    for side in (-1, 1):
        pen.shape(oval(side * 84, -82, 38, 36), 34)
        pen.line(arc(side * 84 - 4, -84, 22, 20, 190, 290), 4, 136)
    hair = smooth(
        [
            (0, -116),
            (62, -104),
            (104, -54),
            (110, 10),
            (98, 56),
            (84, 66),
            (-84, 66),
            (-98, 56),
            (-110, 10),
            (-104, -54),
            (-62, -104),
        ],
        closed=True,
    )
    pen.shape(hair, 34)
    for side in (-1, 1):
        pen.shape(oval(side * 92 + t * 0.4, 22, 15, 19), SKIN, 3.4)
    face = _face()
    pen.shape(face, SKIN)
    _features(pen, mood)
    with pen.clip(
        smooth(
            [(0, -120), (70, -108), (108, -50), (112, 30), (90, 30), (-90, 30), (-112, 30), (-108, -50), (-70, -108)],
            closed=True,
        )
    ):
        pen.fill(
            [
                (-120, -130),
                (120, -130),
                (116, 26),
                (98 + t, 24),
                (88 + t, -14),
                (66 + t, -34),
                (60 + t, -24),
                (44 + t, -38),
                (30 + t, -26),
                (12 + t, -42),
                (-6 + t, -26),
                (-22 + t, -40),
                (-42 + t, -26),
                (-56 + t, -38),
                (-68 + t, -28),
                (-88 + t, -10),
                (-98 + t, 24),
                (-116, 26),
            ],
            34,
        )
    pen.line(smooth([(-56, -84), (-20, -96), (24, -96)]), 6, 136)
    pen.line([(44, -92), (60, -86)], 5, 136)
    for side in (-1, 1):
        bow = pen.at(side * 72, -58, 1, side * 30)
        bow.shape(smooth([(0, 0), (-22, -14), (-24, 12)], closed=True), 187, 3)
        bow.shape(smooth([(0, 0), (22, -14), (24, 12)], closed=True), 187, 3)
        bow.shape(oval(0, 0, 7, 7), 255, 3)


def na(
    pen: Pen, mood: Mood, *, arms: tuple[Point, Point] = ((-70, 190), (70, 190)), legs: bool = True, stride: float = 0
) -> None:
    """The whole girl, from the front: a short tunic with a standing collar, trousers, sandals. ``arms``: her hands."""
    if legs:
        for side in (-1, 1):
            foot = (side * 30 + stride * side * 26, 318 - max(0.0, side * stride) * 34)
            pen.shape(limb([(side * 26, 220), (side * 28 + stride * 10 * side, 270), foot], [26, 22, 20]), 85, 3.6)
            pen.shape(oval(foot[0], foot[1] + 14, 25, 12), 51, 3.4)
    tunic = smooth(
        [(-38, 84), (-58, 140), (-84, 240), (-84, 240), (0, 254), (84, 240), (84, 240), (58, 140), (38, 84)],
        closed=True,
    )
    sleeves = []
    for side, (x, y) in zip((-1, 1), arms, strict=True):
        shoulder = (side * 40, 112)
        elbow = ((shoulder[0] + x) / 2 + side * 16, (shoulder[1] + y) / 2 + 10)
        hand = oval(x, y, 17, 16)
        pen.shape(hand, SKIN, 3.4)
        sleeves.append(limb([shoulder, elbow, (x + (elbow[0] - x) * 0.18, y + (elbow[1] - y) * 0.18)], [20, 22, 24]))
    pen.group([tunic], 238)
    for x, y in ((-40, 150), (30, 140), (-10, 190), (50, 205), (-58, 218), (8, 228)):
        for k in range(5):
            pen.fill(oval(x, y, 9, 4.2, 36 * k * 2), 153)
        pen.fill(oval(x, y, 3, 3), 255)
    pen.line([(0, 98), (16, 130), (40, 158), (62, 190)], 3.6)
    for sleeve in sleeves:
        pen.shape(sleeve, 238, 3.6)
    pen.shape(limb([(-30, 92), (0, 102), (30, 92)], [9, 10, 9]), 119, 3.4)
    for side, (x, y) in zip((-1, 1), arms, strict=True):
        pen.shape(oval(x, y, 17, 16), SKIN, 3.2)
        pen.line([(x - side * 6, y + 4), (x - side * 10, y + 10)], 2.6)
    na_head(pen, mood)


def granny_head(pen: Pen, mood: Mood = Mood("happy", "laugh")) -> None:
    t = mood.turn * 14
    pen.shape(oval(56, -108, 46, 40), 204)
    pen.line(arc(56, -106, 30, 24, 190, 320), 3.4, 102)
    pen.line(arc(56, -104, 14, 11, 180, 330), 3, 102)
    hair = smooth(
        [(0, -112), (64, -102), (104, -56), (108, 8), (96, 48), (-96, 48), (-108, 8), (-104, -56), (-64, -102)],
        closed=True,
    )
    pen.shape(hair, 204)
    for side in (-1, 1):
        pen.shape(oval(side * 94 + t * 0.4, 24, 15, 20), SKIN, 3.4)
        pen.shape(oval(side * 95 + t * 0.4, 46, 5, 6), 204, 2.6)
    pen.shape(_face(), SKIN)
    _features(pen, mood, lash=False)
    for side in (-1, 1):
        pen.fill(
            [
                (side * 6 + t, -96),
                (side * 60, -92),
                (side * 106, -40),
                (side * 104, 20),
                (side * 90, 6),
                (side * 76 + t, -36),
                (side * 40 + t, -64),
            ],
            204,
        )
        pen.line([(side * 4 + t, -78), (side * 44 + t, -62), (side * 78 + t, -34), (side * 92 + t * 0.5, 6)], 4)
        for k in (0.0, 1.0):
            pen.line(
                [
                    (side * (14 + 12 * k) + t * 0.8, -102 + 6 * k),
                    (side * (60 + 10 * k), -82 + 10 * k),
                    (side * (94 + 4 * k), -40 + 20 * k),
                ],
                2.6,
                119,
            )
        ring = oval(side * 41 + t, 16, 32, 30)
        pen.line([*ring, ring[0]], 4, 51, taper=0)
        for dy in (-7, 4):
            pen.line([(side * 76 + t, 12 + dy), (side * 86 + t * 0.8, 8 + dy * 1.6)], 2.4)
        pen.line([(side * 34 + t, 58), (side * 42 + t, 68), (side * 40 + t, 80)], 2.6)
    pen.line([(-9 + t, 12), (0 + t, 8), (9 + t, 12)], 4, 51, taper=0)
    for dy in (0, 10):
        pen.line([(-22 + t, -52 + dy), (0 + t, -55 + dy), (22 + t, -52 + dy)], 2.4, 119)


def granny(pen: Pen, mood: Mood, *, arms: tuple[Point, Point] = ((-90, 210), (90, 210))) -> None:
    """The grandmother: a dark blouse with buttons over black trousers. ``arms``: her hands."""
    for side in (-1, 1):
        pen.shape(limb([(side * 52, 310), (side * 54, 370), (side * 54, 424)], [44, 42, 40]), 34, 3.6)
        pen.shape(oval(side * 58, 440, 38, 16), 153, 3.6)
    body = smooth(
        [(-46, 84), (-84, 130), (-112, 220), (-118, 330), (118, 330), (112, 220), (84, 130), (46, 84)], closed=True
    )
    pen.shape(body, 102)
    pen.fill([(-26, 78), (26, 78), (0, 132)], SKIN)
    pen.line([(-30, 82), (0, 134), (30, 82)], 4, taper=0, curve=False)
    pen.line([(0, 134), (0, 330)], 3.4, taper=0)
    for button in (160, 204, 248, 292):
        pen.shape(oval(0, button, 6, 6), 238, 2.6)
    for side, (x, y) in zip((-1, 1), arms, strict=True):
        elbow = (side * 124, (130 + y) / 2 + 30)
        pen.shape(
            limb([(side * 78, 136), elbow, (x + (elbow[0] - x) * 0.16, y + (elbow[1] - y) * 0.16)], [28, 32, 27]),
            102,
            3.8,
        )
        pen.shape(oval(x, y, 22, 20), SKIN, 3.4)
        for k in (0, 1):
            pen.line([(x - side * (3 + 7 * k), y + 4), (x - side * (6 + 7 * k), y + 14)], 2.6)
    granny_head(pen, mood)
