"""Numbers in Vietnamese words.

Own code because the one package that offers Vietnamese, num2words 0.5.14, is wrong where it matters: 2026 as «hai
nghìn lẻ hai mươi sáu» (it leaves out the empty hundreds), 1 005 as «một nghìn lẻ năm», -3 as «mười bảy», 3.5 as «ba
phẩy năm mươi», 24 without «tư», 10¹⁵ + 1 as «một trăm nghìn tỷ lẻ một».

The rules are those taught in school. A number is read in groups of three (nghìn, triệu, tỷ, then again nghìn tỷ …);
an empty group is not read; a group behind a larger one says its hundreds even where there are none («không trăm linh
năm»). Inside a group: 1 after mươi is mốt, 4 after mươi is tư, 5 after mươi or mười is lăm, and an empty ten is linh.
"""

from __future__ import annotations

import re

DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")

Words = tuple[str, ...]


def cardinal(number: int) -> Words:
    """Any integer; negative ones begin with «âm». ``cardinal(2026)`` is «hai nghìn không trăm hai mươi sáu»."""
    if number < 0:
        return ("âm", *cardinal(-number))
    return tuple(_below(number, padded=False)) or (DIGITS[0],)


def digits(text: str) -> Words:
    """Digit by digit, as telephone numbers are read."""
    return tuple(DIGITS[int(d)] for d in text)


def decimals(text: str) -> Words:
    """The digits behind a decimal sign: one or two as a number, more or with a leading zero digit by digit."""
    return cardinal(int(text)) if len(text) <= 2 and text[0] != "0" else digits(text)


def ordinal(number: int) -> Words:
    """What follows «thứ» or «hạng»: nhất and tư are their own words, the rest are cardinals."""
    return {1: ("nhất",), 4: ("tư",)}.get(number) or cardinal(number)


_ROMAN = re.compile(r"M{0,3}(CM|CD|D?C{0,3})(XC|XL|L?X{0,3})(IX|IV|V?I{0,3})")
_ROMAN_VALUE = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def roman(text: str) -> int | None:
    """The value of a well-formed Roman numeral in capitals (1 to 3999), or None."""
    if not text or not _ROMAN.fullmatch(text):
        return None
    values = [_ROMAN_VALUE[letter] for letter in text]
    return sum(-v if v < after else v for v, after in zip(values, [*values[1:], 0], strict=True))


def _below(number: int, *, padded: bool) -> list[str]:
    """Words of ``number`` (none for 0); ``padded``: something larger was said before it."""
    billions, rest = divmod(number, 10**9)
    words = [*_below(billions, padded=padded), "tỷ"] if billions else []
    padded = padded or bool(billions)
    for unit, name in ((10**6, "triệu"), (10**3, "nghìn"), (1, "")):
        group, rest = divmod(rest, unit)
        if group:
            words += _group(group, padded=padded)
            words += [name] if name else []
            padded = True
    return words


def _group(number: int, *, padded: bool) -> list[str]:
    """Words of 1 to 999."""
    hundreds, rest = divmod(number, 100)
    tens, ones = divmod(rest, 10)
    words = [DIGITS[hundreds], "trăm"] if hundreds or padded else []
    if tens > 1:
        words += [DIGITS[tens], "mươi"]
    elif tens == 1:
        words += ["mười"]
    elif ones and words:
        words += ["linh"]
    if ones == 1 and tens > 1:
        words += ["mốt"]
    elif ones == 4 and tens > 1:
        words += ["tư"]
    elif ones == 5 and tens >= 1:
        words += ["lăm"]
    elif ones:
        words += [DIGITS[ones]]
    return words
