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
from mangavid.publishers.folder import FolderPublisher, paths
from mangavid.states import dispatch
from mangavid.states.fetcher import LEFT
from mangavid.states.outcome import Outcome, outcome_of
from mangavid.states.runs import current_job
from mangavid.states.wanted import changed, open_run, sort_out

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
        paths = [one if keys.is_address(one) else str(Path(one).absolute()) for one in sources]
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
            wanted = sort_out(self._target, named, again=again, taken=taken, there=self._there, note=self._watch.note)
            existing = wanted.existing
            if wanted.sources:
                driven.append(self._begin(wanted.sources, wanted.remake))
        elif self._config.source.library or self._config.source.kind != "library":
            if not driven:
                driven.append(self._begin())
        else:
            left = [str(item["source"]) for item in self._target.jobs.by_status(*LEFT)]
            if left:
                driven.append(self._begin(left))
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
        return any(found.ref == job.get("source") and (again or changed(found, job)) for found in named)

    def _excuse(self, unfinished: Execution) -> None:
        """A worker that ended together with its run has not failed: another takes its place, under the same token."""
        job = self._job_in_hand(self._run_item(unfinished.name))
        if job.get("token") and job.get("instance") and not self._instances.alive(str(job["instance"])):
            with suppress(LeaseLost):
                dispatch.replace(self._target, str(job["job_id"]))

    def _job_in_hand(self, run: Item) -> Item:
        return self._target.jobs.get(keys.job_item(current_job(self._target, run))) or {}

    def _there(self, item: Item) -> bool:
        """Whether a finished video is where it is wanted now; into a folder it is put again from the store."""
        job = job_of(item)
        files = job.video_id == job.job_id
        if self._config.publisher.kind != "folder":
            return not files  # one that was made as files only is not published
        if not files:
            return True  # it was published, and stays where it is
        wanted = paths(self._videos, job.job_id)["video"]
        if Path(job.published) == wanted and wanted.is_file():
            return True
        if job.rendered is None:
            return False
        try:
            again = FolderPublisher(self._videos).place(
                job.job_id, job.rendered, lambda product: fetch_whole(self._target.objects, product.key, product.sha256)
            )
        except BadInput:  # no longer in the store, or damaged
            return False
        self._target.jobs.change(Change(key=keys.job_item(job.job_id), set={"published": again}))
        return True

    def _begin(self, sources: Sequence[str] = (), again: Sequence[str] = ()) -> Execution:
        name = open_run(self._target, sources, again=again)
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
