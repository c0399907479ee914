"""``mangavid run`` on this machine: the state machine file, driven by the local engine until it ends.

A run that was killed is found in the journal and driven on before anything new is begun.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from mangavid import asl, keys
from mangavid.config import Config
from mangavid.errors import BadInput, Interrupted, LeaseLost, Locked, UsageError
from mangavid.local import home_of, open_target, videos_of
from mangavid.local.engine.interpreter import Engine
from mangavid.local.handlers import function_handlers
from mangavid.local.instances import ProcessInstances
from mangavid.local.lock import LOCK_FILE
from mangavid.local.sweep import sweep
from mangavid.local.watch import Watch
from mangavid.models import job_of
from mangavid.ports import Change, Execution, Found, Item, Step
from mangavid.products import fetch_whole
from mangavid.protocol import FINISHED
from mangavid.publishers.folder import paths
from mangavid.quota import quota_day
from mangavid.states import dispatch
from mangavid.states.fetcher import LEFT, job_of_found
from mangavid.states.outcome import Outcome, outcome_of
from mangavid.states.runs import current_job

_DRAIN_SECONDS = 30.0


def run(config: Config, sources: Sequence[str], *, again: bool, on_step: Callable[[Step], None]) -> Outcome:
    """Make the chapters named, or without names the library's next ones until the day's quota is reached.

    ``on_step`` is called from several threads, one at a time. Raises Locked where a run is at work in the same home,
    UsageError where there is nothing to make, SourceNotFound and BadInput where a named chapter is not one,
    Interrupted after Ctrl-C or SIGTERM (workers drained, everything done so far kept).
    """
    home = home_of(config)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _run_lock(home), _terminable():
        sweep(home, ProcessInstances(home, config))
        return _Run(config, home, on_step).go(sources, again)


class _Run:
    def __init__(self, config: Config, home: Path, on_step: Callable[[Step], None]) -> None:
        self._config = config
        self._videos = videos_of(config, home)
        self._watch = Watch(on_step)
        self._target = open_target(config, home=home, progress=self._watch.progress)
        assert isinstance(self._target.instances, ProcessInstances)
        self._instances = self._target.instances
        self._engine = Engine(
            home / "journal.db",
            asl.local_definition(),
            self._target.clock,
            function_handlers(self._target),
        )
        self._watch.follow(self._target, self._engine)

    def go(self, sources: Sequence[str], again: bool) -> Outcome:
        paths = [str(Path(one).absolute()) for one in sources]
        named = list(self._target.source({"sources": paths}).find()) if paths else []
        driven: list[Execution] = []
        existing: list[str] = []
        for unfinished in list(self._target.executions.list(status="RUNNING")):
            if self._superseded(unfinished, named, again):
                self._engine.stop(unfinished.arn, error="Superseded", cause="its chapter was named anew")
                continue
            self._excuse(unfinished)
            driven.append(self._drive(unfinished.name, unfinished.arn, "going on with the run that was interrupted"))
        taken = {job for one in driven for job in self._run_item(one.name).get("attempted", ())}
        if named:
            wanted, existing, remake = self._sort_out(named, again, taken)
            if wanted:
                driven.append(self._begin(wanted, counted=False, again=remake))
        elif self._config.source.library:
            if not driven:
                driven.append(self._begin([], counted=True, again=[]))
        else:
            left = [str(item["source"]) for item in self._target.jobs.by_status(*LEFT)]
            if left:
                driven.append(self._begin(left, counted=False, again=[]))
            elif not driven:
                raise UsageError(
                    "nothing to make: no chapter named, and no library folder set",
                    hint="mangavid run CHAPTER.cbz, or set source.library to a folder of chapters",
                )
        return outcome_of(self._target, driven, existing)

    def _superseded(self, unfinished: Execution, named: Sequence[Found], again: bool) -> bool:
        """Whether the chapter it has in hand is named now to be made anew, or has changed since: then it is not gone on
        with, and what was made of the same inputs is found again.
        """
        job = self._job_in_hand(self._run_item(unfinished.name))
        return any(found.ref == job.get("source") and (again or _changed(found, job)) for found in named)

    def _excuse(self, unfinished: Execution) -> None:
        """A worker that ended together with its run has not failed: another takes its place, under the same token."""
        job = self._job_in_hand(self._run_item(unfinished.name))
        if job.get("token") and job.get("instance") and not self._instances.alive(str(job["instance"])):
            with suppress(LeaseLost):
                dispatch.replace(self._target, str(job["job_id"]))

    def _job_in_hand(self, run: Item) -> Item:
        return self._target.jobs.get(keys.job_item(current_job(self._target, run))) or {}

    def _sort_out(self, named: Sequence[Found], again: bool, taken: set[str]) -> tuple[list[str], list[str], list[str]]:
        """Of the chapters named: those to make, the jobs that have their video already, the jobs to make anew.

        Of one that is unfinished nothing need be thrown away for ``again``: only what is made of the same inputs is
        used again.
        """
        wanted: list[str] = []
        existing: list[str] = []
        remake: list[str] = []
        for found in named:
            job_id = job_of_found(found)
            if job_id in taken:
                continue
            item = self._target.jobs.get(keys.job_item(job_id)) or {}
            finished = item.get("status") in FINISHED
            if finished and not again:
                if not _changed(found, item) and self._there(item):
                    existing.append(job_id)
                    continue
                self._watch.note(
                    f"{found.title} has changed since its video was made, or that is gone: it is made anew"
                )
            if finished or (again and item and item.get("status") not in LEFT):
                remake.append(job_id)
            wanted.append(found.ref)
        return wanted, existing, remake

    def _there(self, item: Item) -> bool:
        """Whether a finished video is in the folder wanted now; if not, it is put there again from the store."""
        job = job_of(item)
        wanted = paths(self._videos, job.job_id)["video"]
        if Path(job.published) == wanted and wanted.is_file():
            return True
        if job.rendered is None:
            return False
        files = {getattr(job.rendered, kind).key: getattr(job.rendered, kind).sha256 for kind in keys.FILES}
        try:
            again = self._target.publisher().publish(
                job.job_id, job.rendered, lambda key: fetch_whole(self._target.objects, key, files[key])
            )
        except BadInput:  # no longer in the store, or damaged
            return False
        self._target.jobs.change(Change(key=keys.job_item(job.job_id), set={"published": again.where}))
        return True

    def _begin(self, sources: list[str], *, counted: bool, again: list[str]) -> Execution:
        clock = self._target.clock
        stamp = clock.now()
        name = f"run-{stamp:%Y%m%dT%H%M%S}-{os.urandom(3).hex()}"
        self._target.jobs.change(
            Change(
                key=keys.run_item(name),
                set={
                    "name": name,
                    "started_at": stamp.isoformat(timespec="microseconds"),
                    "quota_day": quota_day(stamp),
                    "sources": sources,
                    "counted": counted,
                },
                add={"again": again} if again else {},
            )
        )
        return self._drive(name, self._engine.start(name, {}))

    def _drive(self, name: str, arn: str, note: str = "") -> Execution:
        self._watch.begin(name, arn)
        if note:
            self._watch.note(note)
        try:
            return self._engine.run(arn, on_event=self._watch.event, should_stop=self._watch.tick)
        except KeyboardInterrupt:
            self._drain()
            self._watch.end()
            raise Interrupted("stopped") from None

    def _drain(self) -> None:
        """Let workers finish the segments in hand; a second Ctrl-C ends them at once."""
        clock = self._target.clock
        alive = self._instances.all_alive()
        try:
            if alive:
                self._watch.note("stopping: the segments in hand are finished first (Ctrl-C again: at once)")
            for instance in alive:
                self._instances.drain(instance)
            limit = clock.monotonic() + _DRAIN_SECONDS
            while any(self._instances.alive(one) for one in alive) and clock.monotonic() < limit:
                clock.sleep(0.1)
        except KeyboardInterrupt:
            pass
        for instance in alive:
            self._instances.terminate(instance)

    def _run_item(self, name: str) -> Item:
        return self._target.jobs.get(keys.run_item(name)) or {}


def _changed(found: Found, job: Item) -> bool:
    """Whether a chapter, or its narration, is another than when it was taken in."""
    return bool(found.version and job.get("version")) and found.version != job["version"]


@contextmanager
def _run_lock(home: Path) -> Iterator[None]:
    """One run a home. The kernel frees the lock when its process ends, however it ends."""
    handle = os.open(home / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
            raise Locked(
                f"a run is at work in {home}" + (f" (process {owner})" if owner else ""),
                hint="mangavid status --watch follows it",
            ) from None
        os.pwrite(handle, f"{os.getpid():<20}".encode(), 0)
        yield
    finally:
        os.close(handle)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and a closed terminal stop a run the way Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before: dict[signal.Signals, Any] = {}
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Not in the main thread (a test, an embedding program): the signals are not ours to take.
        with suppress(ValueError):
            before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
