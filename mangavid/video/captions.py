"""Narration as captions: at most two lines of 42 characters, broken where one would draw breath.

Text from outside is data: ``clean`` leaves letters, marks and punctuation the caption font can draw. What it can't
draw is replaced by its plain form where there is one (full-width letters, ``～``), else dropped (emoji, CJK, music
notes, control and direction marks); angle and curly brackets, which some players read as markup, become ``‹›`` and
``()``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mangavid.models import Struct, Word

if TYPE_CHECKING:
    from mangavid.video.timeline import Timeline

LINE = 42
LINES = 2
#: A cue stays this long after its last word where nothing follows, and lasts till the next one over gaps this long.
LINGER, CLOSE_GAP = 0.4, 0.8
#: Reading: the longest cue, the shortest one and the fastest reading that cost nothing.
LONGEST, SHORTEST, FASTEST = 6.0, 1.0, 20.0

SENTENCE_END = (".", "!", "?", "…", ".”", "!”", "?”", '."', '!"', '?"', "…”", ".)", "!)", "?)")
PHRASE_END = (",", ";", ":", "–", "—", "”", '"', ")", ",”")
#: Words that open a phrase: the line before them is a good one to end.
PHRASE_START = {"và", "nhưng", "rồi", "thì", "mà", "nên", "vì", "để", "khi", "nếu", "cho", "như", "với", "hay", "hoặc"}
_PLAIN = {"<": "‹", ">": "›", "{": "(", "}": ")", "～": "~", "〜": "~", "・": "·", "。": ".", "、": ",", "\u00ad": ""}


class Cue(Struct, frozen=True):
    """One or two lines, shown on the frames ``first`` to ``first + frames - 1`` of their segment."""

    first: int
    frames: int
    lines: tuple[str, ...]


class Group(NamedTuple):
    """Words that are shown together: their lines, and when they are heard (seconds in the scene's speech)."""

    lines: tuple[str, ...]
    start: float
    end: float


def clean(text: str, drawable: Callable[[str], bool]) -> str:
    """The text in NFC with only what can be drawn, white space as single spaces."""
    out: list[str] = []
    for ch in unicodedata.normalize("NFC", text):
        plain = _PLAIN.get(ch, ch)
        if plain.isspace():
            out.append(" ")
        elif all(_shown(c, drawable) for c in plain):
            out.append(plain)
        else:
            out.extend(c for c in unicodedata.normalize("NFKC", plain) if c.isspace() or _shown(c, drawable))
    return " ".join("".join(out).split())


def _shown(ch: str, drawable: Callable[[str], bool]) -> bool:
    return unicodedata.category(ch)[0] not in "C" and drawable(ch)


def group(words: Sequence[Word], drawable: Callable[[str], bool]) -> tuple[Group, ...]:
    """Words into cues: the cheapest way to break the scene, by where it breaks, balance and reading speed."""
    tokens = _tokens(words, drawable)
    costs = [0.0] + [float("inf")] * len(tokens)
    before = [0] * (len(tokens) + 1)
    for end in range(1, len(tokens) + 1):
        length = -1
        for start in range(end - 1, -1, -1):
            length += len(tokens[start].text) + 1
            if length > LINES * LINE + 1:
                break
            lines = _lines(tuple(token.text for token in tokens[start:end]))
            if lines is None:
                continue
            cost = costs[start] + _cost(tokens, start, end, length)
            if cost < costs[end]:
                costs[end], before[end] = cost, start
    groups: list[Group] = []
    end = len(tokens)
    while end:
        start = before[end]
        lines = _lines(tuple(token.text for token in tokens[start:end]))
        assert lines is not None
        groups.append(Group(lines, tokens[start].start, tokens[end - 1].end))
        end = start
    return tuple(reversed(groups))


def _tokens(words: Sequence[Word], drawable: Callable[[str], bool]) -> list[Word]:
    """Clean words with rising times; one longer than a line is cut into pieces that share its time."""
    tokens: list[Word] = []
    clock = 0.0
    for word in words:
        start = max(clock, word.start)
        end = max(start, word.end)
        clock = start
        for text in clean(word.text, drawable).split():
            pieces = [text[at : at + LINE] for at in range(0, len(text), LINE)]
            step = (end - start) / len(pieces)
            tokens.extend(Word(piece, start + n * step, start + (n + 1) * step) for n, piece in enumerate(pieces))
    return tokens


def _cost(tokens: Sequence[Word], start: int, end: int, length: int) -> float:
    """What a cue of ``tokens[start:end]`` costs; the numbers are weights between breaking rules, found by reading."""
    cost = 10.0 + 12.0 * (length / (LINES * LINE)) ** 2  # convex: even cues cost less than a full one and a scrap
    if end < len(tokens):
        cost += _break_cost(tokens[end - 1].text, tokens[end].text)
        if end == len(tokens) - 1 and not tokens[end].text.endswith(SENTENCE_END):
            cost += 10.0
    for here, following in zip(tokens[start : end - 1], tokens[start + 1 : end], strict=True):
        if here.text.endswith(SENTENCE_END):
            cost += 9.0
        if following.start - here.end > CLOSE_GAP:
            cost += 12.0
    if end - start == 1 and len(tokens) > 1 and not tokens[start].text.endswith(SENTENCE_END):
        cost += 25.0
    until = tokens[end].start if end < len(tokens) else tokens[end - 1].end + LINGER
    seconds = max(until - tokens[start].start, 0.05)
    cost += 8.0 * max(0.0, seconds - LONGEST) + 15.0 * max(0.0, SHORTEST - seconds)
    return cost + 2.0 * max(0.0, min(length / seconds, 60.0) - FASTEST)


def _break_cost(last: str, following: str) -> float:
    if last.endswith(SENTENCE_END):
        return 0.0
    if last.endswith(PHRASE_END):
        return 5.0
    return 9.0 if following.lower() in PHRASE_START else 16.0


@lru_cache(maxsize=4096)
def _lines(texts: tuple[str, ...]) -> tuple[str, ...] | None:
    """The words in one line, else in the two that balance best, else None."""
    whole = " ".join(texts)
    if len(whole) <= LINE:
        return (whole,)
    best: tuple[float, tuple[str, ...]] | None = None
    for cut in range(1, len(texts)):
        upper, lower = " ".join(texts[:cut]), " ".join(texts[cut:])
        if len(upper) > LINE or len(lower) > LINE:
            continue
        ragged = abs(len(upper) - len(lower)) + _break_cost(texts[cut - 1], texts[cut])
        if best is None or ragged < best[0]:
            best = (ragged, (upper, lower))
    return best[1] if best else None


def place(groups: Sequence[Group], *, at: int, until: int, fps: int) -> tuple[Cue, ...]:
    """Groups on the frame grid: speech begins at frame ``at``, the segment ends before frame ``until``.

    Cues are in order, never overlap, and each has at least one frame (``until`` must leave one for each).
    """
    if not groups:
        return ()
    firsts = [at + int(group.start * fps + 0.5) for group in groups]
    for n in range(1, len(firsts)):
        firsts[n] = max(firsts[n], firsts[n - 1] + 1)
    for n, first in enumerate(firsts):
        firsts[n] = min(first, until - len(firsts) + n)
    cues = []
    for n, group in enumerate(groups):
        end = at + int((group.end + LINGER) * fps + 0.5)
        limit = firsts[n + 1] if n + 1 < len(firsts) else until
        if n + 1 < len(firsts) and groups[n + 1].start - group.end <= CLOSE_GAP:
            end = limit
        cues.append(Cue(first=firsts[n], frames=max(1, min(end, limit) - firsts[n]), lines=group.lines))
    return tuple(cues)


def srt(timeline: Timeline) -> str:
    """All cues as SubRip, with the times of the frames they are burned on.

    Milliseconds are rounded down: a player that compares them with a frame's time then shows exactly these frames.
    """
    blocks: list[str] = []
    for segment in timeline.segments:
        for cue in segment.cues:
            first = segment.first + cue.first
            times = f"{_stamp(first, timeline.fps)} --> {_stamp(first + cue.frames, timeline.fps)}"
            blocks.append(f"{len(blocks) + 1}\n{times}\n" + "\n".join(cue.lines) + "\n")
    return "\n".join(blocks)


def _stamp(frame: int, fps: int) -> str:
    ms = int(Fraction(frame * 1000, fps))
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d},{ms % 1000:03d}"
