"""Speech as tones: a burst a word, quiet at the signs; as samples, WAV and MP3."""

from __future__ import annotations

import io
import wave
from functools import lru_cache
from typing import Any

import av
import numpy as np

LEAD, TAIL = 0.1, 0.35
#: Seconds of a letter, of the quiet between words, and behind a comma and a full stop.
LETTER, GAP = 0.06, 0.03
COMMA, STOP = 0.18, 0.4


def timed(text: str) -> tuple[list[tuple[str, float, float]], float]:
    """Each word with its start and end in seconds, and how long all of it is."""
    at, words = LEAD, []
    for raw in text.split():
        word = raw.strip(",.!?…;:\"'“”")
        if word:
            length = 0.08 + LETTER * min(len(word), 8)
            words.append((word, at, at + length))
            at += length
        at += COMMA if raw[-1] in ",;:" else STOP if raw[-1] in ".!?…" else GAP
    return words, at + TAIL


def tones(text: str, rate: int, *, level: int = 9000) -> Any:
    words, seconds = timed(text)
    samples = np.zeros(int(seconds * rate), np.int16)
    for n, (_, start, end) in enumerate(words):
        t = np.arange(int((end - start) * rate)) / rate
        samples[int(start * rate) :][: len(t)] = level * np.sin(2 * np.pi * (220 + 40 * (n % 5)) * t)
    return samples


def wav(samples: Any, rate: int, *, channels: int = 1) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples.astype("<i2"), channels).tobytes())
    return out.getvalue()


def mp3(samples: Any, rate: int = 24_000) -> bytes:
    """As the Edge service sends it: 48 kbit/s throughout, without a header frame or tags."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp3", options={"write_xing": "0", "id3v2_version": "0"}) as file:
        stream: Any = file.add_stream("libmp3lame", rate=rate)
        stream.bit_rate = 48_000
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(format="s16p", layout="mono", rate=rate, frame_size=576)
        for part in (*resampler.resample(frame), *resampler.resample(None)):
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


@lru_cache(maxsize=64)
def spoken_mp3(text: str, level: int = 9000) -> bytes:
    return mp3(tones(text, 24_000, level=level))
