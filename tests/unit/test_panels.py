"""Panels of pages drawn here: each layout is one way panels are laid out, and a way to get them wrong."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from PIL import Image, ImageDraw, ImageFilter

from mangavid.errors import BadImage
from mangavid.models import Box, Direction
from mangavid.panels import PageImage, looks_like_strip, split
from tests.drawn import Rect, art, encoded, page_of, png

SIZE = (830, 1170)
GRID: list[Rect] = [(430, 40, 350, 340), (50, 40, 350, 340), (430, 410, 350, 340), (50, 410, 350, 340)]
GRID += [(430, 780, 350, 340), (50, 780, 350, 340)]
IRREGULAR: list[Rect] = [(50, 40, 730, 260), (520, 330, 260, 500), (50, 330, 440, 230), (50, 590, 440, 240)]
IRREGULAR += [(50, 860, 730, 270)]
PINWHEEL: list[Rect] = [(50, 40, 450, 330), (530, 40, 250, 660), (50, 400, 250, 720), (330, 730, 450, 390)]
PINWHEEL += [(330, 400, 170, 300)]


def page(image: Image.Image, index: int = 0) -> PageImage:
    return PageImage(index, image.width, image.height, png(image))


def boxes(image: Image.Image, direction: Direction = "rtl") -> list[Box]:
    panels = split([page(image)], direction)
    assert [panel.index for panel in panels] == list(range(len(panels)))
    return [panel.pieces[0].box for panel in panels]


def assert_found(found: list[Box], expected: list[Rect], slack: int = 9) -> None:
    assert len(found) == len(expected), found
    for box, (x, y, w, h) in zip(found, expected, strict=True):
        apart = (abs(box.x - x), abs(box.y - y), abs(box.right - x - w), abs(box.bottom - y - h))
        assert max(apart) <= slack, (box, (x, y, w, h))


def mirrored(rects: list[Rect]) -> list[Rect]:
    return [(SIZE[0] - x - w, y, w, h) for x, y, w, h in rects]


@pytest.mark.parametrize("gutter", [255, 0, 200])
def test_a_grid_is_read_from_the_right_whatever_the_gutters_colour(gutter: int) -> None:
    assert_found(boxes(page_of(GRID, gutter=gutter, frame=255 if gutter == 0 else 0)), GRID)


def test_a_grid_is_read_from_the_left_where_that_is_the_direction() -> None:
    assert_found(boxes(page_of(mirrored(GRID)), "ltr"), mirrored(GRID))


def test_an_irregular_page_keeps_its_columns_together() -> None:
    assert_found(boxes(page_of(IRREGULAR)), IRREGULAR)


def test_panels_that_no_straight_cut_parts_are_still_found() -> None:
    found = boxes(page_of(PINWHEEL))
    assert_found(sorted(found, key=lambda box: (box.x, box.y)), sorted(PINWHEEL))


def test_panels_that_bleed_off_the_page_reach_its_edge() -> None:
    bleed: list[Rect] = [(0, 0, 830, 400), (430, 430, 400, 740), (0, 430, 400, 740)]
    assert_found(boxes(page_of(bleed)), bleed)


def test_a_balloon_over_a_gutter_does_not_join_its_panels() -> None:
    image = page_of(GRID)
    ImageDraw.Draw(image).ellipse((560, 330, 660, 470), fill=255, outline=0, width=4)
    assert_found(boxes(image), GRID)


def test_figures_over_every_gutter_of_a_page_do_not_join_its_panels() -> None:
    image = page_of(GRID)
    draw = ImageDraw.Draw(image)
    for x, y in ((200, 395), (600, 395), (200, 765), (600, 765), (415, 200), (415, 580), (415, 950)):
        draw.ellipse((x - 35, y - 60, x + 35, y + 60), fill=90, outline=0, width=3)
    assert_found(boxes(image), GRID)


def test_slanted_gutters_are_found() -> None:
    image = Image.new("L", SIZE, 255)
    draw = ImageDraw.Draw(image)
    draw.polygon(((50, 40), (780, 40), (780, 330), (50, 430)), fill=235, outline=0, width=4)
    draw.polygon(((50, 460), (780, 360), (780, 1120), (50, 1120)), fill=235, outline=0, width=4)
    art(draw, (60, 60, 700, 250), 1)
    art(draw, (60, 480, 700, 600), 2)
    assert_found(boxes(image), [(50, 40, 730, 390), (50, 360, 730, 760)])


def test_a_page_scanned_askew_still_has_its_panels() -> None:
    image = page_of(GRID).rotate(0.7, fillcolor=255, resample=Image.Resampling.BICUBIC)
    assert_found(boxes(image), GRID, slack=20)


def test_a_drawing_without_a_frame_is_one_panel_beside_the_framed_ones() -> None:
    image = page_of([(50, 40, 730, 640)])
    draw = ImageDraw.Draw(image)
    for x, y, r in ((150, 950, 60), (290, 930, 50), (420, 980, 70), (560, 940, 60), (690, 960, 50)):
        draw.ellipse((x - r, y - r, x + r, y + r), fill=100)
    found = boxes(image)
    assert len(found) == 2
    assert found[1].x <= 100 and found[1].right >= 730


def test_noise_and_specks_in_the_gutters_do_not_matter() -> None:
    image = page_of(GRID)
    chance = random.Random(5)
    for _ in range(300):
        image.putpixel((chance.randrange(830), chance.randrange(1170)), 0)
    data = encoded(image.filter(ImageFilter.GaussianBlur(0.7)), "JPEG", quality=40)
    panels = split([PageImage(0, *SIZE, data)], "rtl")
    assert_found([panel.pieces[0].box for panel in panels], GRID)


def test_page_numbers_are_no_panels() -> None:
    image = page_of(GRID)
    ImageDraw.Draw(image).text((405, 1140), "127", fill=0)
    assert_found(boxes(image), GRID)


@pytest.mark.parametrize("grey", [255, 0, 128])
def test_a_blank_page_is_one_whole_panel_that_is_not_sure(grey: int) -> None:
    (panel,) = split([page(Image.new("L", SIZE, grey))], "rtl")
    assert (panel.pieces[0].box, panel.confidence) == (Box(0, 0, *SIZE), 0.0)


def test_a_page_of_noise_is_one_whole_panel_that_is_not_sure() -> None:
    noise = Image.effect_noise(SIZE, 120)
    (panel,) = split([page(noise)], "rtl")
    assert (panel.pieces[0].box, panel.confidence) == (Box(0, 0, *SIZE), 0.0)


def test_a_full_page_drawing_is_one_panel() -> None:
    assert len(boxes(page_of([(0, 0, *SIZE)]))) == 1


def test_a_page_of_text_is_not_cut_into_lines() -> None:
    image = Image.new("L", SIZE, 255)
    draw = ImageDraw.Draw(image)
    for row in range(40):
        draw.text((80, 60 + 26 * row), "Thank you all for reading, dear friends " * 2, fill=0)
    assert len(boxes(image)) == 1


def test_large_and_tiny_pages_give_boxes_in_their_own_pixels() -> None:
    large = page_of(GRID).resize((3320, 4680))
    assert_found(boxes(large), [(4 * x, 4 * y, 4 * w, 4 * h) for x, y, w, h in GRID], slack=30)  # type: ignore[misc]
    assert boxes(Image.new("L", (16, 16), 90)) == [Box(0, 0, 16, 16)]


def test_panels_are_counted_through_the_chapter_and_name_their_page() -> None:
    panels = split([page(page_of(GRID), 0), page(page_of(IRREGULAR), 1)], "rtl")
    assert [panel.index for panel in panels] == list(range(11))
    assert [panel.page for panel in panels] == [0] * 6 + [1] * 5


def test_no_pages_have_no_panels() -> None:
    assert split([], "rtl") == ()
    assert not looks_like_strip([])


def test_bytes_that_do_not_decode_name_the_page() -> None:
    with pytest.raises(BadImage, match="page 3"):
        split([PageImage(2, 100, 100, b"\x89PNG\r\n\x1a\nbroken")], "rtl")


# --- strips ---------------------------------------------------------------------------------------------------------


def strip_of(panels: list[Rect], size: tuple[int, int], gap: int, cuts: list[int]) -> list[PageImage]:
    """A strip cut into slices at the given heights."""
    image = page_of(panels, size=size, gutter=gap, frame=255 if gap == 0 else 0)
    ends = [*cuts, size[1]]
    slices = [image.crop((0, a, size[0], b)) for a, b in zip([0, *cuts], ends, strict=True)]
    return [page(piece, i) for i, piece in enumerate(slices)]


def in_strip(pages: list[PageImage]) -> list[Box]:
    tops = [sum(p.height for p in pages[:i]) for i in range(len(pages))]
    found = []
    for panel in split(pages, "ttb"):
        first, last = panel.pieces[0], panel.pieces[-1]
        top = tops[first.page] + first.box.y
        found.append(Box(first.box.x, top, first.box.w, tops[last.page] + last.box.bottom - top))
    return found


STRIP: list[Rect] = [(0, 100, 800, 700), (60, 950, 680, 900), (0, 2100, 800, 1500), (60, 3800, 680, 400)]


@pytest.mark.parametrize("gap", [255, 0, 90])
def test_slices_that_cut_through_panels_are_put_together_again(gap: int) -> None:
    pages = strip_of(STRIP, (800, 4400), gap, [500, 1300, 2500, 3300, 4000])
    assert_found(in_strip(pages), STRIP, slack=12)
    pieces = [piece for panel in split(pages, "ttb") for piece in panel.pieces]
    assert len(pieces) > len(STRIP)
    for one, two in pairwise(pieces):
        assert one.page < two.page or one.box.bottom <= two.box.y


def test_every_piece_lies_within_its_slice() -> None:
    pages = strip_of(STRIP, (800, 4400), 255, [1, 333, 2000, 4399])
    for panel in split(pages, "ttb"):
        for piece in panel.pieces:
            assert piece.box.w >= 1 and piece.box.h >= 1
            assert piece.box.right <= 800 and piece.box.bottom <= pages[piece.page].height


def test_a_balloon_in_a_gap_joins_the_nearer_panel() -> None:
    image = page_of(STRIP, size=(800, 4400))
    ImageDraw.Draw(image).ellipse((350, 1870, 480, 1930), fill=255, outline=0, width=4)
    assert len(split([page(image)], "ttb")) == len(STRIP)


def test_a_very_tall_panel_is_cut_at_quiet_rows() -> None:
    image = Image.new("L", (400, 4000), 255)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 399, 3999), outline=0, width=4)
    for top in range(100, 3900, 200):
        art(draw, (0, top, 400, 150), top)
    panels = split([page(image)], "ttb")
    assert len(panels) == 4
    assert all(sum(piece.box.h for piece in panel.pieces) <= 3.6 * 400 for panel in panels)
    assert sum(piece.box.h for panel in panels for piece in panel.pieces) == 4000


def test_an_empty_strip_is_one_panel() -> None:
    panels = split([page(Image.new("L", (400, 900), 255), i) for i in range(3)], "ttb")
    assert len(panels) == 1
    assert len(panels[0].pieces) == 3
    assert panels[0].confidence == 0.0


def test_narrower_slices_keep_to_their_own_width() -> None:
    wide = strip_of(STRIP[:1], (800, 900), 255, [])
    narrow = strip_of([(0, 60, 400, 500)], (400, 700), 255, [])
    panels = split([*wide, PageImage(1, 400, 700, narrow[0].data)], "ttb")
    assert panels[-1].pieces[-1].box.right <= 400


def test_slices_that_go_on_into_each_other_look_like_a_strip() -> None:
    assert looks_like_strip(strip_of(STRIP, (800, 4400), 255, [1280, 2560, 3840]))


def test_tall_pages_look_like_a_strip() -> None:
    assert looks_like_strip([page(page_of([(10, 10, 300, 900)], size=(320, 960)))])


def test_manga_pages_do_not_look_like_a_strip_even_where_they_bleed() -> None:
    bleed = [page(page_of([(0, 0, *SIZE)], seed=i), i) for i in range(6)]
    grids = [page(page_of(GRID, seed=i), i) for i in range(6)]
    assert not looks_like_strip(bleed)
    assert not looks_like_strip(grids)
    assert not looks_like_strip(grids[:1])
