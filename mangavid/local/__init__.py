"""This machine as a target: SQLite for the jobs table, a folder for the objects, processes for instances."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mangavid.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from mangavid.ports import Item, Publisher, Source, Target, Voice, Writer


#: In a home: lines that were spoken and are not yet in the store.
SPOKEN = "spoken"


def home_of(config: Config) -> Path:
    """The folder that holds jobs, history and work files: the setting, else the user's data folder."""
    if config.local.home:
        return Path(config.local.home).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "mangavid"
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "mangavid"


def videos_of(config: Config, home: Path) -> Path:
    """The folder that finished videos go to."""
    return Path(config.publisher.folder).expanduser().absolute() if config.publisher.folder else home / "videos"


def open_target(
    config: Config,
    *,
    home: Path | None = None,
    progress: Callable[[str, int, int, str], None] | None = None,
) -> Target:
    """The ports of this machine. Opens nothing yet: each store makes its files at its first write."""
    from mangavid.clock import SystemClock
    from mangavid.local.engine.executions import JournalExecutions
    from mangavid.local.engine.tokens import TokenClient
    from mangavid.local.instances import ProcessInstances
    from mangavid.local.jobs import SqliteJobs
    from mangavid.local.lock import at_work
    from mangavid.local.objects import FolderObjects
    from mangavid.ports import Target, silent

    home = home or home_of(config)
    clock = SystemClock()
    journal = home / "journal.db"
    return Target(
        config=config,
        jobs=SqliteJobs(home / "jobs.db"),
        objects=FolderObjects(home / "objects"),
        executions=JournalExecutions(journal),
        callbacks=TokenClient(journal),
        instances=ProcessInstances(home, config),
        clock=clock,
        source=lambda run: _source(config, run),
        writer=lambda: _writer(config),
        voice=lambda: _voice(config, home),
        publisher=lambda: _publisher(config, home),
        progress=progress or silent,
        driven=lambda: at_work(home),
    )


def _source(config: Config, run: Item) -> Source:
    from mangavid import yamlfile
    from mangavid.sources.local import ChapterSource, LibrarySource

    if run.get("sources") or not config.source.library:
        return ChapterSource([Path(one) for one in run.get("sources", ())], yamlfile.plain)
    return LibrarySource(Path(config.source.library).expanduser(), yamlfile.plain)


def _writer(config: Config) -> Writer:
    from mangavid.writers.offline import OfflineWriter

    return OfflineWriter(config.writer)


def _voice(config: Config, home: Path) -> Voice:
    from mangavid.voices.espeak import EspeakVoice

    return EspeakVoice(config.voice, spool=home / SPOKEN)


def _publisher(config: Config, home: Path) -> Publisher:
    from mangavid.publishers.folder import FolderPublisher

    return FolderPublisher(videos_of(config, home))
