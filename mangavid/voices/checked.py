"""What every neural voice's answer goes through before it is believed: trimmed, measured, and its words put in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from mangavid.ports import Utterance
from mangavid.voices import align
from mangavid.voices.lengths import expected_seconds
from mangavid.voices.spoken import Token

if TYPE_CHECKING:
    from mangavid.voices.sound import Samples

#: A pause in the sound, in seconds: shorter ones are part of a word (the closure of a p, t or k).
_PAUSE = 0.11
#: What it costs, in seconds, to take a sign as not heard, or a pause as belonging to no sign.
_ALONE = 0.4


class Unfit(Exception):
    """Why some audio can't be the text."""


def longest(text: str, words_per_minute: float) -> float:
    """Seconds beyond which no audio can be this text."""
    return 3.0 * expected_seconds(text, words_per_minute)[1] + 2.0


def utterance(
    samples: Samples,
    tokens: Sequence[Token],
    said: align.Line,
    *,
    words_per_minute: float,
    events: Sequence[tuple[int, float]] | None = None,
    end: float | None = None,
) -> Utterance:
    """The utterance of 48 kHz mono samples. ``events`` and ``end`` in seconds of them; without events, words share the
    time between the pauses that are heard at the signs. Raises Unfit where it is silent, too short or too long.
    """
    from mangavid.voices import sound

    trimmed, cut = sound.trim(samples, sound.RATE)
    duration = len(trimmed) / sound.RATE
    least, most = expected_seconds(said.text, words_per_minute)
    if not len(trimmed) or sound.rms_db(trimmed) <= -60.0:
        raise Unfit("the audio is silent")
    if not 0.3 * least <= duration <= 3.0 * most:
        raise Unfit(f"it took {duration:.2f} s where about {least:.2f} s were expected")
    shifted = at_pauses(said, trimmed) if events is None else [(place, seconds - cut) for place, seconds in events]
    stop = duration - sound.TAIL if end is None else min(end - cut, duration)
    stop = max(stop, 0.0)
    starts = [min(start, stop) for start in align.times(said, shifted, stop)]
    faded = sound.fade(trimmed)
    return Utterance(wav=sound.wav(faded), samples=len(faded), words=align.words(tokens, said, starts, stop))


def pauses(samples: Samples) -> list[tuple[float, float]]:
    """Where the sound is quiet between two words, from and to, in seconds: 35 dB below the loudest of it, or lower."""
    import numpy as np

    from mangavid.voices import sound

    step = sound.RATE // 100
    whole = len(samples) // step * step
    if not whole:
        return []
    level = np.sqrt(np.mean(np.square(samples[:whole].reshape(-1, step).astype(np.float64)), axis=1))
    quiet = level < max(float(sound.SILENCE), float(level.max()) * 0.018)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet.view(np.int8), [0]))))
    runs = [(start / 100, stop / 100) for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]
    return [(start, stop) for start, stop in runs if start > 0 and stop < whole / step / 100 and stop - start >= _PAUSE]


def at_pauses(said: align.Line, samples: Samples) -> list[tuple[int, float]]:
    """Events for an engine that reports none: a word behind a sign begins where the pause ends that is heard there,
    and the words between two such pauses share the time between them. A sign whose pause is not heard parts nothing.
    """
    from mangavid.voices import sound

    if not said.starts:
        return []
    heard = pauses(samples)
    duration = len(samples) / sound.RATE
    lengths = [len(word) for word in said.spoken]
    behind = [n for n in range(1, len(said.starts)) if said.text[said.starts[n] - 2] in ",.!?"]
    speaking = max(duration - sound.LEAD - sound.TAIL - sum(stop - start for start, stop in heard), 0.0)
    passed = [0, *accumulate(lengths)]
    expected = [speaking * passed[n] / passed[-1] for n in behind]
    quiet = [0.0, *accumulate(stop - start for start, stop in heard)]
    # Both are counted in seconds of speech alone, without the pauses before them.
    found = _pairs(expected, [start - sound.LEAD - quiet[i] for i, (start, _) in enumerate(heard)])
    clauses = [(behind[sign], *heard[pause]) for sign, pause in found]
    events: list[tuple[int, float]] = []
    first, begin = 0, sound.LEAD
    for last, end, after in [*clauses, (len(lengths), duration - sound.TAIL, duration)]:
        whole = passed[last] - passed[first]
        events += [
            (said.starts[n], begin + (end - begin) * (passed[n] - passed[first]) / whole) for n in range(first, last)
        ]
        first, begin = last, after
    return events


def _pairs(expected: Sequence[float], heard: Sequence[float]) -> list[tuple[int, int]]:
    """Which sign each pause belongs to, in order: those pairs that are least apart in all. Signs and pauses may stay
    alone, at a price, and must where they would be further apart than that.
    """
    rows, columns = len(expected) + 1, len(heard) + 1
    least = [[_ALONE * (i + j) for j in range(columns)] for i in range(rows)]
    for i in range(1, rows):
        for j in range(1, columns):
            together = least[i - 1][j - 1] + abs(expected[i - 1] - heard[j - 1])
            least[i][j] = min(together, least[i - 1][j] + _ALONE, least[i][j - 1] + _ALONE)
    found: list[tuple[int, int]] = []
    i, j = rows - 1, columns - 1
    while i and j:
        if least[i][j] == least[i - 1][j] + _ALONE:
            i -= 1
        elif least[i][j] == least[i][j - 1] + _ALONE:
            j -= 1
        else:
            i, j = i - 1, j - 1
            found.append((i, j))
    return found[::-1]
