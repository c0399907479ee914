"""Text in sentences, and sentences over panels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_QUOTED = re.compile(r"“[^”]*”|«[^»]*»|\"[^\"]*\"|「[^」]*」|『[^』]*』|\([^()]*\)")
#: End marks with the quotes that close behind them, then a space, then what can begin a sentence.
_END = re.compile(r"(?:[.!?…。！？]+[”»\"'’)」』\]]*)\s+(?=[“«\"'‘(「『\[—–-]*\s*(?P<first>\S))")
_SHORT = re.compile(r"(?:^|[\s(“«\"])(?:[^\W\d_]|TS|ThS|PGS|GS|BS|KS|TP|TT|Mr|Mrs|Ms|Dr|St|Tr|tr|vs|v\.v|\d{1,3})\.$")


def tidy(text: str) -> str:
    """One line in NFC, without control, format, private, unassigned characters and lone surrogates."""
    spaced = re.sub(r"\s+", " ", text)
    kept = "".join(char for char in spaced if unicodedata.category(char)[0] != "C")
    return unicodedata.normalize("NFC", kept).strip()


def sentences(text: str) -> list[str]:
    """The sentences of a tidy text; joined with spaces they are the text again.

    A sentence does not end inside quotes or brackets, before a small letter («“Đi!” anh nói», «Tôi… không biết»),
    nor behind an abbreviation, an initial or a list number.
    """
    quoted = [match.span() for match in _QUOTED.finditer(text)]
    parts, start = [], 0
    for match in _END.finditer(text):
        mark = match.start()
        inside = any(a < mark < b - 1 and match.end() < b for a, b in quoted)
        goes_on = match["first"].islower() or (text[mark] == "." and _SHORT.search(text[start : mark + 1]))
        if not inside and not goes_on:
            parts.append(text[start : match.end()].rstrip())
            start = match.end()
    return [*parts, text[start:]] if text[start:] else parts


def spread(text: str, panels: int) -> list[str]:
    """A tidy text over ``panels`` ≥ 1 panels, whole sentences, in order.

    At least as many sentences as panels: every panel gets some, with lengths as even as whole sentences allow. Fewer:
    they are spaced evenly, the first over the first panel; the panels between stay silent.
    """
    found = sentences(text)
    result: list[list[str]] = [[] for _ in range(panels)]
    for sentence, panel in zip(found, _places([len(sentence) for sentence in found], panels), strict=True):
        result[panel].append(sentence)
    return [" ".join(part) for part in result]


def _places(lengths: Sequence[int], panels: int) -> list[int]:
    count, whole = len(lengths), sum(lengths)
    if count < panels:
        return [i * panels // count for i in range(count)]
    places: list[int] = []
    passed = 0
    for i, length in enumerate(lengths):
        wanted = (2 * passed + length) * panels // (2 * whole)
        first = places[-1] if places else 0
        furthest = min(first + 1, i) if places else 0
        places.append(min(max(wanted, first, panels - (count - i)), furthest))
        passed += length
    return places
