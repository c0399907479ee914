"""Packages for AWS: what is in them, that they are the same bytes whoever makes them, and how making one fails.

The libraries here are wheels that the tests write: nothing is fetched.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import os
import re
import resource
import shutil
import signal
import stat
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mangavid import asl
from mangavid.aws import package
from mangavid.aws.package import groups, libraries
from mangavid.aws.package.build import Package, build_groups, own_code
from mangavid.aws.package.groups import GROUPS, LAMBDA_LIMIT, Group, System
from mangavid.errors import BadInput, StorageFull, UpstreamUnavailable
from mangavid.local.handlers import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]


class Shop:
    """A folder of wheels for uv, and a checkout with two functions and a worker."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wheels = folder / "wheels"
        self.checkout = folder / "checkout"
        self.cache = folder / "cache"
        self.out = folder / "out"
        self.told: list[tuple[str, str]] = []
        self.wheels.mkdir(parents=True)
        for name in ("UV_OFFLINE", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX", "UV_EXTRA_INDEX_URL"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("UV_NO_INDEX", "1")
        monkeypatch.setenv("UV_FIND_LINKS", str(self.wheels))
        monkeypatch.setenv("UV_CACHE_DIR", str(folder / "uv"))
        self.code("mangavid/__init__.py", "")
        self.code("mangavid/states/one.py", "ONE = 1\n")
        self.code("mangavid/cli/app.py", "import typer\n")
        self.code("lambdas/first/handler.py", "def handler(event, context): ...\n")
        self.code("lambdas/second/handler.py", "def handler(event, context): ...\n")
        self.code("ec2/renderer/main.py", "print('renders')\n")

    def code(self, name: str, text: str) -> None:
        file = self.checkout / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def wheel(self, name: str = "tiny", tag: str = "py3-none-any", **files: bytes) -> str:
        """Write a wheel of files (``__`` in a name is a slash, ``_dot_`` a dot); returns its line of a lock."""
        info = f"{name}-1.0.dist-info"
        content = {file.replace("__", "/").replace("_dot_", "."): data for file, data in files.items()}
        content[f"{name}/__init__.py"] = b"VALUE = 1\n"
        content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
        content[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
        record = "".join(
            f"{file},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n"
            for file, data in content.items()
        )
        content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
        path = self.wheels / f"{name}-1.0-{tag}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            for file, data in content.items():
                entry = zipfile.ZipInfo(file, (2020, 1, 1, 0, 0, 0))
                entry.external_attr = (stat.S_IFREG | (0o755 if "program" in file else 0o644)) << 16
                archive.writestr(entry, data)
        return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"

    def group(self, name: str, lock: str, own: tuple[str, ...], system: System = groups.LAMBDA) -> Group:
        file = self.checkout.parent / f"{name}.txt"
        file.write_text(lock, encoding="utf-8")
        return Group(name=name, system=system, lock=file, own=own)

    def usual(self) -> tuple[Group, ...]:
        lock = self.wheel()
        return (
            self.group("first", lock, ("lambdas/first",)),
            self.group("second", lock, ("lambdas/second",)),
            self.group("worker", lock, ("ec2/renderer",), groups.WORKER),
        )

    def build(self, *which: Group) -> dict[str, Package]:
        self.told = []
        return build_groups(
            which,
            self.cache,
            self.out,
            progress=lambda name, what: self.told.append((name, what)),
            package=self.checkout / "mangavid",
        )


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    return Shop(tmp_path / "shop", monkeypatch)


def names(package: Package) -> set[str]:
    with zipfile.ZipFile(package.file) as archive:
        return set(archive.namelist())


def changed(before: dict[str, Package], after: dict[str, Package]) -> set[str]:
    return {name for name in before if before[name].key != after[name].key}


def test_every_function_of_the_state_machine_has_the_handler_that_serves_it_here_too() -> None:
    called = set(re.findall(r"function:manga-pipeline-([a-z-]+)", asl.source()))
    assert called == FUNCTIONS.keys() == package.FOLDERS.keys() - {"reaper"}
    assert package.HANDLERS["fetcher"] == "lambdas.fetcher.handler.handler"


def test_each_function_is_in_one_package() -> None:
    assert sorted(function for group in GROUPS for function in group.functions) == sorted(package.FOLDERS)


def test_the_packages_pin_what_the_tests_run_with() -> None:
    pins = set(re.findall(r"^([\w.-]+==[\w.]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=\[]", one)[0] for one in project["dependencies"]}
    for group in GROUPS:
        lock = group.lock.read_text()
        assert set(re.findall(r"^([\w.-]+==[\w.]+)", lock, re.MULTILINE)) <= pins, group.name
        assert set(group.lock.with_suffix(".in").read_text().split()) <= needed, group.name
        assert "://" not in lock, group.name
        for requirement in re.split(r"\n(?=\S)", lock.strip()):
            assert "--hash=sha256:" in requirement, (group.name, requirement)


def test_a_package_holds_its_libraries_our_code_and_its_own_handlers_and_nothing_that_stays_here(shop: Shop) -> None:
    shop.code("mangavid/states/__pycache__/one.cpython-311.pyc", "")
    shop.code("mangavid/states/.one.py.swp", "")
    made = shop.build(*shop.usual())
    info = "tiny-1.0.dist-info"
    shared = {f"{info}/METADATA", f"{info}/WHEEL", "tiny/__init__.py", "mangavid/__init__.py", "mangavid/states/one.py"}
    assert names(made["first"]) == {*shared, "lambdas/first/handler.py"}
    assert names(made["worker"]) == {*shared, "ec2/renderer/main.py"}


def test_files_of_libraries_that_nothing_reads_are_left_out(shop: Shop) -> None:
    lock = shop.wheel(
        tiny__tests__test_it_dot_py=b"",
        tiny__typed_dot_pyi=b"",
        tiny__words_dot_txt=b"",
        botocore__data__s3__model_dot_json=b"",
        botocore__data__sagemaker__model_dot_json=b"",
        botocore__data__endpoints_dot_json=b"",
        googleapiclient__discovery_cache__documents__youtube_dot_v3_dot_json=b"",
        googleapiclient__discovery_cache__documents__youtube_dot_v4_dot_json=b"",
    )
    made = shop.build(shop.group("first", lock, ()))
    assert {name for name in names(made["first"]) if not name.startswith(("mangavid", "tiny-1.0"))} == {
        "tiny/__init__.py",
        "tiny/words.txt",
        "botocore/data/s3/model.json",
        "botocore/data/endpoints.json",
    }


def test_a_library_s_program_stays_one_and_our_code_is_none_whatever_the_checkout_says(shop: Shop) -> None:
    (shop.checkout / "lambdas/first/handler.py").chmod(0o775)
    made = shop.build(shop.group("first", shop.wheel(tiny__program=b"#!/bin/sh\n"), ("lambdas/first",)))
    with zipfile.ZipFile(made["first"].file) as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert modes["tiny/program"] == stat.S_IFREG | 0o755
    assert {mode for name, mode in modes.items() if name != "tiny/program"} == {stat.S_IFREG | 0o644}


def test_the_same_code_elsewhere_at_another_time_gives_the_same_bytes(shop: Shop, tmp_path: Path) -> None:
    usual = shop.usual()
    here = shop.build(*usual)
    kept = {name: one.file.read_bytes() for name, one in here.items()}

    shop.checkout = shutil.copytree(shop.checkout, tmp_path / "a" / "longer" / "path")
    for path in shop.checkout.rglob("*"):
        os.utime(path, (1, 1))
    shop.cache, shop.out = tmp_path / "cache2", tmp_path / "out2"
    there = shop.build(*usual)
    assert {name: one.file.read_bytes() for name, one in there.items()} == kept
    assert {name: one.key for name, one in there.items()} == {name: one.key for name, one in here.items()}


def test_an_installed_mangavid_packs_the_same_bytes_as_a_checkout(shop: Shop) -> None:
    usual = shop.usual()
    before = shop.build(*usual)
    for folder in ("lambdas", "ec2"):
        shutil.move(shop.checkout / folder, shop.checkout / "mangavid" / "_bundle" / folder)
    assert not changed(before, shop.build(*usual))


def test_a_package_is_named_by_its_content(shop: Shop) -> None:
    made = shop.build(*shop.usual())["first"]
    content = made.file.read_bytes()
    assert made.sha256 == hashlib.sha256(content).hexdigest()
    assert made.key == f"code/first-{made.sha256}.zip"
    assert made.size == len(content)
    with zipfile.ZipFile(made.file) as archive:
        assert made.unpacked == sum(info.file_size for info in archive.infolist())


@pytest.mark.parametrize(
    ("file", "touched"),
    [
        ("mangavid/cli/app.py", set()),
        ("lambdas/first/handler.py", {"first"}),
        ("ec2/renderer/main.py", {"worker"}),
        ("mangavid/states/one.py", {"first", "second", "worker"}),
    ],
)
def test_a_changed_line_changes_the_packages_that_hold_it(shop: Shop, file: str, touched: set[str]) -> None:
    usual = shop.usual()
    before = shop.build(*usual)
    shop.code(file, "CHANGED = True\n")
    after = shop.build(*usual)
    assert changed(before, after) == touched
    assert set(shop.told) == {(name, "code" if name in touched else "unchanged") for name in before}
    assert sorted(shop.out.glob("*.zip")) == sorted(one.file for one in after.values())


def test_what_is_cached_asks_no_uv_and_no_network(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = shop.usual()
    before = shop.build(*usual)
    shutil.rmtree(shop.wheels)
    shutil.rmtree(shop.out)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("UV_CACHE_DIR", str(shop.cache / "none"))
    assert not changed(before, shop.build(*usual))
    assert set(shop.told) == {(group.name, "code") for group in usual}


def test_another_lock_makes_the_libraries_anew(shop: Shop) -> None:
    (first, *_rest) = shop.usual()
    before = shop.build(first)
    first.lock.write_text(first.lock.read_text() + shop.wheel("other"))
    after = shop.build(first)
    assert changed(before, after) == {"first"}
    assert shop.told == [("first", "libraries"), ("first", "code")]
    assert "other/__init__.py" in names(after["first"])


def test_a_damaged_cache_is_made_anew(shop: Shop) -> None:
    (first, *_rest) = shop.usual()
    before = shop.build(first)
    (cached,) = shop.cache.glob("first-*.zip")
    data = bytearray(cached.read_bytes())
    data[len(data) // 2] ^= 1
    cached.write_bytes(data)
    shutil.rmtree(shop.out)
    assert not changed(before, shop.build(first))
    assert ("first", "libraries") in shop.told


def test_a_zip_that_somebody_touched_is_made_anew(shop: Shop) -> None:
    (first, *_rest) = shop.usual()
    before = shop.build(first)
    before["first"].file.write_bytes(b"another")
    after = shop.build(first)
    assert not changed(before, after)
    assert hashlib.sha256(after["first"].file.read_bytes()).hexdigest() == before["first"].sha256


def test_a_wheel_that_is_not_the_pinned_one_is_refused_by_name(shop: Shop) -> None:
    lock = shop.wheel()
    shop.wheel(tiny__evil_dot_py=b"print('hello')\n")
    with pytest.raises(BadInput, match=r"package first .*tiny==1\.0 is not the file that was pinned"):
        shop.build(shop.group("first", lock, ()))
    assert not list(shop.out.glob("*.zip"))
    assert not list(shop.cache.iterdir())


def test_a_library_without_a_wheel_for_the_system_is_refused_by_name(shop: Shop) -> None:
    lock = shop.wheel(tag="cp313-cp313-win_amd64")
    with pytest.raises(BadInput, match=r"aarch64.*tiny==1\.0 has no wheel for the system"):
        shop.build(shop.group("first", lock, ()))


def test_without_network_and_cache_the_person_is_told_so(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = shop.wheel()
    shutil.rmtree(shop.wheels)
    shop.wheels.mkdir()
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(UpstreamUnavailable, match=r"tiny is not in uv's cache, and the network is off"):
        shop.build(shop.group("first", lock, ()))


def test_an_index_that_does_not_answer_is_an_outage(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    lock = f"absent==1.0 --hash=sha256:{'0' * 64}\n"
    with pytest.raises(UpstreamUnavailable, match="could not be downloaded"):
        shop.build(shop.group("first", lock, ()))


def test_a_package_that_is_too_large_for_lambda_names_its_largest_libraries(shop: Shop) -> None:
    lock = shop.wheel("small", small__file=b"1" * 1_000) + shop.wheel("large", large__file=bytes(3_000_000))
    group = replace(shop.group("first", lock, ()), limit=2_000_000)
    with pytest.raises(BadInput, match=r"3\.0 MB unpacked, and Lambda takes 2\.0 MB at most; largest: large 3 MB"):
        shop.build(group)
    assert {one.limit for one in GROUPS if one.functions} == {LAMBDA_LIMIT}
    assert LAMBDA_LIMIT == 250 * 1024 * 1024


def test_the_cache_keeps_the_newest_libraries_of_a_group_only(shop: Shop) -> None:
    (first, second, *_rest) = shop.usual()
    shop.build(second)
    line = first.lock.read_text()
    for turn in range(5):
        first.lock.write_text(f"{line}# {turn}\n")
        shop.build(first)
    assert len(list(shop.cache.glob("first-*.zip"))) == len(list(shop.cache.glob("first-*.json"))) == 2
    assert libraries.cached(first, shop.cache) and libraries.cached(second, shop.cache)


def imported(name: str, source: str) -> set[str]:
    """Modules of ours that a file names: in its imports at any depth (but not for types alone), and in its texts."""
    found: set[str] = set()
    for node in walked(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            package = name.removesuffix(".py").split("/")[: -node.level] if node.level else []
            module = ".".join([*package, *(node.module or "").split(".")]).strip(".")
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found |= {node.value} if re.fullmatch(r"mangavid(\.\w+)+", node.value) else set()
    return {one for one in found if one.startswith("mangavid.")}


def walked(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from walked(node)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_what_is_packed_of_our_code_names_no_module_that_stays_here(group: Group) -> None:
    here = replace(group, own=tuple(one for one in group.own if (ROOT / one).exists()))
    code = own_code(here, ROOT / "mangavid")
    modules = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in code}
    assert {"mangavid.errors", "mangavid.states.fetcher", "mangavid.voices.espeak"} <= modules
    everything = {path.relative_to(ROOT).as_posix() for path in (ROOT / "mangavid").rglob("*.py")}
    ours = {name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in everything}
    missing = {
        f"{name} names {module}"
        for name, path in code.items()
        if name.endswith(".py")
        for module in imported(name, path.read_text(encoding="utf-8"))
        if module in ours - modules
    }
    assert not missing


def test_a_machine_s_package_describes_every_service_that_is_called_from_it() -> None:
    called = {
        name
        for path in (ROOT / "mangavid" / "aws").glob("*.py")
        for name in re.findall(r'\bclients\["(\w+)"\]', path.read_text(encoding="utf-8"))
    }
    assert {"dynamodb", "s3", "stepfunctions"} <= called <= set(groups.WORKER_SERVICES)


def test_the_search_for_named_modules_finds_them_all() -> None:
    source = """
from mangavid import cli
from .sources import local
def later():
    import mangavid.yamlfile
    return "mangavid.local.worker"
if TYPE_CHECKING:
    from mangavid.cli import app
"""
    assert imported("mangavid/states/one.py", source) == {
        "mangavid.cli",
        "mangavid.states.sources",
        "mangavid.states.sources.local",
        "mangavid.yamlfile",
        "mangavid.local.worker",
    }


def test_a_full_disk_is_told_as_one_and_leaves_no_half_a_package(shop: Shop) -> None:
    (first, *_rest) = shop.usual()
    shop.build(first)
    (shop.checkout / "mangavid" / "large.bin").write_bytes(os.urandom(400_000))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, limits[1]))
        with pytest.raises(StorageFull, match="no space for packages"):
            shop.build(first)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, before)
    assert not [path for path in shop.out.iterdir() if path.name.startswith(".")]
    assert "mangavid/large.bin" in names(shop.build(first)["first"])


def test_wheels_of_this_machine_are_cached_apart(shop: Shop) -> None:
    (first, *_rest) = shop.usual()
    keys = {libraries.cache_key(replace(first, system=system)) for system in (System(), groups.LAMBDA, groups.WORKER)}
    assert len(keys) == 3
