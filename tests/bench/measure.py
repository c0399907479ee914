"""Timing whole process trees, in pairs, and printing what came out.

CPU is user + system time of a process and all it waited for; memory is the peak of the largest one of them. Runs being
compared are taken in turn (A B A B …), ratios are made within a turn, and their median is told: a machine that is busy
for a while then slows both.

Keep the benchmark's own process small: a child's peak counts from what its parent held when it was started.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Cost(NamedTuple):
    """Seconds of processor, seconds by the clock, MiB of the largest process."""

    cpu: float
    wall: float
    peak: float

    def __add__(self, other: object) -> Cost:
        assert isinstance(other, Cost)
        return Cost(self.cpu + other.cpu, self.wall + other.wall, max(self.peak, other.peak))


def run(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None, cwd: Path = ROOT) -> Cost:
    """Run a command to its end; raises SystemExit with its output where it fails."""
    began = time.perf_counter()
    with subprocess.Popen(
        [str(part) for part in argv],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, argv))}\nended with {process.returncode}:\n{output.decode(errors='replace')}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / unit)


def in_turn(subjects: Mapping[str, Callable[[], Cost]], turns: int) -> dict[str, list[Cost]]:
    """Each subject measured once a turn, telling on stderr how it goes."""
    costs: dict[str, list[Cost]] = {name: [] for name in subjects}
    for turn in range(turns):
        for name, subject in subjects.items():
            print(f"turn {turn + 1} of {turns}: {name} …", file=sys.stderr, flush=True)
            costs[name].append(subject())
    return costs


def ratio(ours: Sequence[Cost], theirs: Sequence[Cost], what: str) -> float:
    """Median over the turns of theirs / ours, for one field of Cost."""
    return statistics.median(getattr(b, what) / getattr(a, what) for a, b in zip(ours, theirs, strict=True))


def median(costs: Sequence[Cost], what: str) -> float:
    return statistics.median(getattr(cost, what) for cost in costs)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A plain table: first column to the left, the rest to the right."""
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        )

    return "\n".join([line(head), "  ".join("-" * width for width in widths), *map(line, rows)])


def goal(name: str, value: float, unit: str, met: bool, wanted: str) -> tuple[str, str, str, str]:
    """A row of a table of goals."""
    return name, f"{value:.2f}{unit}", wanted, "yes" if met else "NO"
