"""Japanese names in Latin letters to Vietnamese syllables: «Hokage» is said «hô ca ghê».

Left as they are, eSpeak NG reads most such names as English words («Ryota» as «rai-outa») and spells the rest letter
by letter («Hokage», «Goku»). Vietnamese readers say them syllable by syllable, with the letters of their own spelling.
"""

from __future__ import annotations

import re

from mangavid.voices.numerals import Words

_ONSET = r"(?:[kgsztdnhbpmr]y|sh|ch|ts|[kgsztdnhfbpmyrwj])"
_SYLLABLE = re.compile(rf"({_ONSET})?([aeiou])(n(?![aeiouy]))?")
_LONG = re.compile(r"(?<=o)[ou]|(?<=u)u|(?<=i)i")
_DOUBLED = re.compile(r"([kstpgdbr])(?=\1)|t(?=ch)")

_VOWELS = {"a": "a", "i": "i", "u": "u", "e": "ê", "o": "ô"}
#: Onsets that are written otherwise in Vietnamese, before any vowel.
_ONSETS = {"sh": "s", "ts": "x", "f": "ph", "z": "d", "d": "đ", "w": "o", "j": "gi"}
_WHOLE = {"ji": "di", "wo": "ô", "wi": "uy", "we": "oe", "wu": "u"}


def syllables(word: str) -> Words | None:
    """The Vietnamese syllables of a lower-case word of two or more Japanese syllables; None for any other word."""
    plain = _DOUBLED.sub("", _LONG.sub("", word))
    found: list[str] = []
    at = 0
    while at < len(plain):
        match = _SYLLABLE.match(plain, at)
        if not match:
            return None
        onset, vowel, final = match[1] or "", match[2], match[3] or ""
        if found and (onset, vowel, final) == ("", "i", "") and found[-1][-1] in "aôu":
            found[-1] += "i"  # one syllable in Vietnamese: «sai», «kôi»
        else:
            found += _written(onset, vowel, final)
        at = match.end()
    return tuple(found) if len(found) > 1 else None


def _written(onset: str, vowel: str, final: str) -> list[str]:
    if onset + vowel in _WHOLE:
        return [_WHOLE[onset + vowel] + final]
    glide = onset[-1:] == "y"
    if glide:
        onset = onset[:-1]
    close = "i" if glide else vowel
    if onset == "k":
        start = "k" if close in "ie" else "c"
    elif onset == "g":
        start = "gh" if close in "ie" else "g"
    else:
        start = _ONSETS.get(onset, onset)
    return [f"{start}i", _VOWELS[vowel] + final] if glide else [start + _VOWELS[vowel] + final]
