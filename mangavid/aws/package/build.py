"""Making the packages: libraries from the cache, our code after them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

import mangavid
from mangavid.aws.package import libraries, zips
from mangavid.aws.package.groups import GROUPS, STAYS_HERE, Group
from mangavid.errors import BadInput, StorageFull
from mangavid.resources import bundled

#: Told by name of a package what is done: ``libraries`` (installed and packed anew), ``code``, ``unchanged``. Called
#: from several threads.
Progress = Callable[[str, str], None]


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A zip that is ready to be uploaded. ``key`` holds its hash; ``size`` and ``unpacked`` are bytes."""

    name: str
    file: Path
    key: str
    sha256: str
    size: int
    unpacked: int


@dataclass(frozen=True)
class Packages:
    """``functions``: each function, without the channel's prefix, to the zip it shares with its like."""

    functions: Mapping[str, Package]
    worker: Package

    @property
    def files(self) -> tuple[Package, ...]:
        """Each zip once, by name."""
        every = {package.name: package for package in (*self.functions.values(), self.worker)}
        return tuple(every[name] for name in sorted(every))


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """Beside a zip in ``out``: what it was made of, and the file as it was then."""

    inputs: str
    modified: int
    package: Package


def build(cache: Path, out: Path, *, progress: Progress = lambda _name, _what: None) -> Packages:
    """Make all packages; ``cache`` keeps libraries between builds, ``out`` takes the zips (only those of this build).

    Raises BadInput (a wheel is missing or not the pinned one; a package is over Lambda's limit), UpstreamUnavailable,
    StorageFull.
    """
    made = build_groups(GROUPS, cache, out, progress=progress)
    functions = {function: made[group.name] for group in GROUPS for function in group.functions}
    return Packages(functions=functions, worker=made["worker"])


def build_groups(
    groups: Sequence[Group],
    cache: Path,
    out: Path,
    *,
    progress: Progress = lambda _name, _what: None,
    package: Path | None = None,
) -> dict[str, Package]:
    """Packages of these groups by name. ``package`` is the folder of ``mangavid`` whose code is packed."""
    code, cache, out = package or Path(mangavid.__file__).parent, cache.absolute(), out.absolute()
    try:
        out.mkdir(parents=True, exist_ok=True)
        own = _read(groups, code)
        # Packing is the work, and zlib lets other threads run.
        with ThreadPoolExecutor(max_workers=min(len(groups), os.cpu_count() or 1)) as pool:
            running = [pool.submit(_one, group, own[group.name], cache, out, progress) for group in groups]
            try:
                made = [one.result() for one in running]
            finally:
                pool.shutdown(cancel_futures=True)
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise StorageFull(f"no space for packages in {cache} or {out}") from problem
    wanted = {one.file for one in made} | {_note(out, one.name) for one in made}
    for stale in {*out.glob("*.zip"), *out.glob("*.json")} - wanted:
        stale.unlink()
    return {one.name: one for one in made}


def own_code(group: Group, package: Path) -> dict[str, Path]:
    """Names in the zip to files: ``mangavid`` without what stays here, and what the group has beside it."""
    return _shared(package) | _beside(group, package)


def _shared(package: Path) -> dict[str, Path]:
    return {f"mangavid/{name}": path for name, path in _below(package) if not _stays_here(name)}


def _beside(group: Group, package: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for one in group.own:
        place = bundled(one, package=package)
        found |= {f"{one}/{name}": path for name, path in _below(place)} if place.is_dir() else {one: place}
    return found


class _File(NamedTuple):
    data: bytes
    sha256: str


def _read(groups: Sequence[Group], package: Path) -> dict[str, dict[str, _File]]:
    """Our own code by group and name in the zip. What they share is read once; what is hashed here is what is packed,
    whoever edits it meanwhile."""

    def read(files: Mapping[str, Path]) -> dict[str, _File]:
        data = {name: path.read_bytes() for name, path in files.items()}
        return {name: _File(one, hashlib.sha256(one).hexdigest()) for name, one in data.items()}

    shared = read(_shared(package))
    return {group.name: shared | read(_beside(group, package)) for group in groups}


def _below(folder: Path) -> list[tuple[str, Path]]:
    named = [(path.relative_to(folder), path) for path in folder.rglob("*") if path.is_file()]
    hidden = ("__pycache__", ".")
    return [(name.as_posix(), path) for name, path in named if not any(part.startswith(hidden) for part in name.parts)]


def _stays_here(name: str) -> bool:
    return any(name == part or name.startswith(f"{part}/") for part in STAYS_HERE)


def _note(out: Path, name: str) -> Path:
    return out / f"{name}.json"


def _one(group: Group, own: Mapping[str, _File], cache: Path, out: Path, progress: Progress) -> Package:
    digest = hashlib.sha256(libraries.cache_key(group).encode())
    for name in sorted(own):
        digest.update(f"\n{name} {own[name].sha256}".encode())
    inputs = digest.hexdigest()
    if ready := _unchanged(out, group.name, inputs):
        progress(group.name, "unchanged")
        return ready

    found = libraries.cached(group, cache)
    if found is None or zips.sha256(found[0]) != found[1].sha256:
        progress(group.name, "libraries")
        found = libraries.make(group, cache)
    packed, known = found
    unpacked = known.unpacked + sum(len(one.data) for one in own.values())
    _check_size(group, unpacked, known)

    progress(group.name, "code")
    with tempfile.TemporaryDirectory(prefix=f".{group.name}-", dir=out) as folder:
        unnamed = Path(folder) / "package.zip"
        shutil.copyfile(packed, unnamed)
        zips.write(unnamed, {name: one.data for name, one in own.items()}, mode="a", programs=False)
        sha256 = zips.sha256(unnamed)
        file = unnamed.replace(out / f"{group.name}-{sha256[:16]}.zip")
        status = file.stat()
        made = Package(
            name=group.name,
            file=file,
            key=f"code/{group.name}-{sha256}.zip",
            sha256=sha256,
            size=status.st_size,
            unpacked=unpacked,
        )
        note = Path(folder) / "note.json"
        note.write_bytes(
            msgspec.json.encode(_Made(inputs=inputs, modified=status.st_mtime_ns, package=made), enc_hook=str)
        )
        note.replace(_note(out, group.name))
    return made


def _unchanged(out: Path, name: str, inputs: str) -> Package | None:
    """What was made of the same before, where nobody touched it since."""
    try:
        made = msgspec.json.decode(_note(out, name).read_bytes(), type=_Made, dec_hook=lambda kind, text: kind(text))
        status = made.package.file.stat()
    except (FileNotFoundError, msgspec.DecodeError, msgspec.ValidationError):
        return None
    same = made.inputs == inputs and made.modified == status.st_mtime_ns and made.package.size == status.st_size
    return made.package if same and made.package.file.parent == out else None


def _check_size(group: Group, unpacked: int, known: libraries.Libraries) -> None:
    if group.limit is None or unpacked <= group.limit:
        return
    largest = ", ".join(f"{name} {size / 1e6:.0f} MB" for name, size in known.largest)
    raise BadInput(
        f"package {group.name}: {unpacked / 1e6:.1f} MB unpacked, and Lambda takes {group.limit / 1e6:.1f} MB at most;"
        f" largest: {largest}",
        hint=f"take a library out of mangavid/aws/package/locks/{group.name}.in, or prune it in groups.py",
    )
