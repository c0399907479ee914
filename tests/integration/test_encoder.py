"""Segments: the same bytes every time, whole or not at all; encoder processes that die, hang, drain and leave."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import msgspec
import pytest

from mangavid.errors import RenderError, StorageFull
from mangavid.video import encoder, files, pictures, pool, processes
from mangavid.video.timeline import Timeline
from tests.videos import SMALL, Made, drawing, made, replace_text


@pytest.fixture
def chapter(tmp_path: Path) -> Made:
    """Four panels: zoom, pan, colour, pan across."""
    shapes = [(500, 420), (400, 1200), (600, 420), (1600, 400)]
    return made(tmp_path, [drawing(w, h, seed=n, colour=n == 2) for n, (w, h) in enumerate(shapes)])


def jobs(plan: Timeline, folder: Path) -> list[pool.Job]:
    folder.mkdir(exist_ok=True)
    return [pool.Job(segment, folder / f"{segment.key}.mp4") for segment in plan.segments]


def encode(chapter: Made, number: int, out: Path) -> bytes:
    plan = chapter.plan()
    pages = pictures.Pages(chapter.pages)
    encoder.encode_segment(plan.segments[number], SMALL, pages, out, lambda frames: None)
    return out.read_bytes()


def test_a_segment_has_its_frames_on_an_exact_grid_and_says_what_its_colours_mean(
    chapter: Made, tmp_path: Path
) -> None:
    segment = chapter.plan().segments[1]
    told: list[int] = []
    out = tmp_path / "one.mp4"
    encoder.encode_segment(segment, SMALL, pictures.Pages(chapter.pages), out, told.append)
    assert told == list(range(1, segment.frames + 1))
    with av.open(str(out)) as file:
        stream = file.streams.video[0]
        context = stream.codec_context
        assert (context.width, context.height, context.pix_fmt, context.name) == (640, 360, "yuv420p", "h264")
        assert (context.color_range, context.colorspace) == (1, 1)
        assert (context.color_primaries, context.color_trc) == (1, 1)
        times = sorted(packet.pts for packet in file.demux(stream) if packet.pts is not None)
        assert times == [512 * n for n in range(segment.frames)]
        assert stream.time_base == encoder.Fraction(1, 30 * 512)


def test_a_decoded_segment_shows_what_was_drawn(chapter: Made, tmp_path: Path) -> None:
    import numpy as np

    from mangavid.video import frames

    segment = chapter.plan().segments[2]
    encode(chapter, 2, tmp_path / "x.mp4")
    drawn = frames.draw(segment, SMALL, pictures.Pages(chapter.pages))
    with av.open(str(tmp_path / "x.mp4")) as file:
        for frame, buffer in zip(file.decode(video=0), drawn, strict=True):
            error = frame.to_ndarray(format="yuv420p").astype(int) - buffer
            assert float(np.abs(error).mean()) < 4


@pytest.mark.slow
def test_segments_are_the_same_bytes_every_time_whatever_was_encoded_before(chapter: Made, tmp_path: Path) -> None:
    plan = chapter.plan()
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, count, order in zip(folders, (1, 3), (1, -1), strict=True):
        with pool.Encoders(count) as encoders:
            encoders.run(
                jobs(plan, folder)[::order], settings=SMALL, page_files=chapter.pages, on_segment=lambda job: None
            )
    digests = [{f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in folder.iterdir()} for folder in folders]
    assert digests[0] == digests[1]
    assert len(digests[0]) == 4


def test_a_key_that_stays_means_bytes_that_stay(chapter: Made, tmp_path: Path) -> None:
    changed = replace_text(chapter, 1, "Một câu khác.")
    before, after = chapter.plan(), changed.plan()
    for n, (one, other) in enumerate(zip(before.segments, after.segments, strict=True)):
        same = encode(chapter, n, tmp_path / "a.mp4") == encode(changed, n, tmp_path / "b.mp4")
        assert same == (one.key == other.key) == (n != 1)


def test_a_height_that_is_not_a_multiple_of_four_is_encoded(chapter: Made, tmp_path: Path) -> None:
    settings = msgspec.structs.replace(SMALL, width=642, height=362)
    segment = chapter.plan(settings).segments[2]
    out = tmp_path / "x.mp4"
    encoder.encode_segment(segment, settings, pictures.Pages(chapter.pages), out, lambda frames: None)
    with av.open(str(out)) as file:
        assert sum(1 for _ in file.decode(video=0)) == segment.frames


def test_a_segment_that_fails_leaves_no_file(chapter: Made, tmp_path: Path) -> None:
    chapter.pages[1].write_bytes(b"broken")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RenderError, match=r"page 2 \(page1.png\)"):
        encode(chapter, 1, out / "x.mp4")
    assert list(out.iterdir()) == []


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(StorageFull, match="no space left"), files.disk(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(RenderError, match="x could not be written"), files.disk(tmp_path / "x"):
        raise OSError(errno.EIO, "Input/output error")


def test_a_file_limit_met_while_encoding_is_told_as_no_space(chapter: Made, tmp_path: Path) -> None:
    program = """
import resource, signal, sys
from pathlib import Path
import msgspec
from mangavid.video import encoder, messages, pictures
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000))
task = msgspec.json.decode(sys.stdin.buffer.read(), type=messages.Task)
pages = pictures.Pages({int(n): Path(f) for n, f in task.pages.items()})
encoder.encode_segment(task.segment, task.settings, pages, Path(task.out), lambda frames: None)
"""
    from mangavid.video.messages import Task

    pages = {n: str(file) for n, file in chapter.pages.items()}
    out = tmp_path / "out"
    out.mkdir()
    task = Task(segment=chapter.plan().segments[2], settings=SMALL, pages=pages, out=str(out / "x.mp4"))
    ended = subprocess.run(
        [sys.executable, "-c", program], input=msgspec.json.encode(task), capture_output=True,
        env=processes.python_environment(), check=False,
    )  # fmt: skip
    assert b"StorageFull: no space left" in ended.stderr
    assert list(out.iterdir()) == []


# --- the pool -------------------------------------------------------------------------------------------------------


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").exists() or Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_every_segment_is_told_when_its_file_is_there(chapter: Made, tmp_path: Path) -> None:
    done: list[int] = []
    frames: dict[int, int] = {}

    def on_segment(job: pool.Job) -> None:
        assert job.out.exists()
        done.append(job.segment.index)

    with pool.Encoders(2) as encoders:
        left = encoders.run(
            jobs(chapter.plan(), tmp_path / "out"),
            settings=SMALL,
            page_files=chapter.pages,
            on_segment=on_segment,
            on_frames=lambda job, count: frames.update({job.segment.index: count}),
        )
    assert left == [] and sorted(done) == [0, 1, 2, 3]
    assert all(0 < count <= 90 for count in frames.values()) and len(frames) == 4


def kill_first(encoders: pool.Encoders, number: int) -> Callable[[pool.Job, int], None]:
    """A progress callback that kills the encoder at work the first ``number`` times it hears of it."""
    killed: list[int] = []

    def on_frames(job: pool.Job, frames: int) -> None:
        # What one said before it was killed may be heard after.
        if len(killed) < number and encoders.pids[0] not in killed:
            killed.append(encoders.pids[0])
            os.kill(killed[-1], signal.SIGKILL)

    return on_frames


def test_an_encoder_that_dies_is_replaced_and_its_segment_made_again(chapter: Made, tmp_path: Path) -> None:
    done: list[int] = []
    with pool.Encoders(1) as encoders:
        encoders.run(
            jobs(chapter.plan(), tmp_path / "out"), settings=SMALL, page_files=chapter.pages,
            on_segment=lambda job: done.append(job.segment.index), on_frames=kill_first(encoders, 1),
        )  # fmt: skip
    assert done == [0, 1, 2, 3]
    assert encode(chapter, 0, tmp_path / "alone.mp4") == jobs(chapter.plan(), tmp_path / "out")[0].out.read_bytes()


def test_a_segment_whose_encoder_dies_twice_ends_the_render(chapter: Made, tmp_path: Path) -> None:
    with (
        pool.Encoders(1) as encoders,
        pytest.raises(RenderError, match=r"segment 1: its encoder was killed by SIGKILL, twice"),
    ):
        encoders.run(
            jobs(chapter.plan(), tmp_path / "out"), settings=SMALL, page_files=chapter.pages,
            on_segment=lambda job: None, on_frames=kill_first(encoders, 2),
        )  # fmt: skip


@pytest.mark.slow
def test_an_encoder_that_hangs_is_killed_and_its_segment_made_again(chapter: Made, tmp_path: Path) -> None:
    stopped: list[int] = []
    done: list[int] = []
    with pool.Encoders(1, stall_seconds=3.0) as encoders:

        def on_frames(job: pool.Job, frames: int) -> None:
            if not stopped:
                stopped.append(encoders.pids[0])
                os.kill(stopped[0], signal.SIGSTOP)

        encoders.run(
            jobs(chapter.plan(), tmp_path / "out")[:1], settings=SMALL, page_files=chapter.pages,
            on_segment=lambda job: done.append(job.segment.index), on_frames=on_frames,
        )  # fmt: skip
    assert done == [0] and stopped and not alive(stopped[0])


def test_an_error_of_an_encoder_comes_out_as_itself(chapter: Made, tmp_path: Path) -> None:
    chapter.pages[1].write_bytes(b"broken")
    with pool.Encoders(2) as encoders, pytest.raises(RenderError, match=r"page 2 \(page1.png\)"):
        encoders.run(
            jobs(chapter.plan(), tmp_path / "out"), settings=SMALL, page_files=chapter.pages,
            on_segment=lambda job: None,
        )  # fmt: skip


def test_drain_finishes_what_runs_and_hands_out_nothing_more(chapter: Made, tmp_path: Path) -> None:
    done: list[int] = []
    every = jobs(chapter.plan(), tmp_path / "out")
    with pool.Encoders(1) as encoders:
        left = encoders.run(
            every, settings=SMALL, page_files=chapter.pages,
            on_segment=lambda job: done.append(job.segment.index), on_frames=lambda job, frames: encoders.drain(),
        )  # fmt: skip
    assert done == [0] and left == every[1:]
    assert every[0].out.exists() and not every[1].out.exists()


def test_what_a_callback_raises_ends_the_run_and_close_ends_the_encoders(chapter: Made, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def on_segment(job: pool.Job) -> None:
        raise Enough

    with pool.Encoders(2) as encoders:
        pids = encoders.pids
        with pytest.raises(Enough):
            encoders.run(
                jobs(chapter.plan(), tmp_path / "out"), settings=SMALL, page_files=chapter.pages, on_segment=on_segment
            )
    assert not any(alive(pid) for pid in pids)


def test_the_pool_works_beside_threads_and_from_another_folder(
    chapter: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.chdir(tmp_path)
    over = threading.Event()
    beating = threading.Thread(target=over.wait)
    beating.start()
    try:
        with pool.Encoders(1) as encoders:
            left = encoders.run(
                jobs(chapter.plan(), tmp_path / "out")[:1], settings=SMALL, page_files=chapter.pages,
                on_segment=lambda job: None,
            )  # fmt: skip
    finally:
        over.set()
        beating.join()
    assert left == []


PARENT = """
import sys
from pathlib import Path
import msgspec
from mangavid.video import messages, pool
tasks = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=list[messages.Task])
with pool.Encoders(2) as encoders:
    print(*encoders.pids, flush=True)
    encoders.run(
        [pool.Job(task.segment, Path(task.out)) for task in tasks], settings=tasks[0].settings,
        page_files={n: Path(f) for n, f in tasks[0].pages.items()}, on_segment=lambda job: None,
        on_frames=lambda job, frames: print("frames", flush=True),
    )
"""


@pytest.fixture
def parent(chapter: Made, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in its own group that renders with two encoders."""
    from mangavid.video.messages import Task

    pages = {n: str(file) for n, file in chapter.pages.items()}
    tasks = [
        Task(segment=job.segment, settings=SMALL, pages=pages, out=str(job.out))
        for job in jobs(chapter.plan(), tmp_path / "out")
    ]
    (tmp_path / "tasks.json").write_bytes(msgspec.json.encode(tasks))
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "tasks.json")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True, env=processes.python_environment(),
    )  # fmt: skip
    yield process
    process.kill()
    process.communicate()


def test_no_encoder_outlives_a_parent_that_is_killed(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    assert parent.stdout is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert parent.stdout.readline() == "frames\n"
    parent.kill()
    parent.wait()
    wait_until(lambda: not any(alive(pid) for pid in pids))
    finished = [file for file in (tmp_path / "out").iterdir() if not file.name.endswith(".part")]
    for file in finished:  # what bears its final name is whole
        with av.open(str(file)) as segment:
            assert sum(1 for _ in segment.decode(video=0)) > 0


def test_ctrl_c_ends_parent_and_encoders_without_a_word_from_them(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None and parent.stderr is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert parent.stdout.readline() == "frames\n"
    os.killpg(parent.pid, signal.SIGINT)
    parent.wait()
    assert not any(alive(pid) for pid in pids)
    complaints = parent.stderr.read()
    assert complaints.count("Traceback") == 1  # the parent's own
    assert complaints.rstrip().endswith("KeyboardInterrupt")


def test_ctrl_c_while_encoders_start_reaches_only_the_parent(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None and parent.stderr is not None
    pids = [int(pid) for pid in parent.stdout.readline().split()]  # they are importing their libraries now
    os.killpg(parent.pid, signal.SIGINT)
    parent.wait()
    assert not any(alive(pid) for pid in pids)
    assert parent.stderr.read().count("Traceback") == 1
