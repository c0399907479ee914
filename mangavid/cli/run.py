"""``mangavid run``: make videos, and show how it goes."""

from __future__ import annotations

import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import checks, output
from mangavid.cli.session import ConfigFile, Home, Json, session
from mangavid.errors import BadInput, Interrupted, JobFailed, UsageError, by_name

if TYPE_CHECKING:
    from mangavid.config import Config
    from mangavid.ports import Objects, Step
    from mangavid.states.outcome import Failed, Made, Outcome

_LINK_SECONDS = 3600


def run(
    ctx: typer.Context,
    chapters: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CHAPTER]...",
            help="CBZ or ZIP files, folders of images, or addresses; none: the next ones of the source.",
        ),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Make videos anew that were made before.")] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Make the chapter that comes along.")] = False,
    folder: Annotated[
        str | None, typer.Option("--output", "-o", metavar="DIR", help="Put the videos into this folder.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "--wait", help="On AWS: follow it until it ends, and leave with its outcome.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Make videos of chapters, or of the next ones.

    Without a chapter's name, of the source's next (the setting source.kind: the library, or a place on the network),
    until the day's quota is reached. Where the pipeline runs on AWS
    (the setting target), this starts it there, or follows the run that is at work.
    """
    from mangavid.cli.progress import view
    from mangavid.clock import SystemClock

    flags = {"publisher__folder": ("--output", folder)} if folder else {}
    loaded = session(ctx, config, home).settings(**flags)
    sources = [*(chapters or ()), *([str(Path(__file__).parents[1] / "sample")] if sample else [])]
    if loaded.config.target == "aws":
        if folder:
            raise UsageError("--output is a folder of this machine: videos on AWS stay in the bucket")
        checks.chapters(chapters or ())
        checks.rights(loaded, chapters or ())
        _on_aws(loaded.config, sources, again=again, watch=watch, as_json=as_json)
        return
    checks.chapters(chapters or ())
    checks.rights(loaded, chapters or ())
    checks.before_run(loaded)
    if not sources:
        checks.library(loaded)
    from mangavid.local.run import run as run_here

    with view(as_json=as_json, monotonic=SystemClock().monotonic) as seen:

        def on_step(step: Step) -> None:
            with suppress(BrokenPipeError):  # who stops reading the progress does not stop the work
                seen.step(step)

        outcome = run_here(loaded.config, sources, again=again, on_step=on_step)
    tell(outcome, as_json=as_json)
    raise typer.Exit(outcome.exit_code)


def _on_aws(config: Config, sources: list[str], *, again: bool, watch: bool, as_json: bool) -> None:
    from mangavid.aws.costs import SoFar
    from mangavid.aws.run import start
    from mangavid.cli.progress import view
    from mangavid.clock import SystemClock
    from mangavid.states.outcome import outcome_of
    from mangavid.states.watch import follow

    if sources and not as_json:
        output.say("uploading what is not there yet …")
    started = start(config, sources, again=again)
    execution = started.execution
    if execution is None:
        tell(outcome_of(started.target, [], started.existing), as_json=as_json, objects=started.target.objects)
        return
    if not watch:
        if as_json:
            output.write_json({"execution": execution.name, "arn": execution.arn, "began_now": started.now})
            return
        said = "is started" if started.now else "is at work already: nothing was started"
        output.say(f"{execution.name} {said}. To follow it: mangavid run --watch")
        return
    with view(as_json=as_json, monotonic=SystemClock().monotonic) as seen:
        so_far = SoFar()

        def on_step(step: Step) -> None:
            with suppress(BrokenPipeError):
                seen.step(so_far.told(step))

        try:
            ended = follow(started.target, execution, on_step)
        except KeyboardInterrupt:
            raise Interrupted(
                f"stopped watching: {execution.name} goes on", hint=f"mangavid stop {execution.name} ends it"
            ) from None
    outcome = outcome_of(started.target, [ended], started.existing)
    tell(outcome, as_json=as_json, objects=started.target.objects)
    if not as_json:
        from mangavid.aws.costs import estimate, shown
        from mangavid.states.timeline import timeline

        events = started.target.executions.history(execution.arn)
        output.say(f"It cost {shown(estimate(timeline(events, now=started.target.clock.now())))} on AWS.")
    raise typer.Exit(outcome.exit_code)


def tell(outcome: Outcome, *, as_json: bool, objects: Objects | None = None) -> None:
    """What came of a run. In a pipe stdout holds the paths of the videos and nothing else, a line each.

    ``objects``: where the videos are, if not on this machine.
    """
    if as_json:
        output.write_json(outcome)
        return
    for note in outcome.skipped:
        output.say(f"note: {note}")
    for made in outcome.made:
        _made(made)
    for failed in outcome.failed:
        _failed(failed)
    if sys.stdout.isatty():
        output.say()
    with suppress(BrokenPipeError):
        for line in _onwards(outcome, objects):
            output.say(line)


def _made(made: Made) -> None:
    if not sys.stdout.isatty():
        output.write(made.video)
        return
    length = f" ({output.duration(made.seconds)})" if made.seconds else ""
    output.write()
    output.write(f"{made.title}{length}{': was made before' if made.existed else ''}")
    for word in ("video", "captions", "thumbnail", "metadata"):
        if where := getattr(made, word):
            output.write(f"  {word.ljust(9)}  {where}")


def _failed(failed: Failed) -> None:
    from mangavid.cli.words import state

    what = failed.title or failed.job_id or "the run"
    first, *rest = failed.cause.splitlines() or [""]
    output.say(f"failed: {what}: {state(failed.state)}: {first or failed.error}")
    for line in rest:
        output.say(f"  {line.strip()}")
    if failed.hint:
        output.say(f"hint: {failed.hint}")


def to_watch(video: str, objects: Objects | None) -> str:
    """How a video is seen: a file, one on the web, or one in the bucket ``objects``."""
    if video.startswith("https://"):
        return f"To watch it: {video}"
    if not video.startswith("s3://"):
        opener = "open" if sys.platform == "darwin" else "xdg-open"
        return f"To watch it: {opener} {shlex.quote(video)}"
    from mangavid.aws.objects import S3Objects

    # Who has the link can watch: it is not for a log.
    if isinstance(objects, S3Objects) and sys.stderr.isatty():
        key = video.removeprefix("s3://").partition("/")[2]
        return f"To watch it, for an hour from now: {objects.link(key, _LINK_SECONDS)}"
    return f"To fetch it: aws s3 cp {shlex.quote(video)} ."


def _onwards(outcome: Outcome, objects: Objects | None) -> list[str]:
    """What to type next."""
    new = [made for made in outcome.made if not made.existed]
    if outcome.status == "ABORTED":
        return [f"{outcome.execution} was stopped. To go on with what it had in hand: mangavid run"]
    if outcome.failed:
        about = outcome.failed[0].job_id
        look = f"To see more of it: mangavid {f'status {about}' if about else 'history last'}"
        bad_input = all(issubclass(by_name(failed.error) or JobFailed, BadInput) for failed in outcome.failed)
        return [look] if bad_input else [look, "To try again: mangavid retry --failed && mangavid run"]
    if new:
        return [to_watch(new[-1].video, objects), "How it went: mangavid history last"]
    if outcome.made:
        return ["Nothing was left to do. To make it anew: the same command with --again"]
    if outcome.quota_reached:
        return ["The day's quota is used up. When it resets, and how to change it: mangavid quota"]
    return ["There is no chapter left to make. What was made: mangavid status"]
