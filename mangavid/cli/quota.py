"""``mangavid quota``: today's count and limit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from mangavid.states.operations import Quota

HELP = """Show or change the number of videos a day.

A chapter that is named (mangavid run CHAPTER.cbz) does not count where videos are made as files: only the library's do.

The day is YouTube's, from midnight to midnight Pacific time, wherever you are."""

app = typer.Typer(help=HELP, rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def default(ctx: typer.Context, as_json: Json = False, config: ConfigFile = None, home: Home = None) -> None:
    if ctx.invoked_subcommand is None:
        show(ctx, as_json, config, home)


@app.command()
def show(ctx: typer.Context, as_json: Json = False, config: ConfigFile = None, home: Home = None) -> None:
    """Show today's count and limit, and when it resets."""
    from mangavid.states import operations

    target = session(ctx, config, home).target()
    _tell(operations.quota_view(target.jobs, target.config, target.clock), as_json=as_json)


@app.command()
def reset(ctx: typer.Context, as_json: Json = False, config: ConfigFile = None, home: Home = None) -> None:
    """Count today from nought again (not what YouTube itself counts)."""
    from mangavid.states import operations

    target = session(ctx, config, home).target()
    _tell(operations.quota_reset(target.jobs, target.config, target.clock), as_json=as_json)


@app.command("set")
def change(
    ctx: typer.Context,
    daily: Annotated[str, typer.Argument(metavar="N|default", help="Videos a day; default: as the settings say.")],
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Change how many videos a day are published."""
    from mangavid.errors import UsageError
    from mangavid.states import operations

    if daily != "default" and not (daily.isascii() and daily.isdigit() and len(daily) < 10):
        raise UsageError(f"a quota of {daily}: it must be a whole number, or default", hint="mangavid quota set 3")
    target = session(ctx, config, home).target()
    number = None if daily == "default" else int(daily)
    _tell(operations.quota_set(target.jobs, target.config, target.clock, number), as_json=as_json)


def _tell(quota: Quota, *, as_json: bool) -> None:
    if as_json:
        output.write_json(quota)
        return
    pacific = quota.resets_at.strftime("%Y-%m-%d %H:%M %Z")
    local = quota.resets_at.astimezone().strftime("%Y-%m-%d %H:%M %Z")
    origin = "set by mangavid quota set" if quota.limit_from == "quota set" else "from the settings"
    output.write(f"used      {quota.used} of {quota.limit} ({origin})")
    output.write(f"left      {quota.left}{' (YouTube says the quota is used up)' if quota.exhausted else ''}")
    if quota.excluded:
        output.write(f"excluded  {quota.excluded} published today before a reset")
    if quota.inserts:
        output.write(f"uploads   {quota.inserts} begun today, as YouTube counts")
    output.write(f"day       {quota.day} (YouTube's, Pacific time)")
    output.write(f"resets    {pacific}, which is {local} here")
    output.say("Chapters that are named don't count where videos are made as files; the library's do.")
    if quota.left == 0:
        output.say("To publish more today: mangavid quota set N, or mangavid quota reset")
    else:
        output.say("To change the limit: mangavid quota set N")
