"""`status` over 10,000 jobs and `history` of 25,000 events: time to the first screen and memory, here and on AWS.

AWS is emulated on loopback: DynamoDB by ministack, Step Functions by ``scale_server``. Beside it, in turn, the least
that asks the same of the service: plain boto3, a page after the other, nothing kept and nothing laid out (on this
machine sqlite3). The first screen is the first line on a terminal, from the start of the process.

Goals, on AWS: the first screen of either in less than 1 s, at most 2 × the memory of plain boto3. On both targets,
memory is bounded: a history of 25,000 events takes at most 1.3 × the memory that the history of three videos takes,
and the first screen of 10,000 jobs 1.3 × that of 100.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench.measure import ROOT, goal, table
from tests.fakes.ministack import Ministack, ministack

JOBS, RUNS, FEW_JOBS, FEW_RUNS = 10_000, 3_333, 100, 33
#: 56 events each: a little below the 25,000 that an execution may have.
VIDEOS, FEW_VIDEOS = 440, 3
FLOOR = Path(__file__).with_name("scale_floor.py")
LONG, SHORT = "long-run", "short-run"


class Seen(NamedTuple):
    """Seconds to the first line and to the end, seconds of processor, MiB at the most."""

    first: float
    end: float
    cpu: float
    peak: float


#: Starts a command and tells its beginning, end, status, processor time and peak: a child's peak counts from what its
#: parent held, and this one holds next to nothing.
_RUNNER = """
import os, sys, time
began = time.perf_counter()
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
told = began, time.perf_counter(), status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss
os.write(int(sys.argv[1]), " ".join(map(str, told)).encode())
"""


def show(argv: Sequence[str | Path], env: Mapping[str, str]) -> Seen:
    """Run a command on a terminal of 120 × 40; raises SystemExit with its output where it fails."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    reading, writing = os.pipe()
    command = [str(part) for part in argv]
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _RUNNER, str(writing), *command],
            cwd=ROOT,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=its,
            stderr=errors,
            pass_fds=[writing],
        ):
            os.close(its)
            os.close(writing)
            first = 0.0
            while data := _read(ours):
                if not first and b"\n" in data:
                    first = time.perf_counter()
        began, end, status, cpu, peak = (float(word) for word in os.read(reading, 1000).split())
        os.close(ours)
        os.close(reading)
        if status or not first:
            errors.seek(0)
            sys.exit(f"{' '.join(command)}\nended with {status:.0f}:\n{errors.read().decode()}")
    return Seen(first - began, end - began, cpu, peak / (2**20 if sys.platform == "darwin" else 2**10))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's way to say that nobody holds the other end any more
        return b""


# --- what is shown --------------------------------------------------------------------------------------------------


def fill_table(server: Ministack, count: int, runs: int) -> None:
    """The table of the template, with this many jobs."""
    script = "from tests.bench.scale import _fill_table; import sys; _fill_table(int(sys.argv[1]), int(sys.argv[2]))"
    _do([sys.executable, "-c", script, str(count), str(runs)], server.environment)


def _fill_table(count: int, runs: int) -> None:
    import boto3

    from mangavid.aws.jobs import table_definition, typed
    from tests.bench import scale_data

    client, name = boto3.client("dynamodb"), "manga-pipeline-jobs"
    if name in client.list_tables()["TableNames"]:
        client.delete_table(TableName=name)
    client.create_table(**table_definition(name))
    items = [*scale_data.jobs(count), *({**item, "kind": "RUN"} for item in scale_data.runs(runs))]
    for begin in range(0, len(items), 25):
        puts = [
            {"PutRequest": {"Item": {"pk" if k == "key" else k: typed(v) for k, v in item.items()}}}
            for item in items[begin : begin + 25]
        ]
        assert not client.batch_write_item(RequestItems={name: puts}).get("UnprocessedItems")


def fill_home(home: Path, count: int, runs: int, videos: int) -> None:
    """Jobs, the executions that made them, and a long one; in a process of its own, this one stays small."""
    home.mkdir()
    script = "from tests.bench.scale import _fill_home; import sys; _fill_home(*sys.argv[1:])"
    _do([sys.executable, "-c", script, *map(str, (home, count, runs, videos))], {})


def _fill_home(home: str, count: str, runs: str, videos: str) -> None:
    import sqlite3

    from mangavid.local.engine.executions import JournalExecutions
    from mangavid.local.jobs import SqliteJobs
    from mangavid.ports import Change
    from tests.bench import scale_data

    items = [*scale_data.jobs(int(count)), *scale_data.runs(int(runs))]
    jobs = SqliteJobs(Path(home) / "jobs.db")
    for begin in range(0, len(items), 500):
        jobs.change(*(Change(key=one.pop("key"), set=one) for one in items[begin : begin + 500]))
    journal = Path(home) / "journal.db"
    scale_data.Workflow(journal, FEW_VIDEOS).run(SHORT)
    scale_data.Workflow(journal, int(videos)).run(LONG)
    kept = JournalExecutions(journal)
    (like,) = (one.arn for one in kept.list() if one.name == SHORT)
    with sqlite3.connect(journal) as db:
        for one in list(scale_data.executions(int(runs)))[::-1]:
            arn = like.removesuffix(SHORT) + one["name"]
            began, ended = (scale_data.moment(one[field]).isoformat() for field in ("startDate", "stopDate"))
            db.execute(
                "INSERT INTO executions (arn, name, status, started, stopped, input, output, definition, cursor)"
                " SELECT ?, ?, 'SUCCEEDED', ?, ?, input, output, definition, cursor FROM executions WHERE arn = ?",
                (arn, one["name"], began, ended, like),
            )


def _do(argv: Sequence[str], env: Mapping[str, str]) -> None:
    done = subprocess.run(argv, cwd=ROOT, env={**os.environ, **env}, check=False)
    if done.returncode:
        sys.exit(f"the targets could not be filled: {done.returncode}")


@contextmanager
def step_functions(journal: Path) -> Iterator[str]:
    """The address of a server of the journal's executions, and of others."""
    command = [sys.executable, "-m", "tests.bench.scale_server", str(journal), str(RUNS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


# --- timing ---------------------------------------------------------------------------------------------------------

Subjects = dict[str, Callable[[], Seen]]


def subjects_here(home: Path, name: str = "here") -> Subjects:
    env = _settings(home)
    arn = f"arn:aws:states:local:000000000000:execution:manga-pipeline:{LONG}"
    return {
        f"{name}: sqlite3, first 20": _floor("status-here", home, "first", env=env),
        f"{name}: status": _ours("status", env=env),
        f"{name}: sqlite3, all jobs": _floor("status-here", home, "all", env=env),
        f"{name}: status --all": _ours("status", "--all", env=env),
        f"{name}: sqlite3, all events": _floor("history-here", home, arn, env=env),
        f"{name}: history": _ours("history", LONG, env=env),
        f"{name}: history, short": _ours("history", SHORT, env=env),
    }


def subjects_aws(home: Path, server: Ministack, states: str) -> Subjects:
    from tests.bench.scale_server import EXECUTION

    env = {**_settings(home), **server.environment, "MANGAVID_TARGET": "aws", "AWS_ENDPOINT_URL_SFN": states}
    return {
        "AWS: boto3, first 20": _floor("status-aws", "first", env=env),
        "AWS: status": _ours("status", env=env),
        "AWS: boto3, all jobs": _floor("status-aws", "all", env=env),
        "AWS: status --all": _ours("status", "--all", env=env),
        "AWS: boto3, all events": _floor("history-aws", f"{EXECUTION}:{LONG}", env=env),
        "AWS: history": _ours("history", LONG, env=env),
        "AWS: history, short": _ours("history", SHORT, env=env),
    }


def _settings(home: Path) -> dict[str, str]:
    env = {name: "" for name in os.environ if name.startswith("MANGAVID_")}
    more = {"MANGAVID_HOME": str(home), "XDG_CONFIG_HOME": str(home), "PYTHONDONTWRITEBYTECODE": ""}
    return {**env, **more, "TERM": "xterm-256color"}


def _ours(*arguments: str, env: Mapping[str, str]) -> Callable[[], Seen]:
    return lambda: show([sys.executable, "-m", "mangavid", *arguments], env)


def _floor(*arguments: str | Path, env: Mapping[str, str]) -> Callable[[], Seen]:
    return lambda: show([sys.executable, FLOOR, *arguments], env)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench scale", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=7)
    turns = parser.parse_args(arguments).turns
    few = [sys.executable, "-m", "mangavid", "status"]
    with tempfile.TemporaryDirectory() as folder, ministack() as server:
        home, small = Path(folder) / "home", Path(folder) / "small"
        print("filling the targets: about a minute …", file=sys.stderr, flush=True)
        fill_home(home, JOBS, RUNS, VIDEOS)
        fill_home(small, FEW_JOBS, FEW_RUNS, 1)
        with step_functions(home / "journal.db") as states:
            subjects = {
                **subjects_here(home),
                "here: status, few": lambda: show(few, _settings(small)),
                **subjects_aws(home, server, states),
            }
            fill_table(server, FEW_JOBS, FEW_RUNS)
            on_few = [subjects["AWS: status"]() for _ in range(min(turns, 3) + 1)][1:]
            fill_table(server, JOBS, RUNS)
            _in_turn(subjects, 1)  # warms the caches, and writes bytecode
            seen = _in_turn(subjects, turns)
    seen["AWS: status, few"] = on_few
    return _report(seen)


def _in_turn(subjects: Subjects, turns: int) -> dict[str, list[Seen]]:
    seen: dict[str, list[Seen]] = {name: [] for name in subjects}
    for turn in range(turns):
        print(f"turn {turn + 1} of {turns} …", file=sys.stderr, flush=True)
        for name, subject in subjects.items():
            seen[name].append(subject())
    return seen


def _report(seen: Mapping[str, list[Seen]]) -> int:
    def median(name: str, what: str) -> float:
        return statistics.median(getattr(one, what) for one in seen[name])

    def ratio(name: str, other: str, what: str) -> float:
        return median(name, what) / median(other, what)

    rows = [
        (
            name,
            f"{median(name, 'first') * 1000:.0f}",
            f"{median(name, 'end') * 1000:.0f}",
            f"{median(name, 'cpu') * 1000:.0f}",
            f"{median(name, 'peak'):.0f}",
        )
        for name in seen
    ]
    print(table(("process", "first screen ms", "end ms", "CPU ms", "peak MiB"), rows))
    floors = {"status": "boto3, first 20", "status --all": "boto3, all jobs", "history": "boto3, all events"}
    print()
    compared = [
        (f"AWS: {ours} / {floor}", *(f"{ratio(f'AWS: {ours}', f'AWS: {floor}', what):.2f}" for what in Seen._fields))
        for ours, floor in floors.items()
    ]
    print(table(("compared", "first screen", "end", "CPU", "peak"), compared))
    print()
    goals = []
    for ours in ("status", "history"):
        first = median(f"AWS: {ours}", "first")
        goals.append(goal(f"AWS: {ours}, first screen", first, " s", first < 1, "< 1 s"))
    for ours, floor in floors.items():
        more = ratio(f"AWS: {ours}", f"AWS: {floor}", "peak")
        goals.append(goal(f"AWS: {ours} / {floor}, memory", more, "", more <= 2, "<= 2"))
    for where in ("AWS", "here"):
        for ours, small in (("status", "status, few"), ("history", "history, short")):
            more = ratio(f"{where}: {ours}", f"{where}: {small}", "peak")
            goals.append(goal(f"{where}: {ours} / {small}, memory", more, "", more <= 1.3, "<= 1.3"))
    print(table(("goal (medians)", "measured", "wanted", "met"), goals))
    return 0 if all(row[-1] == "yes" for row in goals) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
