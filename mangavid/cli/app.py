"""The command line: its commands, and the one place where an error becomes words and an exit code.

Nothing heavy is imported here; each command imports what it needs when it runs.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from contextvars import copy_context
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from mangavid.cli import output
from mangavid.cli.menu import Menu
from mangavid.cli.session import ConfigFile, Home
from mangavid.errors import Interrupted, MangavidError, StorageFull, UpstreamUnavailable, UsageError

app = typer.Typer(
    name="mangavid",
    cls=Menu,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from mangavid.version import __version__

        output.write(f"mangavid {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    config_file: ConfigFile = None,
    home: Home = None,
    version: Annotated[
        bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn manga chapters into narrated videos, on this machine or on AWS."""
    assert not version  # its callback has left
    ctx.obj = {"config": config_file, "home": home}
    if ctx.invoked_subcommand is None:
        sys.stdout.write(ctx.get_help() + "\n")


def main(args: Sequence[str]) -> int:
    """Run one command line; returns its exit code (docs/exit-codes.md)."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    return copy_context().run(guarded, lambda: _invoked(list(args)), as_json="--json" in args)


def guarded(command: Callable[[], int], *, as_json: bool) -> int:
    """Do what a command does; whatever goes wrong becomes words on stderr and an exit code, never a traceback."""
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except MangavidError as problem:
        return told(problem, as_json=as_json)
    except KeyboardInterrupt:
        return told(Interrupted("stopped", hint="run the same command again"), as_json=as_json)
    except BrokenPipeError:  # whoever read our output has read enough
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as problem:
        if os.environ.get("MANGAVID_DEBUG"):
            raise
        return told(_outside(problem) or _bug(problem), as_json=as_json)


def _invoked(args: list[str]) -> int:
    output.called_with()
    if args[:1] == ["help"]:
        args = [*args[1:], "--help"]
    command = typer.main.get_command(app)
    try:
        with command.make_context("mangavid", list(args)) as ctx:
            command.invoke(ctx)
        return 0
    except typer.Exit as leaving:
        return leaving.exit_code
    except TyperException as misuse:
        raise _usage(misuse, args) from misuse


def _usage(misuse: TyperException, args: list[str]) -> UsageError:
    """A mistake on the command line, in our words."""
    if possible := getattr(misuse, "possibilities", None):
        # Typer offers what is spelled alike however little (--version for --verbose).
        option = getattr(misuse, "option_name", "")
        misuse.possibilities = difflib.get_close_matches(option, possible, 3, 0.75)  # type: ignore[attr-defined]
    words = misuse.format_message().rstrip(".")
    words = f"{words[0].lower()}{words[1:]}"
    if words.startswith("no such command") and (name := next((arg for arg in args if Path(arg).exists()), "")):
        import shlex

        return UsageError(words, hint=f"to make a video of it: mangavid run {shlex.quote(name)}")
    if words.startswith("no such option: --json") and args[0] == "--json":
        return UsageError("--json goes after the command", hint="mangavid status --json")
    ctx = getattr(misuse, "ctx", None)
    return UsageError(words, hint=f"{ctx.command_path if ctx else _command_of(args)} --help says what it takes")


def _command_of(args: list[str]) -> str:
    """The command that a command line names (``mangavid quota set``), for a mistake that doesn't tell."""
    path, group = ["mangavid"], typer.main.get_command(app)
    for arg in args:
        found = getattr(group, "commands", {}).get(arg)
        if found is not None:
            path.append(arg)
            group = found
    return " ".join(path)


def told(problem: MangavidError, *, as_json: bool) -> int:
    """Say what went wrong, on stderr: what happened, where, why, and what to do. Returns the exit code."""
    first, *rest = str(problem).splitlines() or [problem.summary]
    with contextlib.suppress(BrokenPipeError):
        if as_json:
            facts = {
                "error": type(problem).__name__,
                "message": str(problem),
                "hint": problem.hint,
                "exit_code": problem.exit_code,
            }
            sys.stderr.write(output.dumps(facts, indent=None) + "\n")
        else:
            output.say(f"mangavid: {first}")
            for line in rest:
                output.say(f"  {line.strip()}")
            if problem.hint:
                output.say(f"hint: {problem.hint}")
    return problem.exit_code


def _outside(problem: Exception) -> MangavidError | None:
    """The error for what the system refused: a disk that is full, a folder that is not ours. None for anything else."""
    if isinstance(problem, OSError) and problem.strerror:
        kind = StorageFull if problem.errno in (errno.ENOSPC, errno.EDQUOT) else UpstreamUnavailable
        where = f"{problem.filename}: " if problem.filename else ""
        hint = "look at this path: is it there, and yours to read and write?" if kind is UpstreamUnavailable else None
        return kind(f"{where}{problem.strerror[0].lower()}{problem.strerror[1:]}", hint=hint)
    if type(problem).__module__ == "sqlite3" and type(problem).__name__ in ("OperationalError", "DatabaseError"):
        full = "full" in str(problem)
        hint = (
            None
            if full
            else "look at the folder that mangavid config show names as local.home, or name another with --home DIR"
        )
        return (StorageFull if full else UpstreamUnavailable)(
            f"the jobs can't be read or written: {problem}", hint=hint
        )
    return None


def _bug(bug: Exception) -> MangavidError:
    """Keep the traceback in a file only its owner can read, and name that."""
    import tempfile
    import traceback

    message = f"a bug: {type(bug).__name__}: {str(bug).partition(chr(10))[0][:200]}"
    try:
        handle, name = tempfile.mkstemp(prefix="mangavid-bug-", suffix=".txt")  # made with mode 0600
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            traceback.print_exception(bug, file=file)
        message += f"; the details are in {name}"
    except OSError:
        message += "; MANGAVID_DEBUG=1 shows the details"
    return MangavidError(message)
