"""An encoder process: ``python -m mangavid.video.encoder_process PARENT_PID``. Tasks on stdin, answers on stdout.

It ends when its stdin does: the parent closed it or is gone. Ctrl-C and SIGTERM are the parent's to handle (both reach
the whole process group): what this process was doing is then finished or killed as the parent decides.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from mangavid.video.messages import Task

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


def main() -> None:
    _ignore_signals()
    _die_with_parent(int(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever a library prints must not be taken for an answer
    tasks: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    _serve(tasks, answers)


def _ignore_signals() -> None:
    for name in SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {getattr(signal, name) for name in SIGNALS})


def _die_with_parent(parent: int) -> None:
    """On Linux the kernel kills this process with its parent; elsewhere the end of stdin has to do (``_read``)."""
    if sys.platform != "linux":
        return
    import ctypes

    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was told
        os._exit(0)


def _read(tasks: queue.SimpleQueue[bytes]) -> None:
    for line in sys.stdin.buffer:
        tasks.put(line)
    os._exit(0)


def _serve(tasks: queue.SimpleQueue[bytes], answers: BinaryIO) -> None:
    import msgspec

    from mangavid.errors import MangavidError
    from mangavid.video.messages import Answer, Task

    def say(answer: Answer) -> None:
        try:
            answers.write(msgspec.json.encode(answer) + b"\n")
        except BrokenPipeError:
            os._exit(0)

    work = _Work()
    while True:
        task = msgspec.json.decode(tasks.get(), type=Task)
        try:
            work.encode(task, lambda frames: say(Answer(frames=frames)))
            say(Answer(frames=task.segment.frames, done=True))
        except MangavidError as problem:
            say(Answer(error=type(problem).__name__, message=str(problem), hint=problem.hint))
        except Exception:  # a bug: told in full to the parent, which ends the render with it
            say(Answer(error="Exception", message=traceback.format_exc()))


class _Work:
    """Encodes, keeping decoded pages between tasks of the same chapter."""

    def __init__(self) -> None:
        import cv2

        from mangavid.video import check, encoder, pictures

        cv2.setNumThreads(1)
        self._encode_segment = encoder.encode_segment
        self._look = check.look
        self._new_pages = pictures.Pages
        self._pages = pictures.Pages({})

    def encode(self, task: Task, on_frames: Callable[[int], None]) -> None:
        files = {index: Path(file) for index, file in task.pages.items()}
        if files != self._pages.files:
            self._pages = self._new_pages(files)
        every = task.settings.fps // 2

        def on_frame(done: int) -> None:
            if done % every == 0:
                on_frames(done)

        self._encode_segment(task.segment, task.settings, self._pages, Path(task.out), on_frame)
        self._look(Path(task.out), task.segment, self._pages)


if __name__ == "__main__":
    main()
