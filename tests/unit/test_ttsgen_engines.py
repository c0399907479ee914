"""Which engine speaks a video, and what the job says of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mangavid import keys
from mangavid.config import Config, Voice
from mangavid.errors import AuthError, ConfigError, LeaseLost, MangavidError, StorageFull, TtsFailed, TtsUnavailable
from mangavid.models import Speech, decode
from mangavid.ports import Utterance
from mangavid.states import fetcher, scriptgen, ttsgen
from tests.fakes.providers import wav
from tests.fakes.world import World, make_world


@dataclass
class Engine:
    """Speaks until ``after`` lines are said, then raises ``problem``."""

    key: str
    at_once: int = 1
    problem: MangavidError | None = None
    after: int = 0
    said: list[str] = field(default_factory=list)
    busy: int = 0
    most: int = 0
    lock: Any = field(default_factory=threading.Lock)

    def speak(self, text: str) -> Utterance:
        with self.lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
            failing = self.problem is not None and len(self.said) >= self.after
            if not failing:
                self.said.append(text)
        try:
            if failing:
                assert self.problem is not None
                raise type(self.problem)(str(self.problem), hint=self.problem.hint)
            return Utterance(wav=wav(4800), samples=4800, words=())
        finally:
            with self.lock:
                self.busy -= 1


class Stage:
    """A job whose script is there, and engines by name."""

    def __init__(self, folder: Path, *names: str, pages: int = 4) -> None:
        settings = Config(voice=msgspec.structs.replace(Voice(), engines=names))
        self.world: World = make_world(folder, "a", config=settings)
        self.world.shelf.pages = pages
        self.event = self.world.begin()
        self.job_id = fetcher.handle(self.world.target, self.event)["job_id"]
        scriptgen.handle(self.world.target, {**self.event, "job_id": self.job_id})
        self.engines: dict[str, Engine] = {name: Engine(f"{name}-1") for name in names}
        self.missing: dict[str, MangavidError] = {}

    def speak(self, progress: Callable[[str, int, int, str], None] | None = None) -> Speech:
        def voice(name: str) -> Engine:
            if name in self.missing:
                raise self.missing[name]
            return self.engines[name]

        target = replace(self.world.target, voice=voice, progress=progress or self.world.target.progress)
        ttsgen.handle(target, {**self.event, "job_id": self.job_id})
        job = self.world.job(self.job_id)
        return decode(self.world.objects.get(job.speech_key), Speech, name="speech")

    @property
    def notes(self) -> tuple[str, ...]:
        return self.world.job(self.job_id).notes


def down(reason: str = "the service answered 503") -> TtsUnavailable:
    return TtsUnavailable(reason)


def test_the_first_engine_speaks_where_it_can_and_nothing_is_noted(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "edge", "espeak")
    assert stage.speak().voice == "edge-1"
    assert stage.engines["espeak"].said == []
    assert stage.notes == ()


@pytest.mark.parametrize(
    ("problem", "note"),
    [
        (down(), "spoken by espeak: edge is unavailable: the service answered 503"),
        (TtsFailed("it can't say «x»"), "spoken by espeak: edge could not speak it: it can't say «x»"),
        (ConfigError("no such voice"), "spoken by espeak: edge is unavailable: no such voice"),
        (AuthError("no key"), "spoken by espeak: edge is unavailable: no key"),
    ],
)
def test_the_next_engine_speaks_all_lines_from_the_beginning(tmp_path: Path, problem: MangavidError, note: str) -> None:
    stage = Stage(tmp_path, "edge", "espeak")
    stage.engines["edge"].problem, stage.engines["edge"].after = problem, 2
    speech = stage.speak()
    assert speech.voice == "espeak-1"
    assert len(stage.engines["espeak"].said) == len(speech.scenes) == 4
    assert stage.notes == (note,)


def test_an_engine_that_can_not_be_made_is_passed_over(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "piper", "edge", "espeak")
    stage.missing["piper"] = ConfigError("the voice engine piper is not installed")
    stage.engines["edge"].problem = down()
    assert stage.speak().voice == "espeak-1"
    assert stage.notes == (
        "spoken by espeak: piper is unavailable: the voice engine piper is not installed;"
        " edge is unavailable: the service answered 503",
    )


def test_notes_that_are_there_stay_and_ours_is_not_written_twice(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "edge", "espeak")
    stage.world.set_job(stage.job_id, notes=["left out: 3.png: broken"])
    stage.engines["edge"].problem = down()
    stage.speak()
    once = stage.notes
    assert once == ("left out: 3.png: broken", "spoken by espeak: edge is unavailable: the service answered 503")
    stage.speak()
    assert stage.notes == once


def test_what_an_engine_has_finished_is_used_before_anything_is_spoken(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "edge", "espeak")
    stage.engines["edge"].problem = down()
    stage.speak()
    stage.engines["edge"] = Engine("edge-1")
    assert stage.speak().voice == "espeak-1"
    assert stage.engines["edge"].said == []
    assert len(stage.engines["espeak"].said) == 4
    assert stage.notes == ("spoken by espeak: edge is unavailable: the service answered 503",)


def test_a_crash_between_speech_and_job_leaves_a_note_all_the_same(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "edge", "espeak")
    stage.engines["edge"].problem = down()
    stage.speak()
    stage.world.set_job(stage.job_id, notes=[])
    stage.speak()
    assert stage.notes == ("spoken by espeak: edge failed before",)


def test_our_note_goes_when_the_first_engine_speaks_after_all(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "edge", "espeak")
    stage.engines["edge"].problem = down()
    speech_key = stage.speak() and stage.world.job(stage.job_id).speech_key
    stage.world.objects.delete([speech_key])
    stage.engines["edge"].problem = None
    assert stage.speak().voice == "edge-1"
    assert stage.notes == ()


def test_lines_of_an_interrupted_run_are_not_spoken_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "edge")

    def stop(_job: str, done: int, _total: int, _unit: str) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stage.speak(stop)
    before = len(stage.engines["edge"].said)
    assert 2 <= before < 4
    stage.speak()
    assert sorted(stage.engines["edge"].said) == sorted(set(stage.engines["edge"].said))
    assert len(stage.engines["edge"].said) == 4


@pytest.mark.parametrize("at_once", [1, 3])
def test_no_more_lines_are_spoken_at_once_than_an_engine_stands(tmp_path: Path, at_once: int) -> None:
    stage = Stage(tmp_path, "edge", pages=12)
    stage.engines["edge"].at_once = at_once
    stage.speak()
    assert stage.engines["edge"].most <= at_once


def test_an_engine_alone_fails_with_its_own_error(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "edge")
    stage.engines["edge"].problem = AuthError("no key", hint="mangavid secrets set openai")
    with pytest.raises(AuthError, match=r"^no key$") as caught:
        stage.speak()
    assert caught.value.hint == "mangavid secrets set openai"


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (TtsFailed("a"), TtsFailed("b"), TtsFailed),
        (down("a"), TtsFailed("b"), TtsUnavailable),
        (TtsFailed("a"), down("b"), TtsUnavailable),
        (ConfigError("a"), down("b"), TtsUnavailable),
        (ConfigError("a"), TtsFailed("b"), ConfigError),
        (AuthError("a"), ConfigError("b"), AuthError),
    ],
)
def test_where_all_fail_the_reasons_of_all_are_told(
    tmp_path: Path, first: MangavidError, second: MangavidError, outcome: type[MangavidError]
) -> None:
    stage = Stage(tmp_path, "edge", "espeak")
    stage.engines["edge"].problem, stage.engines["espeak"].problem = first, second
    with pytest.raises(outcome, match=r"^no engine could speak: edge: a; espeak: b$"):
        stage.speak()
    assert stage.world.job(stage.job_id).status == "scripted"
    assert stage.notes == ()


@pytest.mark.parametrize("problem", [StorageFull("full"), LeaseLost("gone")])
def test_what_is_not_the_engines_fault_is_not_answered_with_another_engine(
    tmp_path: Path, problem: MangavidError
) -> None:
    stage = Stage(tmp_path, "edge", "espeak")
    stage.engines["edge"].problem = problem
    with pytest.raises(type(problem)):
        stage.speak()
    assert stage.engines["espeak"].said == []


def test_an_engine_named_twice_is_asked_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "edge", "edge", "espeak")
    stage.engines["edge"].problem = down()
    stage.speak()
    assert stage.notes[0].count("edge") == 1


def test_speech_is_found_under_the_key_it_always_had(tmp_path: Path) -> None:
    stage = Stage(tmp_path, "espeak")
    stage.speak()
    job = stage.world.job(stage.job_id)
    assert job.speech_key == keys.speech(job.job_id, keys.digest("speech", job.script_key, "espeak-1"))
