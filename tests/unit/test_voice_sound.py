from __future__ import annotations

import io
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangavid.voices import sound


def tone(seconds: float, rate: int, level: float = 0.5, hertz: float = 440.0) -> sound.Samples:
    times = np.arange(round(seconds * rate)) / rate
    return np.rint(np.sin(2 * np.pi * hertz * times) * level * 32767).astype(np.int16)


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.0), (0.5, 0.7), (0.01, 0.02)])
def test_silence_is_cut_or_filled_to_the_same_pads(before: float, after: float) -> None:
    rate = 22_050
    speech = np.full(2000, 1000, np.int16)
    quiet = [np.zeros(round(seconds * rate), np.int16) for seconds in (before, after)]
    trimmed, earlier = sound.trim(np.concatenate([quiet[0], speech, quiet[1]]), rate)
    loud = np.flatnonzero(trimmed)
    assert loud[0] == round(sound.LEAD * rate)
    assert len(trimmed) - 1 - loud[-1] == round(sound.TAIL * rate)
    assert earlier == pytest.approx(before - sound.LEAD, abs=2 / rate)


def test_nothing_but_silence_is_trimmed_to_nothing() -> None:
    assert sound.trim(np.zeros(1000, np.int16), 22_050) == (pytest.approx(np.zeros(0)), 0.0)


def test_resampling_keeps_length_pitch_and_place() -> None:
    click = np.zeros(22_050, np.int16)
    click[11_025] = 20_000
    moved = sound.resample(click, 22_050)
    assert (len(moved), int(np.argmax(np.abs(moved)))) == (48_000, 24_000)
    heard = sound.resample(tone(1.0, 22_050), 22_050)
    assert int(np.argmax(np.abs(np.fft.rfft(heard)))) == 440


def test_resampling_gives_the_same_samples_each_time() -> None:
    noise = (np.random.default_rng(1).normal(size=30_000) * 3000).astype(np.int16)
    assert np.array_equal(sound.resample(noise, 22_050), sound.resample(noise, 22_050))


def test_edges_are_faded_and_the_middle_is_left_alone() -> None:
    flat = np.full(48_000, 10_000, np.int16)
    faded = sound.fade(flat)
    assert (faded[0], faded[-1]) == (0, 0)
    middle = slice(round(sound.FADE_IN * sound.RATE), len(flat) - round(sound.FADE_OUT * sound.RATE))
    assert np.array_equal(faded[middle], flat[middle])


@given(st.integers(0, 3000))
@settings(deadline=None)
def test_fading_takes_any_length(length: int) -> None:
    assert len(sound.fade(np.full(length, 5, np.int16))) == length


def test_levels_are_measured_in_decibels_of_full_scale() -> None:
    assert sound.rms_db(np.full(100, 16_384, np.int16)) == pytest.approx(-6.02, abs=0.01)
    assert sound.rms_db(np.zeros(100, np.int16)) == -200.0
    assert sound.rms_db(np.zeros(0, np.int16)) == -200.0


def test_a_wav_holds_its_samples_and_is_the_same_every_time() -> None:
    samples = tone(0.1, sound.RATE)
    data = sound.wav(samples)
    assert data == sound.wav(samples.copy())
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        assert file.readframes(file.getnframes()) == samples.tobytes()
