"""Where everything a person or a script sees goes out: data to stdout, all else to stderr.

Titles, file names and error texts come from outside and may hold escape sequences, text that runs backwards or
invisible characters. Every function here passes what it prints through ``safe``, and nothing is ever read as markup.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

Cell = str | tuple[str, str]
"""Text, or text and the style it is shown in on a terminal."""

# Escape sequences as a terminal reads them (ECMA-48): CSI … final byte, OSC and its like up to their terminator.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]P^_X]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
)
_COMMAND = re.compile(
    r"\bmangavid (run|stop|status|history|logs|retry|quota|deploy|destroy|drift|rollback|secrets|config(?! example))\b"
)
"""A command of ours in a sentence."""
_BARE = re.compile(r"\bmangavid (config example|--help)\b")
"""And those that take no flags."""
_invocation = ContextVar("invocation", default=("mangavid", ""))
_GAP = 2
_FOLD = 20
"""Columns that a folded column needs to be read."""
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Cn", "Co"})


def safe(text: object) -> str:
    """One line without anything that a terminal obeys or that hides text: no C0, C1, bidirectional or invisible
    character, no escape sequence. Line ends and tabs become spaces.
    """
    words = str(text)
    if words.isprintable():
        return words
    words = _SEQUENCE.sub("", words)
    return "".join(_visible(char) for char in words)


def _visible(char: str) -> str:
    if char in "\t\n\r\v\f\x85\u2028\u2029":
        return " "
    return "" if unicodedata.category(char) in _DROPPED else char


def write(text: object = "") -> None:
    """A line of data, to stdout."""
    _line(sys.stdout, text)


def say(text: object = "") -> None:
    """A line for the person, to stderr. A command in it can be typed as it stands, see ``called_with``."""
    program, flags = _invocation.get()
    words = _COMMAND.sub(lambda found: f"{program}{flags} {found[1]}", safe(text))
    _line(sys.stderr, _BARE.sub(lambda found: f"{program} {found[1]}", words) if program != "mangavid" else words)


def called_with(*flags: str) -> None:
    """From now on the commands that ``say`` names carry these flags, so that they work where this one worked."""
    _invocation.set((shlex.join(_program()), "".join(f" {shlex.quote(flag)}" for flag in flags)))


def _program() -> list[str]:
    """What to type for mangavid: its name where the shell finds it, else how it was started."""
    started = Path(sys.argv[0])
    if shutil.which("mangavid") or started.name not in ("mangavid", "__main__.py"):
        return ["mangavid"]
    if started.name == "__main__.py":
        python = Path(sys.executable)
        found = shutil.which(python.name)
        return [python.name if found and Path(found) == python else str(python), "-m", "mangavid"]
    return [os.path.relpath(started) if started.is_relative_to(Path.cwd()) else str(started)]


def _line(stream: TextIO, text: object) -> None:
    stream.write(f"{safe(text)}\n")
    stream.flush()


def dumps(value: Any, *, indent: int | None = 2) -> str:
    """JSON in plain ASCII with sorted keys: the same value is the same text, and no terminal obeys any of it."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, indent=indent, default=_builtin)
    return text.replace("\x7f", "\\u007f")


def _builtin(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, set | frozenset):
        return sorted(value)
    import msgspec

    return msgspec.to_builtins(value)


def write_json(value: Any) -> None:
    """A document for a script, to stdout."""
    sys.stdout.write(dumps(value) + "\n")
    sys.stdout.flush()


def write_table(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, folds: Sequence[str] = (), spare: Sequence[str] = ()
) -> None:
    """Rows below their headings, to stdout: fitted to a terminal (``fitted``), and as wide as they are where piped."""
    rows = list(rows)
    if sys.stdout.isatty():
        screen = console(sys.stdout)
        screen.print(fitted(columns, rows, screen.width, folds=folds, spare=spare))
        return
    lines = [[safe(_words(cell)) for cell in row] for row in (columns, *rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = [cell + " " * (width - _width(cell)) for cell, width in zip(line, widths, strict=True)]
        sys.stdout.write("  ".join(padded).rstrip() + "\n")
    sys.stdout.flush()


def _words(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]


def _width(text: str) -> int:
    """Columns that text takes: two for a wide character, none for a combining one (Unicode annex 11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def fitted(
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    width: int,
    *,
    folds: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> RenderableType:
    """A table in ``width`` columns. Those in ``folds`` take several lines, those in ``spare`` are left out one after
    the other; where that is not enough, each row is a line of its first cell and its others below it, the spare ones
    last. What may be copied (all but ``folds``) stays whole.
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    needs = {
        name: min(_FOLD, widest) if name in folds else widest
        for n, name in enumerate(columns)
        for widest in [max(_width(safe(_words(row[n]))) for row in (columns, *rows))]
    }
    kept = list(columns)
    for name in ("", *spare):
        kept = [one for one in kept if one != name]
        if sum(needs[one] + _GAP for one in kept) <= width:
            chosen = [n for n, one in enumerate(columns) if one in kept]
            return _grid(kept, [[row[n] for n in chosen] for row in rows], folds)
    parts: list[RenderableType] = []
    by_worth = sorted(range(1, len(columns)), key=lambda n: columns[n] in spare)
    for row in rows:
        parts.append(styled(row[0]))
        told = [styled(row[n]) for n in by_worth if _words(row[n])]
        if told:
            parts.append(Padding(Text("  ").join(told), (0, 0, 0, 2)))
    return Group(*parts)


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Cell]], folds: Sequence[str]) -> Table:
    from rich.table import Table

    content = Table(box=None, padding=(0, _GAP, 0, 0), pad_edge=False, header_style="bold")
    for heading in columns:
        content.add_column(styled(heading), overflow="fold", no_wrap=heading not in folds)
    for row in rows:
        content.add_row(*(styled(cell) for cell in row))
    return content


def styled(cell: Cell) -> Text:
    """A cell as rich text: never markup."""
    from rich.text import Text

    text, style = cell if isinstance(cell, tuple) else (cell, "")
    return Text(safe(text), style=style)


def console(stream: TextIO) -> Console:
    """A rich console on a terminal's stream: NO_COLOR is respected, and nothing is highlighted or read as markup."""
    from rich.console import Console

    return Console(file=stream, markup=False, highlight=False, emoji=False)


def duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 05 s``, ``2 h 14 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def moment(when: datetime | str, *, seconds: bool = True) -> str:
    """A time in the zone of whoever reads it: ``2026-11-23 15:04:05``. Text that is no time stays as it is."""
    if isinstance(when, str):
        try:
            return moment(datetime.fromisoformat(when), seconds=seconds)
        except ValueError:
            return when
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"[: None if seconds else -3]
