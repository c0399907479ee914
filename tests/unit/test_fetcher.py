"""FetchManga where chapters change or vanish under it, and where the store was damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mangavid import keys
from mangavid.errors import BadArchive, BadInput, SourceNotFound, UpstreamUnavailable
from mangavid.ports import Change
from mangavid.products import fetch_whole, is_whole
from mangavid.states import fetcher, handle_error, increment_counter, scriptgen, ttsgen
from tests.fakes.world import World, make_world
from tests.unit.test_states import failure, uploaded


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "a", "b", "c")


def job_id_of(name: str) -> str:
    return keys.job_id(name, "Kệ", "1", "vi")


def test_what_a_published_job_left_behind_is_deleted_when_the_next_chapter_is_looked_for(world: World) -> None:
    left = world.begin()
    job_id = uploaded(world, left)
    world.executions.stop(left["execution"], error="", cause="")
    fetcher.handle(world.target, world.begin("run-2"))
    assert {key.split("/")[2] for key in world.objects.data if job_id in key} == {"final"}
    assert world.job(job_id).status == "cleaned"


def test_a_store_that_can_not_delete_keeps_no_run_from_its_chapter(world: World) -> None:
    left = world.begin()
    job_id = uploaded(world, left)
    world.executions.stop(left["execution"], error="", cause="")

    def unavailable(_keys: Sequence[str]) -> int:
        raise UpstreamUnavailable("SlowDown")

    world.objects.delete = unavailable  # type: ignore[method-assign]
    assert fetcher.handle(world.target, world.begin("run-2"))["job_id"] == job_id_of("b")
    assert world.job(job_id).status == "uploaded"


def test_a_named_chapter_that_is_gone_is_told_of_after_the_others_were_taken(world: World) -> None:
    world.shelf.gone.add("a")
    event = world.begin(sources=["/shelf/a", "/shelf/b"], counted=False)
    taken = fetcher.handle(world.target, event)["job_id"]
    assert taken == job_id_of("b")
    increment_counter.handle(world.target, {**event, "job_id": taken})
    with pytest.raises(SourceNotFound, match="/shelf/a"):
        fetcher.handle(world.target, event)


def test_a_named_chapter_that_was_made_in_this_run_may_go(world: World) -> None:
    event = world.begin(sources=["/shelf/a", "/shelf/b"], counted=False)
    increment_counter.handle(world.target, {**event, "job_id": uploaded(world, event)})
    world.shelf.gone.add("a")
    assert fetcher.handle(world.target, event)["job_id"] == job_id_of("b")
    handle_error.handle(world.target, failure(event, "RenderError", job={"job_id": job_id_of("b")}))
    assert fetcher.handle(world.target, event)["status"] == "no_manga_available"


def test_a_chapter_left_unfinished_whose_file_is_gone_is_made_of_what_is_stored(world: World) -> None:
    old = world.begin("run-1", sources=["/shelf/a"], counted=False)
    job_id = fetcher.handle(world.target, old)["job_id"]
    world.executions.stop(old["execution"], error="", cause="")
    world.shelf.gone.add("a")
    event = world.begin("run-2", sources=["/shelf/a", "/shelf/b"], counted=False)
    assert fetcher.handle(world.target, event) == {"status": "success", "job_id": job_id}


def test_a_chapter_in_hand_that_vanished_before_its_pages_were_in_fails_and_the_next_is_taken(world: World) -> None:
    event = world.begin(sources=["/shelf/a", "/shelf/b"], counted=False)
    world.shelf.broken["a"] = BadArchive("cut off")
    with pytest.raises(BadArchive):
        fetcher.handle(world.target, event)
    world.shelf.gone.add("a")
    with pytest.raises(SourceNotFound):
        fetcher.handle(world.target, event)
    handle_error.handle(world.target, failure(event, "SourceNotFound"))
    assert world.job(job_id_of("a")).status == "failed"
    assert fetcher.handle(world.target, event)["job_id"] == job_id_of("b")


def test_a_chapter_that_is_called_otherwise_now_is_still_the_one_in_hand(world: World) -> None:
    event = world.begin(sources=["/shelf/a"], counted=False)
    world.shelf.broken["a"] = BadArchive("cut off")
    with pytest.raises(BadArchive):
        fetcher.handle(world.target, event)
    world.set_job(job_id_of("a"), source="/shelf/c")
    assert fetcher.handle(world.target, event) == {"status": "success", "job_id": job_id_of("a")}


def test_a_named_chapter_left_unfinished_is_taken_in_as_it_is_now(world: World) -> None:
    old = world.begin("run-1", sources=["/shelf/a"], counted=False)
    job_id = fetcher.handle(world.target, old)["job_id"]
    world.executions.stop(old["execution"], error="", cause="")
    world.shelf.pages = 3
    fetcher.handle(world.target, world.begin("run-2", sources=["/shelf/a"], counted=False))
    assert world.job(job_id).pages == 3


def test_a_video_whose_counting_failed_is_not_taken_again_nor_held_to_have_failed(world: World) -> None:
    event = world.begin()
    first = uploaded(world, event)
    second = fetcher.handle(world.target, event)["job_id"]
    assert second == job_id_of("b")
    assert world.shelf.fetched == ["a", "b"]
    world.jobs.change(Change(key=keys.run_item("run-1"), set={"current": first}))
    handle_error.handle(world.target, failure(event, "SourceUnavailable"))
    assert not world.jobs.items[keys.run_item("run-1")].get("failed")


def test_a_stored_page_that_was_damaged_is_stored_again_at_the_next_intake(world: World) -> None:
    event = world.begin(sources=["/shelf/a"], counted=False)
    job_id = fetcher.handle(world.target, event)["job_id"]
    page = next(key for key in world.objects.data if key.endswith(".png"))
    whole = world.objects.data[page]
    world.objects.data[page] = b"rubbish"
    world.set_job(job_id, status="claimed")
    fetcher.handle(world.target, event)
    assert world.objects.data[page] == whole


def test_a_damaged_object_is_named_and_what_to_do(world: World) -> None:
    sha256 = world.objects.put("jobs/a/pages/x.png", b"as it was").sha256
    assert fetch_whole(world.objects, "jobs/a/pages/x.png", sha256).read_bytes() == b"as it was"
    world.objects.put("jobs/a/pages/x.png", b"as it waz")
    with pytest.raises(BadInput, match=r"jobs/a/pages/x\.png was damaged") as caught:
        fetch_whole(world.objects, "jobs/a/pages/x.png", sha256)
    assert "--again" in caught.value.hint
    assert not is_whole(world.objects, "jobs/a/pages/x.png", sha256)
    assert not is_whole(world.objects, "jobs/a/pages/gone.png", sha256)


def test_made_anew_means_from_nothing(world: World) -> None:
    event = world.begin("run-1", sources=["/shelf/a"], counted=False)
    job_id = fetcher.handle(world.target, event)["job_id"]
    scriptgen.handle(world.target, {**event, "job_id": job_id})
    handle_error.handle(world.target, failure(event, "RenderError", job={"job_id": job_id}))
    world.executions.stop(event["execution"], error="", cause="")
    final = f"jobs/{job_id}/final/x/e1/video.mp4"
    world.objects.put(final, b"kept")
    redo = world.begin("run-2", sources=["/shelf/a"], counted=False)
    world.jobs.change(Change(key=keys.run_item("run-2"), add={"again": [job_id]}))
    fetcher.handle(world.target, redo)
    scriptgen.handle(world.target, {**redo, "job_id": job_id})
    assert world.writer.calls == 2
    assert final in world.objects.data
    fetcher.handle(world.target, redo)
    assert any("/script/" in key for key in world.objects.data), "once a run: what it made itself stays"


def test_few_lines_are_spoken_ahead_so_that_a_run_can_be_stopped(tmp_path: Path) -> None:
    world = make_world(tmp_path, "a")
    world.shelf.pages = 30
    event = world.begin()
    job_id = fetcher.handle(world.target, event)["job_id"]
    scriptgen.handle(world.target, {**event, "job_id": job_id})
    ahead: list[int] = []

    def progress(_job: str, done: int, _total: int, unit: str) -> None:
        assert unit == "line"
        ahead.append(len(world.voice.said) - done)

    ttsgen.handle(replace(world.target, progress=progress), {**event, "job_id": job_id})
    assert len(ahead) == 30
    assert max(ahead) < 4
