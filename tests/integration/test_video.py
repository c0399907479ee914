"""From plan to finished files: joins on the grid, sound in step, and a check that finds what is off."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import msgspec
import numpy as np
import pytest
from PIL import Image

from mangavid.errors import RenderError
from mangavid.models import encode
from mangavid.video import captions, check, encoder, metadata, mux, pictures, sound, thumbnail
from mangavid.video.timeline import Timeline
from tests.videos import RATE, SMALL, Made, drawing, made, write_wav


class Rendered(NamedTuple):
    chapter: Made
    plan: Timeline
    segments: list[Path]
    soundtrack: Path
    measured: sound.Measured
    video: Path


def render(folder: Path, chapter: Made, plan: Timeline) -> Rendered:
    pages = pictures.Pages(chapter.pages)
    segments = []
    for segment in plan.segments:
        segments.append(folder / f"{segment.key}.mp4")
        encoder.encode_segment(segment, SMALL, pages, segments[-1], lambda frames: None)
    measured = sound.make_soundtrack(plan, chapter.voices, SMALL, folder / "sound.m4a")
    mux.mux(plan, segments, folder / "sound.m4a", folder / "video.mp4")
    return Rendered(chapter, plan, segments, folder / "sound.m4a", measured, folder / "video.mp4")


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Five white and black panels by turns, each with a click where its voice begins: sight and sound can be told."""
    folder = tmp_path_factory.mktemp("rendered")
    shades = [np.full((360, 640), shade, np.uint8) for shade in (250, 90, 250, 90, 250)]
    chapter = made(folder, shades, seconds=1.3)
    for path in chapter.voices.values():
        click = np.zeros(round(1.3 * RATE), np.int16)
        click[: RATE // 8] = (np.sin(np.arange(RATE // 8) * 0.2) * 20000).astype(np.int16)
        click[RATE // 2 :] = (np.sin(np.arange(len(click) - RATE // 2) * 0.1) * 4000).astype(np.int16)
        write_wav(path, click)
    return render(folder, chapter, chapter.plan())


def test_frames_of_all_segments_are_on_one_even_grid(rendered: Rendered) -> None:
    with av.open(str(rendered.video)) as file:
        stream = file.streams.video[0]
        times = sorted(packet.pts for packet in file.demux(stream) if packet.pts is not None)
        assert stream.time_base == Fraction(1, 15360)
        assert times == [512 * n for n in range(rendered.plan.frames)]


def test_picture_and_sound_last_exactly_as_long(rendered: Rendered) -> None:
    with av.open(str(rendered.video)) as file:
        lengths = []
        for stream in file.streams:
            assert stream.duration is not None and stream.time_base is not None
            lengths.append(stream.duration * stream.time_base)
        assert lengths[0] == Fraction(rendered.plan.frames, 30)
        assert abs(lengths[1] - lengths[0]) < Fraction(1, 1000)


def test_every_voice_begins_where_its_panel_has_come_halfway(rendered: Rendered) -> None:
    with av.open(str(rendered.video)) as file:
        levels = [float(frame.to_ndarray(format="gray").mean()) for frame in file.decode(video=0)]
    with av.open(str(rendered.video)) as file:
        track = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    for segment in rendered.plan.segments:
        start = segment.voice_at
        before, after = np.abs(track[start - 900 : start - 200]), np.abs(track[start + 200 : start + 900])
        if start > 900:
            assert before.max() < 0.02
        assert after.max() > 0.1
        if segment.fade:
            old, new = levels[segment.first - 1], levels[segment.first + segment.fade]
            halfway = levels[start * 30 // RATE]
            assert min(old, new) + 0.25 * abs(new - old) < halfway < max(old, new) - 0.25 * abs(new - old)


def test_the_index_comes_first_and_the_title_is_inside(rendered: Rendered) -> None:
    data = rendered.video.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    with av.open(str(rendered.video)) as file:
        assert file.metadata["title"] == "Đêm trăng"
        assert [stream.type for stream in file.streams] == ["video", "audio"]


def test_the_same_parts_make_the_same_bytes(rendered: Rendered, tmp_path: Path) -> None:
    again = tmp_path / "again.mp4"
    mux.mux(rendered.plan, rendered.segments, rendered.soundtrack, again)
    assert again.read_bytes() == rendered.video.read_bytes()
    assert [file.name for file in tmp_path.iterdir()] == ["again.mp4"]


def test_picture_and_sound_are_interleaved(rendered: Rendered) -> None:
    with av.open(str(rendered.video)) as file:
        kinds = [(packet.stream.type, packet.pos) for packet in file.demux() if packet.dts is not None]
    order = [kind for kind, _ in sorted(kinds, key=lambda one: one[1] or 0)]
    assert "audio" in order[: len(order) // 4] and "video" in order[-len(order) // 4 :]


def test_a_segment_of_other_settings_or_length_is_refused_by_name(rendered: Rendered, tmp_path: Path) -> None:
    out = tmp_path / "x.mp4"
    other = msgspec.structs.replace(SMALL, width=480)
    pages = pictures.Pages(rendered.chapter.pages)
    plan = rendered.chapter.plan(other)
    encoder.encode_segment(plan.segments[1], other, pages, tmp_path / "wide.mp4", lambda frames: None)
    wrong = [rendered.segments[0], tmp_path / "wide.mp4", *rendered.segments[2:]]
    with pytest.raises(RenderError, match=r"segment 2 \(wide.mp4\) was encoded with other settings"):
        mux.mux(rendered.plan, wrong, rendered.soundtrack, out)
    with pytest.raises(RenderError, match=r"segment 1 .* frames, planned were"):
        mux.mux(rendered.plan, rendered.segments[::-1], rendered.soundtrack, out)
    with pytest.raises(RenderError, match="4 segment files for 5 segments"):
        mux.mux(rendered.plan, rendered.segments[1:], rendered.soundtrack, out)
    (tmp_path / "cut.mp4").write_bytes(rendered.segments[0].read_bytes()[:2000])
    with pytest.raises(RenderError, match="the video could not be made"):
        mux.mux(rendered.plan, [tmp_path / "cut.mp4", *rendered.segments[1:]], rendered.soundtrack, out)
    assert not out.exists()


# --- the check ------------------------------------------------------------------------------------------------------


def test_a_good_video_passes(rendered: Rendered) -> None:
    check.check(rendered.video, rendered.plan, SMALL, rendered.measured)


def shorter(plan: Timeline) -> Timeline:
    return msgspec.structs.replace(plan, segments=plan.segments[:-1])


@pytest.mark.parametrize(
    ("plan", "settings", "measured", "says"),
    [
        (shorter, {}, {}, "frames, planned were"),
        (None, {"width": 1920}, {}, "the picture is h264 640×360 yuv420p, not h264 1920×360 yuv420p"),
        (None, {}, {"lufs": -16.5}, "its loudness is -16.5 LUFS, wanted are -14"),
        (None, {}, {"true_peak": -0.2}, "its true peak is -0.2 dBTP"),
        (None, {}, {"lufs": -70.0}, "nothing can be heard"),
        (None, {"music": "auto"}, {"silences": ((3.0, 6.5),)}, r"silent from 3.0 s to 6.5 s"),
    ],
)
def test_what_is_off_is_named(
    rendered: Rendered,
    plan: Callable[[Timeline], Timeline] | None,
    settings: dict[str, object],
    measured: dict[str, object],
    says: str,
) -> None:
    with pytest.raises(RenderError, match=says):
        check.check(
            rendered.video,
            plan(rendered.plan) if plan else rendered.plan,
            msgspec.structs.replace(SMALL, **settings),
            msgspec.structs.replace(rendered.measured, **measured),
        )


def test_a_planned_silence_passes_and_one_over_a_voice_does_not(tmp_path: Path) -> None:
    chapter = made(tmp_path, [drawing(90, 90)] * 2, texts=["Một câu dài.", ""], seconds=5.0)
    plan = chapter.plan(msgspec.structs.replace(SMALL, min_panel=6.0))
    fine = sound.Measured(lufs=-14.0, true_peak=-2.0, silences=((5.2, 12.0),))
    check.check_sound(plan, SMALL, fine)
    with pytest.raises(RenderError, match=r"silent from 0\.5 s to 4\.5 s"):
        check.check_sound(plan, SMALL, msgspec.structs.replace(fine, silences=((0.5, 4.5),)))


def test_a_black_picture_is_found_unless_the_panel_is_black(tmp_path: Path) -> None:
    chapter = made(tmp_path, [np.zeros((360, 640), np.uint8)] * 2)
    result = render(tmp_path, chapter, chapter.plan(msgspec.structs.replace(SMALL, captions=False)))
    for segment, file in zip(result.plan.segments, result.segments, strict=True):
        check.look(file, segment, pictures.Pages(chapter.pages))
    for file in chapter.pages.values():  # as if the panels had been white all along
        Image.fromarray(np.full((360, 640), 255, np.uint8)).save(file)
    for segment, file in zip(result.plan.segments, result.segments, strict=True):
        with pytest.raises(RenderError, match=f"the picture of segment {segment.index + 1} is black"):
            check.look(file, segment, pictures.Pages(chapter.pages))


def test_a_segment_that_does_not_begin_with_a_keyframe_is_found(rendered: Rendered) -> None:
    first, *rest = rendered.plan.segments
    moved = [msgspec.structs.replace(segment, first=segment.first + 1) for segment in rest]
    plan = msgspec.structs.replace(rendered.plan, segments=(first, *moved))
    with pytest.raises(RenderError, match=r"there is no keyframe at 1\.5 s, where a segment begins"):
        check.check(rendered.video, plan, SMALL, rendered.measured)


def test_a_truncated_video_is_refused(rendered: Rendered, tmp_path: Path) -> None:
    data = rendered.video.read_bytes()
    for length in (0, 100, len(data) // 2):
        (tmp_path / "cut.mp4").write_bytes(data[:length])
        with pytest.raises(RenderError):
            check.check(tmp_path / "cut.mp4", rendered.plan, SMALL, rendered.measured)


# --- the files beside it --------------------------------------------------------------------------------------------


def test_the_metadata_is_ready_to_upload(rendered: Rendered) -> None:
    chapter = rendered.chapter
    document = metadata.make_metadata(
        chapter.chapter, chapter.script, rendered.plan, rendered.measured, voice="vi", files={"video": "video.mp4"}
    )
    data = json.loads(encode(document))
    assert data["status"] == {
        "privacyStatus": "private", "selfDeclaredMadeForKids": False, "containsSyntheticMedia": False,
    }  # fmt: skip
    assert data["snippet"]["title"] == "Đêm trăng" and data["snippet"]["defaultLanguage"] == "vi"
    assert data["seconds"] == pytest.approx(rendered.plan.frames / 30)
    assert data["lufs"] == rendered.measured.lufs and data["files"] == {"video": "video.mp4"}


@pytest.mark.parametrize("title", ["Đêm trăng: Ngã rẽ định mệnh", "Ẩ" * 300, "", "😀 <script> ♪", "từ " * 80])
@pytest.mark.parametrize("size", [(900, 1300), (1600, 700), (60, 40), (300, 4000)])
def test_a_thumbnail_is_a_1280_by_720_jpeg_below_2_mb(tmp_path: Path, title: str, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    chapter = made(tmp_path, [noise])
    data = thumbnail.make_thumbnail(chapter.chapter, title, chapter.pages)
    assert len(data) < thumbnail.MOST_BYTES
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (1280, 720), "RGB")


def test_the_thumbnail_shows_the_panel_with_something_in_it(tmp_path: Path) -> None:
    blank, full = np.full((900, 700), 250, np.uint8), drawing(700, 900, seed=4)
    full[:450] = 10
    chapter = made(tmp_path, [blank, full, blank, blank])
    data = thumbnail.make_thumbnail(chapter.chapter, "", chapter.pages)
    with Image.open(io.BytesIO(data)) as image:
        middle = np.asarray(image.convert("L"))[60:660, 500:780]
    assert middle.std() > 50


def test_a_title_changes_the_thumbnail_and_undrawable_characters_do_not(tmp_path: Path) -> None:
    chapter = made(tmp_path, [drawing(700, 900)])
    bare, titled, emoji = (
        thumbnail.make_thumbnail(chapter.chapter, title, chapter.pages) for title in ("", "Trăng", "Trăng 😀")
    )
    assert bare != titled == emoji


def test_the_srt_names_every_line_of_the_script_once(rendered: Rendered) -> None:
    text = captions.srt(rendered.plan)
    for scene in rendered.chapter.script.scenes:
        assert text.count(scene.text) == 1
