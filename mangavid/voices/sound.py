"""From an engine's samples to the WAV the renderer takes: trimmed, 48 kHz, faded, checked.

Loads numpy and PyAV; engines import this module when they speak their first text.
"""

from __future__ import annotations

import io
import wave

import av  # noqa: TID253  this file exists for the sample arithmetic, and is itself imported lazily
import numpy as np  # noqa: TID253
from numpy.typing import NDArray  # noqa: TID253

RATE = 48_000
#: Quiet kept before and after the speech, in seconds.
LEAD, TAIL = 0.03, 0.08
#: Fades inside those pads, in seconds, so that no cut clicks.
FADE_IN, FADE_OUT = 0.008, 0.035
#: Below this a sample is silence, −50 dB of full scale: eSpeak NG's own pauses are digital zero.
SILENCE = 100

Samples = NDArray[np.int16]


def trim(samples: Samples, rate: int) -> tuple[Samples, float]:
    """Cut leading and trailing silence down (or fill it up) to exactly LEAD and TAIL.

    Returns the samples and how many seconds earlier everything is now (negative: later). Empty where all is silence.
    """
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > SILENCE)
    if loud.size == 0:
        return samples[:0], 0.0
    first, last = int(loud[0]), int(loud[-1]) + 1
    lead, tail = round(LEAD * rate), round(TAIL * rate)
    kept = samples[max(0, first - lead) : last + tail]
    before = max(0, lead - first)
    after = lead + (last - first) + tail - before - len(kept)
    return np.pad(kept, (before, after)), (first - lead) / rate


def resample(samples: Samples, rate: int) -> Samples:
    """To 48 kHz with libswresample, which keeps the timing: sample n is at n / rate before and after."""
    if rate == RATE or not len(samples):
        return samples
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis, :], format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    parts = [part.to_ndarray()[0] for part in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(parts).astype(np.int16)


def fade(samples: Samples) -> Samples:
    """Straight ramps over the first FADE_IN and the last FADE_OUT seconds of 48 kHz samples."""
    gain = np.ones(len(samples))
    up, down = (min(round(seconds * RATE), len(samples)) for seconds in (FADE_IN, FADE_OUT))
    gain[:up] = np.arange(up) / max(up, 1)
    gain[len(samples) - down :] *= np.arange(down)[::-1] / max(down, 1)
    return np.rint(samples * gain).astype(np.int16)


def rms_db(samples: Samples) -> float:
    """Mean level in dB of full scale; −∞ (as −200) for silence."""
    if not len(samples):
        return -200.0
    power = float(np.mean(np.square(samples.astype(np.float64) / 32768.0)))
    return max(-200.0, 10.0 * float(np.log10(power))) if power else -200.0


def wav(samples: Samples) -> bytes:
    """A WAV file of 48 kHz mono 16-bit samples: the same samples always give the same bytes."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()
