"""``mangavid retry``: take failed jobs up again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from mangavid.ports import Item


def retry(
    ctx: typer.Context,
    jobs: Annotated[list[str] | None, typer.Argument(metavar="[JOB]...", help="Names, or how they begin.")] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="All that failed, however often, or were interrupted.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Put failed jobs back to their last good product, for the next run."""
    from mangavid.errors import UsageError
    from mangavid.states import operations

    opened = session(ctx, config, home)
    if bool(jobs) == failed:
        raise UsageError("which jobs?", hint="mangavid retry JOB, or mangavid retry --failed for all that failed")
    target = opened.target()
    if failed:
        again = operations.retry_failed(target.jobs, target.clock)
    else:
        again = [operations.retry(target.jobs, target.clock, name) for name in jobs or ()]
    if as_json:
        output.write_json(again)
    elif not again:
        output.say("No job has failed. mangavid status shows them all.")
    else:
        for job in again:
            output.write(f"{job['job_id']}  {operations.in_words(job)}")
        output.say(f"To go on with {'it' if len(again) == 1 else 'them'}: {' && '.join(_commands(again))}")


def _commands(jobs: list[Item]) -> list[str]:
    """What to type so that a run takes these jobs: a library's by itself, others by their sources."""
    import shlex

    named = [str(job["source"]) for job in jobs if not job.get("counted", True)]
    commands = ["mangavid run"] if len(named) < len(jobs) else []
    return commands + ([f"mangavid run {shlex.join(named)}"] if named else [])
