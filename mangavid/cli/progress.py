"""How a run looks while it works: a live line on a terminal, plain lines in a pipe, JSON lines for a script.

All of it goes to stderr. Steps come from several threads, one at a time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from mangavid.cli import output
from mangavid.cli.words import WAITED_FOR, reason, state

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from mangavid.ports import Step

_PHRASE_WIDTH = max(map(len, WAITED_FOR.values()))


class View(Protocol):
    """Takes a run's steps; used as a context, so that a terminal is left in order however the run ends."""

    def __enter__(self) -> View: ...

    def __exit__(self, *_exc: object) -> None: ...

    def step(self, step: Step) -> None: ...


def view(*, as_json: bool, monotonic: Callable[[], float]) -> View:
    """The view that fits where stderr goes."""
    if as_json:
        return JsonView()
    if sys.stderr.isatty():
        return LiveView(monotonic)
    return PlainView()


class Pace:
    """How far a piece of work is and when it will be done, from the pieces done since it was first seen."""

    def __init__(self, done: int, now: float) -> None:
        self._first = done
        self._began = now
        self._changed = now
        self.done = done
        self.total = 0

    def update(self, done: int, total: int, now: float) -> None:
        if done != self.done:
            self._changed = now
        self.done, self.total = done, total

    def left(self, now: float) -> float | None:
        """Seconds left, None while there is nothing to judge by."""
        made = self.done - self._first
        if made <= 0 or self.done >= self.total:
            return None
        each = (self._changed - self._began) / made
        return max(0.0, each * (self.total - self.done) - (now - self._changed))


class JsonView:
    """Each step as a line of JSON."""

    def __enter__(self) -> JsonView:
        return self

    def __exit__(self, *_exc: object) -> None: ...

    def step(self, step: Step) -> None:
        sys.stderr.write(output.dumps(msgspec.to_builtins(step), indent=None) + "\n")
        sys.stderr.flush()


class PlainView:
    """A line for what a person would want in a log; of progress, every quarter."""

    def __init__(self) -> None:
        self._titled = ""
        self._quarters: dict[tuple[str, str], int] = {}

    def __enter__(self) -> PlainView:
        return self

    def __exit__(self, *_exc: object) -> None: ...

    def step(self, step: Step) -> None:
        if step.title and step.title != self._titled:
            self._titled = step.title
            output.say(step.title)
        if step.what in ("entered", "retry"):
            self._quarters.pop((step.job_id, step.state), None)
        if step.what == "progress":
            self._progress(step)
            return
        line = told(step)
        if line:
            output.say(f"  {line}")

    def _progress(self, step: Step) -> None:
        key = (step.job_id, step.state)
        quarter = step.done * 4 // step.total if step.total else 0
        if step.state in WAITED_FOR and self._quarters.get(key, 0) < quarter < 4:
            self._quarters[key] = quarter
            more = f", {step.detail}" if step.detail else ""
            output.say(f"  {WAITED_FOR[step.state]}: {of(step)}, {step.done * 100 // step.total} %{more}")


def told(step: Step) -> str:
    """A step in words; empty where it isn't worth a line of its own."""
    name = state(step.state)
    why = reason(step.error, step.detail)
    match step.what:
        case "succeeded" if step.state in WAITED_FOR and step.job_id:
            return f"{name}: done in {output.duration(step.seconds)}{', ' + step.detail if step.detail else ''}"
        case "retry":
            # Who follows a run that something else drives sees it when it is tried.
            return f"{name}: {why}; again {f'in {output.duration(step.seconds)}' if step.seconds else 'now'}"
        case "failed":  # a chapter's failure is told with all that is known of it when the run ends
            return f"{name}: failed" if step.state in WAITED_FOR else f"{name}: failed: {why}"
        case "note":
            return f"note: {why}"
        case _:
            return ""


def of(step: Step) -> str:
    """«3 of 12 segments»."""
    unit = step.unit + ("s" if step.unit and not step.unit.endswith("s") and step.total != 1 else "")
    return f"{step.done} of {step.total} {unit}".rstrip()


class LiveView:
    """Finished states scroll up, each a line with its tick and time; below them, one line lives."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        self._monotonic = monotonic
        self._console = output.console(sys.stderr)
        self._spinner = Spinner("dots", style="cyan")
        self._titled = ""
        self._now: Step | None = None
        self._since = 0.0
        self._again_at: float | None = None
        self._pace: Pace | None = None
        self._live = Live(
            get_renderable=self._line,
            console=self._console,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
        )

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._now = None
        self._live.__exit__(None, None, None)

    def step(self, step: Step) -> None:
        if step.title and step.title != self._titled:
            self._titled = step.title
            self._print(output.styled((step.title, "bold")))
        if step.what in ("entered", "progress"):
            self._follow(step)
            return
        if step.what != "note":
            self._now = step if step.what == "retry" else None
            self._again_at = self._monotonic() + step.seconds if step.what == "retry" else None
        line = told(step)
        if step.what == "succeeded" and line:
            self._print(self._finished(step))
        elif line:
            mark, style = {"retry": ("↻", "yellow"), "failed": ("✗", "red"), "note": ("•", "dim")}[step.what]
            self._print(output.styled((f"  {mark} {line.removeprefix('note: ')}", style)))

    def _follow(self, step: Step) -> None:
        now = self._monotonic()
        if step.what == "entered" or self._now is None or self._now.state != step.state or self._again_at is not None:
            self._since = now
            self._again_at = None
            self._pace = None
        if step.what == "progress":
            if self._pace is None:
                self._pace = Pace(step.done, now)
            self._pace.update(step.done, step.total, now)
        self._now = step

    def _print(self, text: Text) -> None:
        self._console.print(text)

    def _finished(self, step: Step) -> Text:
        line = output.styled(("  ✓ ", "green"))
        line.append(f"{WAITED_FOR[step.state].ljust(_PHRASE_WIDTH)} ")
        line.append(output.duration(step.seconds), "dim")
        if step.detail:
            line.append(f"  {output.safe(step.detail)}", "dim")
        return line

    def _line(self) -> RenderableType:
        from rich.progress_bar import ProgressBar
        from rich.table import Table

        step, pace = self._now, self._pace
        if step is None or (step.state not in WAITED_FOR and self._again_at is None):
            return ""
        now = self._monotonic()
        line = Table.grid(padding=(0, 1))
        phrase = state(step.state)
        cells: list[RenderableType] = [" ", self._spinner, output.styled(phrase.ljust(_PHRASE_WIDTH))]
        if self._again_at is not None:
            wait = self._again_at - now
            words = f"again in {output.duration(wait)}" if wait > 0 else output.duration(-wait)
            cells.append(output.styled((words, "dim")))
        elif pace is not None and pace.total > 0:
            cells.append(ProgressBar(total=pace.total, completed=pace.done, width=24))
            cells.append(output.styled(f"{pace.done * 100 // pace.total:3} %"))
            left = pace.left(now)
            words = f"{of(step)}, {output.duration(left)} left" if left is not None else of(step)
            words += f", {step.detail}" if step.detail else ""
            cells.append(output.styled((words, "dim")))
        else:
            cells.append(output.styled((output.duration(now - self._since), "dim")))
        for _ in cells:
            line.add_column(no_wrap=True)
        line.add_row(*cells)
        return line
