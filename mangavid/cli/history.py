"""``mangavid history``: an execution, state by state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import output, words
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from mangavid.aws.costs import Cost
    from mangavid.ports import Execution, Target
    from mangavid.states.timeline import Failure, Visit

_SILENT = ("Choice", "Pass")
_LOOKS_FOR_MORE = "FetchManga"


def history(
    ctx: typer.Context,
    execution: Annotated[
        str,
        typer.Argument(
            metavar="[EXECUTION]",
            help="Name or ARN of the execution, how its name begins or ends, or: last (which is also the default).",
        ),
    ] = "last",
    events: Annotated[bool, typer.Option("--events", help="Show the raw events.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Show a run state by state.

    When each began, how long it took, its attempts and errors.
    """
    from mangavid.errors import SourceNotFound
    from mangavid.states import operations
    from mangavid.states.timeline import timeline

    target = session(ctx, config, home).target()
    found = operations.find_execution(target.executions, execution)
    if found is None and execution == "last":
        if as_json:
            output.write_json(None)
        output.say(f"Nothing has run {words.to_begin(target.config)}")
        return
    if found is None:
        raise SourceNotFound(f"no execution {execution}", hint="mangavid status lists them")
    told = target.executions.history(found.arn)
    if events:
        _raw(list(told), as_json=as_json)
        return
    visits = timeline(told, now=target.clock.now())
    cost = _cost(target, visits)
    if as_json:
        output.write_json({"execution": found, "states": visits, "cost": cost})
        return
    tell(found, visits, working=target.driven())
    if cost is not None:
        from mangavid.aws.costs import shown

        output.say(f"It has cost {shown(cost)} so far: transitions, functions and machines, at list prices.")


def _cost(target: Target, visits: list[Visit]) -> Cost | None:
    """Nothing on this machine."""
    if target.config.target != "aws":
        return None
    from mangavid.aws.costs import estimate

    return estimate(visits)


def _raw(events: list[dict[str, object]], *, as_json: bool) -> None:
    if as_json:
        output.write_json(events)
        return
    rows = []
    for event in events:
        details = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
        rows.append(
            [
                str(event["id"]),
                output.moment(event["timestamp"]),  # type: ignore[arg-type]
                str(event["type"]),
                output.dumps(details, indent=None) if details else "",
            ]
        )
    output.write_table(["id", "when", "event", "details"], rows, folds=["details"])


def tell(found: Execution, visits: list[Visit], *, working: bool) -> None:
    """The visits as a table. ``working``: a run drives executions here now."""
    rows: list[list[output.Cell]] = []
    video = 0
    for visit in visits:
        if visit.kind in _SILENT:
            continue
        if visit.video != video and visit.kind == "Task" and not _found_nothing(visit):
            video = visit.video
            rows.append([(visit.job_id or f"chapter {video}", "bold"), "", "", "", "", ""])
        indent = "  " if visit.video and visit.video == video and visit.kind == "Task" else ""
        rows.append(
            [
                indent + words.state(visit.state),
                (visit.state, "dim"),
                output.moment(visit.started),
                output.duration(visit.seconds) if visit.kind == "Task" else "",
                str(visit.attempts) if visit.attempts > 1 else "",
                _outcome(visit, working=working),
            ]
        )
        rows += [_failure(indent, failure) for failure in visit.failures]
    columns = ["step", "state", "began", "took", "attempts", "outcome"]
    if not any(visit.attempts > 1 for visit in visits):
        columns.remove("attempts")
        rows = [[*row[:4], row[5]] for row in rows]
    output.write_table(columns, rows, folds=["step", "outcome"], spare=["state", "began", "took"])
    took = f" in {output.duration((found.stopped - found.started).total_seconds())}" if found.stopped else ""
    status, _ = words.ended(found.status, found.error or "", working=working)
    why = f": {words.reason(found.error, found.cause or '')}" if found.error and found.error != "Aborted" else ""
    output.say(f"{found.name}: {status}{took}{why}")
    if status == "stopped":
        output.say("To go on with it: mangavid run")
    elif found.status not in ("RUNNING", "SUCCEEDED"):
        output.say("To take failed jobs up again: mangavid retry --failed")


def _found_nothing(visit: Visit) -> bool:
    """Whether this was the look for one more chapter, and there was none."""
    return visit.state == _LOOKS_FOR_MORE and visit.outcome == "succeeded" and not visit.job_id


def _outcome(visit: Visit, *, working: bool) -> output.Cell:
    if _found_nothing(visit):
        return ("nothing left", "dim")
    if visit.outcome == "running" and not working:
        return ("stopped", "yellow")
    return {
        "succeeded": ("done", "green"),
        "failed": ("failed", "red"),
        "running": ("working", "cyan"),
        "stopped": ("stopped", "yellow"),
    }[visit.outcome]


def _failure(indent: str, failure: Failure) -> list[output.Cell]:
    then = f" (again after {output.duration(failure.waited)})" if failure.waited is not None else ""
    why = words.reason(failure.error, failure.cause)
    return [
        (f"{indent}  attempt {failure.attempt}", "dim"),
        "",
        (output.moment(failure.at), "dim"),
        "",
        "",
        (f"{why}{then}", "red" if failure.waited is None else "yellow"),
    ]
