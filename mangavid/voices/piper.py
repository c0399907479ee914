"""Piper: neural voices on this machine, from a file of yours. Optional: ``pip install 'mangavid[piper]'``.

It runs in a process of its own (see ``piper_worker``), for three reasons: it is under the GPL, and a program that is
talked to over pipes stays a separate one; it is not safe to use from threads; and what crashes it does not crash us.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import threading
import weakref
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

from mangavid import config
from mangavid.errors import ConfigError, TtsFailed, TtsUnavailable
from mangavid.ports import Utterance
from mangavid.voices import align, piper_worker, reading
from mangavid.voices.child import Answer, Child, Dead, read
from mangavid.voices.retrying import once_more, shown
from mangavid.voices.spoken import speakable

#: Longest text that is spoken in one go, in characters: some ten minutes.
LONGEST = 10_000
#: Words a minute at speed 1, roughly; lengths may differ from it by a factor of three.
PACE = 180.0
_INSTALL = "pip install 'mangavid[piper]'"
_WHERE = (
    "piper.model is the path of an .onnx file with its .onnx.json beside it;"
    " `python -m piper.download_voices vi_VN-vais1000-medium` fetches one"
)
_TEXT_HINT = "the text can be changed in the sidecar; mangavid retry takes the chapter up again"
_LARGEST_JSON = 4 << 20


class _Audio(msgspec.Struct, frozen=True):
    sample_rate: int


class _Espeak(msgspec.Struct, frozen=True):
    voice: str


class _Model(msgspec.Struct, frozen=True):
    """What we need of a voice's .onnx.json."""

    audio: _Audio
    espeak: _Espeak
    num_speakers: int = 1
    phoneme_type: str = "espeak"


class _About(msgspec.Struct, frozen=True):
    rate: int


class _Ended(msgspec.Struct, frozen=True):
    said: str


class _Answer(Answer, frozen=True, kw_only=True):
    sentences: list[tuple[int, list[int]]]


class PiperVoice:
    """Speaks with Piper, one text at a time (it uses all processors for it).

    ``key`` covers Piper's version, the model's bytes, speaker, speed and our reading rules.
    """

    at_once = 1

    def __init__(
        self,
        settings: config.Piper,
        *,
        timeout: float = 120.0,
        worker: str = piper_worker.__file__,
        version: str = "",
    ) -> None:
        """Raises ConfigError where Piper is not installed or the model is no voice of it. ``timeout``: seconds a text
        may take; ``worker`` is the script that drives Piper, ``version`` Piper's where it is not the installed one.
        """
        self._settings = settings
        self._timeout = timeout
        self._worker = worker
        version = version or _installed()
        self._file = Path(settings.model).expanduser().absolute()
        model = _model(settings, self._file)
        self._rate = model.audio.sample_rate
        self._language = "vi" if model.espeak.voice.split("-")[0] == "vi" else model.espeak.voice
        self._lock = threading.Lock()
        self._child: Child[_About] | None = None
        self._given_up: ConfigError | TtsUnavailable | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="mangavid-piper-")
        self._alive: list[
            Child[_About]
        ] = []  # all that were started: those that died are ended twice, which is nothing
        weakref.finalize(self, _end, self._alive, self._folder)
        name = shown(self._file.stem, 60)
        how = f"{settings.speaker}-{settings.speed:g}"
        self.key = f"piper-{version}-{name}-{_fingerprint(self._file)}-{how}-{reading.RULES}"

    def speak(self, text: str) -> Utterance:
        """See ``ports.Voice``. Where nothing can be said: no samples and no words.

        Raises TtsFailed where Piper crashes on this text twice, hangs, or delivers something that can't be this text;
        ConfigError where it can't load the model, which every further text then raises at once; TtsUnavailable.
        """
        tokens = reading.tokens(text, self._language)
        if not speakable(tokens):
            return Utterance(wav=b"", samples=0, words=())
        said = align.line(tokens)
        if len(said.text) > LONGEST:
            raise _failed(text, f"it is {len(said.text):,} characters long, more than {LONGEST:,}")
        with self._lock:
            answer, pcm = self._run(text, said.text)

        import numpy as np

        from mangavid.voices import checked, sound

        raw = np.frombuffer(pcm, dtype=np.int16)
        pace = PACE * self._settings.speed
        try:
            return checked.utterance(
                sound.resample(raw, self._rate),
                tokens,
                said,
                words_per_minute=pace,
                events=_events(said, answer, self._rate),
            )
        except checked.Unfit as problem:
            raise _failed(text, str(problem)) from None

    def probe(self) -> str:
        """One word: whether Piper speaks here. A sentence to show; raises as ``speak``."""
        self.speak("Chào.")
        return f"{shown(self._file.name, 60)} spoke"

    def _run(self, text: str, sent: str) -> tuple[_Answer, bytes]:
        """A child that died of a text may have been ended by something else (memory): a new one gets a second try."""
        if self._given_up is not None:
            raise once_more(self._given_up)
        out = Path(self._folder.name) / "spoken"
        order: dict[str, object] = {"text": sent, "out": str(out)}
        reason = ""
        for _ in range(2):
            child = self._child or self._start()
            self._child = None
            out.unlink(missing_ok=True)
            try:
                ended = child.ask(order, self._timeout, _Ended)
            except Dead as dead:
                child.end()
                reason = shown(str(dead), 200)
                if "was not done" in reason:  # as long again would be too long
                    break
                continue
            self._child = child
            if ended.said:
                raise _failed(text, shown(ended.said, 200))
            if (answer := read(out, _Answer)) is not None:
                return answer
            reason = "its audio was cut off"
        raise _failed(text, reason)

    def _start(self) -> Child[_About]:
        settings = self._settings
        order: dict[str, object] = {
            "model": str(self._file),
            "speaker": settings.speaker,
            "speed": settings.speed,
            "path": [entry for entry in sys.path if entry],
        }
        try:
            child: Child[_About] = Child(
                [sys.executable, "-I", self._worker], order, _About, self._timeout, cwd=self._folder.name
            )
        except Dead as dead:
            self._given_up = _not_loaded(self._file, shown(str(dead), 200))
            raise self._given_up from None
        if child.about.rate != self._rate:
            child.end()
            self._given_up = _not_loaded(self._file, f"its rate is {child.about.rate}, not {self._rate} as it says")
            raise self._given_up
        self._alive.append(child)
        return child


def _end(children: list[Child[_About]], folder: tempfile.TemporaryDirectory[str]) -> None:
    for child in children:
        child.end()
    folder.cleanup()


def _installed() -> str:
    try:
        return metadata.version("piper-tts")
    except metadata.PackageNotFoundError:
        raise ConfigError("the voice engine piper is not installed", hint=_INSTALL) from None


def _model(settings: config.Piper, file: Path) -> _Model:
    """Raises ConfigError where the setting names no voice that we can speak with."""
    if not settings.model:
        raise ConfigError("piper.model is not set: Piper has no voice of its own", hint=_WHERE)
    beside = Path(f"{file}.json")
    for needed in (file, beside):
        if not needed.is_file():
            raise ConfigError(f"piper.model: there is no file {needed}", hint=_WHERE)
    try:
        if beside.stat().st_size > _LARGEST_JSON:
            raise ConfigError(f"piper.model: {beside} is larger than {_LARGEST_JSON >> 20} MiB", hint=_WHERE)
        model = msgspec.json.decode(beside.read_bytes(), type=_Model)
    except OSError as problem:
        raise ConfigError(f"piper.model: {beside} can't be read: {problem.strerror}", hint=_WHERE) from None
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise ConfigError(
            f"piper.model: {beside} describes no voice: {shown(str(problem), 160)}", hint=_WHERE
        ) from None
    if model.phoneme_type not in ("espeak", "text"):
        what = shown(model.phoneme_type, 40)
        raise ConfigError(f"piper.model: {file.name} reads by «{what}», for which Piper downloads more", hint=_WHERE)
    if not 8_000 <= model.audio.sample_rate <= 96_000:
        raise ConfigError(f"piper.model: {beside} says {model.audio.sample_rate} samples a second", hint=_WHERE)
    if settings.speaker >= max(model.num_speakers, 1):
        last = max(model.num_speakers, 1) - 1
        raise ConfigError(
            f"piper.speaker is {settings.speaker}, but the voice's last one is {last}", hint="0 always is"
        )
    return model


def _fingerprint(file: Path) -> str:
    """Eight hex digits over the voice's two files."""
    try:
        with file.open("rb") as data:
            whole: Any = hashlib.file_digest(data, "sha256")
        whole.update(Path(f"{file}.json").read_bytes())
    except OSError as problem:
        raise ConfigError(f"piper.model: {file} can't be read: {problem.strerror}", hint=_WHERE) from None
    return str(whole.hexdigest()[:8])


def _not_loaded(file: Path, reason: str) -> ConfigError | TtsUnavailable:
    if "could not be started" in reason or "was ended by" in reason or "was not done" in reason:
        return TtsUnavailable(f"Piper can't be used: {reason}")
    hint = _INSTALL if "ModuleNotFoundError" in reason or "ImportError" in reason else _WHERE
    return ConfigError(f"Piper can't load {file}: {reason}", hint=hint)


def _events(said: align.Line, answer: _Answer, rate: int) -> list[tuple[int, float]] | None:
    """Where Piper's sentences begin, and their words where it tells; None where its sentences are not ours."""
    ends = [n for n, word in enumerate(said.text.split()) if word[-1] in ".!?"]
    firsts = [0, *(n + 1 for n in ends)]
    if not ends or ends[-1] != len(said.starts) - 1:
        ends.append(len(said.starts) - 1)
    if len(ends) != len(answer.sentences):
        return None
    events: list[tuple[int, float]] = []
    at = 0
    for first, last, (samples, starts) in zip(firsts, ends, answer.sentences, strict=False):
        known = starts if len(starts) == last - first + 1 else [0]
        events += [(said.starts[first + n], (at + start) / rate) for n, start in enumerate(known)]
        at += samples
    return events


def _failed(text: str, reason: str) -> TtsFailed:
    return TtsFailed(f"Piper could not speak «{shown(text, 60)}»: {reason}", hint=_TEXT_HINT)
