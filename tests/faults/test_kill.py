"""kill -9 of the run, the renderer, an encoder or the uploader at each effect; then ``mangavid run`` again.

The ledger of effects and the bytes of the video are the judges: the video is the one that an undisturbed run makes,
no script is written and no line spoken twice, and at most one segment an encoder is encoded twice.
"""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.faults.chapters import Home, draw_chapter, was_killed

pytestmark = pytest.mark.slow

ENCODERS = 2
AT_ONCE = 3

#: Points that the process of the run passes, and the passings at which it is killed there.
RUN = {
    "engine.call": (1, 2, 3, 4, 5, 6, 7, 8, 9),
    "engine.called": (2, 5),
    "engine.commit": (1, 9, 17, 25),
    "engine.committing": (5, 13, 21, 29),
    "engine.committed": (3, 11, 19, 27, 33),
    "page.stored": (1, 2),
    "objects.put": (1, 3, 5, 8),
    "objects.stored": (3, 6),
    "script.written": (1,),
    "scene.spoken": (1, 4),
    "dispatch.opened": (1, 2),
    "dispatch.launched": (1, 2),
    "dispatch.attached": (1, 2),
    "jobs.commit": (1, 4, 8),
    "jobs.committed": (2, 6),
}
#: Points in the renderer (its encoders included) and the uploader.
WORKERS = {
    "lease.claimed": (1,),
    "lease.checkpointed": (1, 2, 4, 5),
    "segment.encoded": (1, 2),
    "segment.committed": (1, 2),
    "segment.done": (1, 3, 4),
    "render.sound": (1,),
    "video.muxed": (1,),
    "video.committed": (1,),
    "lease.commit": (1,),
    "lease.committed": (1,),
    "lease.answer": (1,),
    "lease.answered": (1,),
    "token.answer": (1,),
    "token.answered": (1,),
    "upload.publish": (1,),
    "upload.published": (1,),
    "upload.finished": (1,),
}


@pytest.fixture(scope="module")
def chapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_chapter(tmp_path_factory.mktemp("chapters") / "thu")


@pytest.fixture(scope="module")
def undisturbed(chapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = Home(tmp_path_factory.mktemp("undisturbed") / "home", chapter)
    done = home.run(str(chapter))
    assert done.returncode == 0, done.stderr
    return home


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def interrupted(home: Home, point: str, nth: int, wanted: str) -> str:
    """What is wrong after a kill at a point and a second run; empty where nothing is."""
    first = home.run(str(home.chapter), fault=f"{point}:kill:{nth}")
    fired = home.effects()[f"! {point}"]
    if not fired:
        return (
            "" if first.returncode == 0 else f"not reached, and the run ended with {first.returncode}: {first.stderr}"
        )
    if was_killed(first) or first.returncode != 0:
        again = home.run(str(home.chapter))
        if again.returncode != 0:
            return f"the second run ended with {again.returncode}: {again.stderr[-600:]}"
    problems = []
    if sha256(home.video()) != wanted:
        problems.append("another video came out")
    for effect, most in (("scene.spoken", 0), ("script.written", 0), ("segment.encoded", ENCODERS)):
        twice = sum(n - 1 for n in home.done(effect).values())
        if twice > most:
            problems.append(f"{effect}: {twice} done twice")
    if left_behind(home):
        problems.append("processes are left")
    return "; ".join(problems)


def left_behind(home: Home) -> list[int]:
    """Processes that stay: a worker finds within a second or so that the run it belonged to is gone."""
    limit = time.monotonic() + 15
    while home.workers() and time.monotonic() < limit:
        time.sleep(0.1)
    return home.workers()


@pytest.mark.parametrize("who", ["run", "workers"])
def test_a_kill_at_any_effect_costs_no_more_than_what_was_in_hand(
    who: str, chapter: Path, undisturbed: Home, tmp_path: Path
) -> None:
    points = RUN if who == "run" else WORKERS
    cases = [(point, nth) for point, passings in points.items() for nth in passings]
    wanted = sha256(undisturbed.video())

    def one(case: tuple[str, int]) -> tuple[tuple[str, int], str]:
        point, nth = case
        return case, interrupted(Home(tmp_path / f"{point}-{nth}", chapter), point, nth, wanted)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = list(pool.map(one, cases))
    wrong = [f"{point}:{nth}: {problem}" for (point, nth), problem in results if problem]
    assert not wrong, "\n".join(wrong)


def test_every_point_of_the_matrix_is_passed_by_an_undisturbed_run(undisturbed: Home) -> None:
    passed = {line.split(" ")[0] for line in undisturbed.effects()}
    assert passed >= RUN.keys() | WORKERS.keys()
    known = RUN.keys() | WORKERS.keys() | {"file.before_rename", "soundtrack.before_rename"}
    assert passed <= known, "a new point is not in the matrix"


def test_an_undisturbed_run_does_everything_once(undisturbed: Home) -> None:
    for effect in ("page.stored", "script.written", "scene.spoken", "segment.encoded"):
        assert set(undisturbed.done(effect).values()) == {1}
    assert len(undisturbed.done("segment.encoded")) == 4


def test_two_runs_make_the_same_bytes(chapter: Path, undisturbed: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other", chapter)
    assert other.run(str(chapter)).returncode == 0
    assert sha256(other.video()) == sha256(undisturbed.video())
