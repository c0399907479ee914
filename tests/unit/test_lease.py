"""A lease as time passes: heartbeats, fencing, answers that don't get through."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mangavid import keys, protocol
from mangavid.errors import AuthError, LeaseLost, UpstreamUnavailable, YouTubeQuotaError
from mangavid.workers.lease import Lease
from mangavid.workers.upload import upload
from tests.fakes.memory import FakeCallbacks
from tests.fakes.world import World, make_world
from tests.unit.test_workers import TOKEN, lease_of, to_upload

JUST_DUE = protocol.HEARTBEAT_SECONDS * 1.1 + 0.1
"""After this many seconds a heartbeat is due, however they are spread."""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, "a")


class Pulse(FakeCallbacks):
    """Says when a heartbeat was tried; the first ones fail as told."""

    def __init__(self, *problems: Exception) -> None:
        super().__init__(TOKEN)
        self.problems = list(problems)
        self.tried = threading.Semaphore(0)

    def heartbeat(self, token: str) -> None:
        try:
            if self.problems:
                raise self.problems.pop(0)
            super().heartbeat(token)
        finally:
            self.tried.release()


def leased(world: World, pulse: Pulse, **more: Any) -> Lease:
    """A lease just claimed, whose heartbeats from then on go to ``pulse``."""
    job_id, _ = to_upload(world)
    lease = lease_of(world, job_id, **more)
    lease.claim()
    for name in ("success", "failure", "heartbeat"):
        setattr(world.callbacks, name, getattr(pulse, name))
    return lease


def test_heartbeats_go_on_while_the_work_does(world: World) -> None:
    pulse = Pulse()
    with (lease := leased(world, pulse)):
        for _ in range(2):
            world.clock.advance(JUST_DUE)
            assert pulse.tried.acquire(timeout=5)
    assert not lease.lost.is_set()


def test_a_heartbeat_that_failed_is_tried_again_in_five_seconds(world: World) -> None:
    pulse = Pulse(UpstreamUnavailable("503"))
    with (lease := leased(world, pulse)):
        world.clock.advance(JUST_DUE)
        assert pulse.tried.acquire(timeout=5)
        world.clock.advance(5.1)
        assert pulse.tried.acquire(timeout=5)
    assert pulse.heartbeats == [TOKEN]
    assert not lease.lost.is_set()


def test_a_token_that_was_closed_is_noticed_at_the_next_heartbeat(world: World) -> None:
    pulse = Pulse(LeaseLost("closed"))
    with (lease := leased(world, pulse)):
        world.clock.advance(JUST_DUE)
        assert lease.lost.wait(5)
    with pytest.raises(LeaseLost):
        lease.check()


def test_a_worker_cut_off_fences_itself_and_is_ended_where_its_work_does_not_stop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "EXIT_SECONDS", protocol.FENCE_SECONDS + 0.1)
    ended = threading.Event()
    with (lease := leased(world, Pulse(), on_lost=ended.set)):
        world.clock.advance(protocol.FENCE_SECONDS + 1)
        assert lease.lost.wait(5)
        assert ended.wait(5)


def test_work_that_stops_by_itself_is_not_ended(world: World) -> None:
    ended = threading.Event()
    with (lease := leased(world, Pulse(), on_lost=ended.set)):
        world.clock.advance(protocol.FENCE_SECONDS + 1)
        assert lease.lost.wait(5)
    assert not ended.is_set()


def test_what_a_person_would_look_for_is_told_while_it_happens(world: World) -> None:
    said: list[str] = []
    pulse = Pulse(UpstreamUnavailable("503"), LeaseLost("TaskTimedOut"))
    with (
        lease := leased(
            world, pulse, notice=lambda: "EC2 takes it away", log=lambda _level, text, **_: said.append(text)
        )
    ):
        assert lease.draining.wait(5)
        world.clock.advance(JUST_DUE)
        assert pulse.tried.acquire(timeout=5)
        world.clock.advance(5.1)
        assert lease.lost.wait(5)
    assert said == ["drains: EC2 takes it away", "a heartbeat failed: 503", "the lease is lost: TaskTimedOut"]


def test_work_that_advances_nothing_loses_its_lease_and_it_is_told_why(world: World) -> None:
    said: list[str] = []
    with (lease := leased(world, Pulse(), log=lambda _level, text, **_: said.append(text))):
        lease._last_beat += protocol.WATCHDOG_SECONDS
        world.clock.advance(protocol.WATCHDOG_SECONDS + 1)
        assert lease.lost.wait(5)
    assert said == ["the lease is lost: the work advanced nothing for 600 s"]


def test_work_that_failed_is_told_with_its_error_and_a_machine_that_is_taken_away_is_no_failure(world: World) -> None:
    said: list[tuple[str, str, str]] = []
    lease = leased(world, Pulse(), log=lambda level, text, error="": said.append((level, text, error)))
    lease.give_up("EC2 takes it away")
    assert not said and not lease.failed
    lease.fail("RenderError", "no frame came out")
    assert said == [("error", "no frame came out", "RenderError")] and lease.failed


def test_a_refused_write_tells_the_work_that_the_lease_is_lost(world: World) -> None:
    lease = leased(world, Pulse())
    world.set_job(lease.job_id, epoch=9)
    with pytest.raises(LeaseLost):
        lease.checkpoint(1, 2)
    assert lease.lost.is_set()


def test_a_token_of_another_epoch_is_not_taken(world: World) -> None:
    job_id, _ = to_upload(world)
    world.set_job(job_id, token_epoch=world.job(job_id).epoch - 1)
    with pytest.raises(LeaseLost, match="no token"):
        lease_of(world, job_id).claim()
    assert world.callbacks.heartbeats == []


def test_a_worker_that_waits_for_its_token_sees_that_it_was_replaced(world: World) -> None:
    job_id, _ = to_upload(world)
    world.jobs.items[keys.job_item(job_id)].pop("token")
    lease = lease_of(world, job_id, notice=lambda: world.set_job(job_id, epoch=9))
    with pytest.raises(LeaseLost, match="is at epoch 9"):
        lease.claim()


def test_an_answer_that_nobody_wants_any_more_is_no_error(world: World) -> None:
    lease = leased(world, Pulse())
    world.set_job(lease.job_id, epoch=9)
    lease.succeed()
    lease.succeed()
    lease.fail("RenderError", "late")
    lease.give_up("late too")


def test_an_answer_that_is_refused_for_good_is_not_sent_again(world: World) -> None:
    lease = leased(world, Pulse())

    def refuse(*_: object) -> None:
        raise AuthError("no permission")

    world.callbacks.failure = refuse  # type: ignore[method-assign]
    world.clock.slept.clear()
    with pytest.raises(AuthError):
        lease.fail("RenderError", "why")
    assert world.clock.slept == []


def test_an_answer_is_given_up_after_five_minutes(world: World) -> None:
    lease = leased(world, Pulse())

    def down(*_: object) -> None:
        raise UpstreamUnavailable("503")

    world.callbacks.failure = down  # type: ignore[method-assign]
    world.clock.slept.clear()
    with pytest.raises(UpstreamUnavailable):
        lease.fail("RenderError", "why")
    assert 300 <= sum(world.clock.slept) < 340


def test_an_uploader_that_was_replaced_publishes_nothing(world: World) -> None:
    job_id, _ = to_upload(world)
    beat = world.callbacks.heartbeat

    def then_replaced(token: str) -> None:
        beat(token)
        world.set_job(job_id, epoch=9)

    world.callbacks.heartbeat = then_replaced  # type: ignore[method-assign]
    upload(world.target, lease_of(world, job_id))
    assert world.publisher.videos == []


def test_a_replaced_uploader_that_meets_the_quota_marks_and_answers_nothing(world: World) -> None:
    job_id, _ = to_upload(world)

    def over(*_: object) -> Any:
        world.set_job(job_id, epoch=9)
        raise YouTubeQuotaError("quotaExceeded")

    world.publisher.publish = over  # type: ignore[method-assign]
    upload(world.target, lease_of(world, job_id))
    assert world.callbacks.answers == []
    assert world.jobs.get("QUOTA#2026-11-23") is None


def test_a_video_counts_for_the_quota_day_its_upload_began_in(world: World) -> None:
    job_id, _ = to_upload(world)
    world.set_job(job_id, quota_day="2026-11-22")
    upload(world.target, lease_of(world, job_id))
    assert world.jobs.items["QUOTA#2026-11-22"]["jobs"] == {job_id}
    assert world.jobs.get("QUOTA#2026-11-23") is None
