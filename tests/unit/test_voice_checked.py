"""What a service's audio goes through before it is believed."""

from __future__ import annotations

import numpy as np
import pytest

from mangavid.voices import align, checked, decoded, reading
from mangavid.voices.checked import Unfit
from mangavid.voices.retrying import Again, seconds_of, shown, tried
from tests.fakes import sounds
from tests.fakes.memory import FakeClock

TEXT = "Một hai ba, bốn năm sáu. Bảy tám! Chín mười."


def told(text: str, samples: np.ndarray) -> list[float]:
    tokens = reading.tokens(text)
    utterance = checked.utterance(samples, tokens, align.line(tokens), words_per_minute=200.0)
    return [word.start for word in utterance.words]


def test_words_behind_signs_begin_where_their_pauses_end() -> None:
    starts = told(TEXT, sounds.tones(TEXT, 48_000))
    expected = [start - sounds.LEAD + 0.03 for _, start, _ in sounds.timed(TEXT)[0]]
    assert [starts[n] for n in (0, 3, 6, 8)] == pytest.approx([expected[n] for n in (0, 3, 6, 8)], abs=0.03)
    assert starts == pytest.approx(expected, abs=0.08)


def test_a_sign_without_a_pause_shares_the_time_around_it() -> None:
    flat = TEXT.replace(",", "").replace("!", "")
    starts = told(TEXT, sounds.tones(flat, 48_000))
    expected = [start - sounds.LEAD + 0.03 for _, start, _ in sounds.timed(flat)[0]]
    assert starts == sorted(starts)
    assert starts[6] == pytest.approx(expected[6], abs=0.03)


def test_pauses_are_those_between_words_and_not_at_the_ends() -> None:
    found = checked.pauses(sounds.tones("một, hai ba. bốn", 48_000))
    assert [round(stop - start, 1) for start, stop in found] == [0.2, 0.4]


def test_pauses_are_found_over_a_noise_too() -> None:
    noise = np.random.default_rng(1).normal(0, 60, 10_000_000).astype(np.int16)
    samples = sounds.tones(TEXT, 48_000)
    assert len(checked.pauses(samples + noise[: len(samples)])) == 3


@pytest.mark.parametrize("samples", [np.zeros(0, np.int16), np.zeros(48_000, np.int16), np.full(48_000, 20, np.int16)])
def test_silence_is_unfit(samples: np.ndarray) -> None:
    with pytest.raises(Unfit, match="silent"):
        told(TEXT, samples)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"RIFF\0\0\0\0WAVEfmt ", "wav"),
        (b"OggS\0", "ogg"),
        (b"fLaC\0", "flac"),
        (b"ID3\4", "mp3"),
        (b"\xff\xf3\x64", "mp3"),
        (b"", ""),
        (b"#EXTM3U\nfile:///etc/passwd", ""),
        (b"<svg/>", ""),
        (b"RIFF\0\0\0\0AVI ", ""),
    ],
)
def test_only_audio_that_is_known_reaches_a_decoder(data: bytes, kind: str) -> None:
    assert decoded.container(data) == kind
    if not kind:
        with pytest.raises(Unfit, match="no audio"):
            decoded.decode(data, most=10.0)


def test_decoding_ends_at_its_limit() -> None:
    data = sounds.wav(np.ones(24_000 * 20, np.int16), 24_000)
    with pytest.raises(Unfit, match="longer than 5 s"):
        decoded.decode(data, most=5.0)
    with pytest.raises(Unfit, match="longer than 5 s"):
        decoded.pcm(bytes(48_000 * 6), 24_000, most=5.0)


def test_what_is_in_a_wav_is_what_comes_out() -> None:
    samples = sounds.tones(TEXT, 48_000)
    assert np.array_equal(decoded.decode(sounds.wav(samples, 48_000), most=60.0), samples)


@pytest.mark.parametrize("at", [4, 11, 13, 20, 40, 44, 45, 2000])
def test_a_wav_cut_anywhere_is_unfit(at: int) -> None:
    with pytest.raises(Unfit):
        decoded.decode(sounds.wav(sounds.tones(TEXT, 48_000), 48_000)[:at], most=60.0)


def test_tries_end_with_the_last_problem() -> None:
    clock = FakeClock()
    calls: list[int] = []

    def call() -> int:
        calls.append(1)
        raise Again(f"number {len(calls)}", after=100.0 if len(calls) == 2 else 0.0)

    with pytest.raises(Again, match="number 4"):
        tried(call, clock=clock, jitter=lambda: 0.999, tries=4)
    assert clock.slept == pytest.approx([1.0, 60.0, 30.0], abs=0.05)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        ("-3", 0),
        ("nan", 0),
        ("1e99", 0),
        ("99999", 3600),
        ("1.5", 1.5),
        ("٧", 0),
        ("Fri, 13", 0),
    ],
)
def test_how_long_a_service_asks_to_wait(header: str | None, seconds: float) -> None:
    assert seconds_of(header) == seconds


def test_text_from_outside_is_shown_as_one_plain_line() -> None:
    assert shown("a\n\x1b[31mb\u202e\ud800 c", 60) == "a [31mb c"
    assert shown("x" * 100, 10) == "x" * 9 + "…"
