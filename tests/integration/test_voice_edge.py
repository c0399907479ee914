"""Edge TTS against a service that speaks its protocol on loopback."""

from __future__ import annotations

import io
import math
import threading
import wave
from collections.abc import Iterator

import numpy as np
import pytest
from edge_tts import communicate, constants
from edge_tts.drm import DRM

from mangavid import config
from mangavid.errors import ConfigError, TtsFailed, TtsUnavailable
from mangavid.ports import Utterance
from mangavid.voices.edge import EdgeVoice
from tests.fakes import sounds
from tests.fakes.edge import EdgeService, edge_service
from tests.fakes.memory import FakeClock

SENTENCE = "Năm 2026, “cậu bé” Nakamura — tên là An — hỏi: “Ai đó? Ai đó?” Không ai trả lời! 😀"
PLAIN = "Một hai ba, bốn năm sáu. Bảy tám!"


@pytest.fixture(scope="module")
def server() -> Iterator[EdgeService]:
    with edge_service() as service:
        yield service


@pytest.fixture
def service(server: EdgeService, monkeypatch: pytest.MonkeyPatch) -> Iterator[EdgeService]:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(DRM, "clock_skew_seconds", 0.0)
    server.faults.clear()
    server.ledger.__init__()  # type: ignore[misc]
    server.skew = 0.0
    yield server
    communicate.WSS_URL = constants.WSS_URL
    assert server.ledger.most_at_once <= 1
    assert not server.faults, "every fault was met"


def voice_of(service: EdgeService, *, timeout: float = 10.0, clock: FakeClock | None = None, **more: str) -> EdgeVoice:
    settings = config.Edge(endpoint=service.url, **more)
    return EdgeVoice(settings, clock=clock or FakeClock(), jitter=lambda: 0.0, timeout=timeout)


def samples_of(utterance: Utterance) -> np.ndarray:
    with wave.open(io.BytesIO(utterance.wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert len(data) == utterance.samples
    return data


# --- what is spoken ---------------------------------------------------------------------------------------------------


def test_words_are_the_texts_own_each_with_its_time(service: EdgeService) -> None:
    utterance = voice_of(service).speak(SENTENCE)
    assert [word.text for word in utterance.words] == SENTENCE.split()
    edges = [edge for word in utterance.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0.0 and edges[-1] <= utterance.samples / 48_000
    assert [word.text for word in utterance.words if word.start == word.end] == ["—", "—", "😀"]


def test_numbers_are_sent_spelled_out_and_names_as_they_are_written(service: EdgeService) -> None:
    voice_of(service).speak("Năm 2026, NAKAMURA gặp Nakamura ở TP.HCM lúc 8h30, 30/4 <b>&</b> hết! https://a.vn")
    assert service.ledger.texts == [
        "Năm hai nghìn không trăm hai mươi sáu, nakamura gặp Nakamura ở thành phố Hồ Chí Minh"
        " lúc tám giờ ba mươi phút, ngày ba mươi tháng tư và hết!"
    ]


def test_word_times_are_where_the_sound_is(service: EdgeService) -> None:
    utterance = voice_of(service).speak(PLAIN)
    loud = np.abs(samples_of(utterance).astype(np.int32)) > 1000
    level = loud[: len(loud) // 480 * 480].reshape(-1, 480).any(axis=1)
    onsets = np.flatnonzero(level[1:] & ~level[:-1]) + 1
    for word in utterance.words:
        assert np.min(np.abs(onsets / 100 - word.start)) < 0.06, word


def test_what_is_asked_for_is_word_boundaries_and_the_voice_that_is_set(service: EdgeService) -> None:
    voice_of(service, voice="vi-VN-NamMinhNeural", rate="+20%").speak("Chào.")
    assert service.ledger.configs[0]["metadataoptions"]["wordBoundaryEnabled"] == "true"
    assert service.ledger.voices == ["Microsoft Server Speech Text to Speech Voice (vi-VN, NamMinhNeural)"]


@pytest.mark.parametrize("text", ["", "  \n", "…!?", "😀 ✨", "— “” —", "「すごい」", "https://example.com/a"])
def test_where_nothing_can_be_said_nobody_is_asked(service: EdgeService, text: str) -> None:
    utterance = voice_of(service).speak(text)
    assert (utterance.wav, utterance.samples, utterance.words) == (b"", 0, ())
    assert service.ledger.connections == []


def test_a_text_of_several_requests_has_times_that_go_on(service: EdgeService) -> None:
    text = "Nghiêng nghiêng nghiêng nghiêng, đường phố. " * 90
    utterance = voice_of(service, timeout=30.0).speak(text)
    assert len(service.ledger.texts) == 2
    assert len(utterance.words) == len(text.split())
    assert utterance.words[-1].end > 0.97 * utterance.samples / 48_000


def test_a_text_of_several_requests_whose_first_was_cut_off_is_asked_for_again(service: EdgeService) -> None:
    text = "Nghiêng nghiêng nghiêng nghiêng, đường phố. " * 90
    service.faults.extend(["drop in the middle"])
    utterance = voice_of(service, timeout=30.0).speak(text)
    assert len(service.ledger.texts) == 4
    assert len(utterance.words) == len(text.split())


def test_a_text_too_long_to_be_a_line_is_refused_before_anybody_is_asked(service: EdgeService) -> None:
    with pytest.raises(TtsFailed, match=r"1[12],\d+ characters long"):
        voice_of(service).speak("nghiêng ngả " * 1000)
    assert service.ledger.connections == []


def test_the_key_names_version_voice_and_settings() -> None:
    keys = {
        EdgeVoice(config.Edge(**settings), clock=FakeClock()).key
        for settings in ({}, {"voice": "vi-VN-NamMinhNeural"}, {"rate": "+5%"}, {"pitch": "-3Hz"})
    }
    assert len(keys) == 4
    assert all(key.startswith("edge-7") for key in keys)


def test_threads_that_ask_at_once_are_served_one_after_the_other(service: EdgeService) -> None:
    service.latency = 0.05
    voice = voice_of(service)
    threads = [threading.Thread(target=voice.speak, args=(f"Câu {n}.",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    service.latency = 0.0
    assert len(service.ledger.texts) == 4
    assert service.ledger.most_at_once == 1


# --- what goes wrong --------------------------------------------------------------------------------------------------

PASSING = [
    "drop on accept", "no upgrade", "status 429", "status 500", "status 502", "status 503", "status 504", "status 408",
    "403 without date", "403 with a bad date", "drop after handshake", "drop after the start", "no audio",
    "drop in the middle", "close in the middle", "audio cut after all words", "endless audio",
    "one byte", "a header longer than the message", "a header without a colon", "binary of another path",
    "binary of another type", "binary without a type", "empty audio", "an unknown path", "text without headers",
    "unknown metadata", "metadata without words", "broken JSON", "JSON of another shape", "a message of 5 MiB",
    "no words", "half of the words", "other words", "times as text", "negative times", "times of another day",
    "words in reverse order", "words long after the audio", "silence", "a tenth of a second", "another text's audio",
    "noise instead of audio", "HTML instead of audio", "a hole in the audio",
]  # fmt: skip


@pytest.mark.parametrize("fault", PASSING)
def test_it_is_tried_again_after(service: EdgeService, fault: str) -> None:
    faults = _as_often_as_aiohttp_asks(fault)
    service.faults.extend(faults)
    clock = FakeClock()
    utterance = voice_of(service, clock=clock).speak(PLAIN)
    assert [word.text for word in utterance.words] == PLAIN.split()
    assert clock.slept == [2.0]
    assert len(service.ledger.connections) == len(faults) + 1


def _as_often_as_aiohttp_asks(fault: str) -> list[str]:
    """aiohttp by itself asks once more where a connection was closed without an answer."""
    return [fault, fault] if fault == "drop on accept" else [fault]


@pytest.mark.parametrize("fault", ["stall", "stall in the middle", "slow drip"])
def test_it_is_given_up_in_time_and_tried_again_after(service: EdgeService, fault: str) -> None:
    service.faults.append(fault)
    assert voice_of(service, timeout=0.7).speak("Chào.").samples
    assert len(service.ledger.connections) == 2


def test_a_stray_word_in_the_report_does_no_harm(service: EdgeService) -> None:
    service.faults.append("a stray word between")
    utterance = voice_of(service).speak(PLAIN)
    expected = [start for _, start, _ in sounds.timed(PLAIN)[0]]
    assert [word.start - utterance.words[0].start for word in utterance.words] == pytest.approx(
        [start - expected[0] for start in expected], abs=0.03
    )


@pytest.mark.parametrize(
    ("fault", "said", "hint"),
    [
        ("no audio", "no audio was received for the voice vi-VN-HoaiMyNeural", "edge.voice"),
        ("status 503", "the service answered 503", "edge-tts"),
        ("drop in the middle", "cut off", "edge-tts"),
        ("drop on accept", "the connection failed", "edge-tts"),
        ("silence", "silent", "edge-tts"),
    ],
)
def test_what_fails_four_times_makes_it_unavailable(service: EdgeService, fault: str, said: str, hint: str) -> None:
    faults = _as_often_as_aiohttp_asks(fault) * 4
    service.faults.extend(faults)
    clock = FakeClock()
    voice = voice_of(service, clock=clock)
    with pytest.raises(TtsUnavailable, match=said) as caught:
        voice.speak(PLAIN)
    assert hint in caught.value.hint
    assert clock.slept == [2.0, 10.0, 60.0]
    # and the next texts don't wait through all of that again
    with pytest.raises(TtsUnavailable, match=said):
        voice.speak("Chào.")
    assert len(service.ledger.connections) == len(faults)
    assert len(clock.slept) == 3


def test_waits_are_shortened_by_jitter_and_lengthened_by_what_the_service_asks(service: EdgeService) -> None:
    service.faults.extend(["status 429 30", "status 429 9999", "status 503"])
    clock = FakeClock()
    EdgeVoice(config.Edge(endpoint=service.url), clock=clock, jitter=lambda: 0.5, timeout=10).speak("Chào.")
    assert clock.slept == [30.0, 60.0, 45.0]


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_service_that_is_not_there_any_more_is_not_asked_again(service: EdgeService, status: int) -> None:
    service.faults.append(f"status {status}")
    voice = voice_of(service)
    for _ in range(2):
        with pytest.raises(TtsUnavailable, match=str(status)):
            voice.speak("Chào.")
    assert len(service.ledger.connections) == 1


def test_a_clock_that_is_off_is_corrected_within_the_same_try(service: EdgeService) -> None:
    service.skew = 3600.0
    clock = FakeClock()
    assert voice_of(service, clock=clock).speak("Chào.").samples
    assert clock.slept == []
    assert len(service.ledger.connections) == 2
    assert math.isclose(DRM.clock_skew_seconds, 3600, abs_tol=5)


def test_a_second_refusal_of_a_clock_that_is_off_says_so(service: EdgeService) -> None:
    service.skew = 3600.0
    service.faults.extend(["403"] * 8)
    with pytest.raises(TtsUnavailable, match=r"\(403\): this machine's clock is 3[56]\d\d s off") as caught:
        voice_of(service).speak("Chào.")
    assert "clock" in caught.value.hint


def test_a_refusal_with_a_right_clock_is_of_the_network_or_of_an_old_version(service: EdgeService) -> None:
    service.faults.extend(["403"] * 8)
    with pytest.raises(TtsUnavailable, match=r"\(403\): it turns this network away, or edge-tts is too old") as caught:
        voice_of(service).speak("Chào.")
    assert "pip install -U edge-tts" in caught.value.hint


def test_nobody_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    voice = EdgeVoice(config.Edge(endpoint="ws://127.0.0.1:9/x"), clock=FakeClock(), timeout=5)
    with pytest.raises(TtsUnavailable, match="the connection failed"):
        voice.speak("Chào.")
    communicate.WSS_URL = constants.WSS_URL


def test_a_voice_that_can_be_none_is_a_wrong_setting(service: EdgeService) -> None:
    voice = voice_of(service, voice="vi-VN-HoaiMy")
    for _ in range(2):
        with pytest.raises(ConfigError, match="takes no such voice") as caught:
            voice.speak("Chào.")
        assert "edge.voice" in caught.value.hint
    assert service.ledger.connections == []


def test_a_probe_speaks_one_word_once(service: EdgeService) -> None:
    assert "vi-VN-HoaiMyNeural spoke" in voice_of(service).probe()
    assert service.ledger.texts == ["Chào."]
    service.faults.append("status 503")
    clock = FakeClock()
    with pytest.raises(TtsUnavailable, match="tried once"):
        voice_of(service, clock=clock).probe()
    assert clock.slept == []


def test_without_an_endpoint_it_is_microsofts_again(service: EdgeService) -> None:
    voice_of(service).speak("Chào.")
    assert communicate.WSS_URL.startswith(service.url)
    EdgeVoice(config.Edge(), clock=FakeClock())._point_at_endpoint()
    assert communicate.WSS_URL == constants.WSS_URL
