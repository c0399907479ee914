"""Captions: nothing lost, nothing overlapping, everything readable and drawable."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.models import Word
from mangavid.video import captions, lettering, timeline
from mangavid.video.captions import LINE
from tests.videos import planned, words_of

#: Every Vietnamese letter: vowels with each tone mark, and đ.
VIETNAMESE = (
    "".join(
        unicodedata.normalize("NFC", vowel + tone)
        for vowel in "aăâeêioôơuưyAĂÂEÊIOÔƠUƯY"
        for tone in ("", "\u0300", "\u0301", "\u0309", "\u0303", "\u0323")
    )
    + "đĐ"
)

texts = st.lists(
    st.text(st.sampled_from("aăâbcđeêghiklmnoôơpqrstuưvxyắằẵặ.,!?…–“”123"), min_size=1, max_size=12)
    | st.sampled_from(["Trường", "nghiêng!", "và", "rồi.", "khuya…", "a" * 60]),
    min_size=1,
    max_size=60,
)


def spoken(parts: list[str], pace: list[float]) -> list[Word]:
    words, clock = [], 0.0
    for n, part in enumerate(parts):
        length = pace[n % len(pace)]
        words.append(Word(part, clock, clock + 0.8 * length))
        clock += length
    return words


@given(texts, st.lists(st.floats(0.0, 2.0), min_size=1, max_size=5))
def test_no_word_is_lost_or_moved(parts: list[str], pace: list[float]) -> None:
    groups = captions.group(spoken(parts, pace), lettering.drawable)
    shown = "".join(" ".join(line for group in groups for line in group.lines).split())
    assert shown == unicodedata.normalize("NFC", "".join(parts))


@given(texts, st.lists(st.floats(0.0, 2.0), min_size=1, max_size=5))
def test_cues_are_at_most_two_lines_of_42_characters(parts: list[str], pace: list[float]) -> None:
    for group in captions.group(spoken(parts, pace), lettering.drawable):
        assert 1 <= len(group.lines) <= 2
        assert all(1 <= len(line) <= LINE for line in group.lines)


@given(texts, st.lists(st.floats(0.0, 2.0), min_size=1, max_size=5), st.sampled_from([24, 30, 60]))
def test_cues_are_in_order_never_overlap_and_stay_in_their_segment(
    parts: list[str], pace: list[float], fps: int
) -> None:
    words = spoken(parts, pace)
    groups = captions.group(words, lettering.drawable)
    until = max(3 + int((words[-1].end + 0.2) * fps), 3 + len(groups))
    last = 0
    for cue in captions.place(groups, at=3, until=until, fps=fps):
        assert cue.first >= last and cue.frames >= 1
        last = cue.first + cue.frames
    assert last <= until


def lines_of(text: str, seconds: float) -> list[tuple[str, ...]]:
    return [group.lines for group in captions.group(words_of(text, seconds), lettering.drawable)]


def test_a_sentence_too_long_for_one_cue_is_broken_where_a_phrase_begins() -> None:
    lines = lines_of("Một ngày nọ, cậu bé mồ côi tỉnh dậy giữa khu rừng tối và nghe tiếng gọi lạ lùng từ phía xa.", 7)
    assert [group[0].split()[0] for group in lines] == ["Một", "và"]


def test_sentences_get_cues_of_their_own_and_no_word_stands_alone() -> None:
    text = "Hắn cười nham hiểm trước mặt mọi người. Cô gái hoảng hốt hét lên một tiếng. Chẳng còn ai nghe thấy cô nữa."
    lines = lines_of(text, 8)
    assert len(lines) == 3
    assert all(len(" ".join(group).split()) > 1 for group in lines)


def test_the_gap_between_cues_is_closed_and_a_long_pause_is_not() -> None:
    times = ((0.0, 1.5), (2.0, 3.5), (6.0, 7.0))
    groups = [captions.Group(("Câu.",), start, end) for start, end in times]
    cues = captions.place(groups, at=0, until=240, fps=30)
    assert cues[0].first + cues[0].frames == cues[1].first == 60
    assert cues[1].first + cues[1].frames == round((3.5 + captions.LINGER) * 30)


def test_every_vietnamese_letter_has_a_glyph() -> None:
    assert [letter for letter in VIETNAMESE if not lettering.drawable(letter)] == []
    assert all(lettering.drawable(mark) for mark in "“”‘’…–—!?.,:;()‹›~·0123456789")


def test_composed_and_decomposed_text_are_drawn_equal() -> None:
    text = "Đừng hòng thoát, đồ ngốc! Nữ hoàng Ẩn dật ỡ ậ ặ"
    composed, apart = (unicodedata.normalize(form, text) for form in ("NFC", "NFD"))
    assert composed != apart
    one, other = (lettering.caption([line], 1280, 720) for line in (composed, apart))
    assert np.array_equal(one.add, other.add) and np.array_equal(one.keep, other.keep)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ồ 😀 vui", "Ồ vui"),
        ("♪ La la ♪", "La la"),
        ("漢字 và chữ", "và chữ"),
        ("ＡＢＣ！", "ABC!"),
        ("<i>nghiêng</i> {\\an8}", "‹i›nghiêng‹/i› (\\an8)"),
        ("đảo\u202engược\u200b", "đảongược"),
        ("một\u00a0hai\tba\nbốn", "một hai ba bốn"),
        ("☠️", ""),
    ],
)
def test_what_the_font_lacks_never_shows_as_a_box(text: str, shown: str) -> None:
    assert captions.clean(text, lettering.drawable) == shown


@given(st.text(max_size=60))
def test_clean_text_is_composed_drawable_and_clean_again(text: str) -> None:
    shown = captions.clean(text, lettering.drawable)
    assert captions.clean(shown, lettering.drawable) == shown
    assert all(lettering.drawable(ch) for ch in shown)
    assert not set(shown) & set("<>{}\n\r\t")


def test_a_word_of_nothing_but_emoji_leaves_no_cue() -> None:
    assert captions.group([Word("😀", 0, 1), Word("🎉", 1, 2)], lettering.drawable) == ()


def test_the_srt_has_the_times_of_the_frames_exactly() -> None:
    plan = planned((900, 1300), (900, 1300), texts=["Câu một đây.", "Câu hai đây."]).plan()
    text = captions.srt(plan)
    first, second = plan.segments
    assert text.startswith("1\n")
    assert re.findall(r"^\d+$", text, re.MULTILINE) == ["1", "2"]
    stamps = [tuple(map(int, m)) for m in re.findall(r"(\d\d):(\d\d):(\d\d),(\d{3})", text)]
    frames = [(((h * 60 + m) * 60 + s) * 1000 + ms) for h, m, s, ms in stamps]
    cues = [(0, first.cues[0]), (second.first, second.cues[0])]
    wanted = [edge for at, cue in cues for edge in (at + cue.first, at + cue.first + cue.frames)]
    for ms, frame in zip(frames, wanted, strict=True):
        # At or before the frame's own time, and after that of the frame before it.
        assert (frame - 1) * 1000 / plan.fps < ms <= frame * 1000 / plan.fps
    assert "Câu một đây." in text and text.endswith("Câu hai đây.\n")


def test_a_caption_is_drawn_white_inside_its_box_and_within_the_frame() -> None:
    for width, height in ((1920, 1080), (640, 360), (1080, 1920), (320, 242)):
        patch = lettering.caption(["Nghiêng mình W" * 3, "ẬẶỮ"], width, height)
        assert patch.x >= 0 and patch.x + patch.width <= width
        assert patch.y >= height // 2 and patch.y + patch.height <= height
        assert patch.x % 2 == patch.y % 2 == patch.width % 2 == patch.height % 2 == 0
        over_black = (np.uint32(16) * patch.keep + patch.add) >> 8
        over_white = (np.uint32(235) * patch.keep + patch.add) >> 8
        assert over_black.max() >= 234 and over_white.min() <= 17
        assert over_white[0, patch.width // 2] < 120  # the box darkens what is behind it


def test_the_plan_has_a_frame_for_every_cue() -> None:
    many = planned((900, 1300), texts=["Ừ! " * 40])
    plan = many.plan()
    assert sum(cue.frames for cue in plan.segments[0].cues) <= plan.frames
    assert timeline.SAMPLE_RATE % plan.fps == 0
