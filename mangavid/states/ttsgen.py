"""GenerateTTS: the narration spoken, with the time of every word, by one voice from its first line to its last."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from itertools import islice

from mangavid import keys, protocol
from mangavid.errors import AuthError, ConfigError, MangavidError, TtsFailed, TtsUnavailable
from mangavid.models import Job, Scene, Script, Speech, SpokenScene, decode, encode
from mangavid.ports import Target, Voice
from mangavid.products import read_job, read_script
from mangavid.states.runs import Event, Result, now

SAMPLE_RATE = 48_000
#: What one engine may fail with, so that the next one speaks; any other error is not the engine's.
_OF_ENGINE = (TtsUnavailable, TtsFailed, ConfigError, AuthError)
#: How a note of ours begins. There is one at most.
_NOTE = "spoken by "
_LONGEST_REASON = 300


def handle(target: Target, event: Event) -> Result:
    """``{"seconds"}``. Each scene is stored as soon as it is spoken, so an interruption repeats none of them.

    The engines of ``voice.engines`` are asked in order: the next speaks all lines anew where one fails, and the job's
    note says why. What any of them has finished for this script is used before anything is spoken.
    """
    job = read_job(target, event["job_id"])
    script = read_script(target.objects, job)
    engines = _Engines(target)
    speech, key, engine = _finished(target, job, engines) or _spoken(target, job, script, engines)
    notes = list(_notes(job.notes, engine, engines))
    target.jobs.change(
        protocol.advance(job.job_id, event["execution"], "voiced", now(target), speech_key=key, notes=notes)
    )
    return {"seconds": round(sum(scene.samples for scene in speech.scenes) / SAMPLE_RATE, 3)}


class _Engines:
    """The configured engines, each made once, when it is asked for; and why those that failed did."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._made: dict[str, Voice] = {}
        self.names: tuple[str, ...] = tuple(dict.fromkeys(target.config.voice.engines))
        self.failed: dict[str, MangavidError] = {}

    def usable(self) -> Iterator[tuple[str, Voice]]:
        """In order, those that have not failed yet."""
        for name in self.names:
            if name in self.failed:
                continue
            if name not in self._made:
                try:
                    self._made[name] = self._target.voice(name)
                except _OF_ENGINE as problem:
                    self.failed[name] = problem
                    continue
            yield name, self._made[name]

    def problem(self) -> MangavidError:
        """What all of them failing comes to, with all reasons: unavailable where any may be had later, a wrong setting
        or key where that is what there is to mend, else a text that nobody can speak.
        """
        failures = list(self.failed.values())
        if len(failures) == 1:
            return failures[0]
        passing = [one for one in failures if isinstance(one, TtsUnavailable)]
        ours = [one for one in failures if isinstance(one, ConfigError | AuthError)]
        chosen = passing[-1] if passing else ours[0] if ours else failures[-1]
        why = "; ".join(f"{name}: {problem}" for name, problem in self.failed.items())
        return type(chosen)(f"no engine could speak: {why}", hint=chosen.hint)


def _finished(target: Target, job: Job, engines: _Engines) -> tuple[Speech, str, str] | None:
    """Speech that is there for this script, its key, and the engine's name."""
    for name, voice in engines.usable():
        key = _key(job, voice)
        if target.objects.exists(key):
            return decode(target.objects.get(key), Speech, name=key), key, name
    return None


def _spoken(target: Target, job: Job, script: Script, engines: _Engines) -> tuple[Speech, str, str]:
    """As ``_finished``, spoken now by the first engine that can speak all of it."""
    for name, voice in engines.usable():
        try:
            scenes = _speak_all(target, voice, job.job_id, script.scenes)
        except _OF_ENGINE as problem:
            engines.failed[name] = problem
            continue
        speech = Speech(job_id=job.job_id, voice=voice.key, sample_rate=SAMPLE_RATE, scenes=scenes)
        key = _key(job, voice)
        target.objects.put(key, encode(speech))
        return speech, key, name
    raise engines.problem()


def _key(job: Job, voice: Voice) -> str:
    return keys.speech(job.job_id, keys.digest("speech", job.script_key, voice.key))


def _notes(there: Sequence[str], engine: str, engines: _Engines) -> tuple[str, ...]:
    """The job's notes with one that says why ``engine`` spoke, where it is not the first one that is configured.

    A run that finds what an earlier one spoke may not know why; then the earlier one's note stays.
    """
    others = tuple(note for note in there if not note.startswith(_NOTE))
    before = engines.names[: engines.names.index(engine)]
    if not before:
        return others
    by = f"{_NOTE}{engine}: "
    earlier = tuple(note for note in there if note.startswith(by))[:1]
    known = all(name in engines.failed for name in before)
    if earlier and not known:
        return (*others, *earlier)
    why = "; ".join(_why(name, engines.failed.get(name)) for name in before)
    return (*others, f"{by}{why}")


def _why(name: str, problem: MangavidError | None) -> str:
    if problem is None:
        return f"{name} failed before"
    said = str(problem) if len(str(problem)) <= _LONGEST_REASON else f"{str(problem)[: _LONGEST_REASON - 1]}…"
    return f"{name} could not speak it: {said}" if isinstance(problem, TtsFailed) else f"{name} is unavailable: {said}"


def _speak_all(target: Target, voice: Voice, job_id: str, scenes: Sequence[Scene]) -> tuple[SpokenScene, ...]:
    done: list[SpokenScene] = []
    over = threading.Event()

    def speak(scene: Scene) -> SpokenScene:
        if over.is_set():  # a line that was begun ahead would be spoken, and paid for, in vain
            raise CancelledError
        try:
            return _speak(target, voice, job_id, scene)
        except BaseException:
            over.set()
            raise

    with ThreadPoolExecutor(voice.at_once, thread_name_prefix="speak") as pool:
        # Few lines are begun ahead, since a process that is told to stop ends with those it has begun.
        begun: deque[Future[SpokenScene]] = deque()
        todo = iter(scenes)
        try:
            while len(done) < len(scenes):
                begun.extend(pool.submit(speak, scene) for scene in islice(todo, 2 * voice.at_once - len(begun)))
                done.append(begun.popleft().result())
                target.progress(job_id, len(done), len(scenes), "line")
        except BaseException:
            over.set()
            raise
    return tuple(done)


def _speak(target: Target, voice: Voice, job_id: str, scene: Scene) -> SpokenScene:
    if not scene.text.strip():
        return SpokenScene(index=scene.index, key="", sha256="", samples=0, words=())
    inputs = keys.digest("scene", voice.key, scene.index, scene.text)
    marker = keys.spoken_scene(job_id, inputs)
    if target.objects.exists(marker):
        return decode(target.objects.get(marker), SpokenScene, name=marker)
    utterance = voice.speak(scene.text)
    if not utterance.samples:
        return SpokenScene(index=scene.index, key="", sha256="", samples=0, words=())
    wav = keys.scene_audio(job_id, inputs)
    target.objects.put(wav, utterance.wav)
    spoken = SpokenScene(
        index=scene.index,
        key=wav,
        sha256=hashlib.sha256(utterance.wav).hexdigest(),
        samples=utterance.samples,
        words=utterance.words,
    )
    target.objects.put(marker, encode(spoken))
    return spoken
