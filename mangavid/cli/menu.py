"""The help of ``mangavid`` itself: commands by what a person wants, then examples."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.core import TyperGroup

GROUPS = (
    ("Make videos", ("run", "retry", "stop", "takedown")),
    ("See what happens", ("status", "history", "logs")),
    ("Limits and settings", ("quota", "config", "secrets", "auth", "check")),
    ("On AWS", ("deploy", "rollback", "drift", "destroy", "template")),
)
EXAMPLES = (
    ("mangavid run --sample", "a chapter that comes along: see that all works"),
    ("mangavid run chapter.cbz", "a video of this chapter"),
    ("mangavid run", "the next chapters of the library, up to the day's quota"),
    ("mangavid status", "what was made, what failed, what waits"),
    ("mangavid history last", "the last run, state by state"),
)


#: What each command does, in the words of its own help: told without loading it.
COMMANDS = {
    "run": "Make videos of chapters, or of the next ones.",
    "retry": "Take failed jobs up from their last good product.",
    "stop": "End a run that is at work, with its machines.",
    "takedown": "Take a published video out of sight, and block its chapter.",
    "status": "Show what was made, what failed and what waits.",
    "history": "Show a run state by state.",
    "logs": "Show what functions and workers said.",
    "quota": "Show or change the number of videos a day.",
    "config": "Show the settings and where each comes from.",
    "secrets": "Give the pipeline the keys it needs.",
    "auth": "Log in to what needs your consent.",
    "check": "Look whether everything that is configured works.",
    "deploy": "Put the pipeline on AWS, or bring it up to date.",
    "rollback": "List the releases on AWS, or go back to one.",
    "drift": "Show what on AWS was changed by hand.",
    "destroy": "Take the pipeline on AWS away again.",
    "template": "Print the CloudFormation template.",
}


class _Commands(dict[str, Any]):
    """Commands by name, each loaded when it is first asked for: one command line is about one of them."""

    def __missing__(self, name: str) -> Any:
        if name not in COMMANDS:
            raise KeyError(name)
        from importlib import import_module

        import typer

        module = import_module(f"mangavid.cli.{name}")
        command: Any
        if group := getattr(module, "app", None):
            command = typer.main.get_group(group)
        else:
            single = typer.Typer(add_completion=False, rich_markup_mode=None)
            single.command(name)(getattr(module, name))
            command = typer.main.get_command(single)
        command.name = name
        self[name] = command
        return command

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)

    def keys(self) -> Any:
        return COMMANDS.keys()

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in COMMANDS else default

    def items(self) -> Any:
        return [(name, self[name]) for name in COMMANDS]

    def values(self) -> Any:
        return [self[name] for name in COMMANDS]


class Menu(TyperGroup):
    """A group whose help lists its commands under headings and ends with examples."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        self.commands = _Commands()

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - its caller's form
        return list(COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - its caller's form
        width = max(len(example) for example, _ in EXAMPLES)
        for heading, names in GROUPS:
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), COMMANDS[name]) for name in names])
        with formatter.section("Examples"):
            formatter.write_dl([(example.ljust(width), what) for example, what in EXAMPLES])
