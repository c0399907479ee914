"""A video published into a folder."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from mangavid.aws.publisher import BucketPublisher
from mangavid.errors import PublishError
from mangavid.models import Product, Rendered
from mangavid.publishers.folder import FolderPublisher, paths

KINDS = ("video", "captions", "thumbnail", "metadata")
RENDERED = Rendered(
    inputs="i",
    **{kind: Product(key=kind, sha256="", bytes=1) for kind in KINDS},
    seconds=1.0,
    lufs=-14.0,
    epoch=1,
    segments=1,
)


class Stored:
    """As much of ``ports.Upload`` as a folder needs."""

    job_id = "j"
    rendered = RENDERED
    session = ""
    begun = False
    steps: frozenset[str] = frozenset()

    def __init__(self, objects: Path) -> None:
        self._objects = objects

    def fetch(self, key: str) -> Path:
        return self._objects / key

    def _unasked(self, *_: object, **__: object) -> None:
        raise AssertionError("a folder asks for nothing but files")

    check = began = sent = alive = spend = done = note = _unasked


def stored(folder: Path, text: str = "") -> Path:
    folder.mkdir(exist_ok=True)
    for kind in KINDS:
        (folder / kind).unlink(missing_ok=True)
        (folder / kind).write_text(json.dumps(kind + text), encoding="utf-8")
        (folder / kind).chmod(0o600)
    return folder


def test_publishing_twice_leaves_the_last_files_and_nothing_else(tmp_path: Path) -> None:
    publisher = FolderPublisher(tmp_path / "out")
    for text in ("", "", " again"):
        objects = stored(tmp_path / "objects", text)
        publisher.publish(Stored(objects))
        publisher.publish(Stored(objects))
    there = paths(tmp_path / "out", "j")
    assert {kind: json.loads(path.read_text()) for kind, path in there.items()} == {k: f"{k} again" for k in KINDS}
    assert sorted((tmp_path / "out" / "j").iterdir()) == sorted(there.values())
    assert {path.stat().st_mode & 0o777 for path in there.values()} == {0o644}


def test_the_video_takes_no_room_of_its_own_and_what_may_be_edited_is_a_copy(tmp_path: Path) -> None:
    objects = stored(tmp_path / "objects")
    FolderPublisher(tmp_path / "out").publish(Stored(objects))
    there = paths(tmp_path / "out", "j")
    assert [kind for kind in KINDS if there[kind].samefile(objects / kind)] == ["video"]
    (objects / "video").unlink()
    assert json.loads(there["video"].read_text()) == "video"


def test_a_stored_video_that_can_not_be_linked_is_copied(tmp_path: Path) -> None:
    def refuse(_source: Path, _target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    objects = stored(tmp_path / "objects")
    FolderPublisher(tmp_path / "out", link=refuse).publish(Stored(objects))
    video = paths(tmp_path / "out", "j")["video"]
    assert json.loads(video.read_text()) == "video"
    assert not video.samefile(objects / "video")


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(PublishError, match="can't write to"):
        FolderPublisher(tmp_path / "out").publish(Stored(stored(tmp_path / "objects")))


def test_a_withdrawn_video_is_deleted_and_what_a_person_put_beside_it_stays(tmp_path: Path) -> None:
    objects = stored(tmp_path / "objects")
    publisher = FolderPublisher(tmp_path / "out")
    published = publisher.publish(Stored(objects))
    publisher.finish(Stored(objects), published.video_id)
    own = tmp_path / "out" / "j" / "notes.txt"
    own.write_text("mine")
    assert "are left: nobody but you sees them" in publisher.withdraw("j", delete=False)
    assert len(list(own.parent.iterdir())) == 5
    assert publisher.withdraw("j", delete=True) == f"The files in {own.parent} were deleted"
    assert list(own.parent.iterdir()) == [own]
    assert (objects / "video").exists()
    assert publisher.withdraw("j", delete=True) == "The files of j are not there any more"


def test_a_withdrawn_video_leaves_no_empty_folder(tmp_path: Path) -> None:
    publisher = FolderPublisher(tmp_path / "out")
    publisher.publish(Stored(stored(tmp_path / "objects")))
    publisher.withdraw("j", delete=True)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("video_id", ["../j", "", "J", "a/b", "."])
def test_only_an_id_of_ours_is_withdrawn(tmp_path: Path, video_id: str) -> None:
    with pytest.raises(PublishError, match="can't be the id"):
        FolderPublisher(tmp_path).withdraw(video_id, delete=True)


def test_a_video_of_the_bucket_is_not_withdrawn_by_us() -> None:
    with pytest.raises(PublishError, match="nobody but you sees it") as caught:
        BucketPublisher("artifacts").withdraw("j", delete=True)
    assert "are left" in BucketPublisher("artifacts").withdraw("j", delete=False)
    assert "s3://artifacts/jobs/j/final/" in caught.value.hint
