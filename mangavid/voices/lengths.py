"""How long a text should take to say, roughly."""

from __future__ import annotations

import re

_VOWELS = "aăâeêioôơuưy\u00e0-\u1ef9"
_SYLLABLE = re.compile(
    f"(?:ngh?|[cgknpt]h|tr|gi|qu|[bcdđghklmnprstvx])?[{_VOWELS}]{{1,3}}(?:ng|nh|ch|[cmnpt])?", re.IGNORECASE
)


def expected_seconds(text: str, words_per_minute: float) -> tuple[float, float]:
    """The shortest and the longest time a plain text should take, roughly: its syllables at that speed, and its pauses.

    For Vietnamese words the two are one. Others are read as names (a syllable a group of vowels) or, where the engine
    finds no way to read them, spelled (a syllable a letter).
    """
    least = 0
    # Digits come in languages that have no reading rules here; «1777» takes as long as four words may.
    most = 4 * len(re.findall(r"\d", text))
    for word in re.findall(r"[^\W\d_]+", text):
        one = bool(_SYLLABLE.fullmatch(word))
        least += 1 if one else max(1, len(re.findall(f"[{_VOWELS}]+", word, re.IGNORECASE)))
        most += 1 if one else len(word)
    fixed = 0.1 + 0.25 * len(re.findall(r"[,.!?](?=\s)", text))
    return fixed + 60.0 / words_per_minute * least, fixed + 60.0 / words_per_minute * most
