"""The second half: the moon in the jar, the moon on a plate, and who bit the moon (pages 5 to 7)."""

from __future__ import annotations

import math
import random

import numpy as np

from sample import cat, marks, people, props
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
        props.grass(p, (k * 197 + seed * 31) % w, ground + 12 + (k * 53) % max(1, h - ground - 20), 18, 68)


def sulk(p: Pen, w: float, h: float) -> None:
    _yard(p, w, h, 540, 5)
    props.jar(p, 340, 360, 230, 300)
    props.banana(p, [(480, 130), (420, 60), (340, 30), (250, 70), (220, 130)], 40, 68)
    cat.sit(p.at(146, 446, 0.94), Face("tears", "sad", 0.3, ears=0.92), arms="hold")
    props.frog(p, 392, 708, 58, "at", flip=True)
    for k in range(6):
        p.line([(60 + 26 * k, 246 + 8 * (k % 2)), (60 + 26 * k, 306 + 14 * (k % 3))], 4, 221, taper=0.9)
    say(p, 180, 132, "Hu hu… trăng\nxa quá!", (190, 232), 35)


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
    with c.clip(smooth([(-60, 60), (-96, 130), (-100, 260), (100, 260), (96, 130), (60, 60)], closed=True)):
        c.spike((0, 70), (0, 240), 26, cat.STRIPE)
        for y in (120, 156, 192):
            for side in (-1, 1):
                c.spike((side * 110, y), (side * 36, y + 8), 18, cat.STRIPE)
    for x in (-98, 92):
        arm = limb([(x * 0.5, 96), (x * 1.05, 30), (x, -66)], [26, 24, 20])
        c.shape(arm, cat.FUR)
        cat.paw(c, x, -80, 23)
    c.line([(-54, 78), (0, 92), (54, 78)], 16, taper=0.1)
    cat.head(c, back=True)
    marks.surprise(c, 0, -92, 40, ink=255)
    say(p, 150, 664, "A! Trăng\nở đây!", (322, 632), 38)


def dunk(p: Pen, w: float, h: float) -> None:
    _yard(p, w, h, 600, 8)
    marks.focus(p, w, h, 262, 380, 250, 280, count=44, ink=238, seed=3)
    x, y = 262, 440
    props.jar(p, x, y, 300, 330)
    b = p.at(x, y - 150)
    with p.clip(box(0, 0, w, y), oval(x, y + 3, 135, 33)):
        cat.tail(b, [(16, 20), (60, -40), (30, -90), (66, -136)], 16)
        legs = [limb([(s * 42, 60), (s * 100, 6), (s * 128, -54)], [34, 24, 18]) for s in (-1, 1)]
        rump = smooth([(-84, 230), (-84, 80), (-56, 26), (0, 8), (56, 26), (84, 80), (84, 230)], closed=True)
        b.group([*legs, rump], cat.FUR)
        with b.clip(rump):
            for yy in (70, 104, 138):
                for side in (-1, 1):
                    b.spike((side * 96, yy), (side * 40, yy + 6), 17, cat.STRIPE)
        for side in (-1, 1):
            cat.paw(b, side * 130, -58, 22, 180 + side * 30)
    dice = random.Random(9)
    for k in range(15):
        a = math.radians(200 + 140 * k / 14)
        r = 190 + 60 * dice.random()
        if 4 <= k <= 10:
            continue
        marks.sweat(p, x + r * math.cos(a), y + r * math.sin(a), 9 + 9 * dice.random(), math.degrees(a) + 90)
    for x1, lean in ((120, -14), (404, 14)):
        for k in (-1, 0, 1):
            marks.sweat(p, x1 + 26 * k, 400 - 30 * (1 - abs(k)), 13, lean + 24 * k)
    props.frog(p, 424, 812, 72, "wide", flip=True)
    sound(p, 262, 118, "TÕM!", 132, -6, ink=255, edge=0, grow=0.3, seed=12)


def broken(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 17)
    px, py = p.place(280, 560)
    p.dots(box(0, 0, w, h), lambda xs, ys: 0.42 - (((xs - px) ** 2 + (ys - py) ** 2) ** 0.5) / 700, 136)
    props.ripples(p, 280, 570, 120, 56, 5, 204)
    for k, (shift, gap) in enumerate(((10, 0), (-34, 6), (26, -4), (-18, 8), (44, 0), (-30, -6), (22, 4), (-8, 0))):
        y = 508 + 29 * k
        half = 172 * math.sqrt(1 - ((k - 3.5) / 4.4) ** 2)
        cx = 280 + shift
        band = limb(
            [(cx - half, y + gap), (cx - half * 0.3, y - 4), (cx + half * 0.3, y + 4), (cx + half, y - gap)],
            [1, 7, 8, 1],
        )
        p.fill(band, 255)
        p.fill(oval(cx + shift * 1.6, y, half * 0.16, 5), 221)
        for side in (-1, 1):
            p.fill(oval(cx + side * (half + 26), y + side * gap, 9, 3), 238)
    p.shape(limb([(-60, 452), (130, 424), (280, 418), (430, 424), (w + 60, 452)], [26, 26, 26]), 153, 5)
    cat.peek(p.at(280, 326, 1.14), Face("shock", "wavy", blush=False, ears=0.15), rim=88)
    for x, y, a in ((212, 238, -16), (330, 232, 14), (280, 226, 0)):
        p.line([(x, y), (x + a * 0.3, y + 44)], 7, 255)
    for x, y, r in ((128, 250, 15), (440, 260, 17), (420, 340, 11)):
        marks.sweat(p, x, y, r, -10)
    shout(p, 290, 96, "Vỡ mất rồi!", (300, 190), 44, seed=5)


def comfort(p: Pen, w: float, h: float) -> None:
    _yard(p, w, h, 470, 11)
    place.house(p, 500, 40, 560, 206, tiles=20, rows=6)
    props.garland(p, (-20, 40), (474, 20), 56, 4, 26)
    props.jar(p, 110, 400, 150, 190)
    people.granny(p.at(716, 206, 0.88), Mood("happy", "laugh", -0.5), arms=((-150, 250), (76, 262)))
    n = p.at(930, 306, 0.82)
    props.star_lantern(n, 140, -40, 70, 10, (108, 130))
    people.na(n, Mood("happy", "smile", -0.5), arms=((-84, 186), (108, 118)))
    p.fill(smooth([(280, 604), (360, 592), (450, 606), (360, 618)], closed=True), 102)
    cat.sit(p.at(360, 436, 0.76), Face("tears", "sad", 0.7, ears=0.9), arms="hold")
    for x, y, r in ((262, 420, 10), (462, 404, 12), (280, 510, 9), (448, 516, 10)):
        marks.sweat(p, x, y, r)
    props.frog(p, 500, 606, 44, "at", flip=True)
    say(p, 380, 186, "Ha ha! Ra đây\nvới bà nào, Mướp!", (596, 236), 36)


def gift(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 238)
    marks.focus(p, w, h, 320, 590, 300, 290, count=96, ink=102, seed=6)
    p.fill(oval(320, 590, 300, 280), 255)
    glow = oval(320, 590, 300, 280, steps=80)
    p.dots(glow, lambda xs, ys: 0.3 * (np.hypot((xs - 320) / 300, (ys - 590) / 280) - 0.55), 102)
    f = p.at(320, 640, 1.1)
    for side in (-1, 1):
        f.shape(limb([(side * 380, 330), (side * 290, 200), (side * 224, 100)], [110, 92, 74]), 102, 6)
        f.line([(side * 196, 150), (side * 250, 136), (side * 296, 96)], 4)
    f.shape(oval(0, 30, 250, 96, steps=64), 204, 6)
    f.shape(oval(0, 20, 236, 84, steps=64), 255, 4)
    for k in range(16):
        a = 2 * math.pi * k / 16
        f.fill(oval(212 * math.cos(a), 22 + 70 * math.sin(a), 10, 6), 136)
    props.mooncake(f, 0, -60, 168, tilt=0.6)
    for side in (-1, 1):
        hand = f.at(side * 214, 80, 1, side * 26)
        hand.shape(smooth([(-48, -26), (0, -44), (46, -24), (54, 24), (10, 52), (-44, 34)], closed=True), 255, 5)
        for k in range(3):
            hand.line([(side * -34, -14 + 20 * k), (side * -4, -8 + 18 * k)], 3.6)
        hand.shape(limb([(side * 10, -20), (side * -26, -44), (side * -56, -54)], [20, 18, 14]), 255, 5)
    cat.sparkles(p, [(96, 420, 40), (548, 424, 34), (478, 346, 20), (76, 560, 18), (572, 590, 22), (196, 350, 16)])
    say(p, 330, 164, "Trăng của\ncháu đây!", (430, 320), 50)


def wonder(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 204)
    p.dots(box(0, 0, w, h), lambda xs, ys: 0.5 * (ys / h) ** 1.4 + 0 * xs, 119)
    for x, y, r in ((80, 250, 46), (380, 210, 60), (60, 800, 40), (400, 870, 52), (360, 330, 26), (110, 130, 24)):
        p.fill(oval(x, y, r, r), 238)
    cat.sit(
        p.at(230, 560, 1.48),
        Face("stars", "grin"),
        arms="hold",
        tail_points=[(50, 196), (96, 204), (118, 170), (106, 120)],
    )
    cat.sparkles(p, [(62, 330, 34), (404, 372, 28), (408, 740, 24), (52, 770, 22)])
    marks.heart(p, 60, 450, 20, 119, -14)
    marks.heart(p, 392, 270, 26, 119, 12)
    sound(p, 230, 130, "Ồ Ồ Ồ!", 96, -5, ink=255, edge=0, grow=0.2, seed=2)


def feast(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (150, 150, 96), stars=50, seed=61)
    place.clouds(p, 280, 236, 40, 85, 136)
    place.far_roofs(p, w, 420, 150, 68, seed=24)
    p.fill(box(0, 430, w, h), 136)
    props.garland(p, (380, -10), (1140, 20), 60, 6, 26)
    people.na(p.at(316, 270, 0.86), Mood("happy", "laugh", 0.5), arms=((-76, 190), (92, 160)), legs=False)
    people.granny(p.at(840, 246, 0.96), Mood("happy", "smile", -0.5), arms=((-96, 216), (96, 216)))
    bed = [(130, 470), (990, 470), (1080, 600), (40, 600)]
    p.shape([(40, 600), (1080, 600), (1080, 700), (40, 700)], 102, 4)
    p.shape(bed, 204, 4)
    with p.clip(bed):
        for k in range(5):
            y = 486 + k * 20 + k * k * 2
            p.line([(0, y), (w, y)], 3, 153, taper=0)
        for k in range(22):
            x = 140 + k * 41
            p.line([(x, 466), (560 + (x - 560) * 1.22, 604)], 2.6, 170, taper=0)
    p.line([(130, 470), (40, 600), (1080, 600), (990, 470)], 4, taper=0, curve=False)
    c = p.at(570, 388, 0.8)
    cat.sit(
        c, Face("happy", "grin"), arms="hold", tail_points=[(58, 196), (104, 206), (136, 176), (122, 130), (136, 100)]
    )
    props.slice_of_cake(p, 410, 404, 28)
    props.slice_of_cake(p, 744, 440, 32, flip=True)
    p.shape(oval(570, 584, 150, 32, steps=60), 255, 4)
    for x, flip in ((512, False), (628, True)):
        props.slice_of_cake(p, x, 562, 36, flip=flip)
    props.slice_of_cake(p, 572, 490, 26)
    props.frog(p, 250, 580, 56, "shut", flip=True)
    props.slice_of_cake(p, 318, 566, 18)
    say(p, 572, 156, "Mỗi người\nmột miếng trăng!", (740, 236), 36)


def munch(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 238)
    p.dots(box(0, 0, w, h), lambda xs, ys: 0.4 * (ys / h) ** 2 + 0 * xs, 153)
    cat.sit(p.at(235, 288, 1.3), Face("calm", "full"), arms="hold")
    props.slice_of_cake(p, 235, 452, 46)
    for x, y in ((60, 330), (406, 322), (420, 352), (44, 364)):
        p.line([(x, y), (x + 12, y + 14)], 4)
    marks.heart(p, 404, 190, 24, 136, 12)
    marks.heart(p, 442, 130, 15, 136, -8)
    sound(p, 240, 70, "MĂM MĂM", 62, -4, seed=6)


def bite(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (440, 170, 112), stars=40, seed=71)
    p.fill(oval(440, 170, 113, 113, steps=80), 51)
    place.the_moon(p, 440, 170, 112, bitten=True)
    place.far_roofs(p, w, 440, 130, 68, seed=27)
    n = p.at(180, 390, 0.9)
    people.na(n, Mood("wide", "o", 0.9), arms=((-70, 180), (140, 10)), legs=False)
    say(p, 170, 130, "Ơ! Ai cắn\ntrăng thế?", (180, 272), 38)


def innocent(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, stars=40, seed=81)
    place.far_roofs(p, w, 330, 150, 68, seed=29)
    p.fill(box(0, 330, w, h), 153)
    for k in range(4):
        p.line([(0, 334 + k * 40), (w, 334 + k * 40)], 3.4, taper=0)
    n = p.at(880, 240, 1.0)
    people.na(n, Mood("doubt", "small", -0.9), arms=((-96, 210), (96, 210)), legs=False)
    c = p.at(470, 250, 1.06)
    cat.sit(c, Face("side", "small", -0.8), tail_points=[(58, 196), (112, 204), (142, 160), (120, 110), (150, 70)])
    for dx, dy in ((-52, 60), (-8, 74), (24, 56), (40, 70)):
        c.shape(oval(dx, dy, 5, 4), 136, 2)
    marks.sweat(c, 86, -64, 16, 14)
    marks.note(p, 292, 250, 18, -10, 255)
    marks.note(p, 232, 180, 21, 10, 255)
    props.frog(p, 690, 446, 60, "at", flip=True)
    marks.anger(p, 1040, 120, 26, 255)
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
