"""A soft bed of music made here: slow chords under sparse plucks, in a pentatonic scale, that loops without a seam.

The same samples every time, royalty-free, and quiet in the middle of the spectrum where the voice is.
"""

from __future__ import annotations

import random
import wave
from pathlib import Path

import numpy as np  # noqa: TID253 - this file exists for samples
from numpy.typing import NDArray  # noqa: TID253

#: Half the soundtrack's: there is nothing above 3 kHz in it.
RATE = 24_000
BAR = 6.0
#: Frequencies in semitones from A3: A minor pentatonic (A C D E G), a chord a bar. Any two of its notes agree.
CHORDS = ((-12, -5, 0, 7), (-9, -2, 3, 10), (-17, -5, 2, 7), (-14, -2, 3, 10))
PLUCKS = (0, 3, 5, 7, 10, 12, 15)
_SEED = 7

Samples = NDArray[np.float32]


def write_bed(out: Path) -> None:
    """Write the loop as a WAV file: 24 kHz, stereo, 16 bits, 24 s."""
    loop = bed()
    with wave.open(str(out), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((loop * 32767).astype("<i2").tobytes())


def bed() -> Samples:
    """The loop, samples × 2 channels, peak 0.5."""
    length = round(BAR * RATE) * len(CHORDS)
    out = np.zeros((length, 2), np.float32)
    for bar, chord in enumerate(CHORDS):
        for note in chord:
            for channel, detune in enumerate((-0.6, 0.6)):
                _add(out[:, channel], bar * BAR - 1.0, _pad(_hertz(note) + detune / 2))
    notes = random.Random(_SEED)  # noqa: S311 - a tune, not a secret
    beat, voices = BAR / 8, {note: _pluck(_hertz(note + 12)) for note in PLUCKS}
    for step in range(8 * len(CHORDS)):
        if step % 8 in (0, 3, 6) or notes.random() < 0.2:
            sound, pan = voices[notes.choice(PLUCKS)], notes.uniform(0.3, 0.7)
            _add(out[:, 0], step * beat, sound * np.float32(1 - pan))
            _add(out[:, 1], step * beat, sound * np.float32(pan))
    return np.asarray(out * np.float32(0.5 / np.abs(out).max()), np.float32)


def _hertz(semitones: int) -> float:
    return float(220.0 * 2 ** (semitones / 12))


def _pad(hertz: float) -> Samples:
    """A chord's note: swells over 2 s, and fades over 2 s into the next bar."""
    t = np.arange(round((BAR + 2) * RATE), dtype=np.float32) / np.float32(RATE)
    swell = np.clip(np.minimum(t / 2, (BAR + 2 - t) / 2), 0, 1) ** 2
    turn = np.float32(2 * np.pi * hertz) * t
    return np.asarray((np.sin(turn) + 0.25 * np.sin(2 * turn)) * swell * np.float32(0.12), np.float32)


def _pluck(hertz: float) -> Samples:
    """A soft plucked note that has died away after 2.5 s."""
    t = np.arange(round(2.5 * RATE), dtype=np.float32) / np.float32(RATE)
    turn = np.float32(2 * np.pi * hertz) * t
    tone = np.sin(turn) + 0.3 * np.sin(2 * turn) * np.exp(-6 * t)
    return np.asarray(tone * np.exp(-2.2 * t) * np.clip(t / 0.008, 0, 1) * np.float32(0.16), np.float32)


def _add(channel: Samples, seconds: float, sound: Samples) -> None:
    """Mix a sound in from ``seconds`` on; what runs over the end comes in at the beginning."""
    at = round(seconds * RATE) % len(channel)
    head = min(len(sound), len(channel) - at)
    channel[at : at + head] += sound[:head]
    channel[: len(sound) - head] += sound[head:]
