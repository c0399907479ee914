"""The first half: the festival, the plan, the climb, the jump and the fall (pages 1 to 4)."""

from __future__ import annotations

import math

from sample import cat, marks, people, props
from sample import scenery as place
from sample.cat import Face
from sample.ink import Pen, box, limb, oval, smooth
from sample.layout import Page, Panel, at
from sample.lettering import cloud, say, shout, sound, think
from sample.people import Mood


def village(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (800, 270, 150), stars=70)
    place.clouds(p, 960, 390, 62)
    place.clouds(p, 600, 470, 40, 85, 119)
    p.fill(
        smooth(
            [
                (0, 620),
                (0, 560),
                (180, 500),
                (380, 560),
                (620, 510),
                (860, 570),
                (1040, 500),
                (w, 540),
                (w, 700),
                (0, 700),
            ]
        ),
        51,
    )
    place.far_roofs(p, w, 640, 150, 68, seed=3)
    place.house(p.at(-60, 560), 0, 0, 330, 120, tone=102, wall=119, tiles=14)
    place.house(p.at(820, 545), 0, 0, 380, 130, tone=102, wall=119, tiles=16)
    p.fill(smooth([(0, h), (0, 800), (250, 786), (560, 776), (860, 790), (w, 806), (w, h)]), 136)
    lane = [(470, 776), (640, 776), (880, h), (240, h)]
    p.fill(lane, 187)
    for y, a, b in ((800, 470, 640), (838, 450, 690), (886, 360, 560), (902, 600, 780)):
        p.line([(a, y), ((a + b) / 2, y + 5), (b, y)], 3, 136)
    props.garland(p, (-10, 486), (1130, 470), 84, 10, 27)
    girl = p.at(640, 750, 0.4)
    props.star_lantern(girl, 136, 10, 74, 10, (84, 190))
    people.na(girl, Mood("happy", "laugh", 0.3), arms=((-90, 150), (84, 150)), stride=0.8)
    cat.sit_back(p.at(360, 770, 0.56), tail_points=[(-20, 200), (-80, 216), (-128, 190), (-120, 146), (-142, 116)])
    props.banana(p, [(1180, 960), (1060, 850), (1000, 700), (1010, 590)], 52, 51, vein=0)
    props.banana(p, [(1200, 960), (1100, 900), (960, 850), (880, 880)], 46, 68)
    props.banana(p, [(-40, 960), (40, 860), (150, 800), (230, 830)], 44, 51)
    sound(p, 300, 130, "MƯỚP", 128, -4, ink=255, edge=0, seed=11)
    sound(p, 320, 280, "BẮT TRĂNG", 88, -4, ink=255, edge=0, seed=4)


def eyes(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 51)
    p.dots(box(0, 0, w, h), lambda xs, ys: 0.35 * (1 - ys / h) + 0 * xs, 119)
    big = p.at(w / 2, h * 0.62, 2.55)
    cat.head(big, Face("wide", "small"))
    for side in (-1, 1):
        e = big.at(side * 45, 4)
        place.the_moon(e, -3, -11, 14)
        e.fill(oval(9, 12, 5, 5.5), 255)
    say(p, 118, 86, "Ồ…!", (200, 190), 46)


def idea(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, stars=26, seed=8)
    p.fill(box(0, h - 150, w, h), 153)
    for k in range(5):
        y = h - 150 + k * 34 + k * k * 2
        p.line([(0, y), (w, y)], 3.4, taper=0)
    for x, y in ((120, 0), (420, 0), (260, 36), (60, 74), (480, 74), (330, 116)):
        p.line([(x, h - 150 + y), (x - 8, h - 116 + y)], 3.4, taper=0)
    p.shape(box(w - 74, -10, w - 26, h - 128), 119, 4)
    p.fill(box(w - 46, 0, w - 28, h - 130), 85)
    props.lantern(p, 66, 92, 40, -4)
    cat.sit(p.at(176, 430, 0.88), Face("stars", "open", 0.4))
    props.frog(p, 400, h - 44, 62, "up")
    cloud(p, 312, 142, 186, 112, (286, 352))
    place.the_moon(p, 224, 140, 54, line=3.4)
    for dy in (-11, 11):
        p.line([(304, 142 + dy), (340, 142 + dy)], 8, taper=0)
    props.mooncake(p, 412, 130, 56)


def _lane(p: Pen, w: float, h: float, ground: float) -> None:
    place.sky(p, w, h, stars=30, seed=12)
    place.far_roofs(p, w, ground - 60, 150, 68, seed=6)
    p.fill(box(0, ground, w, h), 170)
    p.fill(box(0, ground - 8, w, ground + 6), 102)


def _mouth_lantern(p: Pen) -> None:
    """A small lantern on a stick in the jaws of the running cat."""
    p.line([(10, 58), (-60, 44), (-150, 6)], 8, 51, taper=0.1)
    props.lantern(p, -150, 66, 40, 14)


def goodbye(p: Pen, w: float, h: float) -> None:
    _lane(p, w, h, 400)
    place.house(p, 400, 96, 330, 146, tiles=13)
    props.garland(p, (-20, 40), (386, 84), 40, 4, 24)
    girl = p.at(520, 226, 0.74)
    props.star_lantern(girl, 142, -40, 72, 12, (104, 134))
    people.na(girl, Mood("wide", "o", -0.6), arms=((-112, 96), (104, 122)), stride=0.7)
    c = p.at(180, 350, 0.62, 3)
    cat.run(c, Face("happy", "cat", -0.7))
    _mouth_lantern(c)
    for x, y, r in ((404, 474, 16), (430, 464, 11), (450, 474, 7)):
        p.shape(oval(x, y, r * 1.3, r), 238, 3)
    say(p, 270, 116, "Mướp ơi,\nđi đâu thế?", (428, 206), 35)


def dash(p: Pen, w: float, h: float) -> None:
    marks.speed(p, 0, 20, w, h - 20, count=46, ink=0, seed=5)
    p.fill(oval(170, 290, 190, 130), 255)
    c = p.at(190, 260, 0.94, -7)
    cat.run(c, Face("firm", "cat", -0.8))
    c.line([(-14, 62), (-70, 50), (-128, 16)], 7, 51, taper=0.1)
    props.lantern(c, -122, 66, 32, 18, glow=False)
    sound(p, 225, 78, "VÚT", 96, -9, grow=0.45, seed=2)
    sound(p, 262, 466, "VÚT", 54, -7, grow=0.3, seed=6)


def climb(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (120, 210, 92), stars=60, seed=3)
    place.clouds(p, 130, 520, 50, 85, 119)
    place.clouds(p, 390, 700, 36, 68, 102)
    place.far_roofs(p, w, 960, 110, 68, seed=9)
    p.fill(box(0, 960, w, h), 85)
    for k, (x, y) in enumerate(((60, 1010), (140, 1034), (380, 1020), (430, 1046))):
        props.lantern(p, x, y, 13 + k % 2 * 3)
    props.areca(p, 290, 250, h + 20, 27)
    cat.cling(p.at(290, 560, 0.92), Face("firm", "wavy"))
    marks.sweat(p, 406, 490, 17, 30)
    marks.sweat(p, 160, 486, 13, -30)
    think(p, 144, 888, "Cao ơi\nlà cao…", (152, 694), 36)
    sound(p, 392, 858, "SỘT", 54, 8, ink=255, edge=0, seed=7)
    sound(p, 388, 934, "SOẠT", 54, -5, ink=255, edge=0, seed=9)


def reach(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (190, 170, 118), stars=24, seed=21)
    arm = limb([(w + 30, h + 20), (520, 430), (420, 350), (352, 296)], [86, 74, 60, 46])
    p.shape(arm, cat.FUR, 6)
    with p.clip(arm):
        for x, y in ((470, 300), (540, 350), (610, 400)):
            p.spike((x - 10, y), (x - 30, y + 90), 34, cat.STRIPE)
    hand = p.at(330, 276, 1, -38)
    for x in (-44, 0, 44):
        hand.spike((x, -50), (x * 1.16, -104 + abs(x) * 0.2), 24, 0)
    hand.shape(
        smooth(
            [
                (-62, 20),
                (-70, -22),
                (-46, -58),
                (-20, -66),
                (0, -72),
                (22, -66),
                (48, -56),
                (70, -20),
                (62, 22),
                (0, 52),
            ],
            closed=True,
        ),
        255,
        6,
    )
    for x in (-44, 0, 44):
        hand.shape(oval(x, -44 - (8 if x == 0 else 0), 17, 20), 153, 3.4)
    hand.shape(smooth([(-30, 18), (-26, -8), (0, -18), (26, -8), (30, 18), (0, 28)], closed=True), 153, 3.4)
    say(p, 462, 112, "Một chút…\nnữa thôi…", (560, 232), 38)
    sound(p, 146, 440, "RƯỚN…", 66, -14, ink=255, edge=0, grow=0.3, seed=2)


def hop(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (510, 120, 74), stars=30, seed=31)
    props.areca(p, 600, 40, h, 24, tone=119)
    place.roof(p, 140, 392, 330, 130, tone=102, tiles=12, rows=4)
    for k in range(3):
        p.line([(540 - k * 12, 300 + k * 22), (470, 200 + k * 22), (380 + k * 8, 190 + k * 26)], 5, 221, taper=0.8)
    cat.leap(p.at(316, 196, 0.72, -12), Face("happy", "grin", -0.3))
    sound(p, 150, 92, "PHỐC!", 78, -10, ink=255, edge=0, grow=0.25, seed=5)


def splash(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (640, 640, 430), stars=90, seed=17)
    place.clouds(p, 200, 1010, 130, 102, 170)
    place.clouds(p, 1030, 900, 92, 85, 153)
    place.clouds(p, 980, 300, 60, 85, 136)
    place.far_roofs(p, w, 1430, 190, 68, seed=14)
    place.roof(p, 60, 1420, 1080, 480, tone=85, lit=187, tiles=20, rows=7, line=5)
    props.lantern(p, 318, 1244, 52, 4)
    p.line([(470, 1424), (456, 1300), (410, 1204), (318, 1174)], 10, 34, taper=0.1)
    cat.sit_back(p.at(610, 1172, 1.16), tail_points=[(30, 204), (110, 214), (160, 160), (140, 90), (176, 40)])
    props.frog(p, 920, 1424, 74, "up", flip=True)
    say(p, 250, 820, "Trăng ơi!\nLại đây\nvới mình nào!", (478, 1064), 46)


def ready(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (150, 130, 88), stars=40, seed=41)
    place.roof(p, -140, 380, 1400, 260, tone=102, tiles=30, rows=4, line=5)
    c = p.at(600, 200, 0.98)
    cat.crouch(c, Face("firm", "cat", -0.7))
    for k in range(3):
        p.line([(930 + 14 * k, 128 - 16 * k), (952 + 16 * k, 150 - 10 * k), (946 + 18 * k, 178 - 6 * k)], 5, 255)
    props.frog(p, 1010, 388, 60, "at", flip=True)
    for x, y, size, text in ((350, 72, 40, "1…"), (318, 186, 46, "2…")):
        say(p, x, y, text, (466, 176 + size), size)
    shout(p, 322, 322, "3!", (470, 300), 60)


def grab(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, (330, 376, 200), stars=0)
    marks.focus(p, w, h, 330, 360, 300, 280, count=80, ink=0, seed=4)
    marks.focus(p, w, h, 330, 360, 340, 320, count=40, ink=221, seed=9)
    place.the_moon(p, 330, 376, 200)
    cat.leap(p.at(330, 336, 0.98, 6), Face("stars", "open", -0.2, blush=True))
    sound(p, 372, 108, "HẤP!", 124, -7, grow=0.3, seed=8)


def fall(p: Pen, w: float, h: float) -> None:
    p.fill(box(0, 0, w, h), 238)
    side = p.at(w / 2, h / 2, 1, 90)
    marks.speed(side, -h / 2, -w / 2, h / 2, w / 2, count=80, seed=13, tail="left")
    p.fill(oval(270, 400, 190, 200), 238)
    cat.leap(p.at(276, 470, 0.84, 164), Face("shock", "shout", blush=False))
    props.lantern(p, 470, 250, 36, 130, glow=False)
    for x, y in ((70, 330), (400, 566), (96, 560)):
        marks.sweat(p, x, y, 15, 180)
    for k, (letter, x, y) in enumerate((("Á", 92, 96), ("Á", 196, 88), ("Á", 310, 96), ("…", 410, 108))):
        sound(p, x, y, letter, 108 - 14 * k, -8 + 6 * k, seed=k + 1)


def thud(p: Pen, w: float, h: float) -> None:
    place.sky(p, w, h, stars=40, seed=51)
    place.far_roofs(p, 700, 330, 150, 68, seed=22)
    place.house(p, 720, 60, 420, 140, tiles=15)
    p.fill(box(0, 350, w, h), 170)
    for x, y in ((60, 400), (200, 430), (880, 420), (1010, 390), (1070, 440)):
        props.grass(p, x, y, 22, 51)
    props.straw(p, 520, 446, 640, 310)
    marks.focus(p.at(0, 0), w, h, 520, 200, 440, 270, count=36, ink=255, seed=15)
    props.frog(p, 934, 440, 66, "wide", flip=True)
    cat.head(p.at(520, 170, 1.0, -8), Face("dizzy", "wavy", ears=0.1))
    for x, y, turn in ((424, 262, -20), (618, 268, 20)):
        cat.paw(p, x, y, 24, turn)
    for k, (dx, dy) in enumerate(((-60, 60), (-20, 96), (30, 90), (70, 66))):
        p.line([(520 + dx, 176 + dy), (530 + dx * 1.3, 220 + dy)], 6, (0, 136, 255, 85)[k])
    for k in range(4):
        a = math.radians(200 + 47 * k)
        marks.star(p, 520 + 175 * math.cos(a), 130 + 96 * math.sin(a), 19, 255, line=3, turn=-90 + 20 * k)
    props.lantern(p, 816, 404, 32, 60, glow=False)
    sound(p, 190, 130, "BỊCH!", 120, -9, ink=255, edge=0, grow=0.3, seed=10)


UP = (
    Page((at(40, 40, 1160, 980, village), at(610, 1000, 1160, 1660, eyes), at(40, 1000, 590, 1660, idea))),
    Page(
        (
            at(460, 40, 1160, 560, goodbye),
            at(40, 40, 440, 560, dash),
            at(680, 580, 1160, 1660, climb),
            at(40, 580, 660, 1090, reach),
            at(40, 1110, 660, 1660, hop),
        )
    ),
    Page((Panel(box(0, 0, 1200, 1700), splash, framed=False),)),
    Page(
        (
            at(40, 40, 1160, 480, ready),
            Panel([(570, 500), (1160, 500), (1160, 1180), (480, 1180)], grab),
            Panel([(40, 500), (548, 500), (458, 1180), (40, 1180)], fall),
            at(40, 1200, 1160, 1660, thud),
        )
    ),
)
