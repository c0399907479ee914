"""The contract of ports.Objects, run over every adapter of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mangavid.errors import ConditionFailed, SourceNotFound
from mangavid.local.objects import FolderObjects
from mangavid.ports import Objects
from tests.fakes.aws import cloud
from tests.fakes.memory import InMemoryObjects

ADAPTERS: dict[str, Callable[[Path, ExitStack], Objects]] = {
    "memory": lambda folder, _: InMemoryObjects(folder),
    "folder": lambda folder, _: FolderObjects(folder),
    "s3": lambda folder, stack: stack.enter_context(cloud()).objects(folder),
}


@pytest.fixture(params=sorted(ADAPTERS))
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    with ExitStack() as stack:
        yield ADAPTERS[request.param](tmp_path / "objects", stack)


def test_what_is_put_is_got_with_its_hash_and_size(objects: Objects) -> None:
    product = objects.put("jobs/a/pages/x.png", b"page")
    assert product.sha256 == hashlib.sha256(b"page").hexdigest()
    assert product.bytes == 4
    assert objects.get(product.key) == b"page"
    assert objects.fetch(product.key).read_bytes() == b"page"
    assert objects.exists(product.key)


def test_a_file_is_put_by_its_path(objects: Objects, tmp_path: Path) -> None:
    file = tmp_path / "big"
    file.write_bytes(b"x" * 3_000_000)
    assert objects.put("jobs/a/final/v.mp4", file).bytes == 3_000_000
    assert objects.get("jobs/a/final/v.mp4") == file.read_bytes()


def test_a_put_replaces_but_if_absent_refuses_and_keeps_the_first(objects: Objects) -> None:
    objects.put("jobs/a/render/s.mp4", b"1")
    with pytest.raises(ConditionFailed):
        objects.put("jobs/a/render/s.mp4", b"2", if_absent=True)
    assert objects.get("jobs/a/render/s.mp4") == b"1"
    objects.put("jobs/a/render/s.mp4", b"3")
    assert objects.get("jobs/a/render/s.mp4") == b"3"
    objects.put("jobs/a/render/t.mp4", b"4", if_absent=True)
    assert objects.get("jobs/a/render/t.mp4") == b"4"


def test_a_missing_object_says_so(objects: Objects) -> None:
    assert not objects.exists("jobs/a/none")
    for read in (objects.get, objects.fetch):
        with pytest.raises(SourceNotFound, match="jobs/a/none"):
            read("jobs/a/none")


def test_a_prefix_lists_its_objects_in_key_order_and_nothing_else(objects: Objects) -> None:
    for key in ("jobs/a/render/2.mp4", "jobs/a/render/1.mp4", "jobs/a/pages/p.png", "jobs/ab/render/3.mp4"):
        objects.put(key, b"..")
    assert [(one.key, one.bytes) for one in objects.list("jobs/a/render/")] == [
        ("jobs/a/render/1.mp4", 2),
        ("jobs/a/render/2.mp4", 2),
    ]
    assert list(objects.list("jobs/none/")) == []


def test_delete_says_how_many_there_were(objects: Objects) -> None:
    objects.put("jobs/a/pages/p.png", b".")
    assert objects.delete(["jobs/a/pages/p.png", "jobs/a/pages/q.png"]) == 1
    assert not objects.exists("jobs/a/pages/p.png")


@pytest.mark.parametrize("key", ["", "/etc/passwd", "jobs/../../x", "jobs//x", "jobs/."])
def test_a_key_can_not_leave_the_store(objects: Objects, key: str) -> None:
    with pytest.raises(ValueError):
        objects.put(key, b"x")
