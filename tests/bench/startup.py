"""Start-up of the command line in processor time, as ratios against `python -c pass` and `aws --version`.

Goals: `--version` at most 2.5 × an empty Python, `--help` at most 0.25 × and the local commands that read at most
0.4 × `aws --version`. All run from the same interpreter with compiled bytecode; `aws` is PyPI's awscli, installed into
.bench-venv where it isn't there yet.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.measure import ROOT, Cost, goal, in_turn, median, ratio, run, table

VENV = ROOT / ".bench-venv"
AWSCLI = "awscli>=1.45,<2"
NOTHING, AWS = "python -c pass", "aws --version"
#: Name, arguments, compared with, at most.
OURS = (
    ("mangavid --version", ["--version"], NOTHING, 2.5),
    ("mangavid --help", ["--help"], AWS, 0.25),
    ("mangavid status --json", ["status", "--json"], AWS, 0.4),
    ("mangavid status", ["status"], AWS, 0.4),
    ("mangavid history --json", ["history", "--json"], AWS, 0.4),
    ("mangavid quota --json", ["quota", "--json"], AWS, 0.4),
)


def aws() -> Path:
    """The aws command in the benchmarks' own environment, made where it is missing."""
    command = VENV / "bin" / "aws"
    if not command.exists():
        print(f"installing {AWSCLI} into {VENV.name} …", file=sys.stderr)
        run([sys.executable, "-m", "venv", VENV])
        run([VENV / "bin" / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", AWSCLI])
    return command


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench startup", description=__doc__)
    parser.add_argument("--turns", type=int, default=11)
    turns = parser.parse_args(arguments).turns

    with tempfile.TemporaryDirectory() as home:
        env = {name: "" for name in os.environ if name.startswith("MANGAVID_")}
        env |= {"MANGAVID_HOME": home, "XDG_CONFIG_HOME": home, "PYTHONDONTWRITEBYTECODE": ""}

        def subject(*argv: str | Path) -> Callable[[], Cost]:
            return lambda: run(argv, env=env)

        subjects = {NOTHING: subject(sys.executable, "-c", "pass"), AWS: subject(aws(), "--version")}
        for name, args, _, _ in OURS:
            subjects[name] = subject(sys.executable, "-m", "mangavid", *args)
        in_turn(subjects, 1)  # warms the caches, and writes bytecode
        costs = in_turn(subjects, turns)

    rows = [
        (name, f"{median(cost, 'cpu') * 1000:.0f}", f"{median(cost, 'wall') * 1000:.0f}", f"{median(cost, 'peak'):.0f}")
        for name, cost in costs.items()
    ]
    print(table(("process", "CPU ms", "wall ms", "peak MiB"), rows))
    print()
    goals = []
    for name, _, other, limit in OURS:
        found = ratio(costs[other], costs[name], "cpu")
        goals.append(goal(f"{name} / {other}", found, "", found <= limit, f"<= {limit}"))
    print(table(("goal (CPU, median of pairs)", "measured", "wanted", "met"), goals))
    return 0 if all(row[-1] == "yes" for row in goals) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
