"""The second half: the moon in the jar, the moon on a plate, and who bit the moon (pages 5 to 7)."""

from __future__ import annotations

import math
import random

from sample import cat, marks, people
from sample import scenery as place
from sample.cat import Face
from sample.ink import Pen, arc, box, limb, oval, smooth
from sample.layout import Page, at
from sample.lettering import say, shout, sound, think
from sample.people import Mood


def _yard(p: Pen, w: float, h: float, ground: float, seed: int) -> None:
    place.sky(p, w, h, stars=30, seed=seed)
    place.far_roofs(p, w, ground - 40, 140, 68, seed=seed)
    p.fill(box(0, ground, w, h), 170)
    for k in range(6):
        place.grass(p, (k * 197 + seed * 31) % w, ground + 12 + (k * 53) % max(1, h - ground - 20), 18, 68)


def sulk(p: Pen, w: float, h: float) -> None:
    _yard(p, w, h, 540, 5)
    place.jar(p, 340, 360, 230, 300)
    place.banana(p, [(470, 60), (400, 20), (300, 40), (220, 120)], 44, 68)
    cat.sit(p.at(146, 440, 0.94), Face("tears", "sad", 0.3, ears=0.92), arms="hold")
    for k in range(6):
        p.line([(60 + 26 * k, 236 + 8 * (k % 2)), (60 + 26 * k, 300 + 14 * (k % 3))], 4, 221, taper=0.9)
    say(p, 180, 120, "Hu hu… trăng\nxa quá!", (160, 250), 35)


def well(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 170)
    dice = random.Random(3)
    for _ in range(70):
        x, y = dice.random() * w, dice.random() * h
        p.line([(x, y), (x + 16, y + 5 * dice.random())], 3, 119)
    cx, cy = 320, 330
    p.shape(oval(cx, cy, 292, 292, steps=96), 119, 6)
    p.shape(oval(cx, cy, 262, 262, steps=96), 153, 4)
    p.line(arc(cx, cy, 276, 276, 200, 290, 40), 9, 238, taper=0.7, curve=False)
    p.shape(oval(cx, cy, 236, 236, steps=96), 17, 5)
    water = oval(cx, cy, 232, 232, steps=96)
    with p.clip(water):
        px, py = p.place(cx - 40, cy - 60)
        p.dots(water, lambda xs, ys: 0.5 - (((xs - px) ** 2 + (ys - py) ** 2) ** 0.5) / 420, 153)
        place.the_moon(p, cx - 44, cy - 66, 116)
        for y, a, b in ((250, 380, 520), (296, 430, 540), (420, 120, 260), (212, 470, 520)):
            p.line([(a, y), ((a + b) / 2, y + 6), (b, y)], 4, 187)
        for k in range(9):
            sx, sy = cx + 190 * math.cos(k * 2.1), cy + 180 * math.sin(k * 2.1)
            p.fill(oval(sx, sy, 3, 3, steps=10), 221)
    c = p.at(430, 590, 1.02, -18)
    c.shape(smooth([(-60, 60), (-96, 130), (-100, 260), (100, 260), (96, 130), (60, 60)], closed=True), cat.FUR)
    for x in (-98, 92):
        arm = limb([(x * 0.5, 96), (x * 1.05, 30), (x, -66)], [26, 24, 20])
        c.shape(arm, cat.FUR)
        cat.paw(c, x, -80, 23)
    c.line([(-54, 78), (0, 92), (54, 78)], 16, taper=0.1)
    cat.head(c, back=True)
    marks.surprise(c, 0, -90, 44)
    say(p, 500, 96, "A! Trăng\nở đây!", (470, 430), 40)


def dunk(p: Pen, w: float, h: float) -> None:
    _yard(p, w, h, 600, 8)
    marks.focus(p, w, h, 262, 380, 250, 280, count=44, ink=238, seed=3)
    x, y = 262, 430
    place.jar(p, x, y, 300, 330)
    b = p.at(x, y - 150)
    cat.tail(b, [(16, 20), (60, -40), (30, -100), (70, -150)], 16)
    legs = [
        limb([(-40, 60), (-96, 0), (-116, -66)], [34, 24, 18]),
        limb([(44, 60), (104, 14), (142, -40)], [34, 24, 18]),
    ]
    rump = smooth([(-84, 170), (-84, 80), (-56, 26), (0, 8), (56, 26), (84, 80), (84, 170)], closed=True)
    b.group([*legs, rump], cat.FUR)
    with b.clip(rump):
        for yy in (70, 104, 138):
            for side in (-1, 1):
                b.spike((side * 96, yy), (side * 40, yy + 6), 17, cat.STRIPE)
    for px, py, a in ((-118, -72, -20), (148, -46, 40)):
        cat.paw(b, px, py, 22, 180 + a)
    lip = [*arc(x, y, 160, 46, 0, 180, 30), *arc(x, y + 4, 136, 30, 180, 0, 30)]
    p.shape(lip, 153, 4)
    dice = random.Random(9)
    for k in range(15):
        a = math.radians(200 + 140 * k / 14)
        r = 190 + 110 * dice.random()
        if 235 < 200 + 10 * k < 305 and r < 260:
            continue
        marks.sweat(p, x + r * math.cos(a), y + r * math.sin(a) * 0.9, 9 + 9 * dice.random(), math.degrees(a) + 90)
    sound(p, 262, 92, "TÕM!", 140, -6, ink=255, edge=0, grow=0.3, seed=12)


def broken(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 17)
    px, py = p.place(280, 560)
    p.dots(box(0, 0, w, h), lambda xs, ys: 0.42 - (((xs - px) ** 2 + (ys - py) ** 2) ** 0.5) / 700, 136)
    place.ripples(p, 280, 570, 120, 56, 5, 204)
    for x, y, rx, ry, a in (
        (180, 560, 66, 20, -12),
        (300, 520, 74, 18, 6),
        (396, 580, 58, 17, -8),
        (270, 604, 80, 22, 4),
        (150, 640, 44, 12, 8),
        (380, 656, 52, 13, -6),
        (270, 684, 46, 11, 0),
        (470, 530, 34, 10, 12),
        (100, 516, 36, 10, -14),
    ):
        shard = smooth(
            [
                (x - rx, y),
                (x - rx * 0.3, y - ry),
                (x + rx * 0.4, y - ry * 0.7),
                (x + rx, y + ry * 0.1),
                (x + rx * 0.2, y + ry),
                (x - rx * 0.5, y + ry * 0.7),
            ],
            closed=True,
        )
        p.at(0, 0).fill(shard, 255)
        p.fill(oval(x + rx * 0.2, y, rx * 0.22, ry * 0.34, a), 221)
    p.shape(limb([(-60, 452), (130, 424), (280, 418), (430, 424), (w + 60, 452)], [26, 26, 26]), 153, 5)
    cat.peek(p.at(280, 326, 1.14), Face("shock", "wavy", blush=False, ears=0.15), rim=88)
    for x, y, a in ((212, 238, -16), (330, 232, 14), (280, 226, 0)):
        p.line([(x, y), (x + a * 0.3, y + 44)], 7, 255)
    for x, y, r in ((128, 250, 15), (440, 260, 17), (420, 340, 11)):
        marks.sweat(p, x, y, r, -10)
    shout(p, 290, 96, "Vỡ mất rồi!", (300, 190), 44, seed=5)


def comfort(p: Pen, w: float, h: float) -> None:
    _yard(p, w, h, 480, 11)
    place.house(p, 500, 40, 560, 180, tiles=20, rows=6)
    place.garland(p, (-20, 60), (470, 40), 60, 4, 26)
    place.jar(p, 110, 400, 150, 190)
    g = p.at(690, 250, 1.04)
    people.granny(g, Mood("happy", "laugh", -0.5), arms=((-120, 250), (70, 250)))
    n = p.at(960, 300, 0.86)
    place.star_lantern(n, 118, -60, 66, 8, (104, 130))
    people.na(n, Mood("happy", "smile", -0.5), arms=((-80, 180), (104, 116)), legs=True)
    c = p.at(340, 440, 0.74)
    cat.sit(c, Face("tears", "sad", 0.7, ears=0.9), arms="hold")
    p.fill(smooth([(270, 604), (340, 596), (420, 606), (340, 614)], closed=True), 85)
    for x, y, r in ((252, 420, 10), (430, 410, 12), (270, 500, 9), (424, 520, 10)):
        marks.sweat(p, x, y, r)
    say(p, 410, 178, "Ha ha! Ra đây\nvới bà nào, Mướp!", (590, 270), 36)


def gift(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 238)
    marks.focus(p, w, h, 320, 560, 300, 290, count=96, ink=102, seed=6)
    p.fill(oval(320, 560, 300, 270), 255)
    p.dots(
        oval(320, 560, 300, 270, steps=80),
        lambda xs, ys: 0.28 * ((((xs - 320) / 300) ** 2 + ((ys - 560) / 270) ** 2) ** 0.5 - 0.55),
        102,
    )
    for side in (-1, 1):
        sleeve = limb([(320 + side * 360, 900), (320 + side * 280, 790), (320 + side * 224, 716)], [100, 84, 70])
        p.shape(sleeve, 102, 6)
    p.shape(oval(320, 650, 250, 96, steps=64), 204, 6)
    p.shape(oval(320, 640, 236, 84, steps=64), 255, 4)
    for k in range(16):
        a = 2 * math.pi * k / 16
        p.fill(oval(320 + 212 * math.cos(a), 642 + 70 * math.sin(a), 10, 6), 136)
    place.mooncake(p, 320, 560, 168, tilt=0.6)
    for side in (-1, 1):
        hand = p.at(320 + side * 214, 700, 1, side * 26)
        hand.shape(smooth([(-48, -26), (0, -44), (46, -24), (54, 24), (10, 52), (-44, 34)], closed=True), 255, 5)
        for k in range(3):
            hand.line([(side * -34, -14 + 20 * k), (side * -4, -8 + 18 * k)], 3.6)
        thumb = limb([(side * 10, -20), (side * -26, -44), (side * -56, -54)], [20, 18, 14])
        hand.shape(thumb, 255, 5)
    cat.sparkles(p, [(120, 400, 40), (540, 420, 34), (470, 340, 20), (92, 520, 18), (566, 560, 22), (200, 336, 16)])
    say(p, 320, 150, "Trăng của cháu đây!", (430, 262), 44)


def wonder(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 204)
    p.dots(box(0, 0, w, h), lambda xs, ys: 0.5 * (ys / h) ** 1.4 + 0 * xs, 119)
    for x, y, r in ((80, 250, 46), (380, 210, 60), (60, 800, 40), (400, 870, 52), (360, 330, 26), (110, 130, 24)):
        p.fill(oval(x, y, r, r), 238)
    cat.sit(p.at(230, 520, 1.28), Face("stars", "grin"), arms="hold")
    drool = smooth([(268, 606), (268, 606), (279, 632), (272, 652), (262, 646), (260, 628)], closed=True)
    p.shape(drool, 255, 3)
    cat.sparkles(p, [(70, 380, 34), (398, 400, 28), (410, 640, 24), (60, 640, 20)])
    marks.heart(p, 92, 486, 20, 119, -14)
    marks.heart(p, 384, 300, 24, 119, 12)
    sound(p, 230, 130, "Ồ Ồ Ồ!", 96, -5, ink=255, edge=0, grow=0.2, seed=2)


def feast(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (170, 150, 96), stars=50, seed=61)
    place.clouds(p, 300, 236, 40, 85, 136)
    place.far_roofs(p, w, 400, 150, 68, seed=24)
    p.fill(box(0, 410, w, h), 153)
    place.garland(p, (380, -10), (1140, 20), 60, 6, 26)
    n = p.at(330, 290, 0.84)
    people.na(n, Mood("happy", "laugh", 0.5), arms=((-76, 180), (92, 156)), legs=False)
    g = p.at(840, 250, 0.96)
    people.granny(g, Mood("happy", "smile", -0.5), arms=((-96, 216), (96, 216)))
    p.shape(smooth([(60, 560), (160, 480), (980, 480), (1080, 560), (1080, 620), (60, 620)]), 204, 4)
    for k in range(18):
        x = 120 + k * 54
        p.line([(x, 486), (x + (x - 570) * 0.12, 600)], 3, 136, taper=0)
    c = p.at(580, 400, 0.78)
    cat.sit(
        c, Face("happy", "grin"), arms="hold", tail_points=[(58, 196), (100, 204), (126, 170), (112, 130), (126, 104)]
    )
    place.slice_of_cake(p, 418, 418, 28)
    place.slice_of_cake(p, 746, 452, 28, flip=True)
    p.shape(oval(580, 590, 150, 36, steps=60), 255, 4)
    for x, flip in ((520, False), (640, True)):
        place.slice_of_cake(p, x, 570, 36, flip=flip)
    place.slice_of_cake(p, 582, 496, 26)
    say(p, 590, 170, "Mỗi người\nmột miếng trăng!", (730, 250), 36)


def munch(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 238)
    p.dots(box(0, 0, w, h), lambda xs, ys: 0.4 * (ys / h) ** 2 + 0 * xs, 153)
    cat.sit(p.at(235, 270, 1.3), Face("calm", "full"), arms="hold")
    place.slice_of_cake(p, 235, 440, 46)
    for x, y in ((60, 330), (406, 322), (420, 352), (44, 364)):
        p.line([(x, y), (x + 12, y + 14)], 4)
    marks.heart(p, 404, 190, 24, 136, 12)
    marks.heart(p, 442, 130, 15, 136, -8)
    sound(p, 240, 78, "NHĂM NHĂM", 58, -4, seed=6)


def bite(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (400, 170, 112), stars=40, seed=71)
    p.fill(oval(400, 170, 113, 113, steps=80), 51)
    place.the_moon(p, 400, 170, 112, bitten=True)
    place.far_roofs(p, w, 440, 130, 68, seed=27)
    n = p.at(180, 390, 0.9)
    people.na(n, Mood("wide", "o", 0.9), arms=((-70, 180), (140, 10)), legs=False)
    marks.surprise(p, 180, 290, 36, -10)
    say(p, 170, 130, "Ơ! Ai cắn\ntrăng thế?", (180, 272), 38)


def innocent(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, stars=40, seed=81)
    place.far_roofs(p, w, 330, 150, 68, seed=29)
    p.fill(box(0, 330, w, h), 153)
    for k in range(4):
        p.line([(0, 334 + k * 40), (w, 334 + k * 40)], 3.4, taper=0)
    n = p.at(880, 240, 1.0)
    people.na(n, Mood("open", "small", -0.9), arms=((-96, 210), (96, 210)), legs=False)
    c = p.at(470, 250, 1.06)
    cat.sit(c, Face("side", "small", -0.8), tail_points=[(58, 196), (112, 204), (142, 160), (120, 110), (150, 70)])
    for dx, dy in ((-52, 60), (-8, 74), (24, 56), (40, 70)):
        c.shape(oval(dx, dy, 5, 4), 136, 2)
    marks.sweat(c, 86, -64, 16, 14)
    marks.note(p, 300, 250, 17, -10)
    marks.note(p, 244, 180, 20, 10)
    think(p, 700, 100, "…", (790, 190), 44)
    sound(p, 150, 400, "HẾT", 64, -5, ink=255, edge=0, seed=3)


DOWN = (
    Page(
        (
            at(700, 40, 1160, 800, sulk),
            at(40, 40, 680, 800, well),
            at(640, 820, 1160, 1660, dunk),
            at(40, 820, 620, 1660, broken),
        )
    ),
    Page((at(40, 40, 1160, 680, comfort), at(520, 700, 1160, 1660, gift), at(40, 700, 500, 1660, wonder))),
    Page(
        (
            at(40, 40, 1160, 660, feast),
            at(680, 680, 1160, 1180, munch),
            at(40, 680, 660, 1180, bite),
            at(40, 1200, 1160, 1660, innocent),
        )
    ),
)
