"""Running the bundled ffmpeg. Command lines are built with ffmpeg-python, and always run as argument lists."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mangavid.errors import RenderError, StorageFull
from mangavid.video import processes

_NOISE = re.compile(r"^\[[^\]]+ @ 0x[0-9a-f]+\] ?")
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")


@cache
def binary() -> str:
    """The ffmpeg of the imageio-ffmpeg package. Raises RenderError where that has none for this machine."""
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as problem:
        raise RenderError(f"no ffmpeg: {problem}", hint="pip install --force-reinstall imageio-ffmpeg") from problem


def source(path: Path) -> str:
    """A file as an input or output argument: whatever its name, it is a local file and not an option or a protocol."""
    return f"file:{path.absolute()}"


def run(stream: Any, *, seconds: float, what: str) -> str:
    """Run an ffmpeg-python stream; returns what ffmpeg wrote to stderr.

    Raises RenderError with ffmpeg's last meaningful line, or when it takes longer than ``seconds``; StorageFull.
    """
    import ffmpeg

    options = ["-nostdin", "-hide_banner", "-nostats", "-loglevel", "info"]
    argv = ffmpeg.compile(stream.global_args(*options), cmd=binary(), overwrite_output=True)
    return execute(argv, seconds=seconds, what=what)


def execute(argv: Sequence[str], *, seconds: float, what: str) -> str:
    """Run a command whose stderr is short; errors as for ``run``."""
    process = processes.start(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with process:
        try:
            _, stderr = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise RenderError(f"{what}: ffmpeg did nothing useful for {seconds:.0f} s and was stopped") from None
        finally:
            process.kill()
    text = stderr.decode(errors="replace")
    if process.returncode != 0:
        line = last_line(text)
        if any(full in text for full in _FULL):
            raise StorageFull(f"{what}: {line}")
        raise RenderError(f"{what}: ffmpeg ended with exit code {process.returncode}: {line}")
    return text


def last_line(text: str) -> str:
    """The line of ffmpeg's output that says what was wrong: the last one that does not merely say that it ends."""
    lines = [_NOISE.sub("", line).strip() for line in text.splitlines()]
    empty = ("Conversion failed!", "Exiting normally", "Exiting with exit code", "Nothing was written")
    meant = [line for line in lines if line and not line.startswith(empty)]
    return meant[-1] if meant else "it said nothing"
