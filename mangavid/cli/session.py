"""What the commands have in common: the global options, and opening the settings and the target once asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import output

if TYPE_CHECKING:
    from mangavid.configfile import Loaded
    from mangavid.ports import Target

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Read the settings from this file.")]
Home = Annotated[
    str | None, typer.Option("--home", metavar="DIR", help="Keep jobs, history and work files in this folder.")
]


class Session:
    """The global options as they were given before the command, or after it (which wins)."""

    def __init__(self, config: Path | None, home: str | None) -> None:
        self._config = config
        self._flags = {"local.home": ("--home", home)} if home else {}

    def settings(self, **flags: tuple[str, str]) -> Loaded:
        """The settings; ``flags`` are more of them, with ``__`` for the dot. Raises ConfigError."""
        from mangavid.configfile import load_config

        more = {key.replace("__", "."): flag for key, flag in flags.items()}
        return load_config(self._config, self._flags | more)

    def target(self) -> Target:
        """Where the pipeline runs, by the setting ``target``. Raises ConfigError, and on AWS AuthError."""
        loaded = self.settings()
        if loaded.config.target == "aws":
            from mangavid.aws import open_target as open_aws

            return open_aws(loaded.config)
        from mangavid.cli import checks
        from mangavid.local import open_target

        checks.home(loaded)
        return open_target(loaded.config)


def session(ctx: typer.Context, config: Path | None = None, home: str | None = None) -> Session:
    """The session of a command, its own global options over those before it."""
    before = ctx.find_root().obj
    config, home = config or before["config"], home or before["home"]
    output.called_with(*(["--config", str(config)] if config else []), *(["--home", home] if home else []))
    return Session(config, home)
