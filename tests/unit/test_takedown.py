"""Taking a video down: the chapter is blocked first, and stays so until it is allowed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from mangavid import keys, protocol
from mangavid.config import Config
from mangavid.config import Publisher as PublisherSettings
from mangavid.errors import BadInput, ConditionFailed, ConfigError, UpstreamUnavailable
from mangavid.ports import Publisher
from mangavid.states import fetcher, operations
from mangavid.states.wanted import sort_out
from tests.fakes.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "a", "b", config=Config(publisher=PublisherSettings(kind="youtube")))


def published(world: World) -> str:
    event = world.begin()
    job_id = str(fetcher.handle(world.target, event)["job_id"])
    world.set_job(job_id, status="cleaned", video_id="v1", published="https://youtu.be/v1")
    world.executions.stop(event["execution"], error="", cause="")
    return job_id


@pytest.mark.parametrize("delete", [False, True])
def test_the_video_is_withdrawn_and_its_chapter_is_never_taken_again(world: World, delete: bool) -> None:
    job_id = published(world)
    item, said = operations.withdraw(world.target, job_id, delete=delete)
    assert (item["status"], said) == ("withdrawn", "deleted" if delete else "taken out of sight")
    assert world.publisher.withdrawn == [("v1", delete)]
    again = world.begin("run-2", sources=["/shelf/a"], counted=False, again=frozenset({job_id}))
    assert fetcher.handle(world.target, again)["status"] == "no_manga_available"
    library = world.begin("run-3")
    assert fetcher.handle(world.target, library)["job_id"] != job_id


def test_where_the_publisher_does_not_answer_the_chapter_is_blocked_already(world: World) -> None:
    job_id = published(world)

    class Away(type(world.publisher)):  # type: ignore[misc]
        def withdraw(self, video_id: str, *, delete: bool) -> str:
            raise UpstreamUnavailable("YouTube does not answer")

    import dataclasses

    away: Publisher = Away()
    target = dataclasses.replace(world.target, publisher=lambda: away)
    with pytest.raises(UpstreamUnavailable):
        operations.withdraw(target, job_id, delete=True)
    assert world.job(job_id).status == "withdrawn"
    assert operations.withdraw(world.target, job_id, delete=True)[1] == "deleted", "typed again, it goes on"


def test_a_job_without_a_video_is_only_blocked(world: World) -> None:
    job_id = published(world)
    world.set_job(job_id, status="failed", video_id="")
    assert operations.withdraw(world.target, job_id, delete=False)[1] == "It has no video that was published"
    assert world.publisher.withdrawn == []
    with pytest.raises(BadInput, match="taken down"):
        operations.retry(world.jobs, world.clock, job_id)


def test_a_job_that_a_run_makes_now_is_not_withdrawn_under_its_hands(world: World) -> None:
    job_id = str(fetcher.handle(world.target, world.begin())["job_id"])
    with pytest.raises(BadInput, match="is being made right now"):
        operations.withdraw(world.target, job_id, delete=False)
    assert world.job(job_id).status == "fetched"


def test_one_that_is_allowed_again_is_made_like_one_that_failed(world: World) -> None:
    job_id = published(world)
    operations.withdraw(world.target, job_id, delete=True)
    assert operations.allow_again(world.target, job_id)["status"] == "failed"
    with pytest.raises(BadInput, match="is not taken down"):
        operations.allow_again(world.target, job_id)
    taken = fetcher.handle(world.target, world.begin("run-2", sources=["/shelf/a"], counted=False))
    assert taken["job_id"] == job_id
    assert world.job(job_id).video_id == ""
    assert world.job(job_id).replaced == {"v1"}, "the new video is not the old one"


def test_who_still_works_for_a_run_that_was_stopped_brings_a_blocked_chapter_not_back(world: World) -> None:
    event = world.begin()
    job_id = str(fetcher.handle(world.target, event)["job_id"])
    world.set_job(job_id, status="uploading", phase="upload", epoch=4)
    world.executions.stop(event["execution"], error="Stopped", cause="")
    operations.withdraw(world.target, job_id, delete=False)
    late = world.target.clock.now().isoformat()
    job = world.job(job_id)
    failure = {"entered": "e", "error": "JobFailed", "cause": "", "hint": "", "failed_in": "", "now": late}
    for change in (
        protocol.advance(job_id, event["execution"], "scripted", late),
        protocol.begin_upload(job, 4, "https://session", "0" * 64, "", late),
        protocol.await_upload(job_id, 4, "2026-11-26", late, late)[0],
        protocol.record_failure(
            world.jobs.get(keys.job_item(job_id)), job_id, run="run-1", execution=event["execution"], **failure
        )[1],
    ):
        with pytest.raises(ConditionFailed):
            world.jobs.change(change)
    assert (job.status, job.epoch) == ("withdrawn", 5), "an uploader that looks whether it is the one finds it is not"


@pytest.mark.parametrize(("kind", "own"), [("youtube", True), ("folder", False)])
def test_a_video_is_not_looked_for_where_it_was_never_published(tmp_path: Path, kind: str, own: bool) -> None:
    world = make_world(tmp_path, "a", config=Config(publisher=PublisherSettings(kind=kind)))  # type: ignore[arg-type]
    job_id = published(world)
    world.set_job(job_id, video_id=job_id if own else "v1")
    with pytest.raises(ConfigError, match="is blocked, but its video was published with"):
        operations.withdraw(world.target, job_id, delete=True)
    assert (world.publisher.withdrawn, world.job(job_id).status) == ([], "withdrawn")


@pytest.mark.parametrize("again", [False, True])
def test_a_blocked_chapter_that_is_named_is_told_of(world: World, again: bool) -> None:
    job_id = published(world)
    operations.withdraw(world.target, job_id, delete=False)
    blocked, other = list(world.target.source({"sources": ["/shelf/a", "/shelf/b"]}).find())
    with pytest.raises(BadInput, match="was taken down") as told:
        sort_out(world.target, [blocked], again=again)
    assert told.value.hint == f"mangavid takedown {job_id} --undo lets it be made"
    notes: list[str] = []
    wanted = sort_out(world.target, [blocked, other], again=again, note=notes.append)
    assert (wanted.sources, wanted.remake, len(notes)) == ([other.ref], [], 1)


def test_a_video_made_anew_counts_on_the_day_it_is_published(world: World) -> None:
    job_id = published(world)
    world.set_job(job_id, quota_day="2026-01-01", status="cleaned")
    again = world.begin("run-2", sources=["/shelf/a"], again=frozenset({job_id}))
    assert fetcher.handle(world.target, again)["job_id"] == job_id
    assert world.job(job_id).quota_day == ""
    world.set_job(job_id, quota_day="2026-01-01", status="withdrawn")
    operations.allow_again(world.target, job_id)
    assert world.job(job_id).quota_day == ""
