"""Task tokens on a clock that jumps: heartbeats, fencing, early, late and second answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mangavid.errors import BadInput, LeaseLost
from mangavid.local.engine.tasks import Call, Raised
from tests.fakes.engine_world import SUBMITTED, WORKER, World, machine
from tests.fakes.timeline import Plan


def test_a_worker_that_beats_goes_on_and_one_that_stops_is_timed_out_300_seconds_later(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W=WORKER))

    def plan(call: Call) -> Plan:
        for beat in (200, 400, 600):
            world.timeline.after(beat, lambda: world.client.heartbeat(call.token))
        return [(0.1, SUBMITTED)]

    world.plan = plan
    ended = world.run()
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "States.Timeout", "")
    assert world.types()[-2:] == ["TaskTimedOut", "ExecutionFailed"]
    assert round(world.seconds()[-1]) == 900


def test_heartbeats_do_not_put_off_the_timeout(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W={**WORKER, "TimeoutSeconds": 1000}))

    def plan(call: Call) -> Plan:
        for beat in range(100, 1000, 100):
            world.timeline.after(beat, lambda: world.client.heartbeat(call.token))
        return [(0.1, SUBMITTED)]

    world.plan = plan
    assert world.run().error == "States.Timeout"
    assert round(world.seconds()[-1]) == 1000


def test_every_attempt_has_its_own_token_and_the_dead_ones_is_fenced(tmp_path: Path) -> None:
    retry = [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 5, "MaxAttempts": 2}]
    world = World(tmp_path, machine(W={**WORKER, "Retry": retry}))
    refused: list[str] = []

    def zombie(token: str) -> None:
        with pytest.raises(LeaseLost, match=r"^TaskTimedOut: "):
            world.client.heartbeat(token)
        with pytest.raises(LeaseLost, match=r"^TaskTimedOut: "):
            world.client.success(token, {"by": "zombie"})
        refused.append(token)

    def plan(call: Call) -> Plan:
        if call.attempt == 0:
            world.timeline.after(350, lambda: zombie(call.token))
        else:
            world.timeline.after(100, lambda: world.client.success(call.token, {"by": "second"}))
        return [(0.1, SUBMITTED)]

    world.plan = plan
    assert world.run().output == {"by": "second"}
    tokens = [call.token for call in world.tasks.calls]
    assert len(set(tokens)) == 2
    assert refused == [tokens[0]]


def test_an_answer_that_comes_before_the_call_returns_counts(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W=WORKER))

    def plan(call: Call) -> Plan:
        world.client.success(call.token, {"fast": True})
        return [(3, SUBMITTED)]

    world.plan = plan
    assert world.run().output == {"fast": True}
    assert world.types()[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]


@pytest.mark.parametrize("after", [[(1.0, Raised("Lambda.Unknown", None))], []], ids=["fails", "hangs"])
def test_an_answer_counts_also_where_the_call_then_fails_or_hangs(after: Plan, tmp_path: Path) -> None:
    world = World(tmp_path, machine(W=WORKER))

    def plan(call: Call) -> Plan:
        world.client.success(call.token, {"done": True})
        return after

    world.plan = plan
    assert world.run().output == {"done": True}
    assert world.seconds()[-1] < 20


def test_an_answer_just_before_the_timeout_counts_though_the_call_hangs(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W={**WORKER, "HeartbeatSeconds": 50, "TimeoutSeconds": 60}))

    def plan(call: Call) -> Plan:
        world.timeline.after(45, lambda: world.client.heartbeat(call.token))
        world.timeline.after(59, lambda: world.client.success(call.token, {"just": "in time"}))
        return []

    world.plan = plan
    assert world.run().output == {"just": "in time"}
    assert "TaskTimedOut" not in world.types()


def test_a_second_answer_an_unknown_token_and_a_malformed_one_are_told_apart(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W=WORKER))
    said: list[str] = []

    def say(answer: Callable[[], None]) -> None:
        with pytest.raises(LeaseLost) as problem:
            answer()
        said.append(str(problem.value).split(":")[0])

    def plan(call: Call) -> Plan:
        world.client.failure(call.token, "RenderError", "broken")
        say(lambda: world.client.success(call.token, {}))
        say(lambda: world.client.success("mv1." + "0" * 64, {}))
        say(lambda: world.client.heartbeat("nonsense"))
        return [(0.1, SUBMITTED)]

    world.plan = plan
    ended = world.run()
    assert (ended.error, ended.cause) == ("RenderError", "broken")
    assert said == ["TaskTimedOut", "TaskDoesNotExist", "InvalidToken"]
    say(lambda: world.client.success(world.tasks.calls[0].token, {}))
    assert said[-1] == "TaskTimedOut"


def test_a_failure_without_a_name_is_null_and_only_all_catches_it(tmp_path: Path) -> None:
    catch = [
        {"ErrorEquals": ["States.TaskFailed"], "Next": "Named"},
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"},
    ]
    world = World(
        tmp_path,
        machine(
            W={**{k: v for k, v in WORKER.items() if k != "End"}, "Catch": catch, "Next": "Named"},
            Named={"Type": "Fail"},
            Caught={"Type": "Succeed"},
        ),
    )

    def plan(call: Call) -> Plan:
        world.timeline.after(1, lambda: world.client.failure(call.token, "", ""))
        return [(0.1, SUBMITTED)]

    world.plan = plan
    assert world.run().output == {"error": {"Error": None, "Cause": None}}


def test_an_expiry_is_brought_forward(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W=WORKER))

    def plan(call: Call) -> Plan:
        world.timeline.after(7, lambda: world.engine.expire(call.token))
        return [(0.1, SUBMITTED)]

    world.plan = plan
    assert world.run().error == "States.Timeout"
    assert round(world.seconds()[-1]) == 7
    with pytest.raises(LeaseLost):
        world.engine.expire(world.tasks.calls[0].token)


def test_an_output_over_the_limit_is_refused_and_a_long_cause_is_cut(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W=WORKER))

    def plan(call: Call) -> Plan:
        with pytest.raises(BadInput, match="262144"):
            world.client.success(call.token, {"x": "y" * 262_144})
        world.client.failure(call.token, "E" * 500, "c" * 50_000)
        return [(0.1, SUBMITTED)]

    world.plan = plan
    ended = world.run()
    assert (len(ended.error), len(ended.cause)) == (256, 32_768)
