"""The wheel, installed outside the checkout: everything travels inside it, and it runs from any folder."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.faults.chapters import SMALL

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel alone; the libraries it needs are lent by this one, without its .pth files."""
    folder = tmp_path_factory.mktemp("elsewhere") / "env"
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--no-deps", str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    return folder


def run(installed: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MANGAVID_")}
    environment |= {**SMALL, "PYTHONPATH": os.pathsep.join(site.getsitepackages()), "XDG_CONFIG_HOME": str(cwd)}
    return subprocess.run(
        [str(installed / "bin" / "mangavid"), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_everything_that_is_not_python_travels_in_the_wheel(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for wanted in (
        "mangavid/_bundle/statemachine.asl.json",
        "mangavid/_bundle/config.example.yaml",
        "mangavid/_bundle/lambdas/README.md",
        "mangavid/_bundle/ec2/user_data.py",
        "mangavid/aws/package/locks/worker.txt",
        "mangavid/sample/ComicInfo.xml",
        "mangavid/sample/narration.yaml",
        "mangavid/sample/01.png",
    ):
        assert wanted in names
    assert not [name for name in names if name.startswith(("tests/", "scripts/", "docs/"))]


def test_the_bundled_chapter_becomes_a_video_from_any_folder(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "--home", "here", "run", "--sample", "--json")
    assert done.returncode == 0, done.stderr
    (made,) = json.loads(done.stdout)["made"]
    for kind in ("video", "captions", "thumbnail", "metadata"):
        assert Path(made[kind]).is_file()
        assert Path(made[kind]).is_relative_to(tmp_path)


def test_what_runs_is_the_wheel_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    code = (
        "import mangavid, mangavid.resources as r; print(mangavid.__file__); print(r.bundled('statemachine.asl.json'))"
    )
    done = subprocess.run(
        [str(installed / "bin" / "python"), "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(site.getsitepackages())},
        capture_output=True,
        text=True,
        check=True,
    )
    for line in done.stdout.split():
        assert Path(line).resolve().is_relative_to(installed.resolve())
