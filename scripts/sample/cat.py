"""Mướp, the tabby: a big round head, a bell on a black collar, and all that a face can say.

Heads are drawn around their centre, about 200 units wide; bodies hang from the head they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass

from sample.ink import Path, Pen, Point, arc, box, limb, oval, smooth
from sample.marks import blush, sparkle, star

FUR, PALE, STRIPE, SHADE = 221, 255, 68, 187


@dataclass(frozen=True)
class Face:
    """eyes: open, wide, shock, happy, calm, stars, firm, side, tears, dizzy · mouth: cat, small, open, shout,
    sad, wavy, full, grin · turn: -1 (to the left) … 1 · ears: 0 up … 1 down."""

    eyes: str = "open"
    mouth: str = "cat"
    turn: float = 0
    ears: float = 0
    blush: bool = True


def head_outline() -> Path:
    half: list[Point] = [(0, -90), (46, -84), (84, -56), (99, -10), (108, 24), (97, 44), (76, 66), (44, 80)]
    return smooth([*half, (0, 85), *[(-x, y) for x, y in reversed(half[1:])]], closed=True)


def _ears(droop: float) -> list[Path]:
    out = []
    for side in (-1, 1):
        tip = (side * (80 + 46 * droop), -132 + 78 * droop)
        outer = (side * 96, -26 + 12 * droop)
        bulge = (side * (98 + 10 * droop), -84 + 34 * droop)
        inner = (side * 30, -82)
        out.append(
            smooth(
                [outer, bulge, tip, tip, (side * (50 + 20 * droop), -108 + 26 * droop), inner, inner, (side * 50, -40)],
                closed=True,
            )
        )
    return out


def head(pen: Pen, face: Face = Face(), *, back: bool = False) -> None:
    outline = head_outline()
    ears = _ears(face.ears)
    pen.group([*ears, outline], FUR)
    if not back:
        for ear, side in zip(ears, (-1, 1), strict=True):
            with pen.clip(ear):
                cx, cy = side * (66 + 28 * face.ears), -84 + 40 * face.ears
                pen.fill([(cx + (px - side * 66) * 0.62, cy + (py + 84) * 0.62) for px, py in ear], 153)
        pen.fill(outline, FUR)
    t = face.turn * 20
    with pen.clip(outline, *ears):
        for x, y in ((0, -36), (-25, -44), (25, -44)):
            pen.spike((x * 1.1 + t * 0.6, -88), (x + t, y + (22 if back and not x else 0)), 17, STRIPE)
        for side in (-1, 1):
            for y0, y1 in ((8, 14), (34, 34)):
                pen.spike((side * 112, y0), (side * 70 + t * 0.5, y1), 14, STRIPE)
        if back:
            for x in (-34, 0, 34):
                pen.spike((x * 1.3, 92), (x, 44), 17, STRIPE)
        else:
            pen.fill(oval(t, 46, 52, 36), PALE)
    if back:
        return
    if face.blush:
        for side in (-1, 1):
            blush(pen, side * 74 + t, 38, 17)
    for side in (-1, 1):
        _eye(pen, face.eyes, side, side * 45 + t, 4, 1 - 0.14 * max(0.0, side * face.turn))
    _muzzle(pen, face.mouth, t * 1.25)
    for side in (-1, 1):
        for y0, y1 in ((36, 24), (46, 48)):
            pen.line([(side * 68 + t, y0), (side * 98 + t, y1 - 1), (side * 130 + t * 0.6, y1 + 3)], 3, taper=0.7)


def _eye(pen: Pen, kind: str, side: int, x: float, y: float, squeeze: float) -> None:
    e = pen.at(x, y)
    rx, ry = 24 * squeeze, 31.0
    if kind == "happy":
        e.line([(-24, 10), (-14, -8), (0, -15), (14, -8), (24, 10)], 8.5, taper=0.45)
    elif kind == "calm":
        e.line([(-24, -4), (-12, 9), (0, 13), (12, 9), (24, -4)], 8, taper=0.45)
        e.line([(side * 24, -4), (side * 33, -8)], 5)
    elif kind == "shock":
        e.shape(oval(0, -2, rx + 5, ry + 3), 255, 4)
        e.fill(oval(0, -2, 6, 7.5), 0)
    elif kind == "dizzy":
        e.line(
            [p for i in range(46) for p in arc(0, 0, 2 + i * 0.56, 2 + i * 0.6, i * 24, i * 24 + 1, 1)[:1]],
            4.5,
            taper=0.2,
        )
    elif kind == "side":
        e.shape(oval(0, 0, rx, ry * 0.86), 255, 4)
        with e.clip(oval(0, 0, rx, ry * 0.86)):
            e.fill(oval(-11, 2, 13, 19), 0)
            e.fill(oval(-14, -5, 5, 6), 255)
            e.fill([(-40, -60), (40, -60), (40, -9), (-40, -9)], FUR)
        e.line([(-rx - 3, -9), (rx + 3, -9)], 7, taper=0.2)
    else:
        if kind == "wide":
            rx, ry = rx * 1.14, ry * 1.14
        lens = oval(0, 0, rx, ry)
        e.fill(lens, 0)
        with e.clip(lens):
            e.fill(oval(0, ry * 0.42, rx * 0.8, ry * 0.48), 119)
            e.fill(oval(0, 0, rx * 0.56, ry * 0.62), 0)
            if kind == "tears":
                e.fill(oval(0, ry * 0.72, rx * 0.78, ry * 0.26), 238)
        if kind == "stars":
            star(e, 0, -2, 19, 255)
            e.fill(oval(10, 17, 4.5, 4.5), 255)
        else:
            e.fill(oval(-7, -11, 9.5, 10.5), 255)
            e.fill(oval(9, 11, 5, 5.5), 255)
        if kind == "firm":
            e.fill([(-side * 34, -8), (side * 34, -36), (side * 34, -60), (-side * 34, -60)], FUR)
            e.line([(-side * 31, -7), (0, -20), (side * 32, -35)], 9, taper=0.5)
        else:
            e.line([(-rx - 1, -8), (-rx * 0.7, -ry * 0.76), (0, -ry - 1), (rx * 0.7, -ry * 0.76), (rx + 1, -8)], 6.5)
        if kind == "tears":
            e.line([(-side * 24, -46), (side * 2, -49), (side * 22, -36)], 5)
            drop = smooth(
                [(side * 15, 26), (side * 15, 26), (side * 25, 52), (side * 18, 66), (side * 9, 58)], closed=True
            )
            e.shape(drop, 255, 2.6)


def _muzzle(pen: Pen, kind: str, t: float) -> None:
    m = pen.at(t, 0)
    m.fill(smooth([(-9, 27), (0, 25), (9, 27), (0, 37), (0, 37)], closed=True), 34)
    lips = [(-24, 42), (-20, 51), (-9, 52), (0, 40), (0, 40), (9, 52), (20, 51), (24, 42)]
    if kind in ("cat", "full", "grin"):
        m.line(lips, 4.5, taper=0.4)
    if kind == "full":
        for side in (-1, 1):
            m.line([(side * 50, 38), (side * 66, 50), (side * 54, 68)], 4.5)
        for x, y in ((-34, 60), (30, 66), (8, 68)):
            m.shape(oval(x, y, 4, 3.4), 153, 1.8)
    elif kind in ("open", "shout", "grin"):
        depth = {"open": 72, "shout": 80, "grin": 68}[kind]
        wide = {"open": 14, "shout": 26, "grin": 18}[kind]
        gape = smooth(
            [
                (-wide, 49),
                (0, 44 if kind == "shout" else 47),
                (wide, 49),
                (wide * 0.8, depth - 8),
                (0, depth),
                (-wide * 0.8, depth - 8),
            ],
            closed=True,
        )
        m.shape(gape, 51, 3.4)
        with m.clip(gape):
            m.fill(oval(0, depth, wide * 0.8, 14), 170)
            for side in (-1, 1):
                m.spike((side * wide * 0.62, 44), (side * wide * 0.52, 58), 8, 255)
        if kind == "open":
            m.line([(-22, 43), (-16, 50), (-6, 48), (0, 40), (0, 40), (6, 48), (16, 50), (22, 43)], 4, taper=0.4)
    elif kind == "sad":
        m.line([(-14, 57), (-6, 49), (6, 49), (14, 57)], 4.5)
    elif kind == "wavy":
        m.line([(-24, 52), (-14, 46), (-4, 54), (6, 46), (16, 54), (25, 47)], 4.5, taper=0.3)
    elif kind == "small":
        m.shape(oval(0, 52, 6.5, 7.5), 51, 3)


def collar(pen: Pen, y: float = 84, half: float = 50) -> None:
    pen.line([(-half, y - 8), (0, y + 6), (half, y - 8)], 15, taper=0.1)
    pen.shape(oval(0, y + 14, 13, 13), 238, 3.4)
    pen.line([(-12, y + 14), (12, y + 14)], 3, taper=0)
    pen.fill(oval(0, y + 20, 3, 3), 0)


def _bands(pen: Pen, points: list[Point], half: float, count: int) -> None:
    """Rings across a tail: short strokes at even distances, the tip dark."""
    line = smooth(points)
    for k in range(1, count + 1):
        i = min(len(line) - 2, round(k * len(line) / (count + 1)))
        (x0, y0), (x1, y1) = line[i], line[i + 1]
        n = max(0.01, ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5)
        nx, ny = -(y1 - y0) / n * half, (x1 - x0) / n * half
        pen.line([(x0 - nx, y0 - ny), (x0 + nx, y0 + ny)], half * 0.75, STRIPE, taper=0)


def tail(pen: Pen, points: list[Point], half: float = 15, count: int = 5) -> None:
    shape = limb(points, [half * 0.95, half, half, half * 0.9])
    pen.shape(shape, FUR)
    with pen.clip(shape):
        _bands(pen, points, half * 1.3, count)
        pen.fill(oval(*points[-1], half * 1.5, half * 1.5), STRIPE)


def _flank_stripes(pen: Pen, shapes: list[Path], wedges: list[tuple[Point, Point]], width: float = 15) -> None:
    with pen.clip(*shapes):
        for base, tip in wedges:
            pen.spike(base, tip, width, STRIPE)


def paw(pen: Pen, x: float, y: float, r: float = 21, turn: float = 0) -> None:
    p = pen.at(x, y, 1, turn)
    p.shape(oval(0, 0, r, r * 0.84), PALE, 3.6)
    for dx in (-0.3, 0.3):
        p.line([(dx * r, r * 0.2), (dx * r, r * 0.72)], 3, taper=0.4)


TAIL_SIT: list[Point] = [(58, 196), (112, 204), (142, 168), (128, 126), (146, 96)]


def sit(pen: Pen, face: Face, *, arms: str = "down", tail_points: list[Point] | None = None) -> None:
    """Sitting, from the front. arms: down, or hold (before the chest)."""
    tail(pen, tail_points or TAIL_SIT)
    body = smooth(
        [(-44, 52), (-58, 110), (-78, 160), (-72, 206), (0, 216), (72, 206), (78, 160), (58, 110), (44, 52)],
        closed=True,
    )
    pen.group([body, oval(-60, 200, 34, 18), oval(60, 200, 34, 18)], FUR)
    _flank_stripes(
        pen,
        [body],
        [((-90, 130), (-44, 132)), ((-94, 160), (-48, 158)), ((90, 130), (44, 132)), ((94, 160), (48, 158))],
    )
    pen.fill(smooth([(-30, 76), (-36, 120), (-26, 150), (0, 160), (26, 150), (36, 120), (30, 76)], closed=True), PALE)
    for side in (-1, 1):
        if arms == "hold":
            start, hand = (side * 46, 108), (side * 30, 130)
        else:
            start, hand = (side * 30, 112), (side * 24, 200)
        pen.shape(limb([start, (hand[0], hand[1] - 4)], [17, 18, 18]), FUR, 3.4)
        if arms == "down":
            pen.fill(box(start[0] - 15, 92, start[0] + 15, 122), FUR)
        paw(pen, *hand, turn=180 if arms == "hold" else 0)
    collar(pen)
    head(pen, face)


def sit_back(pen: Pen, *, tail_points: list[Point]) -> None:
    """Sitting, seen from behind."""
    body = smooth(
        [(-44, 52), (-60, 110), (-82, 160), (-76, 206), (0, 216), (76, 206), (82, 160), (60, 110), (44, 52)],
        closed=True,
    )
    pen.shape(body, FUR)
    _flank_stripes(pen, [body], [((0, 70), (0, 160))], 20)
    _flank_stripes(pen, [body], [((s * 92, y), (s * 30, y + 8)) for s in (-1, 1) for y in (104, 134, 164)])
    tail(pen, tail_points)
    pen.line([(-46, 76), (0, 88), (46, 76)], 15, taper=0.1)
    head(pen, back=True)


def run(pen: Pen, face: Face) -> None:
    """Galloping to the left, all feet off the ground."""
    tail(pen, [(228, 70), (290, 40), (330, 62), (384, 26)], 14)
    far = [
        limb([(40, 116), (-6, 150), (-50, 150)], [18, 16, 14]),
        limb([(214, 116), (262, 140), (300, 168)], [22, 17, 13]),
    ]
    for shape in far:
        pen.shape(shape, SHADE)
    body = smooth(
        [(10, 40), (90, 34), (180, 36), (240, 66), (250, 112), (196, 136), (110, 134), (40, 132), (6, 100)], closed=True
    )
    near = [
        limb([(52, 120), (14, 170), (-26, 182)], [22, 18, 15]),
        limb([(222, 104), (268, 152), (322, 140)], [32, 20, 14]),
    ]
    pen.group([body, *near], FUR)
    _flank_stripes(pen, [body, *near], [((x, 26), (x + 6, 82)) for x in (104, 136, 168, 200)], 18)
    _flank_stripes(pen, [body, *near], [((262, 86), (224, 96)), ((272, 116), (232, 118))])
    paw(pen, -30, 184, 18, 70)
    paw(pen, 326, 138, 17, -60)
    pen.line([(28, 36), (46, 70), (36, 108)], 15, taper=0.1)
    pen.shape(oval(30, 118, 13, 13), 238, 3.4)
    head(pen.at(0, 10, 1, -4), face)


def crouch(pen: Pen, face: Face) -> None:
    """Low in front, high behind, facing left: about to jump."""
    tail(pen, [(236, 60), (280, 10), (262, -44), (296, -86)], 14)
    pen.shape(limb([(220, 90), (242, 140), (214, 166)], [34, 26, 18]), SHADE)
    body = smooth(
        [(0, 60), (70, 44), (150, 4), (222, -2), (264, 40), (262, 100), (226, 150), (150, 150), (60, 158), (0, 140)],
        closed=True,
    )
    thigh = limb([(210, 80), (226, 136), (176, 166)], [42, 32, 16])
    front = limb([(50, 128), (10, 160), (-44, 166)], [22, 19, 17])
    pen.group([body, thigh, front], FUR)
    _flank_stripes(
        pen, [body], [((x, y), (x + 8, y + 56)) for x, y in ((112, 8), (144, -10), (178, -18), (212, -18))], 18
    )
    pen.line([(172, 74), (196, 110), (190, 144)], 4)
    pen.line([(46, 112), (30, 138)], 4)
    paw(pen, -46, 166, 19, 0)
    paw(pen, 168, 168, 19, 0)
    pen.line([(20, 60), (42, 100), (30, 130)], 15, taper=0.1)
    head(pen.at(0, 46), face)


def leap(pen: Pen, face: Face) -> None:
    """In the air, spread like a star, belly to the reader."""
    tail(pen, [(20, 190), (70, 236), (60, 290), (104, 316)], 15)
    body = smooth([(-44, 60), (-62, 120), (-60, 180), (0, 208), (60, 180), (62, 120), (44, 60)], closed=True)
    limbs = [
        limb([(-40, 96), (-96, 74), (-138, 22)], [22, 19, 17]),
        limb([(40, 96), (96, 74), (138, 22)], [22, 19, 17]),
        limb([(-36, 180), (-84, 214), (-112, 256)], [26, 21, 17]),
        limb([(36, 180), (84, 214), (112, 256)], [26, 21, 17]),
    ]
    pen.group([body, *limbs], FUR)
    pen.fill(smooth([(-32, 84), (-40, 140), (0, 186), (40, 140), (32, 84)], closed=True), PALE)
    _flank_stripes(
        pen,
        [body, *limbs],
        [((-80, 130), (-46, 134)), ((-78, 156), (-44, 156)), ((80, 130), (46, 134)), ((78, 156), (44, 156))],
    )
    for x, y, a in ((-140, 18, 140), (140, 18, 220), (-114, 260, 30), (114, 260, -30)):
        paw(pen, x, y, 22, a)
        p = pen.at(x, y, 1, a)
        p.fill(oval(0, -3, 8, 6), 119)
    collar(pen)
    head(pen, face)


def cling(pen: Pen, face: Face) -> None:
    """Hugging a trunk that stands at x = 0, head up: drawn over the trunk."""
    tail(pen, [(18, 214), (84, 240), (110, 200), (92, 160), (116, 128)], 15)
    body = smooth(
        [(-44, 52), (-60, 120), (-66, 180), (-30, 222), (30, 222), (66, 180), (60, 120), (44, 52)], closed=True
    )
    arms = [limb([(s * 44, 90), (s * 82, 62), (s * 70, 18)], [22, 19, 17]) for s in (-1, 1)]
    legs = [limb([(s * 44, 184), (s * 90, 234)], [32, 20]) for s in (-1, 1)]
    pen.group([body, *arms, *legs], FUR)
    _flank_stripes(pen, [body], [((0, 60), (0, 170))], 20)
    _flank_stripes(pen, [body], [((s * 80, y), (s * 26, y + 8)) for s in (-1, 1) for y in (116, 146, 176)])
    for s in (-1, 1):
        paw(pen, s * 92, 240, 19, 0)
    pen.line([(-46, 76), (0, 88), (46, 76)], 15, taper=0.1)
    head(pen.at(0, 0, 1, 6), face)
    for s in (-1, 1):
        paw(pen, s * 84, 62, 20, s * 100)


def peek(pen: Pen, face: Face, rim: float = 70) -> None:
    """A head over an edge at y = ``rim``, both paws on it."""
    head(pen, face)
    for s in (-1, 1):
        paw(pen, s * 62, rim, 24)


def sparkles(pen: Pen, spots: list[tuple[float, float, float]]) -> None:
    for x, y, r in spots:
        sparkle(pen, x, y, r)
