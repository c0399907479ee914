"""``mangavid status``: the jobs and executions, or one of them in depth."""

from __future__ import annotations

import sys
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mangavid.cli import output, words
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from datetime import datetime

    from mangavid.ports import Item, Target
    from mangavid.states.operations import Run

_SHOWN = 20
_FOLDS = ("title", "about")
_SPARE = ("changed", "took", "started", "title")


def status(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="[JOB|EXECUTION]", help="One job or execution: its name, how it begins, or: last.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help=f"Show all, not the first {_SHOWN}.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Keep showing it while something runs.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Show what was made, what failed and what waits."""
    target = session(ctx, config, home).target()
    if watch:
        _watch(target, name, as_json=as_json)
    elif name:
        _one(target, name, as_json=as_json)
    else:
        _all(target, everything=everything, as_json=as_json)


def _all(target: Target, *, everything: bool, as_json: bool) -> None:
    from mangavid.states import operations

    # One more than is shown tells that there are more.
    limit = None if everything or as_json else _SHOWN + 1
    jobs = list(islice(operations.job_rows(target.jobs), limit))
    runs = list(islice(operations.runs(target.jobs, target.executions), limit))
    if as_json:
        output.write_json({"jobs": jobs, "executions": runs})
        return
    if not jobs and not runs:
        output.say(f"Nothing has been made {words.to_begin(target.config)}")
        return
    shown = None if everything else _SHOWN
    for n, content in enumerate(_tables(target, jobs[:shown], runs[:shown])):
        if n:
            output.write()
        output.write_table(*content, folds=_FOLDS, spare=_SPARE)
    _onwards(jobs, max(len(jobs), len(runs)) > _SHOWN and not everything)


def _tables(target: Target, jobs: list[Item], runs: list[Run]) -> list[tuple[list[str], list[list[output.Cell]]]]:
    """Headings and rows of the jobs and of the executions, where there are any."""
    now = target.clock.now()
    working = target.driven()
    told: list[tuple[list[str], list[list[output.Cell]]]] = []
    if jobs:
        driven = _driven(target)
        rows: list[list[output.Cell]] = [
            [_text(job, "job_id"), words.job(job, driven), _text(job, "title"), _when(job), about(job)] for job in jobs
        ]
        told.append((["job", "status", "title", "changed", "about"], rows))
    if runs:
        told.append(
            (["execution", "status", "started", "took", "about"], [_run_row(run, now, working) for run in runs])
        )
    return told


def _watch(target: Target, name: str, *, as_json: bool) -> None:
    """Show the tables, or one job or execution, until nothing runs any more or the person has seen enough."""
    from contextlib import suppress

    from mangavid.errors import UsageError

    if as_json or not sys.stdout.isatty():
        raise UsageError(
            "--watch needs a terminal, and no --json", hint="mangavid run --json tells each step as it comes"
        )
    from rich.console import Group
    from rich.live import Live

    from mangavid.states import operations

    def seen() -> Group:
        if name:
            return Group(*(output.styled(line) for line in _lines(_found(target, name), target)))
        jobs = list(islice(operations.job_rows(target.jobs), _SHOWN))
        runs = list(islice(operations.runs(target.jobs, target.executions), _SHOWN))
        width = screen.width
        tables = _tables(target, jobs, runs)
        return Group(*(output.fitted(*content, width, folds=_FOLDS, spare=_SPARE) for content in tables))

    screen = output.console(sys.stdout)
    with suppress(KeyboardInterrupt), Live(seen(), console=screen, auto_refresh=False) as live:
        while target.driven() and next(target.executions.list(status="RUNNING"), None) is not None:
            target.clock.sleep(1.0)
            live.update(seen(), refresh=True)


def about(job: Item) -> str:
    """The one thing worth knowing of a job in its status."""
    match job["status"]:
        case "failed" | "quarantined" | "interrupted":
            return words.why(job)
        case "uploaded" | "cleaned":
            published = str(job.get("published", ""))
            length = (job.get("rendered") or {}).get("seconds", 0.0)
            return published if published.startswith("https://") else output.duration(length) if length else ""
        case "awaiting_upload":
            return f"after {output.moment(_text(job, 'not_before'), seconds=False)}" if job.get("not_before") else ""
        case _:
            return words.step(job)


def _text(item: Item, field: str) -> str:
    return str(item.get(field, ""))


def _when(job: Item) -> str:
    return output.moment(_text(job, "updated_at"), seconds=False)


def _driven(target: Target) -> frozenset[str]:
    """The executions that a run drives now."""
    return frozenset(one.arn for one in target.executions.list(status="RUNNING")) if target.driven() else frozenset()


def _run_row(run: Run, now: datetime, working: bool) -> list[output.Cell]:
    told = [f"{len(run.made)} made"] if run.made else []
    told += [] if working or run.status != "RUNNING" else ["mangavid run goes on with it"]
    told += [f"{len(run.failed)} failed"] if run.failed else []
    told += [run.skipped] if run.skipped else []
    if run.status not in ("RUNNING", "SUCCEEDED") and not run.failed:
        told += [why] if (why := words.reason(run.error, run.cause)) else []
    started = output.moment(run.started, seconds=False)
    return [run.name, words.run(run, working=working), started, _took(run, now), ", ".join(told)]


def _took(run: Run, now: datetime) -> str:
    return output.duration(((run.stopped or now) - run.started).total_seconds())


def _onwards(jobs: list[Item], cut: bool) -> None:
    """What to type next."""
    if cut:
        output.say(f"The first {_SHOWN} are shown: mangavid status --all shows all.")
    failed = [job for job in jobs if job["status"] in ("failed", "quarantined", "interrupted")]
    if failed:
        output.say(f"To see why: mangavid status {failed[0]['job_id']}")
        output.say("To try again: mangavid retry --failed && mangavid run")


def _one(target: Target, name: str, *, as_json: bool) -> None:
    found = _found(target, name)
    if as_json:
        output.write_json(found)
        return
    for line in _lines(found, target):
        output.write(line)
    if not isinstance(found, dict):
        output.say(f"State by state: mangavid history {found.name}")
    elif found["status"] in ("failed", "quarantined", "interrupted"):
        output.say(f"To try again: mangavid retry {found['job_id']} && mangavid run")


def _found(target: Target, name: str) -> Item | Run:
    """The job of this name, or the execution. Raises SourceNotFound."""
    from mangavid.errors import SourceNotFound
    from mangavid.keys import run_item
    from mangavid.states import operations

    job = None if name == "last" else operations.find_job(target.jobs, name)
    if job is not None:
        return job
    execution = operations.find_execution(target.executions, name)
    if execution is None:
        raise SourceNotFound(f"no job or execution {name}", hint="mangavid status lists them")
    return operations.run_of(execution, target.jobs.get(run_item(execution.name)) or {})


def _lines(found: Item | Run, target: Target) -> list[str]:
    facts = _job_lines(found, target) if isinstance(found, dict) else _run_lines(found, target)
    known = [(word, str(value).strip()) for word, value in facts if value]
    width = max(len(word) for word, _ in known)
    lines = [
        f"{(word if n == 0 else '').ljust(width)}  {line.strip()}"
        for word, value in known
        for n, line in enumerate(value.splitlines())
    ]
    return [line.rstrip() for line in lines]


def _job_lines(job: Item, target: Target) -> list[tuple[str, Any]]:
    from mangavid.states.operations import in_words

    rendered = job.get("rendered") or {}
    sizes = [f"{job[part]} {part}" for part in ("pages", "panels", "scenes") if job.get(part)]
    status, _ = words.job(job, _driven(target))
    ckpt = job.get("ckpt") or {}
    return [
        ("job", job["job_id"]),
        ("title", job["title"]),
        ("status", status),
        ("step" if status == "working" else "next", words.step(job) if in_words(job) == "ready" else ""),
        ("progress", f"{ckpt['done']} of {ckpt['total']}" if ckpt.get("total") else ""),
        ("chapter", ", ".join(sizes)),
        ("source", job["source"]),
        ("began", output.moment(job["created_at"])),
        ("changed", output.moment(job["updated_at"])),
        ("failures", job.get("attempts") or ""),
        ("failed in", _named(str(job.get("failed_in", "")))),
        ("error", job.get("error", "")),
        ("because", job.get("cause", "")),
        ("length", output.duration(rendered["seconds"]) if rendered else ""),
        ("loudness", f"{rendered['lufs']:.1f} LUFS" if rendered else ""),
        ("published", job.get("published", "")),
        ("not before", output.moment(job["not_before"]) if job.get("not_before") else ""),
        ("execution", str(job.get("execution", "")).rpartition(":")[2]),
        *(("note", note) for note in job.get("notes", ())),
    ]


def _named(state: str) -> str:
    """A state in words, with its name for whoever looks it up."""
    said = words.state(state)
    return f"{said} ({state})" if said != state else state


def _run_lines(run: Run, target: Target) -> list[tuple[str, Any]]:
    status, _ = words.run(run, working=target.driven())
    return [
        ("execution", run.name),
        ("status", f"{status}: mangavid run goes on with it" if status == "stopped" else status),
        ("started", output.moment(run.started)),
        ("took", _took(run, target.clock.now())),
        ("sources", "\n".join(run.sources)),
        ("made", "\n".join(run.made)),
        ("failed", "\n".join(run.failed)),
        ("skipped", run.skipped),
        ("error", run.error),
        ("because", run.cause),
    ]
