"""The libraries of a group as a zip in a cache: installed by uv from hash-pinned locks, pruned, packed.

The wheels are those of the system that will run them: uv judges environment markers by that system too, where pip
judges them by the Python it runs on.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

import msgspec

from mangavid.aws.package import zips
from mangavid.aws.package.groups import PRUNED, Group
from mangavid.errors import BadInput, MangavidError, StorageFull, UpstreamUnavailable

#: Raised where the same lock and rules would make another zip than before.
_FORM = 1
_LARGEST = 5
_KEPT = 2


class Libraries(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a cached zip. ``largest``: top folders with their bytes, unpacked, largest first."""

    sha256: str
    unpacked: int
    largest: tuple[tuple[str, int], ...]


def cache_key(group: Group) -> str:
    """Names a group's libraries: the same key, the same zip."""
    known = hashlib.sha256(group.lock.read_bytes()).hexdigest()
    inputs = [_FORM, known, group.system.platform, group.system.python, PRUNED]
    if not (group.system.platform and group.system.python):
        inputs += [sysconfig.get_platform(), sys.version_info[:2]]
    return hashlib.sha256(msgspec.json.encode(inputs)).hexdigest()[:32]


def cached(group: Group, cache: Path) -> tuple[Path, Libraries] | None:
    """The zip of a group's libraries, where it was made before."""
    file = cache / f"{group.name}-{cache_key(group)}.zip"
    try:
        known = msgspec.json.decode(file.with_suffix(".json").read_bytes(), type=Libraries)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return (file, known) if file.exists() else None


def make(group: Group, cache: Path) -> tuple[Path, Libraries]:
    """Install, prune and pack a group's libraries into the cache.

    Raises BadInput (a wheel is missing, or is not the one that was pinned), UpstreamUnavailable (no network, no uv),
    StorageFull.
    """
    cache.mkdir(parents=True, exist_ok=True)
    file = cache / f"{group.name}-{cache_key(group)}.zip"
    # Beside the cache's files: a rename puts them there whole, and two that make the same do not meet.
    with tempfile.TemporaryDirectory(prefix=f".{group.name}-", dir=cache) as folder:
        tree = Path(folder) / "tree"
        _install(group, tree)
        entries = {
            name: path
            for path in tree.rglob("*")
            if path.is_file() and not _pruned(name := path.relative_to(tree).as_posix())
        }
        sizes: dict[str, int] = {}
        for name, path in entries.items():
            top = name.partition("/")[0]
            sizes[top] = sizes.get(top, 0) + path.stat().st_size
        packed = Path(folder) / "libraries.zip"
        zips.write(packed, entries, programs=True)
        known = Libraries(
            sha256=zips.sha256(packed),
            unpacked=sum(sizes.values()),
            largest=tuple(sorted(sizes.items(), key=lambda item: -item[1])[:_LARGEST]),
        )
        note = Path(folder) / "note.json"
        note.write_bytes(msgspec.json.encode(known))
        packed.replace(file)
        note.replace(file.with_suffix(".json"))
    _forget(group, cache)
    return file, known


def _forget(group: Group, cache: Path) -> None:
    """Leave the newest few of a group's zips: going back to the version before stays quick."""
    files = sorted(cache.glob(f"{group.name}-*.zip"), key=lambda path: path.stat().st_mtime_ns)
    for stale in files[:-_KEPT]:
        stale.with_suffix(".json").unlink(missing_ok=True)
        stale.unlink(missing_ok=True)


def _pruned(name: str) -> bool:
    return any(re.search(pattern, name) for pattern in PRUNED)


_finding = threading.Lock()


def _uv() -> str:
    import uv

    # sysconfig's first answers are incomplete while another thread makes them.
    with _finding:
        try:
            return uv.find_uv_bin()
        except FileNotFoundError as problem:
            raise UpstreamUnavailable(f"uv is not installed: {problem}", hint="pip install uv") from problem


def _install(group: Group, tree: Path) -> None:
    command = [_uv(), "pip", "install", "--quiet", "--no-progress", "--color", "never"]
    command += ["--require-hashes", "--only-binary", ":all:", "--no-deps", "--no-compile"]
    command += ["--python", sys.executable, "--target", str(tree)]
    for option, value in (("--python-platform", group.system.platform), ("--python-version", group.system.python)):
        command += [option, value] if value else []
    # The lock is read from a folder that holds no project: settings of one must not change what is installed.
    done = subprocess.run(
        [*command, "--requirement", str(group.lock)],
        cwd=tree.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise _refusal(group, done.stderr or f"it ended with {done.returncode} and said nothing")


#: What uv says, who is to blame, and what to do. The first that is found counts.
_REFUSALS: tuple[tuple[str, type[MangavidError], str, str], ...] = (
    (
        r"No space left on device",
        StorageFull,
        "could not be installed for want of disk space",
        StorageFull.default_hint,
    ),
    (
        r"Hash mismatch for `(?P<what>[^`]+)`",
        BadInput,
        "is not the file that was pinned",
        "do not deploy before you know who changed it",
    ),
    (
        r"Because (?P<what>\S+) was not found in the cache|network (was|is) disabled",
        UpstreamUnavailable,
        "is not in uv's cache, and the network is off",
        "run the same command once with a network",
    ),
    (
        r"Because (?P<what>\S+) has no (usable wheels|wheels with a matching)",
        BadInput,
        "has no wheel for the system it is to run on",
        "pin a version that has one, then: make constraints",
    ),
    (
        r"(Failed to (fetch|download)|error sending request|Request failed)",
        UpstreamUnavailable,
        "could not be downloaded",
        "check the network, then run the same command again: what is there is kept",
    ),
)


def _refusal(group: Group, said: str) -> MangavidError:
    platform, python = group.system.platform or "this machine", group.system.python or sysconfig.get_python_version()
    subject = f"package {group.name} ({platform}, Python {python})"
    for pattern, kind, problem, hint in _REFUSALS:
        if found := re.search(pattern, said):
            what = found.groupdict().get("what") or "a library"
            return kind(f"{subject}: {what} {problem}", hint=hint)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return BadInput(f"{subject}: uv could not install its libraries: {' '.join(lines[:3])[:300]}", hint="")
