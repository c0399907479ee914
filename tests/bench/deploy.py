"""`mangavid deploy` beside SAM CLI on the same emulator (ministack), with the same template and libraries, as ratios.

Goals: a first deploy, one that changes nothing and one of a changed line take at most 0.2 × the time of ``sam build``
and ``sam deploy``; ``deploy --fast`` at most 0.3 × ``sam sync --code``.

SAM is given its best case. Its template is the one that mangavid deployed, with ``Code`` naming local folders;
functions that need the same libraries are one folder, built once; libraries are installed by its uv build, pinned as
ours are; the bucket is there already; it builds in parallel and keeps what it built. Its pause between two looks at a
stack is its default. mangavid makes its bucket, and packs and uploads what renderers and uploaders run too (174 of
315 MB): SAM has nothing for that.

uv's cache is warm throughout. «from nothing»: nothing else is, on either side. «first deploy»: the account is empty;
libraries were installed before (SAM: its build cache; mangavid: their zips), packages are made anew. After that, each
side's folders are as its last deploy left them. A line is changed in the handler of the fetcher (61 MB with its
libraries), or in what all functions share.

``--fast`` and ``sync`` of one function are of the fetcher and of scriptgen (14 MB). «nine functions» is a line in the
reaper's handler: its package is small, but that of nine functions, which mangavid swaps all; SAM swaps the one it is
told to. So it has no goal. It also is near what SAM's layers of libraries would make of every sync: they need a type of
resource that the emulator doesn't have.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests.bench.measure import ROOT, Cost, goal, in_turn, median, ratio, run, table
from tests.fakes.ministack import Ministack, ministack

#: SAM CLI in an environment of its own, from the pins beside this file (``echo aws-sam-cli==… | uv pip compile
#: --universal --no-header --no-annotate --python-version 3.11 -``).
VENV = ROOT / ".bench-venv"
PINS = Path(__file__).with_name("deploy_sam.txt")
STACK, BUCKET = "sam-peer", "sam-peer-packages"
PARTS = ("mangavid", "lambdas", "ec2", "statemachine.asl.json")
SHARED = "mangavid/states/fetcher.py"
FETCHER, SCRIPTGEN, REAPER = (f"lambdas/{name}/handler.py" for name in ("fetcher", "scriptgen", "reaper"))


class Compared(NamedTuple):
    """What is done by both, and at most what part of SAM's time ours may take; 0 where no goal is set."""

    name: str
    wanted: float


#: Without a goal: nearly all of it is making the packages, which has its own (``package``).
NOTHING = Compared("from nothing", 0)
FIRST = Compared("first deploy", 0.2)
SAME = Compared("no change", 0.2)
LINE = Compared("a handler's line", 0.2)
EVERY = Compared("a shared line", 0.2)
FAST = Compared("--fast, 61 MB", 0.3)
MIDDLE = Compared("--fast, 14 MB", 0.3)
NINE = Compared("--fast, nine functions", 0)
ALL = (NOTHING, FIRST, SAME, LINE, EVERY, FAST, MIDDLE, NINE)


class Mangavid:
    """A copy of the checkout, with a cache of its own."""

    def __init__(self, server: Ministack, folder: Path) -> None:
        self.checkout, self._cache = folder / "checkout", folder / "cache"
        for part in PARTS:
            _copy(ROOT / part, self.checkout / part)
        run([sys.executable, "-m", "compileall", "-q", self.checkout / "mangavid"], env=_COMPILED)
        settings = {"XDG_CACHE_HOME": self._cache, "XDG_CONFIG_HOME": folder, "MANGAVID_CONFIG": ""}
        self._env = {**server.environment, **_COMPILED, **{name: str(value) for name, value in settings.items()}}

    def deploy(self, *options: str) -> Cost:
        command = [sys.executable, "-m", "mangavid", "deploy", *(options or ("--yes", "--ignore-checks"))]
        return run(command, env=self._env, cwd=self.checkout)

    def from_nothing(self) -> Cost:
        shutil.rmtree(self._cache, ignore_errors=True)
        return self.deploy()

    def first(self) -> Cost:
        shutil.rmtree(self._cache / "mangavid" / "packages")
        return self.deploy()

    def changed(self, file: str, *options: str) -> Cost:
        _change(self.checkout / file)
        return self.deploy(*options)


class Sam:
    """A project of SAM's, made of what mangavid deployed."""

    def __init__(self, server: Ministack, folder: Path) -> None:
        import uv

        self._server, self.project, self._program = server, folder / "project", _sam()
        self._agreed = False
        self._env = {
            **server.environment,
            **_COMPILED,
            "PATH": os.pathsep.join([str(Path(uv.find_uv_bin()).parent), os.environ.get("PATH", os.defpath)]),
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(folder / "sam"),  # it keeps there that it has asked about sync once
        }
        self._names = ["--stack-name", STACK, "--s3-bucket", BUCKET, "--capabilities", "CAPABILITY_NAMED_IAM"]
        run([sys.executable, Path(__file__).with_name("deploy_sam.py"), self.project, STACK], env=self._env)

    def _run(self, *arguments: str) -> Cost:
        return run([self._program, *arguments], env=self._env, cwd=self.project)

    def _empty_account(self) -> None:
        self._server.reset()
        request = urllib.request.Request(f"{self._server.url}/{BUCKET}", method="PUT")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30).close()

    def build(self, *options: str) -> Cost:
        return self._run("build", "--template", "template.json", "--beta-features", "--parallel", *options)

    def deploy(self) -> Cost:
        return self._run(
            "deploy", *self._names, "--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"
        )

    def from_nothing(self) -> Cost:
        self._empty_account()
        shutil.rmtree(self.project / ".aws-sam", ignore_errors=True)
        cost = self.build() + self.deploy()
        self.build("--cached")  # what it takes to keep things is not held against it
        return cost

    def first(self) -> Cost:
        self._empty_account()
        return self.again()

    def again(self) -> Cost:
        return self.build("--cached") + self.deploy()

    def changed(self, file: str) -> Cost:
        self._change(file)
        return self.again()

    def _change(self, file: str) -> None:
        """In each folder that has it."""
        for one in self.project.glob(f"*/{file}"):
            _change(one)

    def _sync(self, function: str) -> list[str]:
        where = ["--template", "template.json", "--no-dependency-layer", "--beta-features"]
        return ["sync", "--code", "--resource-id", f"{function}Function", *self._names, *where]

    def sync(self, file: str, function: str) -> Cost:
        if not self._agreed:
            self._agree(function)
        self._change(file)
        return self._run(*self._sync(function))

    def _agree(self, function: str) -> None:
        """It asks once whether this is a stack to play with."""
        command = [str(self._program), *self._sync(function)]
        env = {**os.environ, **self._env}
        subprocess.run(command, cwd=self.project, env=env, input=b"Y\n", capture_output=True, check=True, timeout=600)
        self._agreed = True


#: Python code is compiled once, whatever this process was told.
_COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _change(file: Path) -> None:
    with file.open("a", encoding="utf-8") as opened:
        opened.write("# one more\n")


def _sam() -> Path:
    """The program; it is installed first where it is not, or not as pinned."""
    import uv

    python = VENV / f"sam-{hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]}"
    VENV.mkdir(exist_ok=True)
    with (VENV / ".sam-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (python / ".whole").exists():
            print(f"installing SAM CLI into {VENV.name} …", file=sys.stderr)
            command = [uv.find_uv_bin(), "--quiet", "--no-progress"]
            run([*command, "venv", "--clear", "--python", sys.executable, python])
            where = ["--python", str(python / "bin" / "python"), "--compile-bytecode", "--only-binary", ":all:"]
            run([*command, "pip", "install", "--no-deps", *where, "--requirement", str(PINS)])
            (python / ".whole").touch()
    return python / "bin" / "sam"


def subjects(ours: Mangavid, sam: Sam) -> dict[tuple[str, Compared], Callable[[], Cost]]:
    """In the order in which one builds on another. SAM's comes first: its empties the account."""
    pairs: dict[Compared, tuple[Callable[[], Cost], Callable[[], Cost]]] = {
        NOTHING: (sam.from_nothing, ours.from_nothing),
        FIRST: (sam.first, ours.first),
        SAME: (sam.again, ours.deploy),
        LINE: (lambda: sam.changed(FETCHER), lambda: ours.changed(FETCHER)),
        EVERY: (lambda: sam.changed(SHARED), lambda: ours.changed(SHARED)),
        FAST: (lambda: sam.sync(FETCHER, "Fetcher"), lambda: ours.changed(FETCHER, "--fast")),
        MIDDLE: (lambda: sam.sync(SCRIPTGEN, "Scriptgen"), lambda: ours.changed(SCRIPTGEN, "--fast")),
        NINE: (lambda: sam.sync(REAPER, "Reaper"), lambda: ours.changed(REAPER, "--fast")),
    }
    return {
        (who, what): subject for what, both in pairs.items() for who, subject in zip(("sam", "ours"), both, strict=True)
    }


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench deploy", description=__doc__)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one turn")
    options = parser.parse_args(arguments)
    os.environ.pop("AWS_PROFILE", None)
    with ministack() as server, tempfile.TemporaryDirectory(prefix="bench-deploy-") as name:
        ours = Mangavid(server, Path(name))
        ours.from_nothing()  # uv's cache is filled, and SAM can see the template
        sam = Sam(server, Path(name))
        sam.build()
        measured = {f"{what.name}: {who}": one for (who, what), one in subjects(ours, sam).items()}
        costs = in_turn(measured, 1 if options.quick else options.turns)
    pairs = {what: (costs[f"{what.name}: ours"], costs[f"{what.name}: sam"]) for what in ALL}

    rows = [
        (what.name, *(f"{median(side, field):.2f}" for field in ("wall", "cpu") for side in both))
        for what, both in pairs.items()
    ]
    print(table(("seconds, median", "mangavid", "SAM", "CPU: mangavid", "SAM"), rows))
    found = {what: ratio(sam_, ours_, "wall") for what, (ours_, sam_) in pairs.items()}
    goals = [
        goal(what.name, value, "", value <= what.wanted, f"<= {what.wanted}")
        if what.wanted
        else (what.name, f"{value:.2f}", "", "")
        for what, value in found.items()
    ]
    print(f"\n{table(('goal: mangavid / SAM (wall, median of pairs)', 'measured', 'wanted', 'met'), goals)}")
    return 0 if all(value <= what.wanted for what, value in found.items() if what.wanted) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
