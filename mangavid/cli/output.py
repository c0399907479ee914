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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from itertools import chain, islice, zip_longest
from pathlib import Path
from types import MappingProxyType
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
    r"\bmangavid (run|stop|status|history|logs|retry|quota|deploy|destroy|drift|rollback|secrets|auth|check|takedown"
    r"|config(?! example))\b"
)
"""A command of ours in a sentence."""
_BARE = re.compile(r"\bmangavid (config example|--help)\b")
"""And those that take no flags."""
_invocation = ContextVar("invocation", default=("mangavid", ""))
_GAP = 2
_FOLD = 20
"""Columns that a folded column needs to be read."""
_SCREENS = 100
"""Rows that are waited for, so that they decide together how they are laid out."""
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


def write_document(before: str, document: Any) -> None:
    """JSON for a person to read, to stdout, each line of it safe: letters stay as they are. ``before`` it, on its first
    line; the others are as far in.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2, default=_builtin)
    for n, line in enumerate(text.split("\n")):
        sys.stdout.write(safe(f"{before if n == 0 else ' ' * (len(before) - len(before.lstrip()))}{line}") + "\n")
    sys.stdout.flush()


def write_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    *,
    folds: Sequence[str] = (),
    spare: Sequence[str] = (),
    rare: Sequence[str] = (),
    widest: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Rows below their headings, to stdout: fitted to a terminal (``fitted``), and as wide as they are where piped.
    Columns in ``rare`` are left out where they are empty.

    Of more than ``_SCREENS`` rows each is written when it comes. How wide their columns are is decided by the first
    rows and the texts in ``widest``; a later cell that is wider pushes the others aside.
    """
    coming = iter(rows)
    first = list(islice(coming, _SCREENS + 1))
    whole = len(first) <= _SCREENS
    kept = [
        n for n, name in enumerate(columns) if not (whole and name in rare and not any(_words(r[n]) for r in first))
    ]
    columns, first = [columns[n] for n in kept], [[row[n] for n in kept] for row in first]
    screen = console(sys.stdout) if sys.stdout.isatty() else None
    if screen is not None and whole:
        screen.print(fitted(columns, first, screen.width, folds=folds, spare=spare))
        return
    widths = {
        name: max(_width(safe(text)) for text in (name, widest.get(name, ""), *(_words(row[n]) for row in first)))
        for n, name in enumerate(columns)
    }
    every = chain(first, ([row[n] for n in kept] for row in coming))
    lines = _piped(columns, every, widths) if screen is None else _stream(screen, columns, every, widths, folds, spare)
    for line in lines:
        sys.stdout.write(line + "\n")
        if not whole:
            sys.stdout.flush()
    sys.stdout.flush()


def _piped(columns: Sequence[str], rows: Iterable[Sequence[Cell]], widths: Mapping[str, int]) -> Iterator[str]:
    for row in chain([columns], rows):
        cells = (safe(_words(cell)) for cell in row)
        yield "  ".join(_padded(cell, widths[name]) for cell, name in zip(cells, columns, strict=True)).rstrip()


def _stream(
    screen: Console,
    columns: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    widths: Mapping[str, int],
    folds: Sequence[str],
    spare: Sequence[str],
) -> Iterator[str]:
    """Lines of a table as ``fitted`` lays it out, but row by row. rich's tables are measured whole."""
    paint = _Paint(screen)
    chosen = _chosen(columns, {n: min(_FOLD, w) if n in folds else w for n, w in widths.items()}, screen.width, spare)
    if chosen is None:
        by_worth = _by_worth(columns, spare)
        for row in rows:
            yield paint(row[0])
            if told := [paint(row[n]) for n in by_worth if _words(row[n])]:
                yield "  " + "  ".join(told)
        return
    room = screen.width - sum(_GAP + (0 if columns[n] in folds else widths[columns[n]]) for n in chosen)
    given = {}
    folded = sorted((n for n in chosen if columns[n] in folds), key=lambda n: widths[columns[n]])
    for left, n in zip(range(len(folded), 0, -1), folded, strict=True):
        given[n] = min(widths[columns[n]], room // left)
        room -= given[n]
    for row in chain([[(name, "bold") for name in columns]], rows):
        cells = [_folded(row[n], given.get(n)) for n in chosen]
        for line in zip_longest(*cells, fillvalue=""):
            texts = zip(line, chosen, strict=True)
            parts = [(paint(cell), _words(cell), given.get(n, widths[columns[n]])) for cell, n in texts]
            painted = (shown + " " * (width - _width(text)) for shown, text, width in parts)
            yield (" " * _GAP).join(painted).rstrip()


def _folded(cell: Cell, width: int | None) -> list[Cell]:
    """A cell as the lines it takes, none wider than this."""
    text, style = cell if isinstance(cell, tuple) else (cell, "")
    text = safe(text)
    if width is None or _width(text) <= width:
        return [(text, style)]
    lines = [""]
    for word in re.findall(r"\S+\s*|\s+", text):
        if lines[-1] and _width(lines[-1] + word.rstrip()) > width:
            lines.append("")
        for sign in word:
            if _width(lines[-1] + sign) > width and not sign.isspace():
                lines.append("")
            lines[-1] += sign
    return [(line.rstrip(), style) for line in lines]


class _Paint:
    """Styles as what the terminal obeys; it is asked once for each."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._around: dict[str, list[str]] = {"": ["", ""]}

    def __call__(self, cell: Cell) -> str:
        text, style = cell if isinstance(cell, tuple) else (cell, "")
        if style not in self._around:
            with self._screen.capture() as drawn:
                self._screen.print(styled(("x", style)), end="")
            self._around[style] = drawn.get().split("x")
        before, after = self._around[style]
        return f"{before}{safe(text)}{after}" if text else ""


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


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
    chosen = _chosen(columns, needs, width, spare)
    if chosen is not None:
        return _grid([columns[n] for n in chosen], [[row[n] for n in chosen] for row in rows], folds)
    parts: list[RenderableType] = []
    by_worth = _by_worth(columns, spare)
    for row in rows:
        parts.append(styled(row[0]))
        told = [styled(row[n]) for n in by_worth if _words(row[n])]
        if told:
            parts.append(Padding(Text("  ").join(told), (0, 0, 0, 2)))
    return Group(*parts)


def _chosen(columns: Sequence[str], needs: Mapping[str, int], width: int, spare: Sequence[str]) -> list[int] | None:
    """Which columns fit side by side, after as many of the spare ones as must be are left out; None: too few do."""
    kept = list(columns)
    for name in ("", *spare):
        kept = [one for one in kept if one != name]
        if sum(needs[one] + _GAP for one in kept) <= width:
            return [n for n, one in enumerate(columns) if one in kept]
    return None


def _by_worth(columns: Sequence[str], spare: Sequence[str]) -> list[int]:
    return sorted(range(1, len(columns)), key=lambda n: columns[n] in spare)


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


def ago(when: datetime | str, now: datetime) -> str:
    """``12 s ago``, ``3 min ago``, ``2 h ago``, ``5 d ago``. Text that is no time stays as it is."""
    try:
        then = datetime.fromisoformat(when) if isinstance(when, str) else when
    except ValueError:
        return str(when)
    seconds = max(0, int((now - then).total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def moment(when: datetime | str, *, seconds: bool = True) -> str:
    """A time in the zone of whoever reads it: ``2026-11-23 15:04:05``. Text that is no time stays as it is."""
    if isinstance(when, str):
        try:
            return moment(datetime.fromisoformat(when), seconds=seconds)
        except ValueError:
            return when
    return f"{when.astimezone():%Y-%m-%d %H:%M:%S}"[: None if seconds else -3]
