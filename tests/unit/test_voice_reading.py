"""What neural voices are given, and how their reports are found again in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.voices import align, reading
from mangavid.voices.spoken import speakable


def sent(text: str, language: str = "vi") -> str:
    return align.line(reading.tokens(text, language)).text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Chào Nakamura!", "Chào Nakamura!"),
        ("ĐI NGAY! Đi.", "Đi ngay! Đi."),
        ("Năm 2026, 3,5 km.", "Năm hai nghìn không trăm hai mươi sáu, ba phẩy năm ki lô mét."),
        ("TP.HCM & ông Mr Tsk", "Thành phố Hồ Chí Minh và ông mít tơ chậc."),
        ("“Ai đó?” — hỏi…", "Ai đó? Hỏi."),
        ("Xem https://a.vn 😀 <b>đi</b> 日本", "Xem đi."),
        ("T... tôi!", "Tôi!"),
    ],
)
def test_what_is_sent_is_as_written_but_for_what_has_two_readings(text: str, expected: str) -> None:
    assert sent(text) == expected


def test_in_another_language_words_are_sent_as_they_are_written() -> None:
    assert sent("In 2026, “O'Brien” said: a<b & left… Why? 😀", "en") == "In 2026, O'Brien said, a b left. Why?"


@given(st.text(max_size=300))
def test_nothing_that_means_something_to_xml_or_is_no_text_is_ever_sent(text: str) -> None:
    for language in ("vi", "en"):
        line = sent(text, language)
        assert not set(line) & set("<>&")
        assert all(char.isprintable() for char in line)
    assert not any(char.isdigit() for char in sent(text))


@given(st.text(alphabet="àbcNẠ 12.,—“😀<\n", max_size=80))
def test_a_report_of_every_word_is_found_word_for_word(text: str) -> None:
    tokens = reading.tokens(text)
    if not speakable(tokens):
        return
    line = align.line(tokens)
    places, share, rest = reading.find(line, line.spoken)
    assert places == list(line.starts)
    assert (share, rest) == (1.0, 0)


@given(st.text(alphabet="àbc d.", max_size=40), st.lists(st.text(alphabet="àbcxd<", max_size=6), max_size=20))
def test_whatever_is_reported_places_rise_and_shares_are_shares(text: str, heard: list[str]) -> None:
    line = align.line(reading.tokens(text))
    places, share, rest = reading.find(line, heard)
    assert len(places) == len(heard)
    known = [place for place in places if place is not None]
    assert known == sorted(known)
    assert 0.0 <= share <= 1.0
    assert rest >= 0


def test_repeated_words_missing_ones_joined_ones_and_strange_ones_are_survived() -> None:
    line = align.line(reading.tokens("ai đó, ai đó, ai đó? Không ai cả."))
    places, share, rest = reading.find(line, ["Ai", "đó", "ai đó", "«unk»", "đó", "không", "cả"])
    assert [place if place is None else line.text[place:].split()[0].strip(",.?") for place in places] == [
        "Ai", "đó", "ai", None, "đó", "Không", "cả"
    ]  # fmt: skip
    assert share > 0.8
    assert rest == 0


def test_a_stray_report_that_resembles_a_word_far_away_does_not_swallow_all_between() -> None:
    line = align.line(reading.tokens("một hai ba bốn năm sáu bảy tám chín mười " * 4 + "xong"))
    _, share, _ = reading.find(line, ["xong", *line.spoken])
    assert share == 1.0
