"""The whole pipeline as a person runs it: the command line, real voice, real video, real files."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
import zipfile
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from tests.faults.chapters import Home, draw_chapter

pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home", draw_chapter(tmp_path / "thu"))


def pack(folder: Path, archive: Path) -> Path:
    with zipfile.ZipFile(archive, "w") as out:
        for file in sorted(folder.iterdir()):
            out.write(file, file.name)
    return archive


def made(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)["made"]
    return found


def ffmpeg(*arguments: str) -> str:
    done = subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", *arguments, "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stderr


def test_the_demo_gives_a_video_as_it_is_promised(tmp_path: Path) -> None:
    """Right streams, length that of its audio, -14 ± 1 LUFS, no black and no silent stretch; files beside it."""
    home = Home(tmp_path / "home", tmp_path)
    environment = {name: value for name, value in home.environment().items() if not name.startswith("MANGAVID_VIDEO")}
    done = subprocess.run(
        home.command("run", "--sample", "--json"), env=environment, capture_output=True, text=True, check=False
    )
    (one,) = made(done)
    video = Path(str(one["video"]))
    with av.open(str(video)) as container:
        (picture,), (sound,) = container.streams.video, container.streams.audio
        assert (picture.codec_context.name, picture.width, picture.height) == ("h264", 1920, 1080)
        assert (picture.average_rate, picture.pix_fmt) == (30, "yuv420p")
        assert (sound.codec_context.name, sound.rate, sound.channels) == ("aac", 48_000, 2)
        lengths = [float(stream.duration * stream.time_base) for stream in (picture, sound)]
        assert abs(lengths[0] - lengths[1]) <= 0.1
        times = [packet.pts for packet in container.demux(picture) if packet.pts is not None]
    assert sorted(times) == list(range(0, len(times) * 512, 512)), "every frame in its place"
    heard = ffmpeg("-i", str(video), "-af", "ebur128,silencedetect=noise=-50dB:d=3")
    assert abs(float(re.findall(r"I:\s+(-?[\d.]+) LUFS", heard)[-1]) + 14) <= 1
    assert "silence_start" not in heard
    assert "black_start" not in ffmpeg("-i", str(video), "-vf", "scale=320:-2,blackdetect=d=0.5:pix_th=0.08", "-an")
    captions = Path(str(one["captions"])).read_text(encoding="utf-8")
    assert "Mèo Mướp" in captions
    assert Path(str(one["thumbnail"])).read_bytes().startswith(b"\xff\xd8")
    about = json.loads(Path(str(one["metadata"])).read_text(encoding="utf-8"))
    assert about["status"]["privacyStatus"] == "private"


def test_a_cbz_gives_the_same_video_as_the_folder_it_was_made_of(home: Home, tmp_path: Path) -> None:
    (from_folder,) = made(home.run(str(home.chapter), "--json"))
    other = Home(tmp_path / "other", pack(home.chapter, tmp_path / "thu.cbz"))
    (from_archive,) = made(other.run(str(other.chapter), "--json"))
    assert Path(str(from_folder["captions"])).read_text() == Path(str(from_archive["captions"])).read_text()
    assert from_folder["seconds"] == from_archive["seconds"]


def test_a_corrupt_page_is_left_out_and_named_and_the_job_remembers(tmp_path: Path) -> None:
    chapter = draw_chapter(tmp_path / "thu", pages=3)
    (chapter / "narration.json").unlink()
    page = chapter / "02.png"
    page.write_bytes(page.read_bytes()[: page.stat().st_size // 2])
    home = Home(tmp_path / "home", pack(chapter, tmp_path / "thu.cbz"))
    done = home.run(str(home.chapter))
    assert done.returncode == 0, done.stderr
    assert "02.png" in done.stderr
    (job,) = home.json("status")["jobs"]
    assert any("02.png" in note for note in home.json("status", job["job_id"])["notes"])


def test_a_chapter_that_is_made_prints_its_path_and_is_remade_only_when_told(home: Home) -> None:
    (first,) = made(home.run(str(home.chapter), "--json"))
    (again,) = made(home.run(str(home.chapter), "--json"))
    assert (again["video"], again["existed"]) == (first["video"], True)
    assert len(home.done("script.written")) == 1
    (remade,) = made(home.run(str(home.chapter), "--again", "--json"))
    assert remade["existed"] is False
    assert set(home.done("segment.encoded").values()) == {2}


def test_a_video_that_somebody_deleted_or_that_is_wanted_elsewhere_is_put_there_from_the_store(
    home: Home, tmp_path: Path
) -> None:
    (first,) = made(home.run(str(home.chapter), "--json"))
    content = Path(str(first["video"])).read_bytes()
    Path(str(first["video"])).unlink()
    (again,) = made(home.run(str(home.chapter), "--json"))
    assert (again["video"], again["existed"]) == (first["video"], True)
    (moved,) = made(home.run(str(home.chapter), "--output", str(tmp_path / "other"), "--json"))
    assert Path(str(moved["video"])).is_relative_to(tmp_path / "other")
    assert Path(str(moved["video"])).read_bytes() == content
    assert set(home.done("segment.encoded").values()) == {1}


def test_a_chapter_whose_narration_changed_after_its_video_was_made_is_made_anew(home: Home) -> None:
    made(home.run(str(home.chapter), "--json"))
    narration = home.chapter / "narration.json"
    told = json.loads(narration.read_text(encoding="utf-8"))
    told["pages"]["1"][1] = "Một câu khác."
    narration.write_text(json.dumps(told), encoding="utf-8")
    done = home.run(str(home.chapter))
    assert done.returncode == 0, done.stderr
    assert "has changed" in done.stderr
    assert "Một câu khác" in home.video().with_suffix(".srt").read_text(encoding="utf-8")


def test_a_library_is_worked_through_to_the_days_quota_and_named_files_do_not_use_it(tmp_path: Path) -> None:
    library = tmp_path / "library"
    for name in ("tap-1", "tap-2", "tap-10"):
        draw_chapter(library / name, pages=1)
    home = Home(tmp_path / "home", library, {"MANGAVID_SOURCE_LIBRARY": str(library), "MANGAVID_QUOTA_DAILY": "2"})
    made(home.run(str(library / "tap-10"), "--json"))
    assert home.json("quota", "show")["used"] == 0
    titles = [one["title"] for one in made(home.run("--json"))]
    assert titles == ["tap-1", "tap-2"], "natural order, and the quota is two"
    assert home.json("quota", "show")["used"] == 2
    reached = home.run()
    assert reached.returncode == 5
    assert "quota" in reached.stderr


def test_a_chapter_that_can_not_be_made_gives_its_own_exit_code_and_one_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.cbz"
    broken.write_bytes(b"PK\x03\x04 not really")
    home = Home(tmp_path / "home", broken)
    done = home.run(str(broken))
    assert done.returncode == 3
    assert "broken.cbz" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_narration_that_was_mended_is_taken_by_the_next_run(home: Home) -> None:
    sidecar = home.chapter / "narration.json"
    good = sidecar.read_text(encoding="utf-8")
    sidecar.write_text('{"pages": {"1": ["một", "hai", "ba", "bốn"], "9": "Trang không có."}}', encoding="utf-8")
    failed = home.run(str(home.chapter))
    assert failed.returncode == 3
    assert len([line for line in failed.stderr.splitlines() if "narration" in line or "page" in line]) >= 2
    sidecar.write_text(good, encoding="utf-8")
    assert home.run(str(home.chapter)).returncode == 0


def test_one_bad_chapter_among_good_ones_does_not_stop_them(tmp_path: Path) -> None:
    good = draw_chapter(tmp_path / "good", pages=1)
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "1.png").write_bytes(b"<html>not a page</html>")
    home = Home(tmp_path / "home", good)
    done = home.run(str(bad), str(good), "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert [one["title"] for one in outcome["made"]] == ["good"]
    assert [one["title"] for one in outcome["failed"]] == ["bad"]


def test_ctrl_c_stops_cleanly_and_the_next_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    home = Home(tmp_path / "home", draw_chapter(tmp_path / "thu", pages=6))
    run = home.start(str(home.chapter))
    limit = time.monotonic() + 60
    while not home.done("segment.committed") and time.monotonic() < limit:
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 130, told
    assert "run goes on where this stopped" in told
    assert "Traceback" not in told
    assert home.workers() == []
    onwards = home.run()
    assert onwards.returncode == 0, "no chapter needs to be named"
    assert "again in" not in onwards.stderr, "a stop that was asked for is no failure to wait after"
    assert home.video().is_file()
    for effect in ("script.written", "scene.spoken", "segment.encoded"):
        assert set(home.done(effect).values()) == {1}, "a drain loses nothing"


def test_a_second_run_in_the_same_home_is_refused_while_the_first_works(home: Home) -> None:
    run = home.start(str(home.chapter))
    limit = time.monotonic() + 60
    while not home.done("page.stored") and time.monotonic() < limit:
        time.sleep(0.02)
    second = home.run(str(home.chapter))
    assert second.returncode == 8
    assert "already" in second.stderr or "at work" in second.stderr
    run.communicate(timeout=120)
    assert run.returncode == 0


def test_history_and_status_tell_of_the_run(home: Home) -> None:
    made(home.run(str(home.chapter), "--json"))
    (job,) = home.json("status")["jobs"]
    assert job["status"] == "cleaned"
    events = home.json("history", "last", "--events")
    assert len(events if isinstance(events, list) else events["events"]) <= 70
    assert "WaitForRender" in json.dumps(home.json("history", "last"))
