from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.models import Word
from mangavid.voices import align
from mangavid.voices.spoken import Token, to_spoken


def test_a_line_is_plain_words_with_a_capital_behind_each_full_stop() -> None:
    line = align.line(to_spoken("Năm 25 — đi! “anh” hỏi: ừ? 😀. Rồi"))
    assert line.text == "Năm hai mươi lăm, đi! Anh hỏi, ừ? Rồi."


def test_every_spoken_word_knows_its_place_and_its_token() -> None:
    line = align.line((Token("25", ("hai", "mươi", "lăm"), ","), Token("😀", ()), Token("à", ("à",), ".")))
    assert [line.text[start : start + 3] for start in line.starts] == ["Hai", "mươ", "lăm", "à."]
    assert line.owner == (0, 0, 0, 2)


def test_events_one_to_one_give_the_starts() -> None:
    line = align.line(to_spoken("một hai ba"))
    assert align.times(line, [(0, 0.0), (4, 0.5), (8, 0.9)], 1.5) == [0.0, 0.5, 0.9]


def test_a_second_event_inside_a_word_does_not_move_it() -> None:
    line = align.line(to_spoken("một hai ba"))
    assert align.times(line, [(0, 0.0), (4, 0.5), (5, 0.6), (6, 0.7), (8, 0.9)], 1.5) == [0.0, 0.5, 0.9]


def test_words_without_events_share_their_time_by_length() -> None:
    line = align.line(to_spoken("nghiêng à nghiêng à"))
    assert align.times(line, [(0, 0.0)], 1.6) == pytest.approx([0.0, 0.7, 0.8, 1.5])
    assert align.times(line, [(0, 0.0), (10, 0.8)], 1.6) == pytest.approx([0.0, 0.7, 0.8, 1.5])


def test_without_any_event_the_whole_scene_is_shared() -> None:
    line = align.line(to_spoken("à ừ ơ ô"))
    assert align.times(line, [], 2.0) == [0.0, 0.5, 1.0, 1.5]


def test_a_displayed_word_lasts_until_the_next_spoken_one_and_a_silent_one_takes_no_time() -> None:
    tokens = (Token("25", ("hai", "mươi", "lăm")), Token("—", ()), Token("à", ("à",)), Token("😀", ()))
    line = align.line(tokens)
    assert align.words(tokens, line, [0.1, 0.2, 0.3, 0.6], 0.9) == (
        Word("25", 0.1, 0.6),
        Word("—", 0.6, 0.6),
        Word("à", 0.6, 0.9),
        Word("😀", 0.9, 0.9),
    )


@given(
    st.text(alphabet="àbc 12.,—", max_size=60),
    st.lists(st.tuples(st.integers(-5, 120), st.floats(-1, 20)), max_size=30),
    st.floats(0.01, 10),
)
def test_whatever_an_engine_reports_times_never_fall_nor_leave_the_audio(
    text: str, events: list[tuple[int, float]], duration: float
) -> None:
    tokens = to_spoken(text)
    line = align.line(tokens)
    starts = align.times(line, events, duration)
    assert len(starts) == len(line.starts)
    words = align.words(tokens, line, starts, duration)
    assert [word.text for word in words] == [token.display for token in tokens]
    edges = [edge for word in words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert all(0.0 <= edge <= duration for edge in edges)
