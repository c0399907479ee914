"""The speech server of OpenAI's protocol, against one on loopback."""

from __future__ import annotations

import io
import threading
import wave
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from mangavid import config
from mangavid.errors import AuthError, ConfigError, MangavidError, TtsFailed, TtsUnavailable
from mangavid.ports import Clock, Utterance
from mangavid.voices.speech import SpeechVoice
from tests.fakes import sounds
from tests.fakes.memory import FakeClock
from tests.fakes.speech import SpeechService, speech_service

PLAIN = "Một hai ba, bốn năm sáu. Bảy tám!"
SENTENCE = "Năm 2026, “cậu bé” Nakamura — tên là An — hỏi: “Ai đó?” Không ai trả lời! 😀"
SECRET = "sk-CANARY-7f3a"


class Ticking(FakeClock):
    """A fake clock whose time also passes by itself: half a second a look."""

    def monotonic(self) -> float:
        self.advance(0.5)
        return super().monotonic()


@pytest.fixture(scope="module")
def server() -> Iterator[SpeechService]:
    with speech_service() as service:
        yield service


@pytest.fixture
def service(server: SpeechService, monkeypatch: pytest.MonkeyPatch) -> Iterator[SpeechService]:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    server.faults.clear()
    server.ledger.__init__()  # type: ignore[misc]
    server.latency = 0.0
    yield server
    assert server.ledger.most_at_once <= 2
    assert not server.faults, "every fault was met"


def voice_of(
    service: SpeechService,
    *,
    clock: Clock | None = None,
    key: Callable[[], str] = lambda: SECRET,
    timeout: float = 10.0,
    **more: str,
) -> SpeechVoice:
    settings = config.Speech(base_url=more.pop("base_url", service.url), **more)
    return SpeechVoice(settings, key, clock=clock or FakeClock(), jitter=lambda: 0.0, timeout=timeout)


def samples_of(utterance: Utterance) -> np.ndarray:
    with wave.open(io.BytesIO(utterance.wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert len(data) == utterance.samples
    return data


def no_key() -> str:
    raise AuthError("the secret is not set", hint="mangavid secrets set openai")


# --- what is spoken ---------------------------------------------------------------------------------------------------


def test_words_are_the_texts_own_within_the_audio(service: SpeechService) -> None:
    utterance = voice_of(service).speak(SENTENCE)
    assert [word.text for word in utterance.words] == SENTENCE.split()
    edges = [edge for word in utterance.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0.0 and edges[-1] <= utterance.samples / 48_000
    assert len(samples_of(utterance)) > 48_000


def test_words_behind_a_sign_begin_where_its_pause_ends(service: SpeechService) -> None:
    utterance = voice_of(service).speak(PLAIN)
    expected = [start for _, start, _ in sounds.timed(PLAIN)[0]]
    found = [word.start for word in utterance.words]
    for n in (3, 6):  # bốn, Bảy
        assert found[n] - found[0] == pytest.approx(expected[n] - expected[0], abs=0.03)


def test_what_is_asked_for_is_what_is_set(service: SpeechService) -> None:
    voice_of(service, model="m", voice="v", instructions="calm").speak("Năm 2026.")
    voice_of(service).speak("Chào.")
    first, second = service.ledger.requests
    assert first == {
        "path": "/v1/audio/speech",
        "model": "m",
        "voice": "v",
        "instructions": "calm",
        "input": "Năm hai nghìn không trăm hai mươi sáu.",
        "response_format": "wav",
    }
    assert "instructions" not in second
    assert service.ledger.keys == [f"Bearer {SECRET}"] * 2


@pytest.mark.parametrize("text", ["", " ", "…!?", "😀", "「すごい」"])
def test_where_nothing_can_be_said_nobody_is_asked(service: SpeechService, text: str) -> None:
    assert voice_of(service, key=no_key).speak(text) == Utterance(wav=b"", samples=0, words=())
    assert service.ledger.requests == []


@pytest.mark.parametrize(
    "shape",
    [
        "MP3",
        "bare samples",
        "bare samples at their own rate",
        "a WAV of unknown length",
        "stereo at 44100",
        "a WAV without a type",
    ],
)
def test_audio_is_taken_also_as(service: SpeechService, shape: str) -> None:
    service.faults.append(shape)
    utterance = voice_of(service).speak(PLAIN)
    assert utterance.samples / 48_000 == pytest.approx(sounds.timed(PLAIN)[1] - 0.1 - 0.35 - 0.4 + 0.11, abs=0.1)
    assert len(service.ledger.requests) == 1


def test_two_threads_are_served_at_once(service: SpeechService) -> None:
    service.latency = 0.2
    voice = voice_of(service)
    threads = [threading.Thread(target=voice.speak, args=(f"Câu {n}.",)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(service.ledger.requests) == 2


def test_the_key_names_what_is_asked_for_and_never_the_secret(service: SpeechService) -> None:
    keys = {
        voice_of(service, **more).key
        for more in ({}, {"model": "b"}, {"voice": "b"}, {"instructions": "b"}, {"base_url": "http://127.0.0.1:1/v1"})
    }
    assert len(keys) == 5
    assert not any(SECRET in key or "127.0.0.1" in key for key in keys)


def test_a_server_of_ones_own_needs_no_key(service: SpeechService) -> None:
    assert voice_of(service, key=no_key).speak("Chào.").samples
    assert service.ledger.keys == ["Bearer none"]


def test_openai_itself_needs_a_key() -> None:
    voice = SpeechVoice(config.Speech(), no_key, clock=FakeClock())
    with pytest.raises(AuthError, match="not set"):
        voice.speak("Chào.")


def test_a_key_that_can_be_none_is_told_without_showing_it(service: SpeechService) -> None:
    with pytest.raises(AuthError) as caught:
        voice_of(service, key=lambda: f"{SECRET}\nX-Evil: 1").speak("Chào.")
    assert SECRET not in str(caught.value)
    assert service.ledger.requests == []


def test_a_text_too_long_to_be_a_line_is_refused_before_anybody_is_asked(service: SpeechService) -> None:
    with pytest.raises(TtsFailed, match="characters long"):
        voice_of(service).speak("nghiêng ngả " * 400)
    assert service.ledger.requests == []


# --- what goes wrong --------------------------------------------------------------------------------------------------

PASSING = [
    "too many requests", "a request timeout", "a conflict", "a server error", "a bad gateway", "an overloaded server",
    "a gateway timeout", "no answer", "a reset", "nonsense instead of HTTP", "a body cut off", "an endless body",
    "a redirect to nowhere", "nothing", "JSON with a friendly word", "HTML", "silence", "a tenth of a second",
    "another text", "a WAV that promises more", "a WAV with nothing behind its header", "a broken FLAC",
]  # fmt: skip


@pytest.mark.parametrize("fault", PASSING)
def test_it_is_tried_again_after(service: SpeechService, fault: str) -> None:
    service.faults.append(fault)
    clock = FakeClock()
    utterance = voice_of(service, clock=clock).speak(PLAIN)
    assert [word.text for word in utterance.words] == PLAIN.split()
    assert clock.slept == [7.0 if fault == "too many requests" else 2.0]
    assert len(service.ledger.requests) == 2


@pytest.mark.parametrize("fault", ["a stall", "a stall in the middle"])
def test_it_is_given_up_in_time_and_tried_again_after(service: SpeechService, fault: str) -> None:
    service.faults.append(fault)
    assert voice_of(service, timeout=0.5).speak("Chào.").samples
    assert len(service.ledger.requests) == 2


def test_a_drip_that_never_stalls_ends_at_the_deadline(service: SpeechService) -> None:
    service.faults.append("a slow drip")
    voice = voice_of(service, timeout=1.2, clock=Ticking())
    with pytest.raises(TtsUnavailable, match=r"not done after 1\.2 s"):
        voice.probe()


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ("a wrong key", AuthError, "refused the key"),
        ("a key without permission", AuthError, "refused the key.*Missing scopes"),
        ("no credit", AuthError, "no credit left"),
        ("payment required", AuthError, "no credit left"),
        ("no such model", ConfigError, "does not exist"),
        ("no such path", ConfigError, "404"),
        ("no such method", ConfigError, "405"),
        ("no such voice", ConfigError, "Voice not found"),
    ],
)
def test_what_a_person_must_mend_is_told_at_once_and_for_every_text(
    service: SpeechService, fault: str, error: type[MangavidError], said: str
) -> None:
    service.faults.append(fault)
    clock = FakeClock()
    voice = voice_of(service, clock=clock)
    for _ in range(2):
        with pytest.raises(error, match=said) as caught:
            voice.speak(PLAIN)
        assert caught.value.hint
        assert "CANARY" not in str(caught.value)
    assert clock.slept == []
    assert len(service.ledger.requests) == 1


@pytest.mark.parametrize("fault", ["a text it refuses", "an unprocessable text", "a text too large"])
def test_a_text_that_is_refused_is_that_texts_failure_alone(service: SpeechService, fault: str) -> None:
    service.faults.append(fault)
    voice = voice_of(service)
    with pytest.raises(TtsFailed, match="could not speak «Một hai ba") as caught:
        voice.speak(PLAIN)
    assert "\u202e" not in str(caught.value)
    assert voice.speak("Chào.").samples


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("a server error", "it answered 500"),
        ("no answer", "the connection failed"),
        ("HTML", r"no audio \(text/html; charset=\[31m\)"),
        ("silence", "silent"),
    ],
)
def test_what_fails_four_times_makes_it_unavailable(service: SpeechService, fault: str, said: str) -> None:
    service.faults.extend([fault] * 4)
    clock = FakeClock()
    voice = voice_of(service, clock=clock)
    for _ in range(2):
        with pytest.raises(TtsUnavailable, match=said):
            voice.speak(PLAIN)
    assert clock.slept == [2.0, 10.0, 60.0]
    assert len(service.ledger.requests) == 4


def test_nobody_there_is_unavailable(service: SpeechService) -> None:
    with pytest.raises(TtsUnavailable, match="the connection failed"):
        voice_of(service, base_url="http://127.0.0.1:9/v1").speak("Chào.")


def test_a_probe_speaks_one_word_once(service: SpeechService) -> None:
    assert "alloy spoke" in voice_of(service).probe()
    service.faults.append("a server error")
    with pytest.raises(TtsUnavailable, match="tried once"):
        voice_of(service).probe()
    assert len(service.ledger.requests) == 2
