"""``mangavid logs``: what functions and workers said, as one stream."""

from __future__ import annotations

import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import output, words
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mangavid.ports import Execution, Item, Target
    from mangavid.states.loglines import Line, Tail, Wanted

_DEFAULT = "1h"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
#: Around what a job or an execution says of its times: machines' clocks differ, and the last line comes after the end.
_BEFORE, _AFTER = timedelta(minutes=1), timedelta(hours=1)
_STYLES = {"error": "red", "warning": "yellow"}
_LEVEL_WIDTH, _SOURCE_WIDTH = len("warning"), len("increment-counter")
#: Of what else was said these are for scripts.
_UNSHOWN = ("request", "where", "requestId")


def logs(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on telling lines as they come.")] = False,
    state: Annotated[
        str, typer.Option("--state", metavar="STATE", help="Only of this state, say GenerateScript.")
    ] = "",
    job: Annotated[
        str, typer.Option("--job", metavar="JOB", help="Only of this job: its id, how that begins, or: last.")
    ] = "",
    execution: Annotated[
        str,
        typer.Option("--execution", metavar="EXECUTION", help="Only of this run: its name, how it begins, or: last."),
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            "--since",
            metavar="TIME",
            help="From then on: 30m, 2h, 7d, or a date and time. By default 1h, or all of one.",
        ),
    ] = "",
    errors: Annotated[bool, typer.Option("--errors", help="Only errors.")] = False,
    everything: Annotated[
        bool, typer.Option("--all", help="On AWS: also what Lambda itself says of each call.")
    ] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Show what functions and workers said.

    One stream over all of them, in the order of time. The last hour of it, or with --job or --execution all of that
    one. With --json each line is a document of its own.
    """
    known = words.state_named(state)
    target = session(ctx, config, home).target()
    asked = _wanted(target, job, execution, since, follow=follow)
    import msgspec

    wanted = msgspec.structs.replace(asked, state=known, errors=errors, everything=everything)
    tail = _tail(target)
    seen = _Seen(as_json=as_json)
    if follow:
        _follow(tail, wanted, seen)
        return
    for line in tail.lines(wanted, follow=False):
        if line is not None:
            seen.tell(line)
    _onwards(tail, wanted, seen, as_json=as_json)


def _tail(target: Target) -> Tail:
    if target.config.target == "aws":
        from mangavid.aws.tail import open_tail as open_aws

        return open_aws(target.config, output.say)
    from mangavid.local.tail import open_tail

    return open_tail(target)


def _follow(tail: Tail, wanted: Wanted, seen: _Seen) -> None:
    waiting = False
    try:
        for line in tail.lines(wanted, follow=True):
            if line is not None:
                seen.tell(line)
            elif not waiting:
                waiting = True
                so_far = "" if seen.count else f"No lines yet in {tail.where()}. "
                output.say(f"{so_far}Waiting for what comes: Ctrl-C ends this.")
    except KeyboardInterrupt:
        lines = f"{seen.count} line{'' if seen.count == 1 else 's'}"
        output.say(f"Stopped following after {lines}; what runs goes on. How it stands: mangavid status")


class _Seen:
    """Tells lines, and keeps what the end needs to know of them."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._screen = output.console(sys.stdout) if sys.stdout.isatty() and not as_json else None
        self.count = 0
        self.failed_job = ""

    def tell(self, line: Line) -> None:
        self.count += 1
        if line.level == "error":
            self.failed_job = line.job or self.failed_job
        if self._as_json:
            sys.stdout.write(output.dumps(line, indent=None) + "\n")
            sys.stdout.flush()
        elif self._screen is None:
            for part in shown(line):
                output.write("".join(text for text, _ in part).rstrip())
        else:
            from rich.text import Text

            for part in shown(line):
                # As long as it is: a line that is copied or searched for is one line.
                self._screen.print(Text.assemble(*(output.styled(cell) for cell in part)), soft_wrap=True)


def shown(line: Line) -> Iterator[list[tuple[str, str]]]:
    """A line as lines of styled text: what was said, and below it the rest of a message and where a bug was."""
    first, *more = line.message.splitlines() or [""]
    moment = f"{output.moment(line.at)}.{line.at.microsecond // 1000:03}"
    style = _STYLES.get(line.level, "")
    facts: dict[str, object] = {"state": line.state, "job": line.job, "execution": line.execution}
    facts |= {"attempt": line.attempt} if line.attempt > 1 else {}
    facts |= {name: value for name, value in line.extra.items() if name not in _UNSHOWN}
    rest = " ".join(f"{name}={_value(value)}" for name, value in facts.items() if value not in ("", None))
    yield [
        (moment, "dim"),
        (f"  {line.source.ljust(_SOURCE_WIDTH)}  ", "cyan"),
        (f"{line.level.ljust(_LEVEL_WIDTH)}  ", style),
        (first, style),
        (f"  {rest}", "dim"),
    ]
    for text in (*more, *str(line.extra.get("where", "")).splitlines()):
        yield [(f"    {text}", "dim")]


def _value(value: object) -> str:
    return value if isinstance(value, str) else output.dumps(value, indent=None)


def _onwards(tail: Tail, wanted: Wanted, seen: _Seen, *, as_json: bool) -> None:
    """What to type next."""
    if not seen.count:
        what = "No errors" if wanted.errors else "No lines"
        of = " and ".join(name for name in (wanted.job, wanted.run, words.state(wanted.state)) if name)
        output.say(f"{what}{f' of {of}' if of else ''} since {output.moment(wanted.since)} in {tail.where()}.")
        further = "" if wanted.job or wanted.run else "Further back: mangavid logs --since 7d. "
        output.say(f"{further}What ran: mangavid status")
    elif not as_json:
        if seen.failed_job:
            output.say(f"To see more of what failed: mangavid status {seen.failed_job}")
        elif wanted.run:
            output.say(f"State by state: mangavid history {wanted.run}")
        else:
            output.say("To see lines as they come: mangavid logs --follow")


# --- which lines ----------------------------------------------------------------------------------------------------


def _wanted(target: Target, job: str, execution: str, since: str, *, follow: bool) -> Wanted:
    """Raises SourceNotFound where there is no such job or execution, UsageError for a time that is none."""
    from mangavid.errors import SourceNotFound
    from mangavid.protocol import FINISHED
    from mangavid.states.loglines import Wanted

    begun = time_of(since or _DEFAULT, target.clock.now())
    found_job = _job(target, job) if job else None
    found = _execution(target, execution) if execution else None
    if (job and found_job is None) or (execution and found is None):
        what = f"job {job}" if job and found_job is None else f"execution {execution}"
        raise SourceNotFound(f"no {what}", hint="mangavid status lists them")
    from datetime import datetime

    times: list[tuple[datetime, datetime | None]] = []
    if found_job:
        ended = found_job["updated_at"] if found_job["status"] in FINISHED else None
        times.append(
            (datetime.fromisoformat(found_job["created_at"]), datetime.fromisoformat(ended) if ended else None)
        )
    if found:
        times.append((found.started, found.stopped))
    if times and not since:
        begun = max(start for start, _ in times) - _BEFORE
    ends = [end for _, end in times if end is not None]
    return Wanted(
        since=begun,
        until=min(ends) + _AFTER if ends and not follow else None,
        job=str(found_job["job_id"]) if found_job else "",
        execution=found.arn if found else "",
    )


def _job(target: Target, name: str) -> Item | None:
    from mangavid.states import operations

    if name == "last":
        return next(operations.job_rows(target.jobs), None)
    return operations.find_job(target.jobs, name)


def _execution(target: Target, name: str) -> Execution | None:
    from mangavid.states import operations

    return operations.find_execution(target.executions, name)


def time_of(text: str, now: datetime) -> datetime:
    """``now`` less 90s, 30m, 2h, 7d, 1w; or a date, or a date and time of this zone. Raises UsageError."""
    from datetime import UTC, datetime

    from mangavid.errors import UsageError

    try:
        if ago := re.fullmatch(r"(\d{1,9})([smhdw])", text.strip()):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--since {text}: no time", hint='say 90s, 30m, 2h, 7d, or a time: "2026-11-23 15:00"'
        ) from None
