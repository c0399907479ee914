"""The worker's side of the token protocol, and the uploader on it, over in-memory ports."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mangavid import keys, protocol
from mangavid.errors import AuthError, LeaseLost, UpstreamUnavailable, YouTubeQuotaError
from mangavid.states import (
    fetcher,
    renderer_callback,
    scriptgen,
    start_renderer,
    start_uploader,
    ttsgen,
    uploader_callback,
)
from mangavid.video import pool
from mangavid.workers import render as renderer
from mangavid.workers.lease import Lease
from mangavid.workers.upload import upload
from tests.fakes.world import World, make_world

TOKEN = "U1"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "a")


def to_upload(world: World) -> tuple[str, dict[str, str]]:
    """A job with its video rendered, an uploader launched for it and its token attached."""
    event = world.begin()
    job_id = str(fetcher.handle(world.target, event)["job_id"])
    call = {**event, "job_id": job_id}
    scriptgen.handle(world.target, call)
    ttsgen.handle(world.target, call)
    start_renderer.handle(world.target, call)
    ready = msgspec.to_builtins(world.rendered(job_id))
    world.jobs.change(protocol.commit_render(job_id, world.job(job_id).epoch, ready, "2026"))
    start_uploader.handle(world.target, call)
    uploader_callback.handle(world.target, {**call, "token": TOKEN, "retry": 0})
    world.callbacks.open.add(TOKEN)
    return job_id, call


def lease_of(world: World, job_id: str, owner: str = "me", **more: Any) -> Lease:
    return Lease(world.target, job_id, "upload", world.job(job_id).epoch, owner=owner, **more)


# --- claiming ---


def test_one_of_two_instances_of_an_epoch_becomes_the_worker(world: World) -> None:
    job_id, _ = to_upload(world)
    lease_of(world, job_id, "first").claim()
    with pytest.raises(LeaseLost):
        lease_of(world, job_id, "second").claim()
    assert world.job(job_id).lease_owner == "first"


def test_a_worker_of_an_older_epoch_gets_nothing(world: World) -> None:
    job_id, call = to_upload(world)
    old = lease_of(world, job_id, "old")
    uploader_callback.handle(world.target, {**call, "token": "U2", "retry": 1})
    with pytest.raises(LeaseLost):
        old.claim()


def test_a_worker_whose_token_never_comes_gives_up_after_240_seconds(world: World) -> None:
    job_id, _ = to_upload(world)
    world.jobs.items[keys.job_item(job_id)].pop("token")
    begin = world.clock.monotonic()
    with pytest.raises(LeaseLost, match="no token"):
        lease_of(world, job_id).claim()
    assert 240 <= world.clock.monotonic() - begin < 245


def test_a_worker_that_waits_for_its_token_heeds_its_notice(world: World) -> None:
    job_id, _ = to_upload(world)
    world.jobs.items[keys.job_item(job_id)].pop("token")
    with pytest.raises(LeaseLost, match="going away"):
        lease_of(world, job_id, notice=lambda: "going away").claim()


def test_the_first_thing_after_the_claim_is_a_heartbeat(world: World) -> None:
    job_id, _ = to_upload(world)
    lease_of(world, job_id).claim()
    assert world.callbacks.heartbeats == [TOKEN]


def test_a_closed_token_fences_the_worker_at_its_first_heartbeat(world: World) -> None:
    job_id, _ = to_upload(world)
    world.callbacks.open.clear()
    with pytest.raises(LeaseLost):
        lease_of(world, job_id).claim()


# --- fencing ---


def test_every_write_of_a_zombie_is_refused_after_its_replacement_started(world: World) -> None:
    job_id, call = to_upload(world)
    zombie = lease_of(world, job_id, "zombie")
    zombie.claim()
    uploader_callback.handle(world.target, {**call, "token": "U2", "retry": 1})
    before = world.jobs.get(keys.job_item(job_id))
    writes: list[Callable[[], object]] = [
        zombie.check,
        lambda: zombie.checkpoint(5, 9),
        lambda: zombie.commit(protocol.commit_render(job_id, zombie.epoch, {}, "2026")),
        lambda: zombie.commit(*protocol.await_upload(job_id, zombie.epoch, "d", "t", "2026")),
    ]
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    assert world.jobs.get(keys.job_item(job_id)) == before
    assert zombie.lost.is_set()


def test_an_old_heartbeat_is_renewed_before_an_irreversible_act(world: World) -> None:
    job_id, _ = to_upload(world)
    lease = lease_of(world, job_id)
    lease.claim()
    world.clock.advance(protocol.FRESH_SECONDS + 1)
    lease.check()
    assert len(world.callbacks.heartbeats) == 2
    world.clock.advance(protocol.FRESH_SECONDS + 1)
    world.callbacks.open.clear()
    with pytest.raises(LeaseLost):
        lease.check()


def test_work_that_hangs_stops_its_heartbeats_and_is_ended(world: World) -> None:
    job_id, _ = to_upload(world)
    ended = threading.Event()
    lease = lease_of(world, job_id, on_lost=ended.set)
    lease.claim()
    world.clock.advance(protocol.WATCHDOG_SECONDS + 1)
    lease.check()
    beats = len(world.callbacks.heartbeats)
    with lease:
        world.clock.advance(protocol.HEARTBEAT_SECONDS * 1.2)
        assert lease.lost.wait(5)
    assert len(world.callbacks.heartbeats) == beats


def test_a_notice_sets_the_lease_draining(world: World) -> None:
    job_id, _ = to_upload(world)
    gone: list[str] = []
    lease = lease_of(world, job_id, notice=lambda: gone[0] if gone else None)
    lease.claim()
    with lease:
        gone.append("Spot notice")
        assert lease.draining.wait(5)
    assert not lease.lost.is_set()


# --- the renderer, whose machine is taken away ---


class Endless:
    """Stands for the pool of encoders: one segment, that never ends."""

    def __init__(self, count: int) -> None:
        self.handed_out = True

    def __enter__(self) -> Endless:
        return self

    def __exit__(self, *_: object) -> None: ...

    def drain(self) -> None:
        self.handed_out = False

    def run(self, jobs: list[Any], *, on_frames: Callable[[Any, int], None], **_: object) -> list[Any]:
        while True:
            on_frames(jobs[0], 1)
            time.sleep(0.001)


def to_render(world: World, **more: Any) -> Lease:
    """A job that is narrated, its token attached, and a renderer's lease on it."""
    event = world.begin()
    call = {**event, "job_id": str(fetcher.handle(world.target, event)["job_id"])}
    for state in (scriptgen, ttsgen, start_renderer):
        state.handle(world.target, call)
    renderer_callback.handle(world.target, {**call, "token": TOKEN, "retry": 0})
    world.callbacks.open.add(TOKEN)
    return Lease(world.target, call["job_id"], "render", world.job(call["job_id"]).epoch, owner="me", **more)


def test_a_segment_that_takes_too_long_and_a_soundtrack_do_not_hold_up_that_the_machine_goes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()
    fail = world.callbacks.failure

    def failure(token: str, error: str, cause: str) -> None:
        fail(token, error, cause)
        answered.set()

    def soundtrack(*_: object) -> None:
        assert answered.wait(10)

    monkeypatch.setattr(world.callbacks, "failure", failure)
    monkeypatch.setattr(pool, "Encoders", Endless)
    monkeypatch.setattr(renderer._Render, "_soundtrack", soundtrack)
    monkeypatch.setattr(renderer, "_thumbnail", lambda *_: b"")
    lease = to_render(world, notice=lambda: "Spot notice", drain_seconds=protocol.DRAIN_SECONDS)
    late = threading.Thread(target=lambda: lease.draining.wait(10) and world.clock.advance(protocol.DRAIN_SECONDS + 1))
    late.start()
    renderer.render(world.target, lease, encoders=1)
    late.join()
    assert world.job(lease.job_id).last_interruption == "SpotInterrupted"
    assert [answer[:3] for answer in world.callbacks.answers] == [("failure", TOKEN, "SpotInterrupted")]
    assert not lease.lost.is_set()


def test_without_a_limit_what_is_in_hand_has_all_the_time_it_takes(world: World) -> None:
    lease = to_render(world, notice=lambda: "the run ends")
    lease.claim()
    with lease:
        assert lease.draining.wait(5)
        world.clock.advance(protocol.FRESH_SECONDS)
        assert not lease.overdue


# --- the uploader ---


def test_a_video_is_published_counted_and_answered_in_this_order(world: World) -> None:
    job_id, _ = to_upload(world)
    upload(world.target, lease_of(world, job_id))
    job = world.job(job_id)
    assert (job.status, job.video_id, job.published) == ("uploaded", f"v-{job_id}", f"/videos/{job_id}.mp4")
    day = world.jobs.get(keys.quota_item(job.quota_day))
    assert day is not None
    assert day["jobs"] == {job_id}
    assert world.callbacks.answers == [("success", TOKEN, {"job_id": job_id, "status": "completed"})]


def test_an_uploader_that_finds_the_video_published_only_answers(world: World) -> None:
    job_id, _ = to_upload(world)
    world.set_job(job_id, video_id="v-before", status="uploaded")
    upload(world.target, lease_of(world, job_id))
    assert world.publisher.videos == []
    assert world.callbacks.answers[0][0] == "success"


def test_over_quota_the_video_waits_and_the_day_is_marked_before_the_answer(world: World) -> None:
    job_id, _ = to_upload(world)
    world.publisher.fail_with = YouTubeQuotaError("quotaExceeded")
    upload(world.target, lease_of(world, job_id))
    job = world.job(job_id)
    assert (job.status, job.not_before) == ("awaiting_upload", "2026-11-24T08:00:00.000000+00:00")
    assert job.rendered is not None
    assert world.jobs.items["QUOTA#2026-11-23"]["exhausted"] is True
    (answer,) = world.callbacks.answers
    assert answer[:3] == ("failure", TOKEN, "YouTubeQuotaError")
    assert answer[3].startswith("quotaExceeded\nhint: ")


def test_an_error_is_answered_by_its_class_name(world: World) -> None:
    job_id, _ = to_upload(world)
    world.publisher.fail_with = AuthError("invalid_grant " + "x" * 5000)
    upload(world.target, lease_of(world, job_id))
    kind, _, error, cause = world.callbacks.answers[0]
    assert (kind, error) == ("failure", "AuthError")
    assert len(cause) == 1000


def test_what_is_published_is_recorded_even_by_a_worker_that_was_replaced_meanwhile(world: World) -> None:
    job_id, call = to_upload(world)
    lease = lease_of(world, job_id)
    publish = world.publisher.publish

    def slow(*arguments: Any) -> Any:
        done = publish(*arguments)
        uploader_callback.handle(world.target, {**call, "token": "U2", "retry": 1})
        return done

    world.publisher.publish = slow  # type: ignore[method-assign]
    upload(world.target, lease)
    assert world.job(job_id).video_id == f"v-{job_id}"
    world.publisher.publish = publish  # type: ignore[method-assign]
    world.callbacks.open.add("U2")
    upload(world.target, lease_of(world, job_id, "replacement"))
    assert world.publisher.videos == [job_id], "one video"
    assert world.callbacks.answers[-1] == ("success", "U2", {"job_id": job_id, "status": "completed"})


def test_an_answer_is_sent_again_while_the_service_is_down(world: World) -> None:
    job_id, _ = to_upload(world)
    send = world.callbacks.success
    down = iter([True, True, True, False])

    def flaky(token: str, output: Mapping[str, Any]) -> None:
        if next(down):
            raise UpstreamUnavailable("503")
        send(token, output)

    world.callbacks.success = flaky  # type: ignore[method-assign]
    upload(world.target, lease_of(world, job_id))
    assert world.callbacks.answers == [("success", TOKEN, {"job_id": job_id, "status": "completed"})]
    assert world.clock.slept[-3:] == [1.0, 2.0, 4.0]


def test_giving_up_says_why_before_it_answers(world: World) -> None:
    job_id, _ = to_upload(world)
    lease = lease_of(world, job_id)
    lease.claim()
    lease.give_up("Spot notice")
    assert world.job(job_id).last_interruption == "SpotInterrupted"
    assert world.callbacks.answers == [("failure", TOKEN, "SpotInterrupted", "Spot notice")]
