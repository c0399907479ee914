"""Chapters of this machine that are made on AWS: how they get there, and what a run of them is told."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mangavid import keys, yamlfile
from mangavid.aws import inbox, run
from mangavid.aws.library import BucketLibrary
from mangavid.aws.objects import S3Objects
from mangavid.config import Config
from mangavid.errors import BadInput, BadSidecar, Locked, SourceNotFound
from mangavid.ports import Change
from mangavid.products import job_of_found
from tests.fakes.aws_world import AwsWorld, aws_world
from tests.fakes.providers import png

NARRATION = "title: Đêm rằm\npages:\n  1: [Một., Hai.]\n  2: Ba.\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[AwsWorld]:
    with aws_world(tmp_path / "aws") as made:
        yield made


@pytest.fixture
def objects(world: AwsWorld) -> S3Objects:
    assert isinstance(world.target.objects, S3Objects)
    return world.target.objects


def folder(at: Path, name: str = "Chapter 12") -> Path:
    chapter = at / "Mèo Mướp" / name
    chapter.mkdir(parents=True)
    for number in (1, 2):
        (chapter / f"{number}.png").write_bytes(png(grey=100 + number))
    return chapter


def archive(at: Path, **more: str) -> Path:
    file = at / "Mèo Mướp" / "Chapter 12.cbz"
    file.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(file, "w") as made:
        for number in (1, 2):
            made.writestr(f"{number}.png", png(grey=100 + number))
        for name, text in more.items():
            made.writestr(name.replace("__", "."), text)
    return file


def put(objects: S3Objects, path: Path) -> str:
    return inbox.put(objects, path, yamlfile.plain)


def test_an_archive_is_put_as_it_is_below_its_folders_name(objects: S3Objects, tmp_path: Path) -> None:
    file = archive(tmp_path)
    key = put(objects, file)
    assert key.startswith("inbox/") and key.endswith("/Mèo Mướp/Chapter 12.cbz")
    assert objects.get(key) == file.read_bytes()
    (found,) = BucketLibrary(objects, tmp_path / "l", named=(key,)).find()
    assert (found.series, found.number, found.ref) == ("Mèo Mướp", "12", key)


def test_a_folder_is_packed_with_its_pages_and_comicinfo_and_nothing_else(objects: S3Objects, tmp_path: Path) -> None:
    chapter = folder(tmp_path)
    (chapter / "ComicInfo.xml").write_text("<ComicInfo><Number>12</Number></ComicInfo>")
    (chapter / "notes.txt").write_text("mine")
    key = put(objects, chapter)
    with zipfile.ZipFile(objects.fetch(key)) as packed:
        assert sorted(packed.namelist()) == ["1.png", "2.png", "ComicInfo.xml"]
    source = BucketLibrary(objects, tmp_path / "l", named=(key,))
    assert len(source.fetch(next(source.find())).pages) == 2


def test_the_same_chapter_is_put_once_and_a_changed_one_beside_it(objects: S3Objects, tmp_path: Path) -> None:
    chapter = folder(tmp_path)
    first = put(objects, chapter)
    version = objects.version(first)
    for page in chapter.iterdir():
        page.touch()
    assert put(objects, chapter) == first and objects.version(first) == version
    (chapter / "3.png").write_bytes(png(grey=9))
    assert put(objects, chapter) != first


@pytest.mark.parametrize("beside", [True, False])
def test_a_narration_in_yaml_is_read_there_as_json(objects: S3Objects, tmp_path: Path, beside: bool) -> None:
    file = archive(tmp_path, **({} if beside else {"narration__yaml": NARRATION}))
    if beside:
        file.with_name("Chapter 12.narration.yaml").write_text(NARRATION, encoding="utf-8")
    key = put(objects, file)
    assert json.loads(objects.get(key.removesuffix(".cbz") + ".narration.json"))["title"] == "Đêm rằm"
    source = BucketLibrary(objects, tmp_path / "l", named=(key,))
    sidecar = source.fetch(next(source.find())).sidecar
    assert sidecar is not None and sidecar.title == "Đêm rằm" and len(sidecar.narration) == 3


@pytest.mark.parametrize("beside", [True, False])
def test_what_is_wrong_with_a_chapter_names_it_by_its_key(objects: S3Objects, tmp_path: Path, beside: bool) -> None:
    objects.put("library/A/1.cbz", archive(tmp_path, **({} if beside else {"narration__json": "{no"})))
    if beside:
        objects.put("library/A/1.narration.json", b"{no")
    source = BucketLibrary(objects, tmp_path / "l", named=("library/A/1.cbz",))
    with pytest.raises(BadSidecar) as wrong:
        source.fetch(next(source.find()))
    assert str(wrong.value).startswith(f"library/A/1.{'narration.json' if beside else 'cbz'}")
    assert str(tmp_path) not in str(wrong.value)


def test_another_narration_is_another_chapter_to_fetch(objects: S3Objects, tmp_path: Path) -> None:
    file = archive(tmp_path)
    plain = put(objects, file)
    file.with_name("Chapter 12.narration.yaml").write_text(NARRATION, encoding="utf-8")
    assert put(objects, file) != plain


def test_what_is_no_chapter_is_refused_before_anything_is_put(objects: S3Objects, tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound):
        put(objects, tmp_path / "nothing.cbz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds no page images"):
        put(objects, tmp_path / "empty")
    with pytest.raises(BadSidecar):
        put(objects, archive(tmp_path, narration__yaml="pages: 3"))
    assert not list(objects.list("inbox"))


# --- a run of them ---------------------------------------------------------------------------------------------------


@pytest.fixture
def start(world: AwsWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsWorld]:
    """``run.start`` opens the world's target."""
    monkeypatch.setattr(run, "open_target", lambda _config: world.target)
    yield world


def test_a_run_is_told_its_chapters_and_does_not_use_the_days_quota(start: AwsWorld, tmp_path: Path) -> None:
    started = run.start(Config(), [str(archive(tmp_path))])
    assert started.now and started.execution is not None and started.execution.status == "RUNNING"
    item = start.target.jobs.get(keys.run_item(started.execution.name)) or {}
    assert item["counted"] is False and len(item["sources"]) == 1 and item["sources"][0].startswith("inbox/")


def test_chapters_that_are_named_while_a_run_is_at_work_are_refused_and_nothing_is_put(
    start: AwsWorld, tmp_path: Path
) -> None:
    first = run.start(Config()).execution
    assert first is not None
    with pytest.raises(Locked, match=first.name):
        run.start(Config(), [str(archive(tmp_path))])
    again = run.start(Config())
    assert again.execution is not None and (again.execution.name, again.now) == (first.name, False)
    assert not list(start.target.objects.list("inbox"))


def test_a_chapter_that_has_its_video_is_told_and_with_again_made_anew(start: AwsWorld, tmp_path: Path) -> None:
    file = archive(tmp_path)
    key = put(start.target.objects, file)  # type: ignore[arg-type]
    (found,) = start.target.source({"sources": [key]}).find()
    job_id = job_of_found(found)
    fields = {"job_id": job_id, "status": "cleaned", "version": found.version, "updated_at": "2026", "title": "t"}
    start.target.jobs.change(Change(key=keys.job_item(job_id), set=fields))
    started = run.start(Config(), [str(file)])
    assert (started.execution, started.existing) == (None, (job_id,))
    anew = run.start(Config(), [str(file)], again=True)
    assert anew.execution is not None and not anew.existing
    item = start.target.jobs.get(keys.run_item(anew.execution.name)) or {}
    assert item["again"] == {job_id}
