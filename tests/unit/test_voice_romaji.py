from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.voices import romaji
from mangavid.voices.spoken import ALPHABET


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("goku", "gô cu"),
        ("hokage", "hô ca ghê"),
        ("sakura", "sa cu ra"),
        ("kenshin", "kên sin"),
        ("tanjiro", "tan di rô"),
        ("jojo", "giô giô"),
        ("toukyou", "tô ki ô"),
        ("ryota", "ri ô ta"),
        ("hattori", "ha tô ri"),
        ("matcha", "ma cha"),
        ("saitama", "sai ta ma"),
        ("tsunade", "xu na đê"),
        ("fuji", "phu di"),
        ("wano", "oa nô"),
        ("onii", "ô ni"),
        ("gintoki", "ghin tô ki"),
    ],
)
def test_a_japanese_name_is_said_by_syllables(name: str, said: str) -> None:
    assert " ".join(romaji.syllables(name) or ()) == said


@pytest.mark.parametrize("word", ["monkey", "harry", "levi", "bleach", "london", "go", "n", "", "xyz", "nguyễn"])
def test_other_words_are_left_alone(word: str) -> None:
    assert romaji.syllables(word) is None


PARTS = ("ka", "shi", "tsu", "te", "n", "o", "ji", "kyo", "ra", "wa", "fu", "gi", "zu", "ye", "nn")


@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=8))
def test_syllables_are_made_of_vietnamese_letters(parts: list[str]) -> None:
    for syllable in romaji.syllables("".join(parts)) or ():
        assert syllable
        assert set(syllable) <= ALPHABET - set("fjwz")
