"""``mangavid stop``: end a run, and what works for it."""

from __future__ import annotations

from typing import Annotated

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session


def stop(
    ctx: typer.Context,
    execution: Annotated[
        str, typer.Argument(metavar="[EXECUTION]", help="Its name, how it begins or ends; none: the one that runs.")
    ] = "",
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """End a run that is at work, with its machines.

    What is finished stays, and the next run goes on with the rest. On this machine Ctrl-C does the same to a run of
    yours, and lets it finish what is in hand.
    """
    from mangavid.errors import SourceNotFound
    from mangavid.states import operations, stopping

    target = session(ctx, config, home).target()
    if execution:
        found = operations.find_execution(target.executions, execution)
        if found is None:
            raise SourceNotFound(f"no execution {execution}", hint="mangavid status lists them")
    else:
        found = next(iter(target.executions.list(status="RUNNING")), None)
    if found is None or found.status != "RUNNING":
        if as_json:
            output.write_json(None)
        else:
            output.say(f"{found.name} has ended already." if found else "Nothing runs. mangavid status shows what did.")
        return
    stopped = stopping.stop(target, found)
    if as_json:
        output.write_json(stopped)
        return
    machines = f", {stopped.terminated} at work for it ended too" if stopped.terminated else ""
    output.say(f"{stopped.execution} is stopped{machines}. To go on with what it had in hand: mangavid run")
