"""An engine in a process of its own: a line of JSON out, a line back, and nothing of it left when it is done."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

_About = TypeVar("_About")
_Said = TypeVar("_Said")


class Answer(msgspec.Struct, frozen=True):
    """Base of the first line of a spoken text's file: how long what follows it is, and its checksum."""

    bytes: int
    crc32: int


_Answer = TypeVar("_Answer", bound=Answer)


class Dead(Exception):
    """Why a child can't be used (any more)."""


class Child(Generic[_About]):
    """A process that answers each line of JSON with one; one order at a time."""

    def __init__(
        self,
        argv: Sequence[str],
        order: dict[str, object],
        kind: type[_About],
        seconds: float,
        *,
        cwd: str | None = None,
    ) -> None:
        """Starts it and gives it a first order, whose answer is ``about``. Raises Dead."""
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - closed in end()
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._complaints,
                bufsize=0,
                cwd=cwd,
                env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
                start_new_session=True,  # Ctrl-C is for the run, which ends with what it has begun
            )
        except OSError as problem:
            self._complaints.close()
            raise Dead(f"it could not be started ({problem})") from problem
        self.about = self.ask(order, seconds, kind)

    def ask(self, order: dict[str, object], seconds: float, kind: type[_Said]) -> _Said:
        """One line out, one line back. Whatever else comes ends the process: Dead."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        answer = bytearray()
        understood = False
        try:
            process.stdin.write(msgspec.json.encode(order) + b"\n")
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while not answer.endswith(b"\n"):
                    if not selector.select(seconds):
                        raise Dead(f"it was not done after {seconds:g} s")
                    piece = process.stdout.read(1 << 16)
                    if not piece:
                        raise Dead(self._obituary())
                    answer += piece
            said = msgspec.json.decode(answer, type=kind)
            understood = True
            return said
        except BrokenPipeError:
            raise Dead(self._obituary()) from None
        except msgspec.MsgspecError:
            raise Dead(f"its answer was cut off ({len(answer)} bytes)") from None
        finally:
            if not understood:
                self.end()

    def _obituary(self) -> str:
        code = self._process.wait()
        self._complaints.seek(0)
        return why(code, self._complaints.read().decode("utf-8", "replace"))

    def end(self) -> None:
        """With all that it started, at once."""
        if self._complaints.closed:
            return
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._complaints):
            assert file is not None
            file.close()


def why(code: int, said: str) -> str:
    """How a process ended, in words: the signal, else the last line of what it said, else its exit code."""
    if code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"it was ended by {name}"
    lines = said.strip().splitlines()
    return lines[-1] if lines else f"it ended with exit code {code}"


def read(file: Path, kind: type[_Answer]) -> tuple[_Answer, bytes] | None:
    """A spoken text: a line of JSON, then samples (signed 16-bit). None where there is none, or not all of it."""
    try:
        head, _, pcm = file.read_bytes().partition(b"\n")
        answer = msgspec.json.decode(head, type=kind)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None
    whole = len(pcm) == answer.bytes and len(pcm) % 2 == 0 and zlib.crc32(pcm) == answer.crc32
    return (answer, pcm) if whole else None
