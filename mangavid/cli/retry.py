"""``mangavid retry``: take failed jobs up again, or an execution that failed itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from mangavid.ports import Execution, Item, Target


def retry(
    ctx: typer.Context,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(metavar="[JOB|EXECUTION]...", help="Names, or how they begin; last: the last execution."),
    ] = None,
    failed: Annotated[
        bool, typer.Option("--failed", help="All that failed, however often, or were interrupted.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Take failed jobs up from their last good product.

    They are put back there for the next run. Of an execution that ended because of them, all are. One that was stopped,
    took too long or broke goes on in the state where it ended.
    """
    from mangavid.errors import UsageError
    from mangavid.states import operations

    opened = session(ctx, config, home)
    if bool(jobs) == failed:
        raise UsageError("which jobs?", hint="mangavid retry JOB, or mangavid retry --failed for all that failed")
    target = opened.target()
    redriven: list[str] = []
    if failed:
        again = operations.retry_failed(target.jobs, target.clock)
    else:
        again = []
        for name in jobs or ():
            if (execution := _execution(target, name)) is not None:
                put_back = operations.retry_run(target.jobs, target.executions, target.clock, execution)
                again += put_back
                redriven += [] if put_back else [execution.name]
            else:
                again.append(operations.retry(target.jobs, target.clock, name))
    if as_json:
        output.write_json({"jobs": again, "executions": redriven})
    elif not again and not redriven:
        output.say("No job has failed. mangavid status shows them all.")
    else:
        for job in again:
            output.write(f"{job['job_id']}  {operations.in_words(job)}")
        _onwards(target, again, redriven)


def _execution(target: Target, name: str) -> Execution | None:
    """The execution that is meant, where no job is."""
    from mangavid.states import operations

    if name != "last" and operations.find_job(target.jobs, name) is not None:
        return None
    return operations.find_execution(target.executions, name)


def _onwards(target: Target, again: list[Item], redriven: list[str]) -> None:
    if redriven:
        here = target.config.target == "local"
        what = f"{', '.join(redriven)} {'goes' if len(redriven) == 1 else 'go'} on where it ended"
        output.say(f"{what}: mangavid run" if here else f"{what}. To follow it: mangavid run --watch")
    if again and target.config.target == "aws":
        output.say(f"To go on with {'it' if len(again) == 1 else 'them'}: mangavid run")
    elif again:
        output.say(f"To go on with {'it' if len(again) == 1 else 'them'}: {' && '.join(_commands(again))}")


def _commands(jobs: list[Item]) -> list[str]:
    """What to type so that a run takes these jobs: a library's by itself, others by their sources."""
    import shlex

    named = [str(job["source"]) for job in jobs if not job.get("counted", True)]
    commands = ["mangavid run"] if len(named) < len(jobs) else []
    return commands + ([f"mangavid run {shlex.join(named)}"] if named else [])
