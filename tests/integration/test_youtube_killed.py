"""kill -9 of a process that publishes to YouTube, at every point and in the middle of parts; another one goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.youtube import FakeYoutube
from tests.fakes.youtube_data import PLAYLIST
from tests.fakes.youtube_memory import FileUpload, made

ROOT = Path(__file__).parents[2]
CHUNK = 256 << 10
LAST = 12345

#: Where the process kills itself: at what it remembers, before or after that is on disk.
OWN = [
    "began:before",
    "began:after",
    f"sent-{CHUNK}:after",
    f"sent-{3 * CHUNK}:before",
    f"sent-{4 * CHUNK + LAST}:before",
    "published:before",
    "published:after",
    *(
        f"done-{step}:{when}"
        for step in ("thumbnail", "captions", "playlist", "visibility")
        for when in ("before", "after")
    ),
]
#: Where it is killed from outside: call, kind, calls of it that go well before, bytes of its body that arrive.
OTHERS: list[tuple[str, str, int, int]] = [
    ("token", "kill", 0, 0),
    ("videos.insert", "kill", 0, 0),
    ("videos.insert", "kill-after", 0, 0),
    ("put", "kill-at", 0, 1),
    ("put", "kill-at", 1, CHUNK // 2),
    ("put", "kill-at", 2, CHUNK - 1),
    ("put", "kill", 3, 0),
    ("put", "kill-after", 2, 0),
    ("put", "kill-at", 4, LAST - 1),
    ("put", "kill-after", 4, 0),
    *(
        (call, kind, 0, 0)
        for call in ("thumbnails.set", "captions.insert", "playlistItems.insert", "videos.update")
        for kind in ("kill", "kill-after")
    ),
    ("videos.list", "kill", 1, 0),
]


@pytest.fixture
def fake() -> Iterator[FakeYoutube]:
    with FakeYoutube() as found:
        yield found


def started(fake: FakeYoutube, folder: Path, kill: str = "") -> subprocess.Popen[bytes]:
    told: dict[str, Any] = {
        "folder": str(folder),
        "url": fake.url,
        "kill": kill,
        "token": fake.login.token(),
        "playlist": PLAYLIST,
    }
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.fakes.youtube_process", json.dumps(told)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def judged(fake: FakeYoutube, folder: Path, *, inserts: int = 1) -> None:
    """One video with all its bytes, each step once, and no insert but where the session could not be remembered."""
    upload = FileUpload(folder)
    (video_id,) = fake.videos
    video = fake.videos[video_id]
    assert video["sha256"] == upload.rendered.video.sha256
    assert fake.count("videos.insert") == inserts
    assert upload.known()["inserts"] >= inserts - 1
    assert {one[0] for one in fake.data.thumbnails} == {video_id}
    assert [one["videoId"] for one in fake.data.captions] == [video_id]
    assert fake.data.playlists == {PLAYLIST: [video_id]}
    assert video["status"]["privacyStatus"] == "unlisted"
    assert upload.steps == {"thumbnail", "captions", "playlist", "visibility"}
    assert upload.notes == []


def went_on(fake: FakeYoutube, folder: Path) -> None:
    second = started(fake, folder)
    _, said = second.communicate(timeout=60)
    assert (second.returncode, said.decode()) == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize("point", OWN)
def test_a_process_killed_at_what_it_remembers_leaves_one_video(fake: FakeYoutube, tmp_path: Path, point: str) -> None:
    made(tmp_path)
    first = started(fake, tmp_path, point)
    assert first.wait(60) == -signal.SIGKILL
    first.stderr.close()  # type: ignore[union-attr]
    went_on(fake, tmp_path)
    judged(fake, tmp_path, inserts=2 if point == "began:before" else 1)


def killed_from_outside(fake: FakeYoutube, folder: Path, call: str, kind: str, after: int, length: int) -> None:
    made(folder)
    fake.fault(call, kind, after=after, n=length)

    def victim() -> None:
        first.kill()
        first.wait()

    fake.victim = victim
    with fake.lock:  # its first request waits until it is known whom to kill
        first = started(fake, folder)
    assert first.wait(60) == -signal.SIGKILL
    first.stderr.close()  # type: ignore[union-attr]
    went_on(fake, folder)


@pytest.mark.slow
@pytest.mark.parametrize(("call", "kind", "after", "length"), OTHERS)
def test_a_process_killed_in_the_middle_of_a_request_leaves_one_video(
    fake: FakeYoutube, tmp_path: Path, call: str, kind: str, after: int, length: int
) -> None:
    killed_from_outside(fake, tmp_path, call, kind, after, length)
    judged(fake, tmp_path, inserts=2 if call == "videos.insert" else 1)


def test_a_process_killed_before_the_answer_to_its_last_part_leaves_one_video(
    fake: FakeYoutube, tmp_path: Path
) -> None:
    killed_from_outside(fake, tmp_path, "put", "kill-after", 4, 0)
    judged(fake, tmp_path)


@pytest.mark.slow
def test_a_process_killed_again_and_again_leaves_one_video(fake: FakeYoutube, tmp_path: Path) -> None:
    made(tmp_path)
    for point in OWN[1:]:
        first = started(fake, tmp_path, point)
        first.communicate(timeout=60)
        assert first.returncode in (0, -signal.SIGKILL)
    went_on(fake, tmp_path)
    judged(fake, tmp_path)


@pytest.mark.slow
def test_a_session_that_expires_after_a_kill_is_searched_for(fake: FakeYoutube, tmp_path: Path) -> None:
    made(tmp_path)
    first = started(fake, tmp_path, f"sent-{4 * CHUNK + LAST}:before")
    assert first.wait(60) == -signal.SIGKILL
    first.stderr.close()  # type: ignore[union-attr]
    fake.uploads.expire_all()
    fake.data.lag = 2
    went_on(fake, tmp_path)
    judged(fake, tmp_path)


@pytest.mark.slow
def test_two_processes_that_send_at_once_make_one_video(fake: FakeYoutube, tmp_path: Path) -> None:
    """A worker that was taken for dead and the one in its place: the same session, the same bytes."""
    made(tmp_path)
    first = started(fake, tmp_path, "began:after")
    first.communicate(timeout=60)
    both = [started(fake, tmp_path) for _ in range(2)]
    for one in both:
        one.communicate(timeout=60)
    assert (len(fake.videos), fake.count("videos.insert")) == (1, 1)
