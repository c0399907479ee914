"""``mangavid status``: the jobs and executions, or one of them in depth."""

from __future__ import annotations

import sys
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mangavid.cli import output, words
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from mangavid.ports import Item, Target
    from mangavid.states.operations import Run

_SHOWN = 20
_FOLDS = ("title", "about")
_SPARE = ("changed", "took", "started", "title")
_JOBS = ["job", "status", "title", "changed", "about"]
_RUNS = ["execution", "status", "started", "took", "about"]
#: Of many rows these decide with the first ones how wide the columns are.
_WIDEST_JOB = {"status": "waiting for quota"}
_WIDEST_RUN = {"status": "given up", "took": "59 min 59 s"}


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

    seen = _Listed(target, None if everything else _SHOWN)
    jobs, runs = operations.job_rows(target.jobs), operations.runs(target.jobs, target.executions)
    if as_json:
        output.write_json({"jobs": list(jobs), "executions": list(runs)})
        return
    some = False
    for columns, rows, widest in ((_JOBS, seen.jobs(jobs), _WIDEST_JOB), (_RUNS, seen.runs(runs), _WIDEST_RUN)):
        first = next(rows, None)
        if first is None:
            continue
        if some:
            output.write()
        some = True
        output.write_table(columns, chain([first], rows), folds=_FOLDS, spare=_SPARE, widest=widest)
    if not some:
        output.say(f"Nothing has been made {words.to_begin(target.config)}")
        return
    seen.onwards()


class _Listed:
    """Rows of jobs and of executions, the first ``most`` of each, as they are asked for."""

    def __init__(self, target: Target, most: int | None) -> None:
        self._target = target
        self._now = target.clock.now()
        self._working = target.driven()
        self._running = target.executions.list(status="RUNNING") if self._working else iter(())
        self._most = most
        self._failed = self._interrupted = ""
        self._active = False
        self._more = False

    def jobs(self, jobs: Iterator[Item]) -> Iterator[list[output.Cell]]:
        driven: frozenset[str] | None = None
        for job in self._cut(jobs):
            driven = frozenset(one.arn for one in self._running) if driven is None else driven
            if job["status"] in ("failed", "quarantined"):
                self._failed = self._failed or str(job["job_id"])
            elif job["status"] == "interrupted":
                self._interrupted = self._interrupted or str(job["job_id"])
            changed = output.ago(_text(job, "updated_at"), self._now)
            yield [_text(job, "job_id"), words.job(job, driven), _text(job, "title"), changed, about(job)]

    def runs(self, runs: Iterator[Run]) -> Iterator[list[output.Cell]]:
        for run in self._cut(runs):
            self._active = self._active or (run.status == "RUNNING" and self._working)
            yield _run_row(run, self._now, self._working)

    def _cut(self, rows: Iterator[Any]) -> Iterator[Any]:
        for n, row in enumerate(rows):
            if n == self._most:
                self._more = True
                return
            yield row

    def onwards(self) -> None:
        """What to type next, once the rows were read."""
        if self._more:
            output.say(f"The first {self._most} are shown: mangavid status --all shows all.")
        if self._failed:
            output.say(f"To see why: mangavid status {self._failed}")
            output.say("To try again: mangavid retry --failed && mangavid run")
        elif self._active:
            output.say(f"To follow what runs: {_to_follow(self._target)}")
        elif self._interrupted:
            output.say(f"To go on with {self._interrupted}: mangavid run")
        else:
            output.say("More of one: mangavid status JOB, mangavid history EXECUTION")


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
        listed = _Listed(target, _SHOWN)
        jobs = list(listed.jobs(operations.job_rows(target.jobs)))
        runs = list(listed.runs(operations.runs(target.jobs, target.executions)))
        tables = [(columns, rows) for columns, rows in ((_JOBS, jobs), (_RUNS, runs)) if rows]
        return Group(*(output.fitted(*one, screen.width, folds=_FOLDS, spare=_SPARE) for one in tables))

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


def _to_follow(target: Target) -> str:
    return "mangavid run --watch" if target.config.target == "aws" else "mangavid status --watch"


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
    started = output.ago(run.started, now)
    return [run.name, words.run(run, working=working), started, _took(run, now), ", ".join(told)]


def _took(run: Run, now: datetime) -> str:
    return output.duration(((run.stopped or now) - run.started).total_seconds())


def _one(target: Target, name: str, *, as_json: bool) -> None:
    found = _found(target, name)
    if as_json:
        output.write_json(found)
        return
    for line in _lines(found, target):
        output.write(line)
    if isinstance(found, dict):
        output.say(_onwards(found, target))
        return
    output.say(f"State by state: mangavid history {found.name}")
    if found.status == "RUNNING" and target.driven():
        output.say(f"To follow it: {_to_follow(target)}")


def _onwards(job: Item, target: Target) -> str:
    """What to type next for a job."""
    status, _ = words.job(job, _driven(target))
    match job["status"]:
        case "failed" | "quarantined":
            return f"To try again: mangavid retry {job['job_id']} && mangavid run"
        case "uploaded" | "cleaned" if job.get("published"):
            from mangavid.cli.run import to_watch

            return to_watch(_text(job, "published"), target.objects)
        case "withdrawn":
            return f"To let it be made again: mangavid takedown {job['job_id']} --undo"
        case "awaiting_upload":
            return "It is published first once the quota resets: mangavid quota"
        case _ if status == "working":
            return f"What is said of it: mangavid logs --follow --job {job['job_id']}"
        case _:
            return "To go on with it: mangavid run"


def _found(target: Target, name: str) -> Item | Run:
    """The job of this name, or the execution. Raises SourceNotFound."""
    from mangavid.errors import SourceNotFound
    from mangavid.keys import run_item
    from mangavid.states import operations

    # What is named in full is a look each; only what is not is searched for.
    job = None if name == "last" else operations.find_job(target.jobs, name, exact=True)
    execution = None if job else operations.find_execution(target.executions, name, exact=True)
    if not job and not execution and name != "last":
        job = operations.find_job(target.jobs, name)
    if job is not None:
        return job
    execution = execution or operations.find_execution(target.executions, name)
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
    at_work = status == "working" and words.dispatched(job)
    return [
        ("job", job["job_id"]),
        ("title", job["title"]),
        ("status", status),
        ("step" if status == "working" else "next", words.step(job) if in_words(job) == "ready" else ""),
        ("progress", f"{ckpt['done']} of {ckpt['total']}" if ckpt.get("total") else ""),
        ("attempt", words.attempt(job) if at_work else ""),
        ("worker", job.get("instance", "") if at_work else ""),
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


def _at_work(run: Run, target: Target) -> str:
    """The job that a run has in hand, and how far it is."""
    from itertools import takewhile

    from mangavid.states.operations import in_words, job_rows

    if run.status != "RUNNING" or not target.driven():
        return ""
    unfinished = takewhile(lambda job: in_words(job) == "ready", job_rows(target.jobs))
    job = next((job for job in unfinished if job.get("execution") == run.arn), None)
    return f"{job['job_id']}: {words.step(job)}" if job else ""


def _run_lines(run: Run, target: Target) -> list[tuple[str, Any]]:
    status, _ = words.run(run, working=target.driven())
    return [
        ("execution", run.name),
        ("status", f"{status}: mangavid run goes on with it" if status == "stopped" else status),
        ("started", output.moment(run.started)),
        ("took", _took(run, target.clock.now())),
        ("at work on", _at_work(run, target)),
        ("sources", "\n".join(run.sources)),
        ("made", "\n".join(run.made)),
        ("failed", "\n".join(run.failed)),
        ("skipped", run.skipped),
        ("error", run.error),
        ("because", run.cause),
    ]
