"""Which displayed word is heard when: from an engine's word events back to the tokens."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import msgspec

from mangavid.models import Word
from mangavid.voices.spoken import Token


class Line(msgspec.Struct, frozen=True):
    """What an engine is given for some tokens: plain words and the signs ``, . ! ?``.

    ``starts[n]`` is where spoken word n begins in ``text`` (characters), ``owner[n]`` the token it is said for.
    """

    text: str
    starts: tuple[int, ...]
    owner: tuple[int, ...]

    @property
    def spoken(self) -> tuple[str, ...]:
        return tuple(word.strip(",.!?") for word in self.text.split())


def line(tokens: Sequence[Token]) -> Line:
    """A sentence begins with a capital: behind a full stop eSpeak NG takes a small letter for the same sentence."""
    text = ""
    starts, owner = [], []
    for n, token in enumerate(tokens):
        for word in token.spoken:
            begins = not text or text[-1] in ".!?"
            text += " " if text else ""
            starts.append(len(text))
            owner.append(n)
            text += word[0].upper() + word[1:] if begins else word
        if token.stop and text and (token.spoken or text[-1] not in ",.!?"):
            text += token.stop
    return Line(text, tuple(starts), tuple(owner))


def times(said: Line, events: Sequence[tuple[int, float]], duration: float) -> list[float]:
    """When each spoken word starts, in seconds, never falling, within [0, duration].

    ``events`` are (character position, seconds). An event belongs to the word it points into; a word's first event is
    its start. An engine that reports no event for a word (or none at all) leaves a gap: the words in it share its
    time by their lengths.
    """
    known: dict[int, float] = {}
    for position, seconds in events:
        word = bisect_right(said.starts, position) - 1
        if word >= 0:
            known.setdefault(word, min(max(seconds, 0.0), duration))
    result = [0.0] * len(said.starts)
    lengths = [len(word) for word in said.spoken]
    anchor, at = 0, known.get(0, 0.0)
    for stop in [*sorted(word for word in known if word > 0), len(result)]:
        until = max(at, known.get(stop, duration))
        whole = sum(lengths[anchor:stop]) or 1
        passed = 0
        for word in range(anchor, stop):
            result[word] = at + (until - at) * passed / whole
            passed += lengths[word]
        anchor, at = stop, until
    return result


def words(tokens: Sequence[Token], said: Line, starts: Sequence[float], end: float) -> tuple[Word, ...]:
    """One ``Word`` a token: it ends where the next spoken word starts. Tokens nothing is said for take no time."""
    result = []
    spoken = 0
    for n, token in enumerate(tokens):
        start = starts[spoken] if spoken < len(starts) else end
        while spoken < len(said.owner) and said.owner[spoken] == n:
            spoken += 1
        stop = (starts[spoken] if spoken < len(starts) else end) if token.spoken else start
        result.append(Word(token.display, _tenths(start), _tenths(max(start, stop))))
    return tuple(result)


def _tenths(seconds: float) -> float:
    """Down to a tenth of a millisecond: never behind the end of the audio."""
    return int(seconds * 10_000) / 10_000
