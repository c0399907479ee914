"""An execution that something else drives, followed from another process; and ended from there."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mangavid import keys
from mangavid.ports import Change, Step
from mangavid.states import stopping, watch
from mangavid.states.outcome import outcome_of
from tests.fakes.world import World, make_world


class Driver:
    """Stands for what drives the execution: each time the follower sleeps, it does the next thing."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.arn = world.executions.start("run-1", {})
        self.todo: list[Callable[[], object]] = []
        world.executions.events[self.arn] = []
        self.seconds = 0.0
        sleep = world.clock.sleep

        def work(seconds: float) -> None:
            sleep(seconds)
            assert self.todo, "followed on after its end"
            self.todo.pop(0)()

        world.clock.sleep = work  # type: ignore[method-assign]

    def add(self, kind: str, after: float = 0.0, **details: Any) -> None:
        events = self.world.executions.events[self.arn]
        self.seconds += after
        name = "state" + kind[kind.index("State") + 5 :] if "State" in kind else kind[0].lower() + kind[1:]
        event = {"id": len(events) + 1, "type": kind, f"{name}EventDetails": details}
        event["timestamp"] = self.world.executions.by_arn[self.arn].started + timedelta(seconds=self.seconds)
        events.append(event)

    def entered(self, state: str, job: str = "") -> None:
        self.add("TaskStateEntered", name=state, input=json.dumps({"job": {"job_id": job}} if job else {}))

    def left(self, state: str, after: float, job: str = "") -> None:
        self.add("TaskStateExited", after, name=state, output=json.dumps({"job": {"job_id": job}} if job else {}))

    def end(self, status: str = "SUCCEEDED") -> None:
        now = self.world.executions.by_arn[self.arn]
        self.world.executions.by_arn[self.arn] = msgspec.structs.replace(now, status=status)

    def follow(self) -> list[Step]:
        steps: list[Step] = []
        watch.follow(self.world.target, self.world.executions.describe(self.arn), steps.append)
        return steps


@pytest.fixture
def driver(tmp_path: Path) -> Driver:
    return Driver(make_world(tmp_path))


def told(steps: list[Step]) -> list[tuple[str, str]]:
    return [(step.what, step.state) for step in steps]


def test_each_state_is_told_once_with_its_own_time_however_late_it_is_seen(driver: Driver) -> None:
    driver.entered("FetchManga")
    driver.left("FetchManga", 3.0, job="a")
    driver.todo = [lambda: None, lambda: driver.entered("GenerateScript", "a"), driver.end]
    driver.world.jobs.change(Change(key=keys.job_item("a"), set={"job_id": "a", "title": "Đêm rằm", "notes": ["ok"]}))
    steps = driver.follow()
    assert told(steps) == [
        ("entered", "FetchManga"),
        ("succeeded", "FetchManga"),
        ("note", "FetchManga"),
        ("entered", "GenerateScript"),
    ]
    assert steps[1].seconds == 3.0 and steps[1].title == "Đêm rằm"
    assert {step.execution for step in steps} == {"run-1"}


def test_an_attempt_is_told_by_what_followed_it(driver: Driver) -> None:
    cause = json.dumps({"errorMessage": "no answer", "errorType": "X"})
    driver.entered("FetchManga")
    driver.add("TaskFailed", error="SourceUnavailable", cause=cause)

    def once_more() -> None:
        driver.add("TaskScheduled", 60.0)
        driver.add("TaskFailed", error="BadInput", cause=cause)

    driver.todo = [once_more, lambda: driver.left("FetchManga", 0.0), driver.end]
    steps = driver.follow()
    assert [(step.what, step.error, step.detail) for step in steps[1:]] == [
        ("retry", "SourceUnavailable", "no answer"),
        ("failed", "BadInput", "no answer"),
    ]


def test_while_a_worker_is_waited_for_its_checkpoints_are_told_when_they_change(driver: Driver) -> None:
    job = keys.job_item("a")
    driver.world.jobs.change(Change(key=job, set={"job_id": "a", "title": "t"}))
    driver.entered("WaitForRender", "a")
    jobs = driver.world.jobs
    driver.todo = [
        lambda: jobs.change(Change(key=job, set={"ckpt": {"done": 1, "total": 4}})),
        lambda: None,
        lambda: jobs.change(Change(key=job, set={"ckpt": {"done": 3, "total": 4}})),
        driver.end,
    ]
    seen = [(step.done, step.total, step.unit) for step in driver.follow() if step.what == "progress"]
    assert seen == [(1, 4, "segment"), (3, 4, "segment")]


def test_it_is_asked_less_often_while_nothing_happens(driver: Driver) -> None:
    driver.todo = [lambda: None] * 8 + [lambda: driver.entered("FetchManga"), lambda: None, driver.end]
    driver.follow()
    slept = driver.world.clock.slept
    assert slept[7] == 2.0 and slept[9] < slept[8] == 2.0


def test_what_came_of_it_names_files_in_the_bucket_by_their_keys(driver: Driver) -> None:
    world = driver.world
    world.jobs.change(Change(key=keys.run_item("run-1"), set={"attempted": frozenset({"a"}), "made": frozenset({"a"})}))
    stamp = world.clock.now().isoformat()
    base = {"job_id": "a", "title": "t", "source": "library/a.cbz", "epoch": 1, "created_at": stamp}
    world.jobs.change(Change(key=keys.job_item("a"), set={**base, "updated_at": stamp, "status": "cleaned"}))
    rendered = world.rendered("a")
    world.set_job("a", rendered=msgspec.to_builtins(rendered), published=f"s3://bucket/{rendered.video.key}")
    driver.end()
    outcome = outcome_of(world.target, [world.executions.describe(driver.arn)])
    (made,) = outcome.made
    assert made.video == f"s3://bucket/{rendered.video.key}" and made.captions == f"s3://bucket/{rendered.captions.key}"
    assert outcome.exit_code == 0


def test_stopping_ends_the_execution_its_machines_and_nothing_else(driver: Driver) -> None:
    world = driver.world
    other = world.executions.start("run-2", {})
    stamp = world.clock.now().isoformat()
    for job, execution, epoch in (("a", driver.arn, 2), ("b", other, 1)):
        world.jobs.change(Change(key=keys.job_item(job), set={"job_id": job}))
        fields = {"status": "rendering", "phase": "render", "epoch": epoch, "execution": execution}
        world.set_job(job, **fields, updated_at=stamp, created_at=stamp, title="t", source="s")
        world.instances.launch("render", job, epoch)
    stopped = stopping.stop(world.target, world.executions.describe(driver.arn))
    assert (stopped.execution, stopped.terminated, stopped.interrupted) == ("run-1", 1, 1)
    assert world.executions.describe(driver.arn).status == "ABORTED"
    assert world.executions.describe(other).status == "RUNNING"
    assert (world.job("a").status, world.job("b").status) == ("interrupted", "rendering")
    assert len(world.instances.running) == 1
