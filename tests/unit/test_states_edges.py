"""The states where runs overlap, days end, and calls are lost or come twice."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mangavid import config, keys, protocol
from mangavid.config import Config
from mangavid.errors import JobFailed, SpotCapacity
from mangavid.ports import Change
from mangavid.products import read_chapter
from mangavid.states import (
    check_quota,
    cleanup,
    fetcher,
    handle_error,
    increment_counter,
    renderer_callback,
    start_renderer,
    start_uploader,
)
from tests.fakes.world import World, make_world
from tests.unit.test_states import failure, fetched, rendered, uploaded, voiced


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "a", "b", "c")


def waiting(world: World) -> str:
    """A video that waited for quota, and may be published now."""
    event = world.begin("run-0")
    job_id = rendered(world, event)
    start_uploader.handle(world.target, {**event, "job_id": job_id})
    epoch = world.job(job_id).epoch
    world.jobs.change(*protocol.await_upload(job_id, epoch, "2026-11-22", "2026-11-23T00:00:00", "2026"))
    world.executions.stop(event["execution"], error="", cause="")
    return job_id


# --- days and counting ---


def test_a_run_opened_twice_keeps_the_day_it_began_in(world: World) -> None:
    event = world.begin()
    check_quota.handle(world.target, event)
    world.clock.time = datetime(2026, 11, 24, 8, 0, 1, tzinfo=UTC)
    check_quota.handle(world.target, event)
    assert world.jobs.items[keys.run_item("run-1")]["quota_day"] == "2026-11-23"


def test_a_run_is_told_the_count_of_the_day_it_began_in(world: World) -> None:
    event = world.begin()
    check_quota.handle(world.target, event)
    job_id = uploaded(world, event)
    world.clock.time = datetime(2026, 11, 24, 8, 0, 1, tzinfo=UTC)
    assert increment_counter.handle(world.target, {**event, "job_id": job_id})["daily_count"] == 1


def test_a_count_that_was_lost_is_made_good(world: World) -> None:
    event = world.begin()
    job_id = uploaded(world, event)
    del world.jobs.items["QUOTA#2026-11-23"]
    increment_counter.handle(world.target, {**event, "job_id": job_id})
    assert world.jobs.items["QUOTA#2026-11-23"]["jobs"] == {job_id}


def test_a_run_without_sources_that_does_not_count_has_one_for_its_quota(world: World) -> None:
    assert check_quota.handle(world.target, world.begin(sources=[], counted=False))["daily_quota"] == 1


# --- what is taken, and what not ---


def test_a_run_of_named_sources_leaves_a_waiting_video_alone(world: World) -> None:
    job_id = waiting(world)
    event = world.begin("run-1", sources=["/shelf/b"], counted=False)
    assert fetcher.handle(world.target, event) == {"status": "success", "job_id": keys.job_id("b", "Kệ", "1", "vi")}
    assert world.job(job_id).status == "awaiting_upload"


def test_a_waiting_video_that_is_named_is_wanted_now(world: World) -> None:
    job_id = waiting(world)
    world.set_job(job_id, not_before="2099")
    event = world.begin("run-1", sources=["/shelf/a"], counted=False)
    assert fetched(world, event) == job_id


def test_a_waiting_video_is_tried_once_a_run(world: World) -> None:
    job_id = waiting(world)
    event = world.begin("run-1")
    assert fetcher.handle(world.target, event)["status"] == "awaiting_upload"
    world.set_job(job_id, status="awaiting_upload")
    world.jobs.change(Change(key=keys.run_item("run-1"), add={"failed": [job_id]}))
    assert fetched(world, event) != job_id


def test_of_the_jobs_left_the_oldest_is_taken_first(world: World) -> None:
    for n, name in enumerate(("run-1", "run-2")):
        event = world.begin(name)
        world.set_job(fetched(world, event), updated_at=f"200{5 - n}")
    for name in ("run-1", "run-2"):
        world.executions.stop(world.begin(name)["execution"], error="", cause="")
    assert fetched(world, world.begin("run-3")) == keys.job_id("b", "Kệ", "1", "vi")


def test_a_run_that_made_one_and_failed_one_ends_well_when_nothing_is_left(world: World) -> None:
    world.shelf.names = ["a", "b"]
    event = world.begin()
    increment_counter.handle(world.target, {**event, "job_id": uploaded(world, event)})
    handle_error.handle(world.target, failure(event, "RenderError", job={"job_id": fetched(world, event)}))
    assert fetcher.handle(world.target, event)["status"] == "no_manga_available"


@pytest.mark.parametrize(
    ("setting", "stated", "direction"), [("auto", "ltr", "ltr"), ("ttb", "ltr", "ttb"), ("auto", None, "rtl")]
)
def test_the_reading_direction_is_the_settings_else_the_sources_else_the_usual(
    tmp_path: Path, setting: str, stated: str | None, direction: str
) -> None:
    world = make_world(tmp_path, "a", config=Config(source=config.Source(direction=setting)))  # type: ignore[arg-type]
    world.shelf.direction = stated  # type: ignore[assignment]
    job_id = fetched(world, world.begin())
    assert read_chapter(world.objects, job_id).direction == direction


# --- launching ---


def test_prepare_replaces_an_instance_that_died_before_it_had_its_token(world: World) -> None:
    event = world.begin()
    call = {**event, "job_id": voiced(world, event)}
    start_renderer.handle(world.target, call)
    world.instances.running.clear()
    assert start_renderer.handle(world.target, call) == {"done": False, "epoch": 2}


def test_prepare_does_not_count_on_an_instance_of_the_run_before(world: World) -> None:
    old = world.begin("run-1")
    job_id = voiced(world, old)
    start_renderer.handle(world.target, {**old, "job_id": job_id})
    world.executions.stop(old["execution"], error="", cause="")
    event = world.begin("run-2")
    assert fetched(world, event) == job_id
    assert world.instances.alive(world.job(job_id).instance), "it drains still"
    assert start_renderer.handle(world.target, {**event, "job_id": job_id}) == {"done": False, "epoch": 2}


def test_a_launch_that_was_lost_is_made_when_the_call_comes_again(world: World) -> None:
    event = world.begin()
    call = {**event, "job_id": voiced(world, event), "token": "T1", "retry": 0}
    start_renderer.handle(world.target, call)
    world.instances.running.clear()
    world.instances.fail_with = SpotCapacity("none to be had")
    with pytest.raises(SpotCapacity):
        renderer_callback.handle(world.target, call)
    world.instances.fail_with = None
    renderer_callback.handle(world.target, call)
    assert world.instances.launched[-1] == ("render", call["job_id"], 2)
    assert world.job(str(call["job_id"])).epoch == 2


def test_an_instance_that_lives_gets_its_token_however_often_others_stalled(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    world.set_job(job_id, stalled=protocol.STALLED_LIMIT)
    renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": "T1", "retry": 0})
    assert world.job(job_id).token == "T1"


def test_an_execution_can_not_touch_a_job_that_another_one_took(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    world.set_job(job_id, execution="another")
    before = world.jobs.get(keys.job_item(job_id))
    with pytest.raises(JobFailed, match="another execution"):
        renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": "T1", "retry": 0})
    with pytest.raises(JobFailed, match="another execution"):
        start_renderer.handle(world.target, {**event, "job_id": job_id})
    assert world.jobs.get(keys.job_item(job_id)) == before


def test_a_failure_of_a_job_that_another_run_took_counts_for_the_run_only(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    world.set_job(job_id, execution="another")
    handle_error.handle(world.target, failure(event, "RenderError", job={"job_id": job_id}))
    assert world.job(job_id).status == "fetched"
    assert world.jobs.items[keys.run_item("run-1")]["failures_in_a_row"] == 1


# --- cleaning up ---


@pytest.mark.parametrize("difference", [{"status": "rendered"}, {"video_id": ""}])
def test_cleanup_wants_both_a_video_and_a_finished_job(world: World, difference: dict[str, str]) -> None:
    event = world.begin()
    job_id = uploaded(world, event)
    world.set_job(job_id, **difference)
    before = dict(world.objects.data)
    assert cleanup.handle(world.target, {**event, "job_id": job_id}) == {"deleted": 0}
    assert world.objects.data == before
