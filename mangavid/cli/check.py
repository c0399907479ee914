"""``mangavid check``: whether everything that is configured works."""

from __future__ import annotations

from typing import Annotated

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session


def check(
    ctx: typer.Context,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the real services, too: each the cheapest thing there is.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Look whether everything that is configured works.

    The source of chapters, the writer, each voice, the rights and the publisher, a line each. With --live every service
    of them is asked for real, which costs nothing, but a unit of YouTube's and a word of a paid voice. It leaves with
    the exit code of the first that does not work.
    """
    from mangavid.states.checkup import look

    found = []
    for one in look(session(ctx, config, home).target(), live=live):
        found.append(one)
        if as_json:
            continue
        output.write(f"{'ok      ' if one.good else 'PROBLEM '} {one.what}: {one.said}")
        if one.hint:
            output.write(f"         {one.hint}")
    if as_json:
        output.write_json(found)
    bad = [one for one in found if not one.good]
    if not bad:
        output.say("All is well." + ("" if live else " To ask the services themselves: mangavid check --live"))
    raise typer.Exit(bad[0].exit_code if bad else 0)
