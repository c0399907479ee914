"""Reading order from boxes alone."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.models import Box, Direction
from mangavid.panels.order import reading_order

GRID = [Box(410, 10, 390, 280), Box(10, 10, 390, 280), Box(410, 300, 390, 280), Box(10, 300, 390, 280)]
"""Two rows of two, as manga reads them."""


def shuffled_order(boxes: list[Box], direction: Direction) -> list[Box]:
    mixed = boxes[:]
    random.Random(3).shuffle(mixed)
    return [mixed[i] for i in reading_order(mixed, direction)]


def mirrored(boxes: list[Box], width: int = 1000) -> list[Box]:
    return [Box(width - b.right, b.y, b.w, b.h) for b in boxes]


LAYOUTS = {
    "rows": GRID,
    "a tall panel on the right of two": [Box(410, 0, 390, 600), Box(0, 0, 400, 290), Box(0, 310, 400, 290)],
    "a tall panel on the left of two": [Box(410, 0, 390, 290), Box(410, 310, 390, 290), Box(0, 0, 400, 600)],
    "rows whose frames overlap a little": [Box(0, 0, 800, 310), Box(410, 290, 390, 300), Box(0, 290, 420, 310)],
    "columns of different heights": [
        Box(500, 0, 300, 400),
        Box(500, 410, 300, 590),
        Box(0, 0, 490, 200),
        Box(0, 210, 490, 390),
        Box(0, 610, 490, 390),
    ],
    "slanted frames that bite": [Box(0, 0, 800, 330), Box(380, 270, 420, 330), Box(0, 280, 430, 320)],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_manga_reads_rows_from_the_top_and_each_from_the_right(layout: str) -> None:
    assert shuffled_order(LAYOUTS[layout], "rtl") == LAYOUTS[layout]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_left_to_right_is_the_mirror_of_it(layout: str) -> None:
    boxes = mirrored(LAYOUTS[layout])
    assert shuffled_order(boxes, "ltr") == boxes


def test_boxes_that_no_cut_divides_are_read_from_the_top_then_from_the_right() -> None:
    pinwheel = [Box(300, 0, 300, 600), Box(0, 100, 500, 600), Box(350, 300, 500, 500)]
    assert shuffled_order(pinwheel, "rtl") == pinwheel


BOXES = st.lists(
    st.builds(Box, st.integers(0, 900), st.integers(0, 900), st.integers(1, 500), st.integers(1, 500)), max_size=9
)


@given(BOXES, st.sampled_from(["rtl", "ltr", "ttb"]))
def test_every_box_is_read_once(boxes: list[Box], direction: Direction) -> None:
    assert sorted(reading_order(boxes, direction)) == list(range(len(boxes)))
