"""What happens between a run that was killed and the next one: power cuts, damage, changed, renamed and lost files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.faults.chapters import Home, draw_chapter

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", draw_chapter(tmp_path / "shelf" / "thu"))


def cut_power(home: Home, when: Callable[[], object], *arguments: str) -> None:
    """Run, and kill the run and all its workers together as soon as ``when`` holds."""
    run = home.start(*arguments)
    limit = time.monotonic() + 60
    while not when() and run.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    assert run.poll() is None, run.communicate()[1]
    for pid in (run.pid, *home.workers()):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run.communicate()


def begun(home: Home, workers: int) -> bool:
    """Whether that many workers have claimed the chapter so far."""
    return home.effects()["lease.claimed"] >= workers


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_a_machine_that_is_switched_off_again_and_again_does_not_make_the_chapter_fail(home: Home) -> None:
    for _ in range(4):
        claimed = home.effects()["lease.claimed"]
        cut_power(home, partial(begun, home, claimed + 1), str(home.chapter))
    assert not home.done("segment.committed")
    good(home.run())
    assert home.video().is_file()


def test_a_segment_that_was_damaged_meanwhile_does_not_reach_the_video(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other", home.chapter)
    good(other.run(str(home.chapter)))
    cut_power(home, lambda: home.effects()["lease.checkpointed"] >= 2, str(home.chapter))
    segments = sorted(home.path.glob("objects/jobs/*/render/*.mp4"))
    damaged = bytearray(segments[0].read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    segments[0].write_bytes(damaged)
    good(home.run())
    assert home.video().read_bytes() == other.video().read_bytes()


def test_a_damaged_voice_is_refused_and_again_mends_it(home: Home) -> None:
    home.run(str(home.chapter), fault="dispatch.opened:kill:1")
    voice = min(home.path.glob("objects/jobs/*/audio/*.wav"))
    voice.write_bytes(voice.read_bytes()[:-2] + b"\x7f\x7f")
    done = home.run(str(home.chapter))
    assert done.returncode == 3
    assert f"{voice.name} was damaged" in done.stderr
    assert "--again" in done.stderr
    good(home.run(str(home.chapter), "--again"))


def test_a_narration_that_is_changed_after_a_run_was_stopped_is_the_one_that_is_spoken(home: Home) -> None:
    home.run(str(home.chapter), fault="dispatch.opened:kill:1")
    narration = home.chapter / "narration.json"
    told = json.loads(narration.read_text(encoding="utf-8"))
    told["pages"]["2"][1] = "Một câu khác hẳn."
    narration.write_text(json.dumps(told), encoding="utf-8")
    good(home.run(str(home.chapter)))
    assert "Một câu khác hẳn." in home.video().with_suffix(".srt").read_text(encoding="utf-8")
    assert sum(home.done("scene.spoken").values()) == 5, "only the changed line is spoken anew"


def test_making_anew_that_was_interrupted_goes_on_with_what_it_had(home: Home) -> None:
    good(home.run(str(home.chapter)))
    home.run(str(home.chapter), "--again", fault="dispatch.opened:kill:1")
    assert sum(home.done("scene.spoken").values()) == 8
    good(home.run(str(home.chapter), "--again"))
    assert sum(home.done("scene.spoken").values()) == 8, "spoken twice, not three times"
    assert set(home.done("segment.encoded").values()) == {2}


def test_a_chapter_that_is_gone_is_made_of_what_was_taken_in(home: Home) -> None:
    home.run(str(home.chapter), fault="script.written:kill:1")
    shutil.rmtree(home.chapter)
    good(home.run())
    assert home.video().is_file()


def test_a_chapter_that_became_another_one_before_its_pages_were_in_is_made(home: Home) -> None:
    home.run(str(home.chapter), fault="page.stored:kill:1")
    info = "<ComicInfo><Series>Khác</Series><Number>7</Number></ComicInfo>"
    (home.chapter / "ComicInfo.xml").write_text(info, encoding="utf-8")
    good(home.run())
    assert home.video().is_file()


@pytest.mark.parametrize("lost", ["jobs", "journal"])
def test_a_database_that_was_deleted_costs_its_history_and_nothing_else(home: Home, lost: str) -> None:
    home.run(str(home.chapter), fault="dispatch.opened:kill:1")
    for file in home.path.glob(f"{lost}.db*"):
        file.unlink()
    good(home.run(str(home.chapter)))
    assert sum(home.done("scene.spoken").values()) == 4, "what was spoken is found again"


def test_a_run_that_is_told_to_stop_while_it_speaks_stops(home: Home) -> None:
    narration = home.chapter / "narration.json"
    for page in range(3, 31):
        shutil.copy(home.chapter / "01.png", home.chapter / f"{page:02}.png")
    pages = {str(page): [f"Câu của trang {page}.", "Và một câu nữa."] for page in range(1, 31)}
    narration.write_text(json.dumps({"pages": pages}), encoding="utf-8")
    run = home.start(str(home.chapter))
    limit = time.monotonic() + 60
    while not home.done("scene.spoken") and time.monotonic() < limit:
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert told.rstrip().splitlines()[-1].startswith("hint:"), "nothing is told after that"
    assert len(home.done("scene.spoken")) < 40
