"""The reaper: what it ends, marks and frees, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from mangavid import keys
from mangavid.ports import Change
from mangavid.states import reaper
from tests.fakes.world import World, make_world

NOTHING = {"terminated": 0, "interrupted": 0, "freed": 0}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An execution that runs, with a renderer at work on its job at epoch 2."""
    made = make_world(tmp_path)
    event = made.begin()
    stamp = made.clock.now().isoformat(timespec="microseconds")
    made.jobs.change(Change(key=keys.job_item("a"), set={"job_id": "a"}))
    made.set_job(
        "a",
        status="rendering",
        phase="render",
        epoch=2,
        execution=event["execution"],
        updated_at=stamp,
        created_at=stamp,
        title="t",
        source="s",
    )
    made.instances.launch("render", "a", 2)
    made.jobs.change(Change(key=keys.LOCK, set={"owner": event["execution"]}))
    return made


def stop(world: World) -> None:
    for arn in world.executions.by_arn:
        world.executions.stop(arn, error="", cause="")


def sweep(world: World) -> dict[str, int]:
    return reaper.handle(world.target, {"source": "aws.scheduler"})


def test_a_worker_at_work_is_left_alone_however_often_it_is_looked_at(world: World) -> None:
    assert [sweep(world), sweep(world)] == [NOTHING, NOTHING]
    assert world.instances.terminated == []
    assert world.job("a").status == "rendering"


def test_after_an_execution_was_stopped_its_machine_its_job_and_its_lock_are_freed_once(world: World) -> None:
    stop(world)
    assert sweep(world) == {"terminated": 1, "interrupted": 1, "freed": 1}
    assert world.instances.running == set()
    assert world.job("a").status == "interrupted"
    assert world.jobs.get(keys.LOCK) == {"key": keys.LOCK}
    assert sweep(world) == NOTHING


def test_an_execution_that_is_no_longer_known_has_ended(world: World) -> None:
    world.executions.by_arn.clear()
    assert sweep(world) == {"terminated": 1, "interrupted": 1, "freed": 1}


@pytest.mark.parametrize(
    "job",
    [{"epoch": 3}, {"phase": "upload", "status": "uploading"}],
    ids=["of an epoch that is over", "of a phase that is over"],
)
def test_a_machine_that_was_replaced_is_ended(world: World, job: dict[str, object]) -> None:
    world.set_job("a", **job)
    assert sweep(world)["terminated"] == 1


@pytest.mark.parametrize("job_id", ["none", "", "../x"])
def test_a_machine_that_works_on_no_job_is_ended(world: World, job_id: str) -> None:
    world.instances.launch("upload", job_id, 1)
    assert sweep(world)["terminated"] == 1
    assert world.instances.terminated == [f"i-upload-{job_id}-1"]


def test_a_worker_whose_result_is_recorded_has_ten_minutes_to_say_so(world: World) -> None:
    world.set_job("a", status="rendered")
    world.clock.advance(599)
    assert sweep(world) == NOTHING
    world.clock.advance(2)
    assert sweep(world) == {"terminated": 1, "interrupted": 0, "freed": 0}


def test_a_machine_older_than_any_work_is_ended(world: World) -> None:
    world.clock.advance(4.75 * 3600 + 1)
    assert sweep(world) == {"terminated": 1, "interrupted": 0, "freed": 0}


@pytest.mark.parametrize("status", ["awaiting_upload", "failed", "quarantined", "uploaded", "cleaned", "interrupted"])
def test_a_job_that_no_execution_has_in_hand_stays_as_it_is(world: World, status: str) -> None:
    world.set_job("a", status=status)
    stop(world)
    assert sweep(world)["interrupted"] == 0
    assert world.job("a").status == status


def test_a_job_that_is_taken_up_meanwhile_is_not_marked(world: World) -> None:
    stop(world)

    class Late(type(world.jobs)):  # type: ignore[misc]
        """Another execution takes the job between the look and the mark."""

        def by_status(self, *status: str) -> object:
            found = list(super().by_status(*status))
            world.set_job("a", execution="arn:other")
            return iter(found)

    world.jobs.__class__ = Late
    assert sweep(world)["interrupted"] == 0
    assert world.job("a").status == "rendering"
