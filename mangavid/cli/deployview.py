"""How a deploy looks while it works: what is done scrolls up, what is being done stands below. All to stderr."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

import msgspec

from mangavid.cli import output
from mangavid.cli.planview import kind

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mangavid.aws.deploy.progress import Step

_SHOWN = 8


class View(AbstractContextManager["View"], Protocol):
    """Takes a deploy's steps, from any thread."""

    #: How many resources there are to come.
    total: int

    def step(self, step: Step) -> None: ...


def view(*, as_json: bool, monotonic: Callable[[], float]) -> View:
    """The view that fits where stderr goes."""
    if as_json:
        return JsonView()
    return LiveView(monotonic) if sys.stderr.isatty() else PlainView()


class JsonView:
    """Each step as a line of JSON."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def __enter__(self) -> JsonView:
        return self

    def __exit__(self, *_exc: object) -> None: ...

    def step(self, step: Step) -> None:
        with self._lock:
            sys.stderr.write(output.dumps(msgspec.to_builtins(step), indent=None) + "\n")
            sys.stderr.flush()


class PlainView:
    """A line for what is done, and for what failed."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()
        self._done: set[str] = set()

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_exc: object) -> None: ...

    def step(self, step: Step) -> None:
        with self._lock:
            count(step, self._done)
            line = told(step, len(self._done), self.total)
            if line:
                output.say(f"  {line}")


def count(step: Step, done: set[str]) -> None:
    if step.what == "stack" and step.type and step.status.endswith("_COMPLETE"):
        done.add(step.name)


def told(step: Step, done: int = 0, total: int = 0) -> str:
    """A step in words; empty where it isn't worth a line."""
    match step.what:
        case "pack" if step.status == "libraries":
            return f"package {step.name}: its libraries are installed and packed (this is kept)"
        case "pack" if step.status == "code":
            return f"package {step.name}: made"
        case "upload" if step.status == "done":
            return f"uploaded {step.name.rpartition('/')[2]} ({_megabytes(step)})"
        case "stack" if step.status.endswith("_FAILED"):
            return f"{step.name}: failed: {step.detail or step.status}"
        case "stack" if not step.type:
            return f"{step.name}: {_status(step.status)}{f': {step.detail}' if step.detail else ''}"
        case "stack" if step.status.endswith("_COMPLETE"):
            counted = f"{done} of {total}: " if total and done <= total else ""
            return f"{counted}{step.name} ({kind(step.type)}): {_status(step.status)}"
        case "stack" if step.status == "DELETE_SKIPPED":
            return f"{step.name} ({kind(step.type)}): kept"
        case "swap":
            return f"{step.name}: swapped"
        case "delete" if step.status == "done":
            return f"{step.name}: {step.detail or 'deleted'}"
        case "note":
            return f"note: {step.detail}"
        case _:
            return ""


def _status(status: str) -> str:
    """«UPDATE_ROLLBACK_IN_PROGRESS» as words."""
    return status.lower().replace("_", " ")


def _megabytes(step: Step) -> str:
    return f"{step.done / 1e6:.1f} of {step.total / 1e6:.1f} MB"


class LiveView:
    """Finished resources scroll up; below them those at work, each with how long it has been."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self.total = 0
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._console = output.console(sys.stderr)
        self._spinner = Spinner("dots", style="cyan")
        self._now: dict[str, tuple[str, float]] = {}
        self._done: set[str] = set()
        self._live = Live(
            get_renderable=self._below,
            console=self._console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *_exc: object) -> None:
        with self._lock:
            self._now.clear()
        self._live.__exit__(None, None, None)

    def step(self, step: Step) -> None:
        with self._lock:
            count(step, self._done)
            self._follow(step)
        if line := told(step):
            mark, style = _mark(step)
            # Without the lock: whoever draws what is below holds rich's, and asks for ours.
            self._console.print(output.styled((f"  {mark} {line.removeprefix('note: ')}", style)))

    def _follow(self, step: Step) -> None:
        key = f"{step.what} {step.name}"
        if step.what == "pack":
            key, words = f"pack {step.name}", f"package {step.name}"
            working = step.status == "libraries"
        elif step.what == "upload":
            words, working = f"uploading {step.name.rpartition('/')[2]}", step.status == "begun"
        elif step.what == "stack":
            words = f"{step.name}  {kind(step.type) or 'the stack'}  {_status(step.status)}"
            working = step.status.endswith("_IN_PROGRESS")
        elif step.what == "delete":
            words, working = f"{step.name}  {step.detail}", step.status == "begun"
        else:
            return
        if working:
            self._now[key] = (words, self._now[key][1] if key in self._now else self._monotonic())
        else:
            self._now.pop(key, None)

    def _below(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table

        with self._lock:
            working = list(self._now.values())
        if not working:
            return ""
        now = self._monotonic()
        table = Table.grid(padding=(0, 1))
        for words, since in working[:_SHOWN]:
            table.add_row(
                " ", self._spinner, output.styled(words), output.styled((output.duration(now - since), "dim"))
            )
        more = len(working) - _SHOWN
        tail = f"    {len(self._done)} of {self.total} resources done" if self.total else ""
        tail += f"   and {more} more at work" if more > 0 else ""
        return Group(table, output.styled((tail, "dim"))) if tail else table


def _mark(step: Step) -> tuple[str, str]:
    if step.status.endswith("_FAILED"):
        return "✗", "red"
    if step.what == "note":
        return "•", "dim"
    if step.what == "stack" and not step.type:
        return ("✗", "red") if "ROLLBACK" in step.status else ("•", "dim")
    return "✓", "green"
