"""eSpeak NG: the voice that always works: offline, in the box, no download, the same bytes every time."""

from __future__ import annotations

import hashlib
import signal
import sys
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path

import msgspec

from mangavid import config, faults
from mangavid.errors import TtsFailed
from mangavid.models import Word
from mangavid.ports import Utterance
from mangavid.voices import align, espeak_worker, reading
from mangavid.voices.child import Answer, Child, Dead, read, why
from mangavid.voices.lengths import expected_seconds
from mangavid.voices.spoken import NORMALISER_VERSION, speakable, to_spoken

#: Of 100: at the engine's default loud vowels reach full scale, at 60 they peak near −2.6 dB.
VOLUME = 60
#: Longest text that is spoken in one go, in characters: some ten minutes.
LONGEST = 10_000
_HINT = "the text can be changed in the sidecar; mangavid retry takes the chapter up again"
_SYSTEM_LIBRARY = "libespeak-ng.so.1"
#: Its voices for other languages than Vietnamese.
_VOICES = {"en": "en-us"}
#: Seconds beyond a text's own limit until its worker is given up too.
_GRACE = 10.0


class Engine(msgspec.Struct, frozen=True):
    """Where eSpeak NG is. An empty ``data``: the library knows its own. ``worker`` is the script that drives it."""

    library: str
    data: str
    worker: str = espeak_worker.__file__


class _About(msgspec.Struct, frozen=True):
    """The first line that a worker says."""

    version: str
    rate: int


class _Ended(msgspec.Struct, frozen=True):
    """What a worker says of a text: how speaking it ended, and why."""

    status: int
    said: str


class _Answer(Answer, frozen=True, kw_only=True):
    """The first line of a spoken text's file."""

    words: list[tuple[int, int]]
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

    at_once = 2

    def __init__(
        self,
        settings: config.Voice,
        *,
        spool: Path | None = None,
        engine: Engine | None = None,
        timeout: float = 60.0,
        language: str = "vi",
    ) -> None:
        """Raises TtsFailed where eSpeak NG can't be started. ``timeout``: seconds a text may take.

        ``language``: of the texts, one of ``config.language``; the settings name the voice for Vietnamese.

        What is spoken goes through files in ``spool``, and they stay there where this process is killed: who comes
        after it takes them from there, even the one that was being spoken. Without it, they go with this object.
        """
        self._settings = settings
        self._language = language
        self._voice = settings.name if language == "vi" else _VOICES[language]
        self._engine = engine or find_engine()
        self._timeout = timeout
        self._idle: list[Child[_About]] = []
        self._used: list[Path] = []
        own = None if spool else tempfile.TemporaryDirectory(prefix="mangavid-voice-")
        self._spool = spool or Path(own.name if own else "")
        weakref.finalize(self, _close, self._idle, self._used, own)
        worker = self._start()
        self._idle.append(worker)
        self._rate = worker.about.rate
        files = _fingerprint(self._engine, self._voice)
        self.key = (
            f"espeak-{worker.about.version}-{files}-{self._voice}-{settings.words_per_minute}-{settings.pitch}"
            f"-v{VOLUME}-n{NORMALISER_VERSION}"
        )

    def speak(self, text: str) -> Utterance:
        """See ``ports.Voice``. Where nothing can be said (no words, only signs): no samples and no words.

        Raises TtsFailed where the engine crashes, hangs or delivers something that can't be this text.
        """
        tokens = to_spoken(text) if self._language == "vi" else reading.tokens(text, self._language)
        if not speakable(tokens):
            return Utterance(wav=b"", samples=0, words=())
        said = align.line(tokens)
        if len(said.text) > LONGEST:
            raise self._failed(text, f"it is {len(said.text):,} characters long, more than {LONGEST:,}")
        answer, pcm = self._run(said.text)

        import numpy as np

        from mangavid.voices import sound

        raw = np.frombuffer(pcm, dtype=np.int16)
        trimmed, cut = sound.trim(raw, self._rate)
        samples = sound.fade(sound.resample(trimmed, self._rate))
        duration = len(samples) / sound.RATE
        least, most = expected_seconds(said.text, self._settings.words_per_minute)
        if not 0.3 * least <= duration <= 3.0 * most:
            raise self._failed(text, f"it took {duration:.2f} s where about {least:.2f} s were expected")
        if sound.rms_db(samples) <= -60.0:
            raise self._failed(text, "the audio is silent")
        events = [(position, sample / self._rate - cut) for position, sample in answer.words]
        end = min(answer.end / self._rate - cut, duration) if answer.end else duration
        starts = [min(start, end) for start in align.times(said, events, duration)]
        words: tuple[Word, ...] = align.words(tokens, said, starts, end)
        return Utterance(wav=sound.wav(samples), samples=len(samples), words=words)

    def _run(self, text: str) -> tuple[_Answer, bytes]:
        """Words and samples of a text: as spoken now, or found in the spool."""
        out = self._spool / f"{hashlib.sha256(f'{self.key} {text}'.encode()).hexdigest()[:32]}.spoken"
        self._used.append(out)
        if (found := read(out, _Answer)) is not None:
            return found
        self._spool.mkdir(parents=True, exist_ok=True)
        out.unlink(missing_ok=True)
        worker = self._idle.pop() if self._idle else self._start()
        try:
            order = {"text": text, "out": str(out.absolute()), "seconds": self._timeout}
            ended = worker.ask(order, self._timeout + _GRACE, _Ended)
        except Dead as dead:
            raise self._failed(text, str(dead)) from None
        self._idle.append(worker)
        if ended.status == -signal.SIGALRM:
            raise self._failed(text, f"it was not done after {self._timeout:g} s")
        if ended.status:
            raise self._failed(text, why(ended.status, ended.said))
        if ended.said != espeak_worker.THERE:
            faults.point("scene.spoken", out.stem)
        answer = read(out, _Answer)
        if answer is None:
            raise self._failed(text, "its audio was cut off")
        return answer

    def _start(self) -> Child[_About]:
        settings, engine = self._settings, self._engine
        # eSpeak NG silently drops a data path longer than some 160 characters: it gets «.», and the folder as its own.
        data, folder = (".", engine.data) if engine.data else ("", None)
        order: dict[str, object] = {
            "voice": self._voice,
            "rate": settings.words_per_minute,
            "pitch": settings.pitch,
            "volume": VOLUME,
        }
        argv = [sys.executable, "-I", "-S", engine.worker, engine.library, data]
        try:
            return Child(argv, order, _About, self._timeout, cwd=folder)
        except Dead as dead:
            raise self._failed("", str(dead)) from None

    def _failed(self, text: str, reason: str) -> TtsFailed:
        if not text:
            hint = "pip install espeakng-loader, or install your system's libespeak-ng1"
            return TtsFailed(f"eSpeak NG can't be used: {reason}", hint=hint)
        excerpt = text if len(text) <= 60 else f"{text[:57]}…"
        return TtsFailed(f"eSpeak NG could not speak «{excerpt}»: {reason}", hint=_HINT)


def _close(
    workers: Sequence[Child[_About]], files: Sequence[Path], own: tempfile.TemporaryDirectory[str] | None
) -> None:
    for worker in workers:
        worker.end()
    for file in files:
        file.unlink(missing_ok=True)
    if own is not None:
        own.cleanup()


def _fingerprint(engine: Engine, voice: str) -> str:
    """Eight hex digits over the files that shape the sound; the system's library goes by its version alone."""
    files = [
        Path(engine.library),
        *(Path(engine.data) / name for name in ("phondata", "phonindex", "phontab", f"{voice.partition('-')[0]}_dict")),
    ]
    if not engine.data or not all(file.is_file() for file in files):
        return "system"
    whole = hashlib.sha256(voice.encode())
    for file in files:
        whole.update(file.read_bytes())
    return whole.hexdigest()[:8]
