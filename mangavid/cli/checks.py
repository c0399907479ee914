"""What can be known before a command begins: told at once, not when hours of work are done."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mangavid import keys
from mangavid.errors import ConfigError, SourceNotFound, UsageError

if TYPE_CHECKING:
    from mangavid.configfile import Loaded

MayWrite = Callable[[Path], bool]


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def home(loaded: Loaded) -> None:
    """Raises ConfigError where the home is no folder, nor can become one."""
    from mangavid.local import home_of

    _folder(loaded, "local.home", home_of(loaded.config), "name another with --home DIR", lambda _folder: True)


def before_run(loaded: Loaded, may_write: MayWrite = _may_write) -> None:
    """Raises ConfigError where home or output can't be written, or the music is not there."""
    from mangavid.configfile import NOT_PATHS
    from mangavid.local import home_of, videos_of

    place = home_of(loaded.config)
    _folder(loaded, "local.home", place, "name another with --home DIR", may_write)
    videos = videos_of(loaded.config, place)
    _folder(loaded, "publisher.folder", videos, "name another with --output DIR", may_write)
    music = loaded.config.video.music
    if music not in NOT_PATHS["video.music"] and not Path(music).is_file():
        raise ConfigError(
            f"{_where(loaded, 'video.music')}{music}: there is no such file",
            hint="name a file of music, or auto or none",
        )


def library(loaded: Loaded) -> None:
    """Raises SourceNotFound where the library that is to be worked through is no folder."""
    if loaded.config.source.kind != "library":
        return
    folder = loaded.config.source.library
    if folder and not Path(folder).is_dir():
        raise SourceNotFound(
            f"{_where(loaded, 'source.library')}{folder}: there is no such folder",
            hint="set source.library to the folder your chapters are in, or: mangavid run CHAPTER.cbz",
        )


def chapters(named: Sequence[str]) -> None:
    """Raises UsageError for what can't be a chapter, SourceNotFound for an address that nothing here reads."""
    for name in named:
        if not name.strip():
            raise UsageError("a chapter's name is empty", hint="mangavid run CHAPTER.cbz")
        if keys.is_address(name):
            from mangavid.sources.remote import provider_of

            provider_of(name)
        elif "://" in name:
            raise UsageError(f"{name}: only http and https addresses are read", hint="mangavid run CHAPTER.cbz")


def rights(loaded: Loaded, named: Sequence[str] = ()) -> None:
    """Raises RightsMissing where what is wanted may not be published as the settings say."""
    from mangavid.rights import check_settings

    check_settings(loaded.config)
    if named and loaded.config.publisher.kind != "folder":
        from mangavid.models import Credits
        from mangavid.rights import MANGADEX, check
        from mangavid.sources.remote import provider_of

        for name in named:
            if keys.is_address(name) and provider_of(name) == "mangadex":
                check(loaded.config.rights, loaded.config.youtube, Credits(source=MANGADEX))


def _folder(loaded: Loaded, key: str, folder: Path, hint: str, may_write: MayWrite) -> None:
    try:
        there = next(one for one in (folder, *folder.parents) if one.exists())
    except OSError as problem:
        why = str(problem.strerror).lower()
        raise ConfigError(f"{_where(loaded, key)}{folder}: {why}", hint=hint) from None
    if not there.is_dir():
        raise ConfigError(f"{_where(loaded, key)}{there}: this is a file, not a folder", hint=hint)
    if not may_write(there):
        raise ConfigError(f"{_where(loaded, key)}{there}: you may not write here", hint=hint)


def _where(loaded: Loaded, key: str) -> str:
    """Who set it: ``--output: ``, ``mangavid.yaml:3: video.music: ``."""
    origin = loaded.origins[key]
    if origin == "default":
        return ""
    return f"{origin.removeprefix('flag ')}: " if origin.startswith("flag ") else f"{origin}: {key}: "
