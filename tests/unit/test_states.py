"""The states over in-memory ports: what each leaves behind, also when it runs again or is delivered twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mangavid import keys, protocol
from mangavid.config import Config, Quota
from mangavid.errors import BadArchive, JobFailed, LeaseLost, NoProgress, SpotCapacity, told
from mangavid.ports import Change
from mangavid.states import (
    check_quota,
    cleanup,
    dispatch,
    fetcher,
    handle_error,
    increment_counter,
    renderer_callback,
    scriptgen,
    start_renderer,
    start_uploader,
    ttsgen,
    uploader_callback,
)
from tests.fakes.world import World, make_world

Event = dict[str, str]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "a", "b", "c", "d", "e")


def fetched(world: World, event: Event) -> str:
    result = fetcher.handle(world.target, event)
    assert result["status"] == "success"
    return str(result["job_id"])


def voiced(world: World, event: Event) -> str:
    job_id = fetched(world, event)
    scriptgen.handle(world.target, {**event, "job_id": job_id})
    ttsgen.handle(world.target, {**event, "job_id": job_id})
    return job_id


def rendered(world: World, event: Event) -> str:
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    job = world.job(job_id)
    import msgspec

    ready = msgspec.to_builtins(world.rendered(job_id))
    world.jobs.change(protocol.commit_render(job_id, job.epoch, ready, "2026"))
    return job_id


def uploaded(world: World, event: Event) -> str:
    job_id = rendered(world, event)
    start_uploader.handle(world.target, {**event, "job_id": job_id})
    world.jobs.change(*protocol.commit_upload(world.job(job_id), "v1", "/v.mp4", "2026-11-23", "2026"))
    world.jobs.change(protocol.commit_finish(job_id, "v1", "2026"))
    return job_id


def failure(event: Event, error: str, cause: str = "it broke", **state: object) -> dict[str, object]:
    told = {"quota": {}, "error": {"Error": error, "Cause": cause}, **state}
    return {**event, "entered": f"t-{error}-{state}", "state": told}


# --- CheckQuota ---


def test_check_quota_opens_the_run_pins_its_day_and_reports_what_is_left(world: World) -> None:
    event = world.begin()
    assert check_quota.handle(world.target, event) == {
        "quota_reached": False,
        "daily_count": 0,
        "daily_quota": 3,
        "next": "continue",
    }
    run = world.jobs.get(keys.run_item("run-1"))
    assert run is not None
    assert run["quota_day"] == "2026-11-23"
    assert run["execution"] == event["execution"]


def test_the_quota_is_reached_by_the_jobs_counted_less_those_a_reset_excluded(world: World) -> None:
    world.jobs.change(Change(key="QUOTA#2026-11-23", add={"jobs": ["x", "y", "z"]}))
    assert check_quota.handle(world.target, world.begin())["quota_reached"] is True
    world.jobs.change(Change(key="QUOTA#2026-11-23", add={"excluded": ["x", "old"]}))
    world.executions.stop(world.begin()["execution"], error="", cause="")
    again = check_quota.handle(world.target, world.begin("run-2"))
    assert (again["quota_reached"], again["daily_count"]) == (False, 2)


def test_a_stored_quota_goes_before_the_setting(world: World) -> None:
    world.jobs.change(Change(key="QUOTA#settings", set={"daily": 7}))
    assert check_quota.handle(world.target, world.begin())["daily_quota"] == 7


def test_a_day_that_was_marked_exhausted_is_reached(world: World) -> None:
    world.jobs.change(Change(key="QUOTA#2026-11-23", set={"exhausted": True}))
    assert check_quota.handle(world.target, world.begin())["quota_reached"] is True


def test_a_run_of_named_sources_has_them_for_its_quota_and_leaves_the_day_alone(world: World) -> None:
    world.jobs.change(Change(key="QUOTA#2026-11-23", set={"exhausted": True}))
    event = world.begin(sources=["/shelf/a", "/shelf/b"], counted=False)
    assert check_quota.handle(world.target, event) == {
        "quota_reached": False,
        "daily_count": 0,
        "daily_quota": 2,
        "next": "continue",
    }


def test_a_second_execution_gets_nothing_while_the_first_runs_and_the_lock_once_it_has_ended(world: World) -> None:
    first, second = world.begin("run-1"), world.begin("run-2")
    assert check_quota.handle(world.target, first)["quota_reached"] is False
    assert check_quota.handle(world.target, first)["quota_reached"] is False, "asking again keeps the lock"
    assert check_quota.handle(world.target, second)["quota_reached"] is True
    world.executions.stop(first["execution"], error="", cause="")
    assert check_quota.handle(world.target, second)["quota_reached"] is False


def test_the_quota_day_is_pacific(world: World) -> None:
    world.clock.time = datetime(2026, 7, 1, 6, 59, 59, tzinfo=UTC)
    check_quota.handle(world.target, world.begin())
    assert world.jobs.items[keys.run_item("run-1")]["quota_day"] == "2026-06-30"


# --- FetchManga ---


def test_the_next_chapter_is_claimed_its_pages_stored_and_the_manifest_last(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    assert keys.JOB_ID.fullmatch(job_id)
    job = world.job(job_id)
    assert (job.status, job.title, job.execution) == ("fetched", "Kệ – Chương 1", event["execution"])
    assert (job.pages, job.panels) == (2, 2)
    assert world.objects.puts[-1] == keys.manifest(job_id)
    assert all(key.startswith(f"jobs/{job_id}/pages/") for key in world.objects.puts)


def test_a_fetch_that_runs_again_goes_on_with_the_chapter_it_took_and_fetches_it_once(world: World) -> None:
    event = world.begin()
    assert fetched(world, event) == fetched(world, event)
    assert world.shelf.fetched == ["a"]
    assert world.jobs.items[keys.run_item("run-1")]["iterations"] == 1


def test_a_chapter_held_by_a_running_execution_is_left_alone_and_taken_once_that_has_ended(world: World) -> None:
    first = world.begin("run-1")
    job_a = fetched(world, first)
    job_b = fetched(world, world.begin("run-2"))
    assert job_a != job_b
    world.executions.stop(first["execution"], error="", cause="")
    assert fetched(world, world.begin("run-3")) == job_a


def test_a_chapter_that_is_published_is_not_taken_again_unless_the_run_says_so(world: World) -> None:
    event = world.begin()
    job_id = uploaded(world, event)
    increment_counter.handle(world.target, {**event, "job_id": job_id})
    assert fetched(world, event) != job_id
    world.executions.stop(event["execution"], error="", cause="")
    redo = world.begin("run-2", sources=["/shelf/a"], counted=False)
    assert fetcher.handle(world.target, redo)["status"] == "no_manga_available"
    world.jobs.change(Change(key=keys.run_item("run-2"), add={"again": [job_id]}))
    assert fetched(world, redo) == job_id
    job = world.job(job_id)
    assert (job.video_id, job.rendered, job.script_key) == ("", None, "")
    assert job.epoch == 2, "the epoch never goes back: old workers stay fenced off"


def test_a_failed_chapter_is_not_taken_again_in_the_same_run_but_in_the_next(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    handle_error.handle(world.target, failure(event, "ScriptInvalid", job={"job_id": job_id}))
    assert fetched(world, event) != job_id
    world.executions.stop(event["execution"], error="", cause="")
    world.shelf.names = ["a"]
    next_run = world.begin("run-2")
    assert fetched(world, next_run) in (job_id, keys.job_id("b", "Kệ", "1", "vi"))


def test_three_failures_quarantine_a_chapter_until_it_is_named(world: World) -> None:
    world.shelf.names = ["a"]
    for n in range(3):
        event = world.begin(f"run-{n}")
        job_id = fetched(world, event)
        handle_error.handle(world.target, failure(event, "ScriptInvalid", job={"job_id": job_id}))
        world.executions.stop(event["execution"], error="", cause="")
    assert world.job(job_id).status == "quarantined"
    assert fetcher.handle(world.target, world.begin("run-4"))["status"] == "no_manga_available"
    named = world.begin("run-5", sources=["/shelf/a"], counted=False)
    assert fetched(world, named) == job_id


def test_a_run_that_met_only_failures_says_so_when_nothing_is_left(world: World) -> None:
    world.shelf.names = ["a"]
    event = world.begin()
    job_id = fetched(world, event)
    handle_error.handle(world.target, failure(event, "BadInput", job={"job_id": job_id}))
    assert fetcher.handle(world.target, event)["status"] == "nothing_but_failures"


def test_a_job_left_by_a_run_that_ended_goes_before_new_chapters(world: World) -> None:
    old = world.begin("run-1")
    left = voiced(world, old)
    world.executions.stop(old["execution"], error="", cause="")
    world.shelf.names = ["z"]
    event = world.begin("run-2")
    assert fetched(world, event) == left
    assert world.shelf.fetched == ["a"], "its pages are there: nothing is fetched again"


def test_a_video_that_waits_for_quota_is_served_first_and_not_before_its_time(world: World) -> None:
    event = world.begin("run-1")
    job_id = rendered(world, event)
    start_uploader.handle(world.target, {**event, "job_id": job_id})
    epoch = world.job(job_id).epoch
    later = "2026-11-24T08:00:00+00:00"
    world.jobs.change(*protocol.await_upload(job_id, epoch, "2026-11-23", later, "2026"))
    world.executions.stop(event["execution"], error="", cause="")
    second = world.begin("run-2")
    assert fetched(world, second) != job_id
    world.executions.stop(second["execution"], error="", cause="")
    world.clock.time = datetime(2026, 11, 24, 8, 0, 1, tzinfo=UTC)
    assert fetcher.handle(world.target, world.begin("run-3")) == {"status": "awaiting_upload", "job_id": job_id}
    assert world.job(job_id).rendered is not None


def test_a_chapter_that_was_mended_since_it_failed_is_taken_in_anew(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    handle_error.handle(world.target, failure(event, "BadSidecar", job={"job_id": job_id}))
    world.executions.stop(event["execution"], error="", cause="")
    world.shelf.names, world.shelf.pages = ["a"], 3
    assert fetched(world, world.begin("run-2")) == job_id
    assert world.job(job_id).pages == 3


def test_what_was_left_out_of_a_chapter_is_noted_on_its_job(world: World) -> None:
    world.shelf.notes = ("3.jpg: cut off",)
    assert world.job(fetched(world, world.begin())).notes == ("left out: 3.jpg: cut off",)


# --- GenerateScript, GenerateTTS ---


def test_a_script_is_written_once_for_the_same_inputs(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    assert scriptgen.handle(world.target, {**event, "job_id": job_id}) == {"scenes": 2}
    assert scriptgen.handle(world.target, {**event, "job_id": job_id}) == {"scenes": 2}
    assert world.writer.calls == 1
    assert world.job(job_id).status == "scripted"


def test_a_line_that_was_spoken_before_an_interruption_is_not_spoken_again(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    speech_key = world.job(job_id).speech_key
    assert sorted(world.voice.said) == ["Khung 0.", "Khung 1."]
    world.objects.delete([speech_key])
    ttsgen.handle(world.target, {**event, "job_id": job_id})
    assert len(world.voice.said) == 2
    assert world.job(job_id).speech_key == speech_key


# --- prepare and attach ---


def test_prepare_opens_an_epoch_and_launches_one_instance_however_often_it_runs(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    assert start_renderer.handle(world.target, {**event, "job_id": job_id}) == {"done": False, "epoch": 1}
    assert start_renderer.handle(world.target, {**event, "job_id": job_id}) == {"done": False, "epoch": 1}
    assert world.instances.launched == [("render", job_id, 1)]
    assert world.job(job_id).status == "rendering"


def test_prepare_says_done_where_the_result_is_there_and_made_from_the_same_inputs(world: World) -> None:
    event = world.begin()
    job_id = rendered(world, event)
    assert start_renderer.handle(world.target, {**event, "job_id": job_id})["done"] is True
    world.set_job(job_id, script_key="another")
    assert start_renderer.handle(world.target, {**event, "job_id": job_id})["done"] is False


def test_an_uploader_is_not_launched_without_a_video(world: World) -> None:
    event = world.begin()
    with pytest.raises(JobFailed, match="no rendered video"):
        start_uploader.handle(world.target, {**event, "job_id": voiced(world, event)})


def test_attach_gives_the_waiting_instance_its_token_and_launches_nothing(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": "T1", "retry": 0})
    job = world.job(job_id)
    assert (job.token, job.token_epoch, job.epoch) == ("T1", 1, 1)
    assert len(world.instances.launched) == 1


def test_a_retry_fences_the_old_instance_off_and_launches_a_new_one(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": "T1", "retry": 0})
    old = world.job(job_id).instance
    world.jobs.change(protocol.checkpoint(job_id, 1, 1, 2, "2026"))
    renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": "T2", "retry": 1})
    job = world.job(job_id)
    assert (job.token, job.token_epoch, job.epoch) == ("T2", 2, 2)
    assert old in world.instances.terminated
    assert world.instances.launched[-1] == ("render", job_id, 2)


def test_attach_delivered_twice_with_one_token_launches_one_instance(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    world.instances.running.clear()
    for _ in range(2):
        renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": "T1", "retry": 0})
    assert world.instances.launched == [("render", job_id, 1), ("render", job_id, 2)]
    assert world.job(job_id).epoch == 2


def test_attach_answers_by_itself_where_the_result_was_committed_before(world: World) -> None:
    event = world.begin()
    job_id = rendered(world, event)
    world.callbacks.open.add("T9")
    renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": "T9", "retry": 1})
    assert world.callbacks.answers == [("success", "T9", {"job_id": job_id, "status": "completed"})]
    assert len(world.instances.launched) == 1


def test_relaunches_that_advance_nothing_end_in_no_progress_at_the_second(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    call = {**event, "job_id": job_id}
    renderer_callback.handle(world.target, {**call, "token": "T1", "retry": 0})
    renderer_callback.handle(world.target, {**call, "token": "T2", "retry": 1})
    with pytest.raises(NoProgress):
        renderer_callback.handle(world.target, {**call, "token": "T3", "retry": 2})


@pytest.mark.parametrize("how", ["checkpoint", "interruption"])
def test_a_relaunch_is_not_held_against_a_job_that_advanced_or_was_interrupted(world: World, how: str) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    for retry in range(6):
        renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": f"T{retry}", "retry": retry})
        epoch = world.job(job_id).epoch
        if how == "checkpoint":
            world.jobs.change(protocol.checkpoint(job_id, epoch, retry + 1, 9, "2026"))
        else:
            world.jobs.change(protocol.interrupted(job_id, epoch, "SpotInterrupted", "2026"))
    assert world.job(job_id).epoch == 6


def test_a_launch_that_fails_leaves_an_epoch_that_the_retry_takes_over(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    world.instances.fail_with = SpotCapacity("none to be had")
    with pytest.raises(SpotCapacity):
        start_renderer.handle(world.target, {**event, "job_id": job_id})
    world.instances.fail_with = None
    assert start_renderer.handle(world.target, {**event, "job_id": job_id}) == {"done": False, "epoch": 2}
    assert world.instances.launched == [("render", job_id, 2)]


def test_a_worker_that_stopped_with_its_run_is_replaced_under_the_token_that_is_open(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    renderer_callback.handle(world.target, {**event, "job_id": job_id, "token": "T1", "retry": 0})
    world.jobs.change(protocol.checkpoint(job_id, 1, 1, 2, "2026"))
    world.callbacks.open.add("T1")
    dispatch.replace(world.target, job_id)
    job = world.job(job_id)
    assert (job.token, job.token_epoch, job.epoch, job.ckpt_at_dispatch) == ("T1", 2, 2, 1)
    assert world.instances.launched[-1] == ("render", job_id, 2)
    assert world.callbacks.heartbeats == ["T1"], "the time without a worker is forgiven"
    world.callbacks.open.clear()
    with pytest.raises(LeaseLost):
        dispatch.replace(world.target, job_id)
    assert world.job(job_id).epoch == 2


# --- Cleanup, IncrementCounter ---


def test_cleanup_deletes_what_is_temporary_and_keeps_what_is_final(world: World) -> None:
    event = world.begin()
    job_id = uploaded(world, event)
    deleted = cleanup.handle(world.target, {**event, "job_id": job_id})["deleted"]
    assert deleted > 0
    assert {key.split("/")[2] for key in world.objects.data} == {"final"}
    assert world.job(job_id).status == "cleaned"
    assert cleanup.handle(world.target, {**event, "job_id": job_id})["deleted"] == 0


def test_cleanup_touches_nothing_of_a_job_that_is_not_published(world: World) -> None:
    event = world.begin()
    job_id = rendered(world, event)
    before = dict(world.objects.data)
    assert cleanup.handle(world.target, {**event, "job_id": job_id}) == {"deleted": 0}
    assert world.objects.data == before


def test_a_video_counts_once_however_often_it_is_counted(world: World) -> None:
    event = world.begin()
    job_id = uploaded(world, event)
    for _ in range(5):
        facts = increment_counter.handle(world.target, {**event, "job_id": job_id})
    assert facts == {"quota_reached": False, "daily_count": 1, "daily_quota": 3, "next": "continue"}


def test_making_files_from_named_sources_does_not_use_the_quota(world: World) -> None:
    event = world.begin(sources=["/shelf/a"], counted=False)
    job_id = uploaded(world, event)
    facts = increment_counter.handle(world.target, {**event, "job_id": job_id})
    assert (facts["daily_count"], facts["daily_quota"]) == (1, 1)
    assert world.jobs.get("QUOTA#2026-11-23") is None


# --- HandleError ---


def test_a_failure_is_written_on_the_job_in_words_and_the_run_goes_on(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    cause = json.dumps({"errorMessage": "a.cbz is cut off", "errorType": "BadArchive", "stackTrace": ["x" * 9000]})
    facts = handle_error.handle(world.target, failure(event, "BadArchive", cause, job={"job_id": job_id}))
    job = world.job(job_id)
    assert (job.status, job.error, job.cause, job.failed_in) == (
        "failed",
        "BadArchive",
        "a.cbz is cut off",
        "GenerateScript",
    )
    assert job.attempts == 1
    assert facts["next"] == "continue"


def test_a_hint_that_came_with_the_message_is_kept_apart_from_it(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    cause = json.dumps({"errorMessage": told(BadArchive("a.cbz is cut off", hint="copy it again"))})
    handle_error.handle(world.target, failure(event, "BadArchive", cause, job={"job_id": job_id}))
    assert (world.job(job_id).cause, world.job(job_id).hint) == ("a.cbz is cut off", "copy it again")


def test_a_failure_of_fetching_itself_finds_its_job_through_the_run(world: World) -> None:
    event = world.begin()
    world.shelf.broken["a"] = BadArchive("a is broken")
    with pytest.raises(BadArchive):
        fetcher.handle(world.target, event)
    handle_error.handle(world.target, failure(event, "BadArchive"))
    job = world.job(keys.job_id("a", "Kệ", "1", "vi"))
    assert (job.status, job.failed_in) == ("failed", "FetchManga")


def test_a_failure_delivered_twice_is_recorded_once(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    for _ in range(3):
        handle_error.handle(world.target, failure(event, "ScriptInvalid", job={"job_id": job_id}))
    assert world.job(job_id).attempts == 1
    assert world.jobs.items[keys.run_item("run-1")]["failures_in_a_row"] == 1


def test_three_failures_in_a_row_end_the_run_and_a_video_in_between_starts_the_count_afresh(world: World) -> None:
    event = world.begin()

    def fail() -> str:
        job_id = fetched(world, event)
        return str(handle_error.handle(world.target, failure(event, "TtsFailed", job={"job_id": job_id}))["next"])

    assert fail() == "continue"
    assert fail() == "continue"
    increment_counter.handle(world.target, {**event, "job_id": uploaded(world, event)})
    assert [fail(), fail()] == ["continue", "continue"]
    assert world.shelf.names == ["a", "b", "c", "d", "e"]
    world.shelf.names.append("f")
    assert fail() == "done", "videos were made, so the run ends well"


def test_a_run_of_failures_only_aborts(world: World) -> None:
    event = world.begin()
    nexts = []
    for _ in range(3):
        job_id = fetched(world, event)
        nexts.append(handle_error.handle(world.target, failure(event, "TtsFailed", job={"job_id": job_id}))["next"])
    assert nexts == ["continue", "continue", "abort"]


def test_an_error_that_would_meet_every_chapter_stops_the_run_and_is_not_held_against_this_one(world: World) -> None:
    event = world.begin()
    job_id = fetched(world, event)
    facts = handle_error.handle(world.target, failure(event, "AuthError", job={"job_id": job_id}))
    job = world.job(job_id)
    assert (job.status, job.attempts) == ("interrupted", 0)
    assert facts["next"] == "abort"


def test_a_failure_after_publishing_does_not_unpublish(world: World) -> None:
    event = world.begin()
    job_id = uploaded(world, event)
    handle_error.handle(world.target, failure(event, "States.Timeout", job={"job_id": job_id}))
    assert world.job(job_id).status == "uploaded"


def test_a_failed_render_ends_its_instance(world: World) -> None:
    event = world.begin()
    job_id = voiced(world, event)
    start_renderer.handle(world.target, {**event, "job_id": job_id})
    instance = world.job(job_id).instance
    handle_error.handle(world.target, failure(event, "RenderError", job={"job_id": job_id}))
    assert instance in world.instances.terminated


def test_a_run_ends_with_its_quota_day(world: World) -> None:
    event = world.begin()
    check_quota.handle(world.target, event)
    job_id = uploaded(world, event)
    world.clock.time = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
    assert increment_counter.handle(world.target, {**event, "job_id": job_id})["next"] == "done"


def test_iterations_are_capped_whatever_becomes_of_the_chapters(tmp_path: Path) -> None:
    world = make_world(tmp_path, *[f"c{n}" for n in range(30)], config=Config(quota=Quota(daily=2)))
    event = world.begin()
    steps = 0
    while True:
        job_id = fetched(world, event)
        steps += 1
        made = steps % 3 == 0
        world.jobs.change(Change(key=keys.run_item("run-1"), set={"failures_in_a_row": 0}))
        facts = handle_error.handle(world.target, failure(event, "TtsFailed", job={"job_id": job_id}, n=steps))
        assert not made or steps < 10
        if facts["next"] != "continue":
            break
    assert steps == 2 + protocol.MAX_FAILURES_IN_A_ROW


def test_the_uploader_gets_its_token_the_same_way(world: World) -> None:
    event = world.begin()
    job_id = rendered(world, event)
    start_uploader.handle(world.target, {**event, "job_id": job_id})
    uploader_callback.handle(world.target, {**event, "job_id": job_id, "token": "U1", "retry": 0})
    job = world.job(job_id)
    assert (job.phase, job.token, job.token_epoch) == ("upload", "U1", job.epoch)


def test_a_run_that_failed_in_check_quota_goes_no_further_since_it_has_no_lock(world: World) -> None:
    event = world.begin()
    call = {**failure(event, "UpstreamUnavailable"), "state": {"error": {"Error": "UpstreamUnavailable"}}}
    assert handle_error.handle(world.target, call)["next"] == "abort"
    assert world.jobs.items[keys.run_item("run-1")]["last_error"] == "UpstreamUnavailable"
