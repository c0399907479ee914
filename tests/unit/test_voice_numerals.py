"""Numbers in Vietnamese words, held against a reader that goes the other way and accepts one wording only."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.voices import numerals

ONES = {"một": 1, "hai": 2, "ba": 3, "bốn": 4, "năm": 5, "sáu": 6, "bảy": 7, "tám": 8, "chín": 9}


def read_back(words: list[str]) -> int:
    """The number that words name; ValueError for any wording that school would mark as wrong."""
    if words == ["không"]:
        return 0
    if words[:1] == ["âm"]:
        return -read_back(words[1:])
    total, below_billion, last_unit = 0, 0, 10**9
    rest = list(words)
    first = True
    while rest:
        if rest[0] == "tỷ":
            total, below_billion, last_unit = (total + below_billion) * 10**9, 0, 10**9
            rest.pop(0)
            continue
        group = _group(rest, says_hundreds=not first)
        first = False
        unit = {"triệu": 10**6, "nghìn": 10**3}.get(rest[0] if rest else "", 1)
        if unit > 1:
            rest.pop(0)
        if unit >= last_unit:
            raise ValueError("units do not fall")
        below_billion += group * unit
        last_unit = unit
    return total + below_billion


def _group(rest: list[str], *, says_hundreds: bool) -> int:
    value = 0
    hundreds = len(rest) > 1 and rest[1] == "trăm"
    if says_hundreds and not hundreds:
        raise ValueError("a group behind a larger one must say its hundreds")
    if hundreds:
        word = rest.pop(0)
        rest.pop(0)
        if word == "không" and not says_hundreds:
            raise ValueError("the first group has no empty hundreds")
        value = 100 * (0 if word == "không" else ONES[word])
        if not rest or rest[0] in ("nghìn", "triệu", "tỷ"):
            if value == 0:
                raise ValueError("an empty group is not read")
            return value
        if rest[0] == "linh":
            rest.pop(0)
            return value + ONES[rest.pop(0)]
    if rest[0] == "mười":
        rest.pop(0)
        return value + 10 + _last(rest, {**ONES, "lăm": 5}, never=("năm",))
    if len(rest) > 1 and rest[1] == "mươi":
        tens = ONES[rest.pop(0)]
        rest.pop(0)
        if tens == 1:
            raise ValueError("ten is mười")
        return value + 10 * tens + _last(rest, {**ONES, "mốt": 1, "tư": 4, "lăm": 5}, never=("một", "bốn", "năm"))
    if hundreds:
        raise ValueError("an empty ten is linh")
    return ONES[rest.pop(0)]


def _last(rest: list[str], known: dict[str, int], never: tuple[str, ...]) -> int:
    if not rest or rest[0] not in {**known, **dict.fromkeys(never, 0)}:
        return 0
    if rest[0] in never:
        raise ValueError(f"{rest[0]} behind a ten")
    return known[rest.pop(0)]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "không"),
        (4, "bốn"),
        (10, "mười"),
        (11, "mười một"),
        (14, "mười bốn"),
        (15, "mười lăm"),
        (20, "hai mươi"),
        (21, "hai mươi mốt"),
        (24, "hai mươi tư"),
        (55, "năm mươi lăm"),
        (100, "một trăm"),
        (101, "một trăm linh một"),
        (105, "một trăm linh năm"),
        (110, "một trăm mười"),
        (115, "một trăm mười lăm"),
        (555, "năm trăm năm mươi lăm"),
        (1000, "một nghìn"),
        (1005, "một nghìn không trăm linh năm"),
        (1010, "một nghìn không trăm mười"),
        (2026, "hai nghìn không trăm hai mươi sáu"),
        (10_001, "mười nghìn không trăm linh một"),
        (1_000_000, "một triệu"),
        (1_000_005, "một triệu không trăm linh năm"),
        (1_001_000, "một triệu không trăm linh một nghìn"),
        (1_234_567_890, "một tỷ hai trăm ba mươi tư triệu năm trăm sáu mươi bảy nghìn tám trăm chín mươi"),
        (10**12, "một nghìn tỷ"),
        (10**15 + 1, "một triệu tỷ không trăm linh một"),
        (10**18, "một tỷ tỷ"),
        (-3, "âm ba"),
    ],
)
def test_a_number_is_read_as_school_teaches_it(number: int, words: str) -> None:
    assert " ".join(numerals.cardinal(number)) == words


@given(
    st.one_of(
        st.integers(-(10**6), 10**6),
        st.integers(0, 10**19),
        st.builds(lambda digits, zeros: digits * 10**zeros, st.integers(1, 9999), st.integers(0, 15)),
        st.builds(
            lambda high, zeros, low: high * 10**zeros + low, st.integers(1, 99), st.integers(2, 18), st.integers(0, 99)
        ),
    )
)
def test_every_number_can_be_read_back_from_its_words(number: int) -> None:
    assert read_back(list(numerals.cardinal(number))) == number


def test_the_reader_of_this_test_refuses_wrong_wordings() -> None:
    for wrong in (
        "hai mươi một",
        "hai mươi bốn",
        "hai mươi năm",
        "mười năm",
        "một mươi hai",
        "một nghìn năm",
        "hai nghìn hai mươi sáu",
        "một trăm năm",
        "một triệu không trăm nghìn năm",
    ):
        with pytest.raises((ValueError, KeyError)):
            read_back(wrong.split())


@pytest.mark.parametrize(
    ("written", "words"),
    [("5", "năm"), ("14", "mười bốn"), ("50", "năm mươi"), ("05", "không năm"), ("141", "một bốn một"), ("0", "không")],
)
def test_decimals_are_a_number_or_digits(written: str, words: str) -> None:
    assert " ".join(numerals.decimals(written)) == words


def test_first_and_fourth_have_their_own_ordinals() -> None:
    assert [" ".join(numerals.ordinal(n)) for n in (1, 2, 4, 5, 14)] == ["nhất", "hai", "tư", "năm", "mười bốn"]


@given(st.integers(1, 3999))
def test_roman_numerals_are_understood(number: int) -> None:
    table = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"))
    small = ((50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))
    written, left = "", number
    for value, sign in table + small:
        written += sign * (left // value)
        left %= value
    assert numerals.roman(written) == number


@pytest.mark.parametrize("text", ["", "IIII", "IC", "VX", "ABC", "iv", "MMMM"])
def test_what_is_no_roman_numeral_is_none(text: str) -> None:
    assert numerals.roman(text) is None
