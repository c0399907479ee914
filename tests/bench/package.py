"""Packages of the functions with all their libraries, ready to be uploaded, as a ratio against SAM's uv build.

Goal: at most 0.5 × the time of aws-lambda-builders (dependency manager uv) and of zipping what it built as SAM does.
SAM is given its best case: functions that need the same libraries are one folder, built once. Both find the wheels in
uv's cache and have nothing else. Then ours with one line changed, and with nothing changed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from mangavid.aws.package.groups import GROUPS, Group
from tests.bench.measure import ROOT, Cost, goal, in_turn, median, ratio, run, table

VENV = ROOT / ".bench-venv"
BUILDERS = "aws-lambda-builders>=1.68,<2"
OURS, SAM, LINE, NOTHING = (
    "mangavid, from nothing",
    "SAM's uv build and zips",
    "mangavid, a line changed",
    "mangavid, again",
)
WANTED = 0.5


def functions() -> list[Group]:
    """The groups of functions, with as much of their handlers as there is."""
    there = [group for group in GROUPS if group.functions]
    return [replace(group, own=tuple(one for one in group.own if (ROOT / one).exists())) for group in there]


def build(checkout: str, cache: str, out: str) -> None:
    """What one of our processes does."""
    from mangavid.aws.package.build import build_groups

    build_groups(functions(), Path(cache), Path(out), package=Path(checkout) / "mangavid")


def folders_for_sam(work: Path) -> list[str]:
    made = []
    for group in functions():
        folder = work / "source" / group.name
        shutil.copytree(ROOT / "mangavid", folder / "mangavid")
        pins = re.findall(r"^([\w.-]+==[^\\\n]+)", group.lock.read_text(encoding="utf-8"), re.MULTILINE)
        (folder / "requirements.txt").write_text("\n".join(pins), encoding="utf-8")
        made.append(str(folder))
    return made


def builders() -> Path:
    """The Python of the benchmarks' own environment with aws-lambda-builders, installed where it is missing."""
    python = VENV / "bin" / "python"
    if not python.exists():
        run([sys.executable, "-m", "venv", VENV])
    if not list(VENV.glob("lib/*/site-packages/aws_lambda_builders")):
        print(f"installing {BUILDERS} into {VENV.name} …", file=sys.stderr)
        run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", BUILDERS])
    return python


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench package", description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    turns = parser.parse_args(arguments).turns
    import uv

    path = os.pathsep.join([str(Path(uv.find_uv_bin()).parent), os.environ.get("PATH", "")])
    python = builders()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        checkout = work / "checkout"
        for part in ("mangavid", "lambdas", "ec2"):
            shutil.copytree(ROOT / part, checkout / part)
        order = work / "order.json"
        order.write_text(json.dumps({"work": str(work / "sam"), "functions": folders_for_sam(work)}), encoding="utf-8")
        code = (
            f"from tests.bench.package import build; build({str(checkout)!r}, {name + '/cache'!r}, {name + '/out'!r})"
        )

        def ours(before: Callable[[], object] = lambda: None) -> Callable[[], Cost]:
            def measured() -> Cost:
                before()
                return run([sys.executable, "-c", code])

            return measured

        def from_nothing() -> None:
            for folder in ("cache", "out"):
                shutil.rmtree(work / folder, ignore_errors=True)

        def a_line() -> None:
            with (checkout / "mangavid" / "states" / "fetcher.py").open("a", encoding="utf-8") as file:
                file.write("# one more\n")

        def sam() -> Cost:
            shutil.rmtree(work / "sam", ignore_errors=True)
            return run([python, ROOT / "tests" / "bench" / "package_sam.py", order], env={"PATH": path})

        subjects = {SAM: sam, OURS: ours(from_nothing), LINE: ours(a_line), NOTHING: ours()}
        sam()  # fills uv's cache
        costs = in_turn(subjects, turns)
        sizes = [sum(file.stat().st_size for file in (work / folder).glob("*.zip")) / 1e6 for folder in ("sam", "out")]

    rows = [
        (name, f"{median(cost, 'wall'):.2f}", f"{median(cost, 'cpu'):.2f}", f"{median(cost, 'peak'):.0f}")
        for name, cost in costs.items()
    ]
    print(table(("process", "wall s", "CPU s", "peak MiB"), rows))
    print(f"\nzips: SAM's {sizes[0]:.0f} MB, ours {sizes[1]:.0f} MB\n")
    found = ratio(costs[SAM], costs[OURS], "wall")
    met = found <= WANTED
    print(
        table(
            ("goal (wall, median of pairs)", "measured", "wanted", "met"),
            [goal(f"{OURS} / {SAM}", found, "", met, f"<= {WANTED}")],
        )
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
