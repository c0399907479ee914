"""What is in the frames: colours, smooth motion, crossfades, captions, extreme panels."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from mangavid import config
from mangavid.errors import RenderError
from mangavid.models import Box, Page, Piece
from mangavid.video import frames, lettering, pictures
from mangavid.video.timeline import Segment
from tests.videos import SMALL, Made, chapter_of, drawing, made, narrated

Frame = NDArray[np.uint8]
BARE = msgspec.structs.replace(SMALL, captions=False)


def drawn(segment: Segment, pages: dict[int, Path], settings: config.Video = BARE) -> list[Frame]:
    return [buffer.copy() for buffer in frames.draw(segment, settings, pictures.Pages(pages))]


def first(tmp_path: Path, image: Frame, settings: config.Video = BARE, seconds: float = 1.0) -> list[Frame]:
    chapter = made(tmp_path, [image], seconds=seconds)
    return drawn(chapter.plan(settings).segments[0], chapter.pages, settings)


def planes(frame: Frame, settings: config.Video = BARE) -> tuple[Frame, Frame, Frame]:
    height, width = settings.height, settings.width
    flat = frame.reshape(-1)
    y, u, v = np.split(flat, [width * height, width * height * 5 // 4])
    half = (height // 2, width // 2)
    return y.reshape(height, width), u.reshape(half), v.reshape(half)


@pytest.mark.parametrize(
    ("bgr", "yuv"),
    [
        # BT.709 limited range, by the formulas of the standard.
        ((0, 0, 255), (63, 102, 240)),
        ((0, 255, 0), (173, 42, 26)),
        ((255, 0, 0), (32, 240, 118)),
        ((255, 255, 255), (235, 128, 128)),
        ((0, 0, 0), (16, 128, 128)),
        ((40, 90, 200), (110, 95, 178)),
    ],
)
@pytest.mark.parametrize("shape", [(500, 700), (900, 300), (200, 900)])
def test_a_panel_keeps_its_colour(
    tmp_path: Path, bgr: tuple[int, int, int], yuv: tuple[int, int, int], shape: tuple[int, int]
) -> None:
    for frame in first(tmp_path, np.full((*shape, 3), bgr, np.uint8))[::17]:
        centre = [plane[plane.shape[0] // 2, plane.shape[1] // 2] for plane in planes(frame)]
        assert np.abs(np.subtract(centre, yuv, dtype=int)).max() <= 1, centre


def test_a_grey_scan_stored_in_colour_is_drawn_as_grey(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-2, 3, (400, 500, 3))
    image = np.clip(np.repeat(drawing(500, 400)[:, :, None], 3, axis=2) + noise, 0, 255).astype(np.uint8)
    for frame in first(tmp_path, image)[::20]:
        _, u, v = planes(frame)
        assert (u == 128).all() and (v == 128).all()


def test_luma_stays_within_limited_range(tmp_path: Path) -> None:
    y, _, _ = planes(first(tmp_path, drawing(500, 400))[5])
    assert y.min() >= 16 and y.max() <= 235


def steps(sequence: list[Frame], area: tuple[slice, slice]) -> NDArray[np.float64]:
    """How far the picture moves from frame to frame (x, y), by phase correlation of an area."""
    window = cv2.createHanningWindow((area[1].stop - area[1].start, area[0].stop - area[0].start), cv2.CV_32F)
    moved = []
    for one, two in itertools.pairwise(sequence):
        a, b = (planes(frame)[0][area].astype(np.float32) for frame in (one, two))
        moved.append(cv2.phaseCorrelate(a, b, window)[0])
    return np.asarray(moved)


@pytest.mark.parametrize("colour", [False, True])
def test_a_zoom_moves_without_jitter(tmp_path: Path, colour: bool) -> None:
    chapter = made(tmp_path, [drawing(1000, 640, colour=colour)], seconds=3.0)
    segment = chapter.plan(BARE).segments[0]
    motion = segment.shown.motion
    assert motion.kind == "zoom"
    sequence = drawn(segment, chapter.pages)
    for x, y in ((170, 80), (330, 180)):
        area = (slice(y, y + 96), slice(x, x + 96))
        seen = steps(sequence, area)
        # A point at distance d from the zoom's centre moves by d times the growth of one frame.
        centre = np.array([x + 48 - 320, y + 48 - 180])
        growth = np.array([motion.dw / motion.place(k).w for k in range(len(seen))])
        error = seen - growth[:, None] * centre
        assert math.sqrt(float((error**2).sum(axis=1).mean())) < 0.15


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("size", [(400, 1400), (2400, 500)])
def test_a_pan_moves_the_same_whole_pixels_every_frame(tmp_path: Path, colour: bool, size: tuple[int, int]) -> None:
    chapter = made(tmp_path, [drawing(*size, colour=colour)], seconds=2.0)
    segment = chapter.plan(BARE).segments[0]
    motion = segment.shown.motion
    assert motion.kind == "pan"
    sequence = [planes(frame) for frame in drawn(segment, chapter.pages)]
    dx, dy = int(motion.dx), int(motion.dy)
    area = (slice(100, 260), slice(270, 370))
    for (one, *_), (two, *_) in itertools.pairwise(sequence):
        moved = two[area[0].start + dy : area[0].stop + dy, area[1].start + dx : area[1].stop + dx]
        assert np.array_equal(one[area], moved)
    if colour:  # chroma moves along: two frames are a whole number of its samples
        for (_, *one), (_, *two) in zip(sequence[:-2:2], sequence[2::2], strict=False):
            for a, b in zip(one, two, strict=True):
                assert np.array_equal(a[50:120, 140:180], b[50 + dy : 120 + dy, 140 + dx : 180 + dx])


def test_chroma_of_a_pan_stays_with_its_luma_at_odd_offsets(tmp_path: Path) -> None:
    """Horizontal red and white stripes: where luma says red, chroma has to as well."""
    image = np.full((1400, 400, 3), 255, np.uint8)
    for top in range(0, 1400, 80):
        image[top : top + 40] = (0, 0, 255)
    chapter = made(tmp_path, [image], seconds=2.0)
    segment = chapter.plan(BARE).segments[0]
    assert segment.shown.motion.dy % 2 or segment.shown.motion.dx == 0
    for frame in drawn(segment, chapter.pages)[:6]:
        y, _, v = planes(frame)
        column_y, column_v = y[:, 320].astype(int), v[:, 160].astype(int)
        pairs = column_y.reshape(-1, 2).mean(axis=1)
        red = (235 - pairs) / (235 - 63)
        assert np.abs(column_v - (128 + red * 112)).max() <= 14


def test_a_crossfade_goes_evenly_from_the_panel_before_to_this_one(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(BARE, crossfade=0.4)
    chapter = made(tmp_path, [np.full((360, 640), 0, np.uint8), np.full((360, 640), 255, np.uint8)])
    segment = chapter.plan(settings).segments[1]
    levels = [int(planes(frame)[0][180, 320]) for frame in drawn(segment, chapter.pages, settings)]
    assert segment.fade == 12
    expected = [16 + (235 - 16) * (k + 1) / 13 for k in range(12)]
    assert np.abs(np.subtract(levels[:12], expected)).max() <= 2
    assert set(levels[12:]) == {235}


def test_a_crossfade_from_colour_to_grey_leaves_no_colour_behind(tmp_path: Path) -> None:
    chapter = made(tmp_path, [np.full((400, 600, 3), (0, 0, 255), np.uint8), drawing(500, 420)])
    segment = chapter.plan(BARE).segments[1]
    sequence = drawn(segment, chapter.pages)
    assert planes(sequence[0])[2].max() > 150
    for frame in sequence[segment.fade :]:
        assert (planes(frame)[1] == 128).all() and (planes(frame)[2] == 128).all()


def test_the_panel_before_goes_on_moving_into_the_crossfade(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(BARE, crossfade=0.4)
    chapter = made(tmp_path, [drawing(400, 1400), np.full((360, 640), 128, np.uint8)], seconds=2.0)
    one, two = chapter.plan(settings).segments
    last = planes(drawn(one, chapter.pages, settings)[-1])[0].astype(int)
    faded = planes(drawn(two, chapter.pages, settings)[0])[0].astype(int)
    step = int(-one.shown.motion.dy)
    before = last[100 + step : 300 + step, 280:360]  # where the panel will have moved to
    assert np.corrcoef(before.ravel(), faded[100:300, 280:360].ravel())[0, 1] > 0.99


def test_frames_do_not_depend_on_those_drawn_before(tmp_path: Path) -> None:
    """A zoom draws over its last frame: nothing of that may be left."""
    chapter = made(tmp_path, [drawing(500, 420), drawing(500, 420, seed=2)])
    for segment in chapter.plan(BARE).segments:
        sequence = drawn(segment, chapter.pages)
        settings, pages = BARE, pictures.Pages(chapter.pages)
        for number in (segment.fade, len(sequence) - 1):
            canvas = frames.Canvas(settings.width, settings.height)
            frames.Drawing(segment.shown, settings, pages).draw(canvas, number)
            assert np.array_equal(canvas.buffer, sequence[number])


def test_captions_are_burned_on_their_frames_only(tmp_path: Path) -> None:
    chapter = made(tmp_path, [drawing(500, 420)], texts=["Nghiêng mình nhìn trăng."], seconds=1.0)
    segment = chapter.plan(SMALL).segments[0]
    with_text = drawn(segment, chapter.pages, SMALL)
    without = drawn(segment, chapter.pages, msgspec.structs.replace(SMALL, captions=False))
    (cue,) = segment.cues
    patch = lettering.caption(cue.lines, SMALL.width, SMALL.height)
    inside = (slice(patch.y, patch.y + patch.height), slice(patch.x, patch.x + patch.width))
    for number, (one, other) in enumerate(zip(with_text, without, strict=True)):
        a, b = planes(one)[0].astype(int), planes(other)[0].astype(int)
        shown = cue.first <= number < cue.first + cue.frames
        assert bool(np.abs(a[inside] - b[inside]).max() > 60) == shown
        a[inside] = b[inside]
        assert np.array_equal(a, b)


def test_captions_are_neutral_over_colour(tmp_path: Path) -> None:
    chapter = made(tmp_path, [np.full((400, 600, 3), (0, 0, 255), np.uint8)], texts=["MMMM"], seconds=1.0)
    segment = chapter.plan(SMALL).segments[0]
    y, _, v = planes(drawn(segment, chapter.pages, SMALL)[segment.cues[0].first])
    assert v[y[::2, ::2] > 230].mean() < 150  # white letters
    assert v[100, 160] == 240


@pytest.mark.parametrize(
    "size", [(1, 3000), (3000, 1), (1, 1), (2, 2), (30, 20), (3, 900), (800, 9000), (5000, 4000), (641, 359)]
)
@pytest.mark.parametrize("colour", [False, True])
def test_panels_of_any_shape_are_drawn(tmp_path: Path, size: tuple[int, int], colour: bool) -> None:
    chance = np.random.default_rng(3)
    image = chance.integers(0, 256, (size[1], size[0], 3), np.uint8)
    image = image if colour else image[:, :, 0].copy()
    sequence = first(tmp_path, image)
    assert all(frame.shape == (540, 640) for frame in sequence)
    assert planes(sequence[0])[0].std() > 0 or size[0] * size[1] == 1


@pytest.mark.parametrize(("width", "height"), [(360, 640), (642, 362), (320, 242)])
def test_frames_of_any_even_size_are_drawn(tmp_path: Path, width: int, height: int) -> None:
    settings = msgspec.structs.replace(SMALL, width=width, height=height)
    for image in (drawing(300, 900, colour=True), drawing(900, 300)):
        sequence = first(tmp_path, image, settings)
        assert all(frame.size == width * height * 3 // 2 for frame in sequence)


def test_a_panel_cut_by_a_strips_slices_is_put_together(tmp_path: Path) -> None:
    whole = drawing(640, 400, seed=5)
    for n, part in enumerate((whole[:150], whole[150:])):
        cv2.imwrite(str(tmp_path / f"slice{n}.png"), part)
    pages = [
        Page(index=n, name=f"slice{n}.png", key="", sha256=f"{n}", width=640, height=h)
        for n, h in enumerate((150, 250))
    ]
    pieces = [Piece(page=0, box=Box(0, 0, 640, 150)), Piece(page=1, box=Box(0, 0, 640, 250))]
    chapter = chapter_of(pages, [pieces], "ttb")
    script, speech = narrated(chapter, ["Lời."], [1.0])
    files = {n: tmp_path / f"slice{n}.png" for n in range(2)}
    joined = Made(chapter, script, speech, files, {})
    (tmp_path / "whole").mkdir()
    one = made(tmp_path / "whole", [whole], texts=["Lời."])
    for a, b in zip(
        drawn(joined.plan(BARE).segments[0], files), drawn(one.plan(BARE).segments[0], one.pages), strict=True
    ):
        assert np.array_equal(a, b)


def test_a_panel_of_a_30000_pixel_strip_is_drawn(tmp_path: Path) -> None:
    strip = np.full((30_000, 800), 250, np.uint8)
    strip[20_000:20_600] = drawing(800, 600)
    cv2.imwrite(str(tmp_path / "strip.png"), strip)
    page = Page(index=0, name="strip.png", key="", sha256="s", width=800, height=30_000)
    chapter = chapter_of([page], [[Piece(page=0, box=Box(0, 20_000, 800, 600))]], "ttb")
    script, speech = narrated(chapter, ["Lời."], [1.0])
    strip_made = Made(chapter, script, speech, {0: tmp_path / "strip.png"}, {})
    (tmp_path / "alone").mkdir()
    alone = made(tmp_path / "alone", [drawing(800, 600)], texts=["Lời."])
    ours = drawn(strip_made.plan(BARE).segments[0], strip_made.pages)
    assert np.array_equal(ours[9], drawn(alone.plan(BARE).segments[0], alone.pages)[9])


@pytest.mark.parametrize("name", ["page.jpg", "page.webp", "page.png"])
def test_pages_are_read_in_every_format_that_intake_lets_in(tmp_path: Path, name: str) -> None:
    image = drawing(300, 400, colour=True)
    cv2.imwrite(str(tmp_path / name), image)
    panel = pictures.Pages({0: tmp_path / name}).panel((Piece(page=0, box=Box(10, 20, 200, 300)),))
    assert panel.shape == (300, 200, 3)
    assert np.abs(panel.astype(int) - image[20:320, 10:210]).mean() < 12


@pytest.mark.parametrize("content", [b"", b"not a picture", None])
def test_a_page_that_is_no_picture_is_named(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "trang 1.png"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RenderError, match=r"page 1 \(trang 1.png\)"):
        pictures.Pages({0: file}).panel((Piece(page=0, box=Box(0, 0, 1, 1)),))


def test_few_pages_are_kept_decoded(tmp_path: Path) -> None:
    side = math.isqrt(pictures.CACHE_BYTES // 5 * 2)
    for n in range(4):
        cv2.imwrite(str(tmp_path / f"{n}.png"), np.zeros((side, side), np.uint8))
    pages = pictures.Pages({n: tmp_path / f"{n}.png" for n in range(4)})
    for n in range(4):
        pages.panel((Piece(page=n, box=Box(0, 0, 5, 5)),))
        (tmp_path / f"{n}.png").unlink()
    pages.panel((Piece(page=2, box=Box(0, 0, 5, 5)), Piece(page=3, box=Box(0, 0, 5, 5))))
    with pytest.raises(RenderError):
        pages.panel((Piece(page=0, box=Box(0, 0, 5, 5)),))
