"""A pool of encoder processes.

They are fresh interpreters that get their work as data over pipes: nothing is forked off a process that may have
threads, and they end with the parent, even when it is killed. One that dies is replaced and its segment tried once
more.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

import msgspec

from mangavid import config, faults
from mangavid.errors import RenderError, by_name
from mangavid.video import processes
from mangavid.video.messages import Answer, Task
from mangavid.video.timeline import Segment

#: No frame from any encoder for this long means that those at work hang. Most of a second a frame is already unusual.
STALL_SECONDS = 180.0
TRIES = 2


class Job(NamedTuple):
    """A segment to render, and the file to put it in."""

    segment: Segment
    out: Path


class _Heard(NamedTuple):
    """Something an encoder said; no answer: its output ended, it is dead."""

    encoder: _Encoder
    answer: Answer | None


class Encoders:
    """``count`` encoder processes (0: one a processor), started at once; use as a context manager.

    Make it, and call ``run``, in a thread that lives as long as the pool: Linux kills the processes with the thread
    that started them. ``drain`` may be called from any thread and from signal handlers.
    """

    def __init__(self, count: int = 0, *, stall_seconds: float = STALL_SECONDS) -> None:
        self._stall = stall_seconds
        self._draining = threading.Event()
        self._heard: queue.SimpleQueue[_Heard] = queue.SimpleQueue()
        self._encoders: list[_Encoder] = []
        self._idle_deaths = 0
        try:
            for _ in range(count or _processors()):
                self._encoders.append(_Encoder(self._heard))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Encoders:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        return tuple(encoder.pid for encoder in self._encoders)

    def close(self) -> None:
        """End all processes now."""
        for encoder in self._encoders:
            encoder.kill()
        self._encoders.clear()

    def drain(self) -> None:
        """Hand out nothing more: ``run`` returns once the segments being encoded are done."""
        self._draining.set()

    def run(
        self,
        jobs: Iterable[Job],
        *,
        settings: config.Video,
        page_files: Mapping[int, Path],
        on_segment: Callable[[Job], None],
        on_frames: Callable[[Job, int], None] | None = None,
    ) -> list[Job]:
        """Render all jobs, in the order given. Returns those not begun, which are some only after ``drain``.

        In the calling thread: ``on_segment`` when a file is in its place, so that it can be checkpointed at once;
        ``on_frames`` with a job's frames so far, some times a second. What a callback raises ends the run; encoders at
        work then go on with their segments, and ``close`` ends them. Raises RenderError, StorageFull.
        """
        todo = deque(jobs)
        tries: dict[int, int] = {}
        files = {index: str(path.absolute()) for index, path in page_files.items()}
        while True:
            for encoder in self._encoders:
                if encoder.job is None and todo and not self._draining.is_set():
                    job = todo.popleft()
                    tries[job.segment.index] = tries.get(job.segment.index, 0) + 1
                    encoder.give(job, Task(segment=job.segment, settings=settings, pages=files, out=str(job.out)))
            if not any(encoder.job for encoder in self._encoders):
                return list(todo)
            heard = self._next()
            if heard is None:
                continue
            encoder, answer = heard
            if encoder not in self._encoders:
                continue  # the last words of one that was replaced
            if answer is None:
                lost = self._replace(encoder)
                if lost is not None and tries.get(lost.segment.index, 0) >= TRIES:
                    raise RenderError(f"segment {lost.segment.index + 1}: its encoder {encoder.obituary()}, twice")
                if lost is not None:
                    todo.appendleft(lost)
            elif (job_now := encoder.job) is None:
                continue
            elif answer.error:
                encoder.job = None
                raise _as_error(answer, job_now)
            elif answer.done:
                encoder.job = None
                faults.point("segment.done")
                on_segment(job_now)
            elif on_frames is not None:
                on_frames(job_now, answer.frames)

    def _next(self) -> _Heard | None:
        """What an encoder says next. When all are silent for too long, those at work are killed: None."""
        try:
            return self._heard.get(timeout=self._stall)
        except queue.Empty:
            for encoder in self._encoders:
                if encoder.job is not None:
                    encoder.kill()
            return None

    def _replace(self, dead: _Encoder) -> Job | None:
        dead.kill()
        if dead.job is None:
            self._idle_deaths += 1
            if self._idle_deaths > TRIES:
                raise RenderError(f"encoders keep dying with nothing to do: the last {dead.obituary()}")
        else:
            for part in dead.job.out.parent.glob(f".*.{dead.pid}.part"):
                part.unlink(missing_ok=True)
        self._encoders[self._encoders.index(dead)] = _Encoder(self._heard)
        return dead.job


class _Encoder:
    """One process, with a thread that passes on what it says."""

    def __init__(self, heard: queue.SimpleQueue[_Heard]) -> None:
        self.job: Job | None = None
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in kill()
        self._process = processes.start(
            [sys.executable, "-m", "mangavid.video.encoder_process", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            # No linear algebra is done here: BLAS would start a thread a processor only to have them wait.
            env={**processes.python_environment(), "OPENBLAS_NUM_THREADS": "1"},
        )
        assert self._process.stdout is not None
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout, heard), daemon=True)
        self._listener.start()
        self._last_words = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    def give(self, job: Job, task: Task) -> None:
        self.job = job
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is dead: its listener says so
            self._process.stdin.write(msgspec.json.encode(task) + b"\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        if self._complaints.closed:
            return
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._complaints.seek(0)
        self._last_words = self._complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
        self._complaints.close()

    def obituary(self) -> str:
        """How it died, for a message: «was killed by SIGKILL»."""
        code = self._process.returncode
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        return f"{how} ({self._last_words})" if self._last_words else how

    def _listen(self, output: BinaryIO, heard: queue.SimpleQueue[_Heard]) -> None:
        for line in output:
            heard.put(_Heard(self, msgspec.json.decode(line, type=Answer)))
        heard.put(_Heard(self, None))


def _processors() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _as_error(answer: Answer, job: Job) -> Exception:
    known = by_name(answer.error)
    if known is not None:
        return known(answer.message, hint=answer.hint)
    return RuntimeError(f"segment {job.segment.index + 1}: {answer.message}")
