"""``mangavid config``: the settings in force, and an example of them all."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from mangavid.configfile import Loaded

app = typer.Typer(help="Show the settings and where each comes from.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def default(ctx: typer.Context, as_json: Json = False, config: ConfigFile = None, home: Home = None) -> None:
    if ctx.invoked_subcommand is None:
        show(ctx, as_json, config, home)


@app.command()
def show(ctx: typer.Context, as_json: Json = False, config: ConfigFile = None, home: Home = None) -> None:
    """Show every setting and where it came from."""
    from mangavid.configfile import plainly, value_of

    loaded = session(ctx, config, home).settings()
    if as_json:
        values = {
            key: {"value": value_of(loaded.config, key), "from": origin} for key, origin in loaded.origins.items()
        }
        output.write_json({"file": str(loaded.file) if loaded.file else None, "settings": values})
        return
    rows: list[list[output.Cell]] = []
    for key, origin in loaded.origins.items():
        style = "dim" if origin == "default" else ""
        rows.append([key, plainly(value_of(loaded.config, key)), (origin, style)])
    output.write_table(["setting", "value", "from"], rows, folds=["value", "from"])
    _onwards(loaded)


def _onwards(loaded: Loaded) -> None:
    if loaded.file:
        output.say(f"To change one: edit {loaded.file}")
    else:
        output.say("No settings file is in use. To make one: mangavid config example > mangavid.yaml")


@app.command()
def example() -> None:
    """Print a settings file with every setting, explained."""
    from mangavid.configfile import example

    sys.stdout.write(example())
