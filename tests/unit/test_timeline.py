"""The plan: whole frames, no drift, and keys that change exactly where the picture does."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid import config
from mangavid.errors import RenderError
from mangavid.models import Box, Page, Piece, Scene, SpokenScene, encode
from mangavid.video import timeline
from mangavid.video.timeline import SAMPLE_RATE
from tests.videos import SMALL, Made, chapter_of, narrated, planned, replace_text

PORTRAIT = (900, 1300)


@given(
    st.lists(st.integers(0, 9 * SAMPLE_RATE), min_size=1, max_size=6),
    st.sampled_from([24, 25, 30, 48, 50, 60]),
    st.floats(0, 1),
    st.floats(0, 3),
)
def test_segments_follow_each_other_and_voices_stay_in_theirs(
    samples: list[int], fps: int, crossfade: float, pause: float
) -> None:
    settings = config.Video(fps=fps, crossfade=crossfade, pause=pause)  # type: ignore[arg-type]
    base = planned(*[PORTRAIT] * len(samples))
    spoken = tuple(
        SpokenScene(index=n, key=f"{n}" if count else "", sha256="", samples=count, words=())
        for n, count in enumerate(samples)
    )
    made = base._replace(speech=msgspec.structs.replace(base.speech, scenes=spoken))
    plan = made.plan(settings)
    per_frame = SAMPLE_RATE // fps
    at, quiet_since = 0, 0
    for segment, count in zip(plan.segments, samples, strict=True):
        assert segment.first == at
        assert segment.frames * per_frame >= settings.min_panel * SAMPLE_RATE - per_frame
        assert 0 <= segment.fade <= segment.frames // 2
        if count:
            assert segment.first * per_frame <= segment.voice_at
            assert segment.voice_at + count <= (segment.first + segment.frames) * per_frame
            assert segment.voice_at >= quiet_since
            quiet_since = segment.voice_at + count + round(pause * SAMPLE_RATE)
        at += segment.frames
    assert plan.frames == at
    assert plan.samples == at * per_frame


def test_a_spoken_panel_is_shown_for_its_speech_and_the_pause_and_the_last_a_little_longer() -> None:
    plan = planned(PORTRAIT, PORTRAIT).plan(config.Video(min_panel=1.0, pause=0.5))
    assert [segment.frames for segment in plan.segments] == [30 + 15, 39 + 15 + 30]


def test_a_silent_scene_is_shown_for_as_long_as_it_says() -> None:
    base = planned(PORTRAIT, PORTRAIT, texts=["", "Nói."])
    scenes = (Scene(index=0, panel=0, text="", min_seconds=3.5), base.script.scenes[1])
    plan = base._replace(script=msgspec.structs.replace(base.script, scenes=scenes)).plan()
    assert plan.segments[0].frames == round(3.5 * 30)
    assert plan.segments[0].voice_key == "" and plan.segments[0].cues == ()


def test_the_voice_begins_in_the_middle_of_the_crossfade() -> None:
    plan = planned(PORTRAIT, PORTRAIT).plan(config.Video(crossfade=0.4))
    second = plan.segments[1]
    assert second.fade == 12
    assert second.voice_at == (second.first + 6) * 1600
    assert second.before == plan.segments[0].shown and second.before_from == plan.segments[0].frames


def test_without_crossfade_panels_are_cut_and_know_nothing_of_each_other() -> None:
    plan = planned(PORTRAIT, PORTRAIT).plan(config.Video(crossfade=0.0))
    assert all(segment.fade == 0 and segment.before is None for segment in plan.segments)


def test_motion_lasts_through_the_next_crossfade() -> None:
    plan = planned(PORTRAIT, PORTRAIT).plan(config.Video(crossfade=0.4))
    first, second = plan.segments
    assert first.shown.motion.frames >= second.before_from + second.fade - 1


def keys(made: Made, settings: config.Video = SMALL) -> list[str]:
    return [segment.key for segment in made.plan(settings).segments]


def test_the_same_inputs_give_the_same_keys_and_each_segment_its_own() -> None:
    base = planned(*[PORTRAIT] * 4)
    assert keys(base) == keys(planned(*[PORTRAIT] * 4))
    assert len(set(keys(base))) == 4


def test_a_changed_line_of_the_same_length_changes_its_own_segment_only() -> None:
    base = planned(*[PORTRAIT] * 4)
    other = keys(replace_text(base, 1, "Lời khác hẳn."))
    assert [a == b for a, b in zip(keys(base), other, strict=True)] == [True, False, True, True]


def test_a_longer_line_changes_its_segment_and_the_one_that_fades_from_it() -> None:
    base = planned(*[PORTRAIT] * 4)
    scenes = list(base.speech.scenes)
    scenes[1] = msgspec.structs.replace(scenes[1], samples=scenes[1].samples + SAMPLE_RATE)
    longer = base._replace(speech=msgspec.structs.replace(base.speech, scenes=tuple(scenes)))
    assert [a == b for a, b in zip(keys(base), keys(longer), strict=True)] == [True, False, False, True]
    cut = msgspec.structs.replace(SMALL, crossfade=0.0)
    assert [a == b for a, b in zip(keys(base, cut), keys(longer, cut), strict=True)] == [True, False, True, True]


def test_a_changed_page_changes_its_segment_and_the_one_that_fades_from_it() -> None:
    base = planned(*[PORTRAIT] * 4)
    pages = list(base.chapter.pages)
    pages[1] = msgspec.structs.replace(pages[1], sha256="f" * 64)
    other = base._replace(chapter=msgspec.structs.replace(base.chapter, pages=tuple(pages)))
    assert [a == b for a, b in zip(keys(base), keys(other), strict=True)] == [True, False, False, True]


def test_a_line_changes_nothing_where_captions_are_not_burned_in() -> None:
    bare = msgspec.structs.replace(SMALL, captions=False)
    base = planned(*[PORTRAIT] * 3)
    assert keys(base, bare) == keys(replace_text(base, 1, "Lời khác hẳn."), bare)


@pytest.mark.parametrize("change", [{"crf": 25}, {"fps": 25}, {"width": 642}, {"height": 362}, {"captions": False}])
def test_an_encoder_setting_changes_every_segment(change: dict[str, int]) -> None:
    base = planned(*[PORTRAIT] * 3)
    assert not set(keys(base)) & set(keys(base, msgspec.structs.replace(SMALL, **change)))


@pytest.mark.parametrize("change", [{"loudness": -20.0}, {"music": "auto"}, {"music_level": -30.0}])
def test_a_setting_of_the_sound_changes_no_segment(change: dict[str, object]) -> None:
    base = planned(*[PORTRAIT] * 3)
    assert keys(base) == keys(base, msgspec.structs.replace(SMALL, **change))


def test_a_page_put_in_front_leaves_the_pictures_of_the_others_alone() -> None:
    """Keys hold what a page contains, not its number; only motion may alternate differently."""
    base = planned(PORTRAIT, PORTRAIT)
    pages = [msgspec.structs.replace(page, index=page.index + 7) for page in base.chapter.pages]
    panels = [[Piece(page=page.index, box=Box(0, 0, *PORTRAIT))] for page in pages]
    moved = base._replace(chapter=chapter_of(pages, panels))
    assert keys(base) == keys(moved)


def test_a_segment_survives_the_way_to_an_encoder_as_json() -> None:
    for segment in planned((900, 1300), (3000, 500), (300, 3000)).plan().segments:
        assert msgspec.json.decode(encode(segment), type=timeline.Segment) == segment


def test_pieces_of_a_strip_are_one_panel_as_wide_as_the_widest() -> None:
    pages = [Page(index=n, name=f"{n}.png", key="", sha256=f"{n:064x}", width=800, height=1280) for n in range(2)]
    pieces = [Piece(page=0, box=Box(0, 1000, 800, 280)), Piece(page=1, box=Box(100, 0, 600, 300))]
    chapter = chapter_of(pages, [pieces], "ttb")
    script, speech = narrated(chapter, ["Lời."], [1.0])
    shown = Made(chapter, script, speech, {}, {}).plan().segments[0].shown
    assert (shown.width, shown.height) == (800, 580)
    assert shown.hashes == (pages[0].sha256, pages[1].sha256)


def broken(made: Made, what: str) -> Made:
    chapter, script, speech = made.chapter, made.script, made.speech
    if what == "panel":
        script = msgspec.structs.replace(script, scenes=(Scene(index=0, panel=9, text="x"),))
    elif what == "speech":
        speech = msgspec.structs.replace(speech, scenes=())
    elif what == "rate":
        speech = msgspec.structs.replace(speech, sample_rate=44_100)
    elif what == "scenes":
        script = msgspec.structs.replace(script, scenes=())
    elif what == "samples":
        speech = msgspec.structs.replace(speech, scenes=(msgspec.structs.replace(speech.scenes[0], samples=0),))
    else:
        chapter = chapter_of(chapter.pages, [[Piece(page=0, box=Box(0, 0, 9999, 10))]])
    return made._replace(chapter=chapter, script=script, speech=speech)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("panel", "scene 1 wants panel 10 of 1"),
        ("speech", "scene 1 has a text but no speech"),
        ("rate", "44100 samples a second"),
        ("scenes", "has no scenes"),
        ("samples", "0 samples"),
        ("box", "lies outside its page 0.png: 9999×10"),
    ],
)
def test_inputs_that_do_not_fit_together_are_named(what: str, says: str) -> None:
    with pytest.raises(RenderError, match=says):
        broken(planned(PORTRAIT), what).plan()
