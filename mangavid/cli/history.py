"""``mangavid history``: an execution, state by state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from mangavid.cli import output, words
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mangavid.aws.costs import Meter
    from mangavid.ports import Execution, Item, Target
    from mangavid.states.timeline import Failure, Visit

_SILENT = ("Choice", "Pass")
_LOOKS_FOR_MORE = "FetchManga"
_COLUMNS = ("step", "state", "began", "took", "attempts", "outcome")


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
    data: Annotated[bool, typer.Option("--data", help="Show what each state was given, and what it gave.")] = False,
    state: Annotated[str, typer.Option("--state", metavar="STATE", help="Only this state, say GenerateScript.")] = "",
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Show a run state by state.

    When each began, how long it took, its attempts and errors. With --data also its input and output, as JSON.
    """
    from mangavid.errors import SourceNotFound, UsageError
    from mangavid.states import operations
    from mangavid.states.timeline import visits

    only = words.state_named(state)
    if events and (data or only):
        raise UsageError("--events shows all events as they are", hint="leave out --data and --state, or --events")
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
        _raw(told, as_json=as_json)
        return
    meter = _meter(target)
    seen = _metered(visits(told, now=target.clock.now(), data=data), meter)
    chosen = (visit for visit in seen if not only or visit.state == only)
    if as_json:
        states = list(chosen)
        output.write_json({"execution": found, "states": states, "cost": meter.cost() if meter else None})
        return
    tell(found, chosen, working=target.driven(), data=data)
    if meter is not None:
        from mangavid.aws.costs import shown

        output.say(f"It has cost {shown(meter.cost())} so far: transitions, functions and machines, at list prices.")


def _meter(target: Target) -> Meter | None:
    """Nothing on this machine."""
    if target.config.target != "aws":
        return None
    from mangavid.aws.costs import Meter

    return Meter()


def _metered(visits: Iterable[Visit], meter: Meter | None) -> Iterator[Visit]:
    for visit in visits:
        if meter is not None:
            meter.add(visit)
        yield visit


def _raw(events: Iterable[Item], *, as_json: bool) -> None:
    if as_json:
        output.write_json(list(events))
        return
    output.write_table(["id", "when", "event", "details"], map(_event, events), folds=["details"])


def _event(event: Item) -> list[output.Cell]:
    details: dict[str, object] = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    return [
        str(event["id"]),
        output.moment(event["timestamp"]),
        str(event["type"]),
        output.dumps(details, indent=None) if details else "",
    ]


def tell(found: Execution, visits: Iterable[Visit], *, working: bool, data: bool = False) -> None:
    """The visits as a table, and how it ended; with ``data`` as a list. ``working``: a run drives executions now."""
    if data:
        _list(visits, working=working)
    else:
        output.write_table(
            _COLUMNS,
            _rows(visits, working=working),
            folds=["step", "outcome"],
            spare=["state", "began", "took"],
            rare=["attempts"],
            widest={"step": f"  {max(words.STATES.values(), key=len)}", "state": max(words.STATES, key=len)}
            | {"took": output.duration(3599), "outcome": "nothing left"},
        )
    took = f" in {output.duration((found.stopped - found.started).total_seconds())}" if found.stopped else ""
    status, _ = words.ended(found.status, found.error or "", working=working)
    why = f": {words.reason(found.error, found.cause or '')}" if found.error and found.error != "Aborted" else ""
    output.say(f"{found.name}: {status}{took}{why}")
    if status == "stopped":
        output.say("To go on with it: mangavid run")
    elif found.status not in ("RUNNING", "SUCCEEDED"):
        output.say("To take failed jobs up again: mangavid retry --failed")
    else:
        output.say(f"What was said meanwhile: mangavid logs --execution {found.name}")


def _rows(visits: Iterable[Visit], *, working: bool) -> Iterator[list[output.Cell]]:
    video = 0
    for visit in visits:
        if visit.kind in _SILENT:
            continue
        if visit.video != video and visit.kind == "Task" and not _found_nothing(visit):
            video = visit.video
            yield [(visit.job_id or f"chapter {video}", "bold"), "", "", "", "", ""]
        indent = "  " if visit.video and visit.video == video and visit.kind == "Task" else ""
        yield [indent + words.state(visit.state), (visit.state, "dim"), *_facts(visit, working=working)]
        for failure in visit.failures:
            yield _failure(indent, failure)


def _facts(visit: Visit, *, working: bool) -> list[output.Cell]:
    return [
        output.moment(visit.started),
        output.duration(visit.seconds) if visit.kind == "Task" else "",
        str(visit.attempts) if visit.attempts > 1 else "",
        _outcome(visit, working=working),
    ]


def _list(visits: Iterable[Visit], *, working: bool) -> None:
    """Each visit with its input and output."""
    import msgspec

    for visit in visits:
        if visit.kind in _SILENT:
            continue
        began, took, _, outcome = _facts(visit, working=working)
        facts = (visit.state, words.state(visit.state), visit.job_id, began, took, outcome)
        output.write("  ".join(text for fact in facts if (text := fact if isinstance(fact, str) else fact[0])))
        for failure in visit.failures:
            why = words.reason(failure.error, failure.cause)
            output.write(f"  attempt {failure.attempt}: {output.moment(failure.at)}: {why}")
        for word, document in (("input", visit.input), ("output", visit.output)):
            if document is not msgspec.UNSET:
                output.write_document(f"  {word}: ", document)
        output.write()


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
