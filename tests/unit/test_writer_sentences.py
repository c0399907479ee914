from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.writers.sentences import sentences, spread, tidy


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Một. Hai! Ba? Bốn… Năm", ["Một.", "Hai!", "Ba?", "Bốn…", "Năm"]),
        ("Tôi... không biết. Thật đấy.", ["Tôi... không biết.", "Thật đấy."]),
        ("Rồi... Anh đi.", ["Rồi...", "Anh đi."]),
        ("“Đi! Mau lên!” anh nói. Họ chạy.", ["“Đi! Mau lên!” anh nói.", "Họ chạy."]),
        ("“Đi! Mau lên!” Họ chạy.", ["“Đi! Mau lên!”", "Họ chạy."]),
        ("Anh hỏi: “Ai đó?” Không ai đáp.", ["Anh hỏi: “Ai đó?”", "Không ai đáp."]),
        ('Nó kêu "A. B. C." rồi thôi. Hết.', ['Nó kêu "A. B. C." rồi thôi.', "Hết."]),
        ("“Không khép. Vẫn tách.", ["“Không khép.", "Vẫn tách."]),
        ("TS. Nam gặp ông D. Luffy ở TP. Huế. Rồi về.", ["TS. Nam gặp ông D. Luffy ở TP. Huế.", "Rồi về."]),
        ("Nặng 3.5 kg. Cao 2 m.", ["Nặng 3.5 kg.", "Cao 2 m."]),
        ("Cái gì?! Không!!! Ừ.", ["Cái gì?!", "Không!!!", "Ừ."]),
        ("(Trời mưa. Gió to.) Nó đi.", ["(Trời mưa. Gió to.)", "Nó đi."]),
        ("— Ai? — Tôi.", ["— Ai?", "— Tôi."]),
        ("", []),
        ("...", ["..."]),
    ],
)
def test_sentences_end_where_a_reader_would_pause(text: str, parts: list[str]) -> None:
    assert sentences(text) == parts


@given(st.text(alphabet='aB .!?…“”"«»()1\n', max_size=80))
def test_no_sentence_loses_anything(text: str) -> None:
    line = tidy(text)
    assert " ".join(sentences(line)) == line


def test_few_sentences_are_spaced_over_many_panels() -> None:
    assert spread("Một.", 4) == ["Một.", "", "", ""]
    assert spread("Một. Hai.", 4) == ["Một.", "", "Hai.", ""]
    assert spread("Một. Hai.", 3) == ["Một.", "Hai.", ""]


def test_many_sentences_are_shared_by_length() -> None:
    assert spread("Một hai ba bốn. Năm. Sáu. Bảy.", 2) == ["Một hai ba bốn.", "Năm. Sáu. Bảy."]
    assert spread("Một. Hai. Ba.", 3) == ["Một.", "Hai.", "Ba."]
    assert spread("Một. Hai. Ba.", 1) == ["Một. Hai. Ba."]


@given(
    st.lists(st.sampled_from(["A.", "Ừ thì đi.", "Một câu dài hơn hẳn những câu kia."]), max_size=30),
    st.integers(1, 12),
)
def test_spreading_keeps_every_sentence_in_order_and_no_panel_empty_without_need(parts: list[str], panels: int) -> None:
    result = spread(" ".join(parts), panels)
    assert len(result) == panels
    assert " ".join(text for text in result if text) == " ".join(parts)
    found = len(sentences(" ".join(parts)))
    assert sum(map(bool, result)) == min(found, panels)
    if found:
        assert result[0]


def test_tidy_text_is_one_line_without_invisible_characters() -> None:
    assert tidy(" Xin\n\tcha\u0300o\u200b \u202ebạn\x07\ud800 ") == "Xin chào bạn"
