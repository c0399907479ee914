"""``mangavid takedown``: a published video out of sight, and its chapter never again."""

from __future__ import annotations

from typing import Annotated

import typer

from mangavid.cli import ask, output
from mangavid.cli.session import ConfigFile, Home, Json, session


def takedown(
    ctx: typer.Context,
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its name, or how it begins.")],
    delete: Annotated[
        bool,
        typer.Option("--delete", help="Delete the video; without this it is made private, and stays yours to show."),
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Let the chapter be made again.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Take a published video out of sight, and block its chapter.

    For when somebody who holds rights in it asks for that. The chapter is not made again, however it is named, until
    --undo lets it; a job that has no video yet is only blocked.
    """
    from mangavid.errors import SourceNotFound, UsageError
    from mangavid.states import operations

    if delete and undo:
        raise UsageError("--undo brings no deleted video back", hint="mangavid takedown JOB --undo")
    target = session(ctx, config, home).target()
    found = operations.find_job(target.jobs, job)
    if found is None:
        raise SourceNotFound(f"no job {job}", hint="mangavid status lists the jobs")
    name = str(found["job_id"])
    if undo:
        allowed = operations.allow_again(target, name)
        if as_json:
            output.write_json(allowed)
        else:
            output.say(f"{name} may be made again: mangavid run with its chapter, or mangavid retry {name}")
        return
    if delete and not yes:
        ask.agree(
            f"Delete the video of {found.get('title') or name} ({found.get('published') or 'none is published'})?"
            " It can't be had back.",
            doing="deleting",
            undone="nothing was deleted",
            unasked=f"mangavid takedown {name} --delete --yes",
            look=f"mangavid status {name}",
        )
    withdrawn, said = operations.withdraw(target, name, delete=delete)
    if as_json:
        output.write_json(withdrawn)
        return
    output.say(f"{said}. The chapter is blocked; to let it be made again: mangavid takedown {name} --undo")
