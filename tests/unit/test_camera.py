"""The camera stays on the panel, moves smoothly, and always arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid import config
from mangavid.models import Direction
from mangavid.video import camera

VIDEO = config.Video()
sides = st.integers(1, 4000)
lengths = st.integers(24, 900)
directions = st.sampled_from(["rtl", "ltr", "ttb"])


def choose(
    width: int, height: int, *, frames: int = 150, index: int = 0, direction: Direction = "rtl"
) -> camera.Motion:
    return camera.choose(width, height, index=index, frames=frames, direction=direction, video=VIDEO)


@given(sides, sides, lengths, st.integers(0, 3), directions)
def test_nothing_beyond_a_panel_is_ever_in_view(
    width: int, height: int, frames: int, index: int, direction: Direction
) -> None:
    motion = choose(width, height, frames=frames, index=index, direction=direction)
    for frame in (0, frames // 2, frames):
        x, y, w, h = motion.place(frame)
        assert w > 0 and h > 0
        for start, length, room in ((x, w, VIDEO.width), (y, h, VIDEO.height)):
            inside = start >= -1e-6 and start + length <= room + 1e-6
            covering = start <= 1e-6 and start + length >= room - 1e-6
            assert inside or covering


@given(sides, sides, lengths, st.integers(0, 3))
def test_all_of_a_panned_panel_comes_into_view_at_a_whole_number_of_pixels_a_frame(
    width: int, height: int, frames: int, index: int
) -> None:
    motion = choose(width, height, frames=frames, index=index)
    if motion.kind != "pan":
        return
    assert abs(motion.dx) + abs(motion.dy) >= 1
    assert all(float(number).is_integer() for number in (*motion.place(0), motion.dx, motion.dy))
    assert motion.dw == motion.dh == 0
    first, last = motion.place(0), motion.place(frames)
    seen = [min(first.x, last.x), max(first.x + first.w, last.x + last.w)]
    assert seen[0] <= 0 or first.x == last.x
    if motion.dy:
        assert first.y == 0 and last.y + last.h == VIDEO.height
    else:
        assert {first.x, last.x} == {0, VIDEO.width - first.w}


@given(sides, sides, lengths, st.integers(0, 3))
def test_a_panel_is_enlarged_in_both_directions_alike_and_never_too_much(
    width: int, height: int, frames: int, index: int
) -> None:
    motion = choose(width, height, frames=frames, index=index)
    for place in (motion.place(0), motion.place(frames)):
        along, across = (place.h / height, place.w / width) if motion.dy else (place.w / width, place.h / height)
        assert along <= camera.MAX_ENLARGE + 1e-9
        # The side across a pan is rounded to even pixels, and is never nothing.
        side = width if motion.dy else height
        assert abs(across - along) * side <= 1 + 1e-6 or across * side == 2


def test_a_tall_panel_is_panned_downward() -> None:
    motion = choose(800, 3000)
    assert motion.kind == "pan" and motion.dy < 0 and motion.dx == 0


@pytest.mark.parametrize(("direction", "sign"), [("rtl", 1), ("ltr", -1)])
def test_a_wide_panel_is_panned_in_reading_direction(direction: Direction, sign: int) -> None:
    motion = choose(3000, 800, direction=direction)
    assert motion.kind == "pan" and motion.dy == 0
    assert motion.dx * sign > 0  # read from right to left, the picture moves to the right


def test_a_whole_page_shown_for_want_of_panels_is_panned_at_a_readable_size() -> None:
    for index in (0, 1):
        for frames in (60, 160, 900):
            motion = camera.choose(1440, 2048, index=index, frames=frames, direction="rtl", video=VIDEO, page=True)
            assert motion.kind == "pan"
            assert motion.w >= 0.5 * VIDEO.width


def test_zooms_go_in_and_out_by_turns_and_end_with_the_whole_panel_in_view() -> None:
    inward, outward = choose(1000, 700, index=0), choose(1000, 700, index=1)
    assert inward.kind == outward.kind == "zoom"
    assert inward.dw > 0 > outward.dw
    assert inward.place(150) == pytest.approx(outward.place(0))


def test_a_tiny_panel_stays_small_in_the_middle() -> None:
    place = choose(40, 30).place(0)
    assert place.w <= 160
    assert place.x + place.w / 2 == pytest.approx(960)


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1), (12000, 11000), (800, 30000)])
def test_extreme_panels_have_a_motion(size: tuple[int, int]) -> None:
    for frames in (30, 150, 1800):
        place = choose(*size, frames=frames).place(frames)
        assert place.w > 0 and place.h > 0


@given(sides, sides, lengths, st.integers(0, 3))
def test_motion_is_gentle(width: int, height: int, frames: int, index: int) -> None:
    motion = choose(width, height, frames=frames, index=index)
    seconds = frames / VIDEO.fps
    if motion.kind == "zoom":
        sizes = sorted((motion.place(0).w, motion.place(frames).w))
        assert sizes[1] / sizes[0] <= 1 + min(camera.ZOOM_MOST, camera.ZOOM_RATE * seconds) + 1e-9
    else:
        assert max(abs(motion.dx), abs(motion.dy)) * VIDEO.fps <= (camera.FAST + 0.02) * VIDEO.height
