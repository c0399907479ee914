"""This machine as a target: SQLite for the jobs table, a folder for the objects, processes for instances."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mangavid.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mangavid.ports import Publisher, Source, Target


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
    from mangavid.local.secrets import LocalSecrets
    from mangavid.ports import Target, silent
    from mangavid.providers import Sources, open_publisher, open_voice, open_writer

    home = home or home_of(config)
    clock = SystemClock()
    journal = home / "journal.db"
    jobs, objects, secrets = SqliteJobs(home / "jobs.db"), FolderObjects(home / "objects"), LocalSecrets(home)
    progress = progress or silent
    sources = Sources(
        config,
        jobs=jobs,
        objects=objects,
        clock=clock,
        progress=progress,
        files=_files,
        library=lambda: _library(config),
    )
    return Target(
        config=config,
        jobs=jobs,
        objects=objects,
        executions=JournalExecutions(journal),
        callbacks=TokenClient(journal),
        instances=ProcessInstances(home, config),
        clock=clock,
        secrets=secrets,
        source=sources.of,
        writer=lambda: open_writer(config, secrets, clock),
        voice=lambda engine: open_voice(config, engine, secrets, clock, spool=home / SPOKEN),
        publisher=lambda: open_publisher(config, secrets, clock, lambda: _folder(config, home)),
        progress=progress,
        driven=lambda: at_work(home),
    )


def _files(paths: Sequence[str]) -> Source:
    from mangavid import yamlfile
    from mangavid.sources.local import ChapterSource

    return ChapterSource([Path(one) for one in paths], yamlfile.plain)


def _library(config: Config) -> Source:
    from mangavid import yamlfile
    from mangavid.sources.local import ChapterSource, LibrarySource

    if not config.source.library:
        return ChapterSource([], yamlfile.plain)
    return LibrarySource(Path(config.source.library).expanduser(), yamlfile.plain)


def _folder(config: Config, home: Path) -> Publisher:
    from mangavid.publishers.folder import FolderPublisher

    return FolderPublisher(videos_of(config, home))
