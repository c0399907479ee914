"""Demo: how much of a run of the bundled chapter is not encoding (goal: at most 10 % of its wall time).

The ledger of effects is watched while ``mangavid run --sample`` works. Encoding is the time from the first checkpoint
of the renderer (it knows what is missing) to its last segment; all else is the workflow engine, the stores, splitting,
speaking, starting processes, joining and checking, publishing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import measure

GOAL = 0.10


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench demo", description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one turn")
    options = parser.parse_args(arguments)
    turns = [_turn() for _ in range(1 if options.quick else options.turns)]
    rows = [
        [part, f"{statistics.median(turn[part] for turn in turns):.2f} s", f"{_share(turns, part):.1%}"]
        for part in ("fetch, split, write", "speak", "start the renderer", "encode", "join, check, publish")
    ]
    rest = statistics.median(1 - turn["encode"] / turn["all"] for turn in turns)
    print(measure.table(["demo run, 7 pages", "wall", "of the run"], rows))
    print(f"\nall but the encoder: {rest:.1%} of the wall time (goal: at most {GOAL:.0%})")
    return 0 if rest <= GOAL else 1


def _share(turns: list[dict[str, float]], part: str) -> float:
    return statistics.median(turn[part] / turn["all"] for turn in turns)


def _turn() -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as folder:
        ledger = Path(folder) / "ledger"
        environment = {**os.environ, "MANGAVID_FAULT_LOG": str(ledger), "XDG_CONFIG_HOME": folder}
        command = [sys.executable, "-m", "mangavid", "--home", f"{folder}/home", "run", "--sample"]
        began = time.perf_counter()
        first: dict[str, float] = {}
        last: dict[str, float] = {}
        seen = 0
        with subprocess.Popen(
            command, cwd=measure.ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as run:
            while run.poll() is None:
                time.sleep(0.01)
                now = time.perf_counter() - began
                lines = ledger.read_text().splitlines() if ledger.exists() else []
                for line in lines[seen:]:
                    name = line.partition(" ")[0]
                    first.setdefault(name, now)
                    last[name] = now
                seen = len(lines)
            whole = time.perf_counter() - began
    if run.returncode != 0:
        sys.exit(f"the demo ended with {run.returncode}")
    encoding = (first["lease.checkpointed"], last["segment.done"])
    return {
        "fetch, split, write": last["script.written"],
        "speak": last["scene.spoken"] - last["script.written"],
        "start the renderer": encoding[0] - last["scene.spoken"],
        "encode": encoding[1] - encoding[0],
        "join, check, publish": whole - encoding[1],
        "all": whole,
    }
