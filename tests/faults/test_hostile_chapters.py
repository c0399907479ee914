"""Chapters made to break the reader, each taken in for real, in a process that is watched (``hostile_child``)."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mangavid.errors import BadSidecar, by_name
from tests.faults import hostile

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
MEMORY = 256 * 1024 * 1024
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What came of each case, by name; the process itself under «»."""
    folder = tmp_path_factory.mktemp("hostile")
    ran = subprocess.run(
        [sys.executable, "-m", "tests.faults.hostile_child", str(folder / "chapters")],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert [entry.name for entry in folder.iterdir()] == ["chapters"]
    return {line["case"]: line for line in map(json.loads, ran.stdout.splitlines())}


def test_there_are_at_least_200_of_25_kinds() -> None:
    assert len(hostile.CASES) >= 200
    assert len(list(hostile.classes())) >= 25


@pytest.mark.parametrize("name", hostile.CASES)
def test_what_comes_of_it_is_what_should(name: str, results: dict[str, dict[str, Any]]) -> None:
    result, expected = results[name], hostile.CASES[name][1]
    if isinstance(expected, int):
        assert len(result.get("pages", ())) == expected, result
    elif expected is not None:
        raised = by_name(result.get("error", ""))
        assert raised is not None and issubclass(raised, expected), result
    if "error" in result:
        raised = by_name(result["error"])
        assert raised is not None and raised.exit_code == 3, result
        assert_plain_words(result)
    for page, ext, width, height in result.get("pages", ()):
        assert ext in ("jpg", "png", "webp") and width >= 16 and height >= 16
        assert page and not CONTROL.search(page) and not page.startswith("/") and ".." not in page.split("/")
    for text in result.get("texts", ()):
        assert not CONTROL.search(text), result
    assert result["did"] == []


def assert_plain_words(result: dict[str, Any]) -> None:
    """One line (a sidecar's problems: one each) that names the chapter, without anything a terminal would obey."""
    lines = result["message"].splitlines()
    if result["error"] != BadSidecar.__name__:
        assert len(lines) == 1, result
    for line in [*lines, result["hint"]]:
        assert not CONTROL.search(line), result
        assert len(line) < 700
    assert re.search(r"chapter|a\.\w+|1\.png|none|\.cbz|xxx", lines[0]), result
    assert result["hint"] or "did you mean" in lines[0], result


def test_memory_stays_bounded_whatever_they_hold(results: dict[str, dict[str, Any]]) -> None:
    assert results[""]["peak"] < MEMORY


@pytest.mark.parametrize(
    "name",
    ["bomb/200 MB said plainly", "truncated jpg/8 of 16", "sidecar/a tag", "path/missing, with orders in its name"],
)
def test_the_command_line_ends_with_code_3_and_plain_words(name: str, tmp_path: Path) -> None:
    path = hostile.build(name, tmp_path / "in")
    home = tmp_path / "home"
    ran = subprocess.run(
        [sys.executable, "-m", "mangavid", "run", str(path)],
        cwd=REPOSITORY,
        env={**os.environ, "MANGAVID_LOCAL_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 3, ran.stderr
    assert "Traceback" not in ran.stderr
    assert "hint: " in ran.stderr
    assert not CONTROL.search(ran.stderr.replace("\n", ""))
    assert {entry.name for entry in tmp_path.iterdir()} <= {"in", "home"}
