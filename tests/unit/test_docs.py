"""The documents: links lead somewhere, what is made from the code is current, what they name is there."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mangavid import errors
from mangavid.local.handlers import FUNCTIONS, PREFIX

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for folder in (ROOT, DOCS, DOCS / "adr", ROOT / "lambdas", ROOT / "ec2")
    for page in folder.glob("*.md")
)
GENERATED = ["ARCHITECTURE.md", "cli.md", "exit-codes.md", "state-machine.md"]
_BLOCK = re.compile(r"```.*?```", re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NAME = re.compile(r"`([^`]+)`")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_SUFFIXES = (".py", ".json", ".md", ".yaml", ".toml")


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def anchor(heading: str) -> str:
    """A heading as GitHub names it in a link."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)}


def rows(text: str) -> Iterator[list[str]]:
    """Cells of every row of every table, heads and rules among them."""
    for line in text.splitlines():
        if line.startswith("|"):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def paths_in(text: str) -> set[str]:
    """What is written as code and looks like a path of the repository: it holds a slash, or ends like a file here."""
    found = {name for name in _NAME.findall(text) if _PATH.fullmatch(name)}
    return {name for name in found if "/" in name or name.endswith(_SUFFIXES)}


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_to_a_file_and_a_heading_that_are_there(page: str) -> None:
    lost = []
    for target in _LINK.findall(_NAME.sub("", prose(ROOT / page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        file = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        if not file.is_relative_to(ROOT) or not file.exists() or (heading and heading not in anchors(file)):
            lost.append(target)
    assert not lost


def test_the_tables_of_the_architecture_name_what_is_there() -> None:
    cells = [cell for row in rows(prose(DOCS / "ARCHITECTURE.md")) for cell in row]
    named = {path for cell in cells for path in paths_in(cell)}
    assert {"mangavid/ports.py", "tests/unit/", "statemachine.asl.json"} <= named
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", PAGES)
def test_files_of_the_package_that_a_page_names_are_there(page: str) -> None:
    named = {
        path for path in paths_in(prose(ROOT / page)) if path.startswith(("mangavid/", "tests/", "scripts/", "docs/"))
    }
    assert not [path for path in sorted(named) if not (ROOT / path).exists()]


def test_every_room_of_the_package_is_in_the_architecture() -> None:
    rooms = {path.parent.name for path in (ROOT / "mangavid").glob("*/__init__.py")}
    files = {path.name for path in (ROOT / "mangavid").glob("*.py")} - {"__init__.py", "__main__.py", "version.py"}
    named = paths_in(prose(DOCS / "ARCHITECTURE.md"))
    assert {f"mangavid/{room}/" for room in rooms} | {f"mangavid/{file}" for file in files} <= named


def test_every_fault_point_is_explained_and_no_other() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "mangavid").rglob("*.py"))
    points = set(re.findall(r"faults\.point\(\"([^\"]+)\"", text))
    part = prose(DOCS / "protocol.md").partition("## Fault points")[2].partition("## The matrix")[0]
    explained = {name for row in rows(part) for name in _NAME.findall(row[0])}
    assert explained == points


def test_every_decision_is_in_the_index() -> None:
    index = prose(DOCS / "adr" / "README.md")
    pages = {path.name for path in (DOCS / "adr").glob("[0-9]*.md")}
    assert set(_LINK.findall(index)) == pages


def test_the_page_of_the_functions_names_each_with_its_folder() -> None:
    page = rows(prose(ROOT / "lambdas" / "README.md"))
    listed = {tuple(_NAME.findall(f"{row[0]} {row[1]}")) for row in page if row[0].startswith("`")}
    assert listed == {(PREFIX + name, module) for name, module in FUNCTIONS.items()}


# --- what is made from the code -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def generator() -> Iterator[ModuleType]:
    path, known = list(sys.path), set(sys.modules)
    spec = importlib.util.spec_from_file_location("generate_docs", ROOT / "scripts" / "generate_docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = path
    for name in {"generate_states"} & set(sys.modules) - known:
        del sys.modules[name]


def test_no_generated_page_is_forgotten_here(generator: ModuleType) -> None:
    assert sorted(generator.PAGES) == GENERATED


@pytest.mark.parametrize("page", GENERATED)
def test_the_generated_pages_are_current(generator: ModuleType, page: str) -> None:
    current = (DOCS / page).read_text(encoding="utf-8")
    assert current == generator.PAGES[page](), "run: python scripts/generate_docs.py"


def test_the_page_of_exit_codes_has_every_code_that_a_command_can_leave_with(generator: ModuleType) -> None:
    page = generator.exit_codes()
    for kind in errors.every_error():
        assert f"| {kind.exit_code} |" in page
