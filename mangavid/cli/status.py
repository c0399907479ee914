"""``mangavid status``: the jobs and executions, or one of them in depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mangavid.cli import output
from mangavid.cli.session import ConfigFile, Home, Json, session

if TYPE_CHECKING:
    from mangavid.ports import Item, Target
    from mangavid.states.operations import Run

_SHOWN = 20
_NOWHERE = "Nothing has been made here yet. To begin: mangavid run --sample, or mangavid run CHAPTER.cbz"


def status(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="[JOB|EXECUTION]", help="One job or execution: its name, or how it begins.")
    ] = "",
    everything: Annotated[bool, typer.Option("--all", help=f"Show all, not the newest {_SHOWN}.")] = False,
    as_json: Json = False,
    config: ConfigFile = None,
    home: Home = None,
) -> None:
    """Show what was made, what failed and what waits."""
    target = session(ctx, config, home).target()
    if name:
        _one(target, name, as_json=as_json)
        return
    from mangavid.states import operations

    jobs = list(operations.job_rows(target.jobs))
    runs = list(operations.runs(target.jobs, target.executions))
    if as_json:
        output.write_json({"jobs": jobs, "executions": runs})
        return
    if not jobs and not runs:
        output.say(_NOWHERE)
        return
    limit = None if everything else _SHOWN
    if jobs:
        output.write_table(
            ["job", "status", "title", "changed", "about"],
            [
                [job["job_id"], job["status"], job["title"], output.moment(job["updated_at"]), about(job)]
                for job in jobs[:limit]
            ],
        )
    if runs:
        output.write()
        output.write_table(
            ["execution", "status", "started", "took", "about"], [_run_row(run, target) for run in runs[:limit]]
        )
    _onwards(jobs, max(len(jobs), len(runs)) > _SHOWN and not everything)


def about(job: Item) -> str:
    """The one thing worth knowing of a job in its status."""
    match job["status"]:
        case "failed" | "quarantined" | "interrupted":
            return f"{job.get('failed_in', '')}: {job.get('error', '')}: {job.get('cause', '')}".strip(": ")
        case "rendering" | "uploading":
            ckpt = job.get("ckpt") or {}
            total = ckpt.get("total", 0)
            return f"{ckpt['done'] * 100 // total} %" if total else ""
        case "uploaded" | "cleaned":
            return str(job.get("published", ""))
        case "awaiting_upload":
            return f"after {output.moment(str(job['not_before']))}" if job.get("not_before") else ""
        case _:
            return ""


def _run_row(run: Run, target: Target) -> list[str]:
    took = ((run.stopped or target.clock.now()) - run.started).total_seconds()
    told = [f"{len(run.made)} made"] if run.made else []
    told += [f"{len(run.failed)} failed"] if run.failed else []
    told += [run.skipped] if run.skipped else []
    told += [run.error] if run.error and run.status not in ("RUNNING", "SUCCEEDED") else []
    return [run.name, run.status, output.moment(run.started), output.duration(took), ", ".join(told)]


def _onwards(jobs: list[Item], cut: bool) -> None:
    """What to type next."""
    if cut:
        output.say(f"The newest {_SHOWN} are shown: mangavid status --all shows all.")
    failed = [job for job in jobs if job["status"] in ("failed", "quarantined", "interrupted")]
    if failed:
        output.say(f"To see why: mangavid status {failed[0]['job_id']}  ·  to try again: mangavid retry --failed")


def _one(target: Target, name: str, *, as_json: bool) -> None:
    from mangavid.errors import SourceNotFound
    from mangavid.keys import run_item
    from mangavid.states import operations

    job = operations.find_job(target.jobs, name)
    if job is not None:
        if as_json:
            output.write_json(job)
        else:
            _tell(_job_lines(job))
            if job["status"] in operations.FAILED:
                output.say(f"To try again: mangavid retry {job['job_id']}")
        return
    execution = operations.find_execution(target.executions, name)
    if execution is None:
        raise SourceNotFound(f"no job or execution {name}", hint="mangavid status lists them")
    run = operations.run_of(execution, target.jobs.get(run_item(execution.name)) or {})
    if as_json:
        output.write_json(run)
    else:
        _tell(_run_lines(run, target))
        output.say(f"State by state: mangavid history {run.name}")


def _tell(lines: list[tuple[str, Any]]) -> None:
    width = max(len(word) for word, _ in lines)
    for word, value in lines:
        if value not in ("", None, (), []):
            output.write(f"{word.ljust(width)}  {value}")


def _job_lines(job: Item) -> list[tuple[str, Any]]:
    rendered = job.get("rendered") or {}
    sizes = [f"{job[part]} {part}" for part in ("pages", "panels", "scenes") if job.get(part)]
    ckpt = job.get("ckpt") or {}
    return [
        ("job", job["job_id"]),
        ("title", job["title"]),
        ("status", job["status"]),
        ("progress", f"{ckpt['done']} of {ckpt['total']}" if ckpt.get("total") else ""),
        ("chapter", ", ".join(sizes)),
        ("source", job["source"]),
        ("began", output.moment(job["created_at"])),
        ("changed", output.moment(job["updated_at"])),
        ("attempts", job.get("attempts") or ""),
        ("failed in", job.get("failed_in", "")),
        ("error", job.get("error", "")),
        ("because", job.get("cause", "")),
        ("length", output.duration(rendered["seconds"]) if rendered else ""),
        ("loudness", f"{rendered['lufs']:.1f} LUFS" if rendered else ""),
        ("published", job.get("published", "")),
        ("not before", output.moment(job["not_before"]) if job.get("not_before") else ""),
        ("execution", str(job.get("execution", "")).rpartition(":")[2]),
        *(("note", note) for note in job.get("notes", ())),
    ]


def _run_lines(run: Run, target: Target) -> list[tuple[str, Any]]:
    return [
        ("execution", run.name),
        ("status", run.status),
        ("started", output.moment(run.started)),
        ("took", output.duration(((run.stopped or target.clock.now()) - run.started).total_seconds())),
        ("sources", ", ".join(run.sources)),
        ("made", ", ".join(run.made)),
        ("failed", ", ".join(run.failed)),
        ("skipped", run.skipped),
        ("error", run.error),
        ("because", run.cause),
        ("arn", run.arn),
    ]
