"""The help of ``mangavid`` itself: commands by what a person wants, then examples."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup

GROUPS = (
    ("Make videos", ("run", "retry", "stop")),
    ("See what happens", ("status", "history", "logs")),
    ("Limits and settings", ("quota", "config")),
    ("On AWS", ("deploy", "rollback", "drift", "destroy", "secrets", "template")),
)
EXAMPLES = (
    ("mangavid run --sample", "a chapter that comes along: see that all works"),
    ("mangavid run chapter.cbz", "a video of this chapter"),
    ("mangavid run", "the next chapters of the library, up to the day's quota"),
    ("mangavid status", "what was made, what failed, what waits"),
    ("mangavid history last", "the last run, state by state"),
)


class Menu(TyperGroup):
    """A group whose help lists its commands under headings and ends with examples."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        width = max(len(example) for example, _ in EXAMPLES)
        for heading, names in GROUPS:
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(width), self._short(ctx, name)) for name in names])
        with formatter.section("Examples"):
            formatter.write_dl([(example.ljust(width), what) for example, what in EXAMPLES])

    def _short(self, ctx: Any, name: str) -> str:
        command = self.get_command(ctx, name)
        assert command is not None, name
        return command.get_short_help_str(200)
