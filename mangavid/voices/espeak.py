"""eSpeak NG: the voice that always works: offline, in the box, no download, the same bytes every time."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import msgspec

from mangavid import config
from mangavid.errors import TtsFailed
from mangavid.models import Word
from mangavid.ports import Utterance
from mangavid.voices import align, espeak_worker
from mangavid.voices.spoken import NORMALISER_VERSION, speakable, to_spoken

#: Of 100: at the engine's default loud vowels reach full scale, at 60 they peak near −2.6 dB.
VOLUME = 60
#: Longest text that is spoken in one go, in characters: some ten minutes.
LONGEST = 10_000
_HINT = "the text can be changed in the sidecar; mangavid retry takes the chapter up again"
_SYSTEM_LIBRARY = "libespeak-ng.so.1"


class Engine(msgspec.Struct, frozen=True):
    """Where eSpeak NG is. An empty ``data``: the library knows its own. ``worker`` is the script that drives it."""

    library: str
    data: str
    worker: str = espeak_worker.__file__


class _Answer(msgspec.Struct, frozen=True):
    """The first line of the worker's answer."""

    version: str
    rate: int
    words: tuple[tuple[int, int], ...]
    end: int


def find_engine() -> Engine:
    """The library and data that come with espeakng-loader; where that is missing or broken, the system's library."""
    try:
        import espeakng_loader

        library, data = Path(espeakng_loader.get_library_path()), Path(espeakng_loader.get_data_path())
    except (ImportError, OSError):
        return Engine(_SYSTEM_LIBRARY, "")
    if library.is_file() and data.is_dir():
        return Engine(str(library), str(data))
    return Engine(_SYSTEM_LIBRARY, "")


class EspeakVoice:
    """Speaks with eSpeak NG, each text in a process of its own; safe to use from several threads.

    ``key`` covers the engine's version and files, the voice's settings and our own reading rules.
    """

    def __init__(self, settings: config.Voice, *, engine: Engine | None = None, timeout: float = 60.0) -> None:
        """Raises TtsFailed where eSpeak NG can't be started. ``timeout``: seconds a text may take."""
        self._settings = settings
        self._engine = engine or find_engine()
        self._timeout = timeout
        answer, _ = self._run("")
        files = _fingerprint(self._engine, settings.name)
        self.key = (
            f"espeak-{answer.version}-{files}-{settings.name}-{settings.words_per_minute}-{settings.pitch}"
            f"-v{VOLUME}-n{NORMALISER_VERSION}"
        )

    def speak(self, text: str) -> Utterance:
        """See ``ports.Voice``. Where nothing can be said (no words, only signs): no samples and no words.

        Raises TtsFailed where the engine crashes, hangs or delivers something that can't be this text.
        """
        tokens = to_spoken(text)
        if not speakable(tokens):
            return Utterance(wav=b"", samples=0, words=())
        said = align.line(tokens)
        if len(said.text) > LONGEST:
            raise self._failed(text, f"it is {len(said.text):,} characters long, more than {LONGEST:,}")
        answer, pcm = self._run(said.text)

        import numpy as np

        from mangavid.voices import sound

        raw = np.frombuffer(pcm, dtype=np.int16)
        trimmed, cut = sound.trim(raw, answer.rate)
        samples = sound.fade(sound.resample(trimmed, answer.rate))
        duration = len(samples) / sound.RATE
        least, most = expected_seconds(said.text, self._settings.words_per_minute)
        if not 0.3 * least <= duration <= 3.0 * most:
            raise self._failed(text, f"it took {duration:.2f} s where about {least:.2f} s were expected")
        if sound.rms_db(samples) <= -60.0:
            raise self._failed(text, "the audio is silent")
        events = [(position, sample / answer.rate - cut) for position, sample in answer.words]
        end = min(answer.end / answer.rate - cut, duration) if answer.end else duration
        starts = [min(start, end) for start in align.times(said, events, duration)]
        words: tuple[Word, ...] = align.words(tokens, said, starts, end)
        return Utterance(wav=sound.wav(samples), samples=len(samples), words=words)

    def _run(self, text: str) -> tuple[_Answer, bytes]:
        """One worker process: its answer and its samples."""
        engine, settings = self._engine, self._settings
        order = {
            "text": text,
            "voice": settings.name,
            "rate": settings.words_per_minute,
            "pitch": settings.pitch,
            "volume": VOLUME,
        }
        # eSpeak NG silently drops a data path longer than some 160 characters: it gets «.», and the folder as its own.
        data, folder = (".", engine.data) if engine.data else ("", None)
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-S", engine.worker, engine.library, data],
                input=msgspec.json.encode(order),
                capture_output=True,
                timeout=self._timeout,
                cwd=folder,
                env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise self._failed(text, f"it was not done after {self._timeout:g} s") from None
        except OSError as problem:
            raise self._failed(text, f"it could not be started ({problem})") from problem
        if done.returncode != 0:
            raise self._failed(text, _why(done.returncode, done.stderr))
        head, _, pcm = done.stdout.partition(b"\n")
        try:
            answer = msgspec.json.decode(head, type=_Answer)
        except msgspec.MsgspecError as problem:
            raise self._failed(text, f"its answer was cut off ({len(done.stdout)} bytes)") from problem
        if answer.rate <= 0 or len(pcm) % 2:
            raise self._failed(text, "its audio was cut off")
        return answer, pcm

    def _failed(self, text: str, reason: str) -> TtsFailed:
        if not text:
            hint = "pip install espeakng-loader, or install your system's libespeak-ng1"
            return TtsFailed(f"eSpeak NG can't be used: {reason}", hint=hint)
        excerpt = text if len(text) <= 60 else f"{text[:57]}…"
        return TtsFailed(f"eSpeak NG could not speak «{excerpt}»: {reason}", hint=_HINT)


_VOWELS = "aăâeêioôơuưy\u00e0-\u1ef9"
_SYLLABLE = re.compile(
    f"(?:ngh?|[cgknpt]h|tr|gi|qu|[bcdđghklmnprstvx])?[{_VOWELS}]{{1,3}}(?:ng|nh|ch|[cmnpt])?", re.IGNORECASE
)


def expected_seconds(text: str, words_per_minute: int) -> tuple[float, float]:
    """The shortest and the longest time a plain text should take, roughly: its syllables at that speed, and its pauses.

    For Vietnamese words the two are one. Others are read as names (a syllable a group of vowels) or, where the engine
    finds no way to read them, spelled (a syllable a letter).
    """
    least = most = 0
    for word in re.findall(r"[^\W\d_]+", text):
        one = bool(_SYLLABLE.fullmatch(word))
        least += 1 if one else max(1, len(re.findall(f"[{_VOWELS}]+", word, re.IGNORECASE)))
        most += 1 if one else len(word)
    fixed = 0.1 + 0.25 * len(re.findall(r"[,.!?](?=\s)", text))
    return fixed + 60.0 / words_per_minute * least, fixed + 60.0 / words_per_minute * most


def _why(returncode: int, stderr: bytes) -> str:
    if returncode < 0:
        try:
            name = signal.Signals(-returncode).name
        except ValueError:
            name = f"signal {-returncode}"
        return f"it was ended by {name}"
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"it ended with exit code {returncode}"


def _fingerprint(engine: Engine, voice: str) -> str:
    """Eight hex digits over the files that shape the sound; the system's library goes by its version alone."""
    files = [
        Path(engine.library),
        *(Path(engine.data) / name for name in ("phondata", "phonindex", "phontab", "vi_dict")),
    ]
    if not engine.data or not all(file.is_file() for file in files):
        return "system"
    whole = hashlib.sha256(voice.encode())
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()[:8]
