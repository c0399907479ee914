"""Instances as processes of this machine.

A record ``<id>.json`` says what an instance works on; its lock file, with the process id in it, is locked by the
process for as long as it lives: «alive» is a fact the kernel keeps, not a process id that may have been used again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from mangavid.config import Config
from mangavid.errors import SpotCapacity
from mangavid.ports import InstanceInfo, Phase


class ProcessInstances:
    """``ports.Instances``. ``home`` holds ``instances/`` (records, locks) and ``logs/``."""

    def __init__(self, home: Path, config: Config) -> None:
        self._folder = home / "instances"
        self._logs = home / "logs"
        self.work = home / "work"
        self._home = home
        self._config = config
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def launch(self, phase: Phase, job_id: str, epoch: int) -> str:
        instance = f"{phase}-{job_id}-e{epoch}"
        if self.alive(instance):
            return instance
        for folder in (self._folder, self._logs, self.work):
            folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._lock(instance), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # The lock belongs to the open file: the child holds it from its first moment until its last copy closes.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)  # an id of a process that is gone may be another's by now
            record = {  # what mangavid.local.worker reads
                "instance": instance,
                "phase": phase,
                "job_id": job_id,
                "epoch": epoch,
                "home": str(self._home),
                "config": msgspec.to_builtins(self._config),
                "parent": os.getpid(),
            }
            path = self._record(instance)
            path.write_text(json.dumps(record), encoding="utf-8")
            with (self._logs / f"{instance}.log").open("ab") as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "mangavid.local.worker", str(path)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(lock,),
                    # Videos in the making are large: they belong on the disk of the home, not in a small /tmp.
                    env={**os.environ, "TMPDIR": str(self.work)},
                    # Ctrl-C on the terminal reaches the run only; the run then drains its workers.
                    start_new_session=True,
                )
            os.pwrite(lock, f"{child.pid:<20}".encode(), 0)
        except BlockingIOError:
            return instance
        except OSError as problem:
            raise SpotCapacity(f"can't start a worker process: {problem}") from problem
        finally:
            os.close(lock)
        self._children[instance] = child
        return instance

    def alive(self, instance: str) -> bool:
        child = self._children.get(instance)
        if child is not None:
            child.poll()
        try:
            lock = os.open(self._lock(instance), os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(lock)

    def terminate(self, instance: str) -> None:
        self._signal(instance, signal.SIGKILL)
        child = self._children.pop(instance, None)
        if child is not None:
            child.wait()

    def list(self) -> Iterator[InstanceInfo]:
        for instance in self.all_alive():
            # One that ended meanwhile may have had its record cleared away.
            with contextlib.suppress(FileNotFoundError):
                path = self._record(instance)
                record = json.loads(path.read_text(encoding="utf-8"))
                yield InstanceInfo(
                    instance=instance,
                    phase=record["phase"],
                    job_id=record["job_id"],
                    epoch=record["epoch"],
                    launched=datetime.fromtimestamp(path.stat().st_mtime, UTC),
                )

    def drain(self, instance: str) -> None:
        """Ask it to finish what is in hand and stop: what a Spot notice is on AWS."""
        self._signal(instance, signal.SIGTERM)

    def all_alive(self) -> Sequence[str]:
        """Instances that live, whoever started them."""
        if not self._folder.is_dir():
            return []
        return [path.stem for path in sorted(self._folder.glob("*.json")) if self.alive(path.stem)]

    def forget_dead(self) -> None:
        """Remove records and locks of instances that have ended; their logs stay."""
        for record in sorted(self._folder.glob("*.json")) if self._folder.is_dir() else ():
            if not self.alive(record.stem):
                record.unlink(missing_ok=True)
                self._lock(record.stem).unlink(missing_ok=True)

    def _signal(self, instance: str, number: signal.Signals) -> None:
        # The lock is held, so the process the record names is alive, or some of those it started are.
        if not self.alive(instance):
            return
        with contextlib.suppress(ValueError, ProcessLookupError, PermissionError):
            pid = int(self._lock(instance).read_text(encoding="ascii"))
            if number == signal.SIGKILL:
                os.killpg(pid, number)
            else:
                os.kill(pid, number)

    def _record(self, instance: str) -> Path:
        return self._folder / f"{instance}.json"

    def _lock(self, instance: str) -> Path:
        return self._folder / f"{instance}.lock"
