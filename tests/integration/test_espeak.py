"""The real eSpeak NG, in its real process."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangavid import config
from mangavid.errors import TtsFailed
from mangavid.ports import Utterance
from mangavid.voices import align, espeak_worker, sound
from mangavid.voices.espeak import Engine, EspeakVoice, find_engine
from mangavid.voices.spoken import to_spoken

SENTENCE = "Năm 2026, “cậu bé” 12 tuổi — tên là An — đi 3,5 km… rồi hỏi: “Ai đó?” Không ai trả lời! 😀"


@pytest.fixture(scope="module")
def voice() -> EspeakVoice:
    return EspeakVoice(config.Voice())


def samples_of(utterance: Utterance) -> sound.Samples:
    with wave.open(io.BytesIO(utterance.wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert len(data) == utterance.samples
    return data


def worker(folder: Path, code: str) -> Engine:
    """An engine that runs ``code`` for each text, in a fork of the worker's real server."""
    script = folder / "worker.py"
    script.write_text(
        "import json, os, signal, sys, time\n"
        f"sys.path.insert(0, {str(Path(espeak_worker.__file__).parent)!r})\n"
        "import espeak_worker\n"
        "sys.stdin.buffer.readline()\n"
        "def speak(text, file):\n"
        "    def answer(pcm): espeak_worker.write(file, pcm, [], 0)\n"
        "    " + code.replace("\n", "\n    ") + "\n"
        "espeak_worker.serve({'version': '0', 'rate': 22050}, speak)\n"
    )
    return Engine("none", "", str(script))


def test_words_are_the_texts_own_each_with_its_time(voice: EspeakVoice) -> None:
    utterance = voice.speak(SENTENCE)
    assert [word.text for word in utterance.words] == SENTENCE.split()
    duration = utterance.samples / 48_000
    edges = [edge for word in utterance.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0.0
    assert duration - 0.2 < edges[-1] <= duration
    silent = [word.text for word in utterance.words if word.start == word.end]
    assert silent == ["—", "—", "😀"]


def test_the_engine_reports_one_event_a_spoken_word(voice: EspeakVoice) -> None:
    said = align.line(to_spoken(SENTENCE + " Ngày 23/11/2026 lúc 8h30, giá 50.000đ ở TP.HCM."))
    answer, _ = voice._run(said.text)
    assert [position for position, _ in answer.words] == list(said.starts)


def test_word_times_are_where_the_sound_is(voice: EspeakVoice) -> None:
    utterance = voice.speak("Một, hai, ba. Bốn.")
    heard = np.abs(samples_of(utterance).astype(np.int32)) > 600
    for word in utterance.words:
        early = heard[round(word.start * 48_000) : round((word.start + 0.15) * 48_000)]
        assert early.mean() > 0.3, word


def test_the_same_text_gives_the_same_bytes_in_any_order_and_thread(voice: EspeakVoice) -> None:
    texts = [SENTENCE, "Một.", "Hai!", SENTENCE, "Một."]
    with ThreadPoolExecutor(2) as pool:
        first = list(pool.map(voice.speak, texts))
    again = EspeakVoice(config.Voice())
    assert again.key == voice.key
    assert [again.speak(text) for text in reversed(texts)] == first[::-1]
    assert first[0] == first[3]


def test_speech_neither_clips_nor_clicks_and_has_its_pads(voice: EspeakVoice) -> None:
    data = samples_of(voice.speak("Á á á! Trời ơi! Bão ập tới, chạy mau, chạy mau! Ồ ố ô!"))
    assert np.abs(data.astype(np.int32)).max() < 32_000
    assert -35.0 < sound.rms_db(data) < -12.0
    assert abs(int(data[0])) + abs(int(data[-1])) == 0
    loud = np.flatnonzero(np.abs(data.astype(np.int32)) > 300)
    assert 0.02 < loud[0] / 48_000 < 0.06
    assert 0.05 < (len(data) - loud[-1]) / 48_000 < 0.12


def test_every_setting_changes_the_key_and_the_sound(voice: EspeakVoice) -> None:
    others = [
        EspeakVoice(settings)
        for settings in (
            config.Voice(name="vi-vn-x-south"),
            config.Voice(name="vi-vn-x-central"),
            config.Voice(words_per_minute=220),
            config.Voice(pitch=70),
        )
    ]
    assert len({voice.key, *(other.key for other in others)}) == 5
    assert len({one.speak("Xin chào các bạn.").wav for one in (voice, *others)}) == 5
    assert others[2].speak(SENTENCE).samples < 0.9 * voice.speak(SENTENCE).samples


@pytest.mark.parametrize("text", ["", "…", "!!! — ???", "😀🔥", "鬼滅の刃", "@ai", "\u200b", "\ud800"])
def test_a_text_without_words_is_an_empty_utterance(voice: EspeakVoice, text: str) -> None:
    assert voice.speak(text) == Utterance(wav=b"", samples=0, words=())


@pytest.mark.parametrize(
    "text", ["à", "Ừ!", "A", "X", "5", "Naruto", "HMMM", "Schwarzenegger", "Ptbwimkww", "0912345678"]
)
def test_a_single_word_is_spoken(voice: EspeakVoice, text: str) -> None:
    utterance = voice.speak(text)
    assert utterance.samples > 0.15 * 48_000
    assert [word.text for word in utterance.words] == [text]


@pytest.mark.parametrize("rate", [80, 300])
def test_the_slowest_and_the_fastest_speech_pass_the_length_check(rate: int) -> None:
    voice = EspeakVoice(config.Voice(words_per_minute=rate))
    for text in ("Ích", "Ép", "Yr", SENTENCE, "FBI", "Hokage Goku"):
        assert voice.speak(text).samples


def test_four_thousand_characters_are_spoken_with_every_word(voice: EspeakVoice) -> None:
    text = ("anh ấy đi mãi đi mãi mà không thấy ai cả " * 100)[:4000].strip()
    utterance = voice.speak(text)
    assert [word.text for word in utterance.words] == text.split()
    assert all(word.end > word.start for word in utterance.words)


def test_a_text_beyond_the_limit_is_refused(voice: EspeakVoice) -> None:
    with pytest.raises(TtsFailed, match="more than 10,000"):
        voice.speak("anh ấy " * 2000)


@given(st.text(alphabet=st.characters(codec="utf-8", max_codepoint=0x1F9FF), max_size=60))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_random_text_is_spoken_or_empty_never_a_crash(text: str) -> None:
    utterance = EspeakVoice(config.Voice()).speak(text)
    assert (utterance.samples > 0) == bool(utterance.words)


def test_data_in_a_folder_with_a_very_long_name_is_found(tmp_path: Path, voice: EspeakVoice) -> None:
    engine = find_engine()
    deep = tmp_path / ("thư mục rất dài " * 10) / ("x" * 200)
    shutil.copytree(engine.data, deep / "espeak-ng-data")
    moved = EspeakVoice(config.Voice(), engine=Engine(engine.library, str(deep / "espeak-ng-data")))
    assert moved.speak("Xin chào.") == voice.speak("Xin chào.")
    assert moved.key == voice.key


def test_settings_of_the_surroundings_change_nothing(voice: EspeakVoice, monkeypatch: pytest.MonkeyPatch) -> None:
    before = voice.speak("Xin chào.")
    monkeypatch.setenv("ESPEAK_DATA_PATH", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("LC_ALL", "C")
    assert voice.speak("Xin chào.") == before


@pytest.mark.parametrize(
    ("engine", "reason"),
    [
        (Engine("/nowhere/libespeak-ng.so", ""), "the library can't be loaded"),
        (Engine(find_engine().library, os.curdir), "its data was not found"),
    ],
)
def test_a_missing_library_or_data_is_told_with_what_to_install(engine: Engine, reason: str) -> None:
    with pytest.raises(TtsFailed, match=reason) as caught:
        EspeakVoice(config.Voice(), engine=engine)
    assert "pip install espeakng-loader" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "ended by SIGSEGV"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "ended by SIGKILL"),
        ("sys.exit('first\\nphonemes are broken')", "phonemes are broken"),
        ("os._exit(4)", "exit code 4"),
        ("os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)", "ended by SIGKILL"),
        ("file.write(b'{\"words\": ')", "cut off"),
        ("answer(b'\\x10\\x10' * 60000); file.truncate(50000)", "cut off"),
        ("answer(b'')", "took 0.00 s"),
        ("answer(b'\\0' * 44100)", "took 0.00 s"),
        ("answer(b'\\0')", "cut off"),
        ("answer(b'\\x10\\x10' * 22050 * 60)", "took 60"),
        ("answer(b'\\x10\\x10' * 1000)", "took 0"),
    ],
)
def test_a_worker_that_dies_or_talks_nonsense_fails_this_text_with_the_reason(
    tmp_path: Path, code: str, reason: str
) -> None:
    voice = EspeakVoice(config.Voice(), engine=worker(tmp_path, code))
    with pytest.raises(TtsFailed, match=reason) as caught:
        voice.speak("Xin chào các bạn, hôm nay trời đẹp.")
    assert "«Xin chào" in str(caught.value)


def test_a_worker_that_hangs_is_ended(tmp_path: Path) -> None:
    mark = tmp_path / "alive"
    code = f"open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    voice = EspeakVoice(config.Voice(), engine=worker(tmp_path, code), timeout=1.5)
    with pytest.raises(TtsFailed, match=r"not done after 1\.5 s"):
        voice.speak("Xin chào.")
    assert not Path(f"/proc/{mark.read_text()}").exists()


def test_an_engine_without_events_still_gives_every_word_a_time(tmp_path: Path) -> None:
    code = (
        "import array, math\n"
        "tone = array.array('h', (int(9000 * math.sin(i / 9)) for i in range(44100)))\n"
        "answer(tone.tobytes())"
    )
    utterance = EspeakVoice(config.Voice(), engine=worker(tmp_path, code)).speak("Xin chào các bạn.")
    assert [word.text for word in utterance.words] == ["Xin", "chào", "các", "bạn."]
    assert all(word.end - word.start > 0.3 for word in utterance.words)
    assert utterance.words[-1].end <= utterance.samples / 48_000


TONE = (
    "import array, math\n"
    "tone = array.array('h', (int(9000 * math.sin(i / 9)) for i in range(44100)))\n"
    "with open({ledger!r}, 'a') as ledger: ledger.write('spoken\\n')\n"
    "time.sleep({seconds})\n"
    "answer(tone.tobytes())"
)


def test_what_was_being_spoken_when_the_run_was_killed_is_not_spoken_again(tmp_path: Path) -> None:
    ledger, spool = tmp_path / "ledger", tmp_path / "spool"
    engine = worker(tmp_path, TONE.format(ledger=str(ledger), seconds=1.5))
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mangavid import config\n"
        "from mangavid.voices.espeak import Engine, EspeakVoice\n"
        f"voice = EspeakVoice(config.Voice(), spool=Path({str(spool)!r}), engine=Engine('none', '', sys.argv[1]))\n"
        "voice.speak('Xin chào các bạn.')\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, engine.worker]) as run:
        while not ledger.exists():
            time.sleep(0.01)
        run.kill()
    after = EspeakVoice(config.Voice(), spool=spool, engine=engine)
    assert after.speak("Xin chào các bạn.").samples
    assert ledger.read_text() == "spoken\n"


def test_a_spooled_line_that_was_damaged_is_spoken_again(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    engine = worker(tmp_path, TONE.format(ledger=str(ledger), seconds=0))
    voice = EspeakVoice(config.Voice(), spool=tmp_path / "spool", engine=engine)
    first = voice.speak("Xin chào các bạn.")
    assert voice.speak("Xin chào các bạn.") == first and ledger.read_text() == "spoken\n"
    (spooled,) = (tmp_path / "spool").glob("*.spoken")
    spooled.write_bytes(spooled.read_bytes()[:-2] + b"\x7f\x7f")
    assert voice.speak("Xin chào các bạn.") == first and ledger.read_text() == "spoken\nspoken\n"


def test_a_voice_that_is_done_leaves_neither_processes_nor_files(tmp_path: Path) -> None:
    voice = EspeakVoice(config.Voice(), spool=tmp_path)
    assert voice.speak("Xin chào.").samples and list(tmp_path.iterdir())
    (process,) = [worker._process for worker in voice._idle]
    del voice
    assert process.returncode is not None and not list(tmp_path.iterdir())


def test_english_is_spoken_as_it_is_written_with_its_numbers() -> None:
    english = EspeakVoice(config.Voice(), language="en")
    spoken = english.speak("In 1777, 23 ships left. Nobody came back!")
    assert [word.text for word in spoken.words] == ["In", "1777,", "23", "ships", "left.", "Nobody", "came", "back!"]
    starts = [word.start for word in spoken.words]
    assert starts == sorted(starts)
    assert spoken.words[1].end - spoken.words[1].start > 0.5, "a year is several words"
    assert spoken.words[-1].end <= spoken.samples / 48_000
    assert "en-us" in english.key
    assert english.speak("2026").samples > 0
