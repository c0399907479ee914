"""The engine on a clock that jumps: retries, data, stop, redrive, and what the history says of them."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mangavid.errors import LeaseLost, Locked, SourceNotFound, UsageError
from mangavid.local.engine.executions import JournalExecutions
from mangavid.local.engine.tasks import Call, Raised, Returned
from tests.fakes.engine_world import FUNCTION, INVOKE, SUBMITTED, WORKER, World, machine
from tests.fakes.timeline import Plan


def failing(*errors: str) -> Callable[[Call], Plan]:
    left = list(errors)
    return lambda call: [(1, Raised(left.pop(0), "why"))] if left else [(1, Returned({"ok": True}))]


# --- retries --------------------------------------------------------------------------------------------------------


def test_backoff_doubles_up_to_its_limit_and_the_count_is_seen_by_the_task(tmp_path: Path) -> None:
    retry = [
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 10, "MaxAttempts": 4, "BackoffRate": 2, "MaxDelaySeconds": 35}
    ]
    world = World(tmp_path, machine(A={**INVOKE, "Retry": retry, "End": True}), failing(*["Busy"] * 4))
    assert world.run().status == "SUCCEEDED"
    assert [call.attempt for call in world.tasks.calls] == [0, 1, 2, 3, 4]
    scheduled = [
        at for at, kind in zip(world.seconds(), world.types(), strict=True) if kind == "LambdaFunctionScheduled"
    ]
    assert [round(b - a - 1) for a, b in itertools.pairwise(scheduled)] == [10, 20, 35, 35]


def test_the_first_retrier_that_matches_decides_even_when_it_is_used_up(tmp_path: Path) -> None:
    retry = [{"ErrorEquals": ["Fatal"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 9}]
    world = World(tmp_path, machine(A={**INVOKE, "Retry": retry, "End": True}), failing("Busy", "Fatal"))
    ended = world.run()
    assert (ended.status, ended.error, ended.cause) == ("FAILED", "Fatal", "why")
    assert len(world.tasks.calls) == 2


def test_each_retrier_counts_for_itself_and_afresh_when_the_state_is_entered_again(tmp_path: Path) -> None:
    retry = [{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["B"], "MaxAttempts": 1}]
    again = {"Type": "Choice", "Choices": [{"Variable": "$.ok", "IsPresent": True, "Next": "Second"}], "Default": "End"}
    definition = machine(
        First={**INVOKE, "Retry": retry, "Next": "Look"},
        Look=again,
        Second={"Type": "Pass", "Result": {}, "Next": "First2"},
        First2={**INVOKE, "Retry": retry, "Next": "End"},
        End={"Type": "Succeed"},
    )
    world = World(tmp_path, definition, failing("A", "B"))
    assert world.run().status == "SUCCEEDED"
    assert [call.attempt for call in world.tasks.calls] == [0, 1, 2, 0]


def test_a_state_that_waits_to_be_tried_again_tells_when(tmp_path: Path) -> None:
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 30, "MaxAttempts": 1}]
    world = World(tmp_path, machine(A={**INVOKE, "Retry": retry, "End": True}), failing("Busy"))
    arn = world.engine.start("one", {})
    due: list[float] = []

    def look(event: dict[str, Any]) -> None:
        at = world.engine.retry_due(arn)
        if at is not None:
            due.append((at - world.timeline.start).total_seconds())

    world.engine.run(arn, on_event=look)
    assert [round(at) for at in due] == [31]
    assert world.engine.retry_due(arn) is None


def test_full_jitter_stays_within_the_delay(tmp_path: Path) -> None:
    retry = [
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 100, "MaxAttempts": 5, "BackoffRate": 1, "JitterStrategy": "FULL"}
    ]
    world = World(tmp_path, machine(A={**INVOKE, "Retry": retry, "End": True}), failing(*["Busy"] * 5))
    world.run()
    scheduled = [
        at for at, kind in zip(world.seconds(), world.types(), strict=True) if kind == "LambdaFunctionScheduled"
    ]
    delays = [b - a - 1 for a, b in itertools.pairwise(scheduled)]
    assert all(0 <= delay <= 100.1 for delay in delays)
    assert max(delays) - min(delays) > 5


@pytest.mark.parametrize(
    ("names", "error", "caught"),
    [
        (["States.ALL"], "Odd", True),
        (["States.TaskFailed"], "Odd", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.Timeout"], "States.Timeout", True),
        (["States.HeartbeatTimeout"], "States.Timeout", True),
        (["Other"], "Odd", False),
        (["States.ALL"], "States.Runtime", False),
        (["States.Runtime"], "States.Runtime", False),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
    ],
)
def test_what_an_error_name_matches(names: list[str], error: str, caught: bool, tmp_path: Path) -> None:
    catch = [{"ErrorEquals": names, "ResultPath": "$.error", "Next": "Caught"}]
    definition = machine(A={**INVOKE, "Catch": catch, "End": True}, Caught={"Type": "Succeed"})
    world = World(tmp_path, definition, lambda call: [(1, Raised(error, "why"))])
    ended = world.run({"in": 1})
    if caught:
        assert ended.output == {"in": 1, "error": {"Error": error, "Cause": "why"}}
    else:
        assert (ended.status, ended.error) == ("FAILED", error)


# --- data -----------------------------------------------------------------------------------------------------------


def test_paths_select_shape_and_place_the_result(tmp_path: Path) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "InputPath": "$.inner",
        "Parameters": {
            "FunctionName": "f",
            "Payload": {"x.$": "$.x", "name.$": "$$.State.Name", "fixed": [{"y.$": "$.x"}]},
        },
        "ResultSelector": {"got.$": "$.Payload.v", "run.$": "$$.Execution.Name"},
        "ResultPath": "$.inner.result",
        "OutputPath": "$.inner",
        "End": True,
    }
    world = World(tmp_path, machine(A=state), lambda call: [(1, Returned({"Payload": {"v": 5}, "StatusCode": 200}))])
    assert world.run({"inner": {"x": 1}, "other": 2}).output == {"x": 1, "result": {"got": 5, "run": "one"}}
    assert world.tasks.calls[0].parameters == {
        "FunctionName": "f",
        "Payload": {"x": 1, "name": "A", "fixed": [{"y": 1}]},
    }


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"Type": "Pass", "InputPath": "$.no"}, "Invalid path '$.no' : No results for path: $['no']"),
        ({"Type": "Pass", "OutputPath": "$.no.x"}, "Invalid path '$.no.x' : Missing property in path $['no']"),
        (
            {"Type": "Pass", "Parameters": {"a": {"b.$": "$.no"}}},
            "The JSONPath '$.no' specified for the field 'b.$' could not be found in the input '{\"in\":\"x\"}'",
        ),
        (
            {"Type": "Pass", "Parameters": {"a.$": "States.Format('{}', $.no)"}},
            "The function 'States.Format('{}', $.no)' had the following error: The JsonPath argument for the field "
            "'$.no' could not be found in the input '{\"in\":\"x\"}'",
        ),
        ({"Type": "Wait", "SecondsPath": "$.no"}, "The SecondsPath parameter does not reference an input value: $.no"),
        ({**INVOKE, "TimeoutSecondsPath": "$.in"}, "The TimeoutSecondsPath parameter cannot be parsed as a long value"),
        ({**INVOKE, "ResultSelector": {"a.$": "$.no"}}, "The JSONPath '$.no' specified for the field 'a.$'"),
    ],
)
def test_a_path_that_finds_nothing_fails_the_execution_whatever_is_caught(
    state: dict[str, Any], said: str, tmp_path: Path
) -> None:
    catch = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Caught"}]} if state["Type"] == "Task" else {}
    definition = machine(S={**state, **catch, "Next": "Caught"}, Caught={"Type": "Succeed"})
    world = World(tmp_path, definition, lambda call: [(1, Returned({"ok": 1}))])
    ended = world.run({"in": "x"})
    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")
    assert ended.cause.startswith("An error occurred while executing the state 'S' (entered at the event id #2). ")
    assert said in ended.cause


def test_a_choice_without_a_match_and_without_a_default(tmp_path: Path) -> None:
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericEquals": 1, "Next": "T"}]}
    assert World(tmp_path, machine(C=choice, T={"Type": "Succeed"})).run({"n": 2}).error == "States.NoChoiceMatched"


def test_a_result_path_that_does_not_fit_can_be_caught_by_name(tmp_path: Path) -> None:
    catch = [{"ErrorEquals": ["States.ResultPathMatchFailure"], "ResultPath": "$.error", "Next": "Caught"}]
    state = {**INVOKE, "ResultPath": "$.n.deeper", "Catch": catch, "End": True}
    world = World(tmp_path, machine(A=state, Caught={"Type": "Succeed"}), lambda call: [(1, Returned(1))])
    assert world.run({"n": 5}).output["error"]["Error"] == "States.ResultPathMatchFailure"


def test_a_result_over_the_limit_is_a_failed_task(tmp_path: Path) -> None:
    world = World(tmp_path, machine(A={**INVOKE, "End": True}), lambda call: [(1, Returned("é" * 131_100))])
    ended = world.run()
    assert ended.error == "States.DataLimitExceeded"
    assert FUNCTION in ended.cause
    assert world.types()[-2:] == ["LambdaFunctionFailed", "ExecutionFailed"]


def test_a_state_that_grows_over_the_limit_fails(tmp_path: Path) -> None:
    grow = {"Type": "Pass", "Parameters": {"a.$": "$.a", "b.$": "States.Format('{}{}', $.a, $.a)"}, "End": True}
    assert World(tmp_path, machine(A=grow)).run({"a": "x" * 100_000}).error == "States.DataLimitExceeded"


# --- executions -----------------------------------------------------------------------------------------------------


def test_a_name_can_be_started_again_only_with_the_same_input(tmp_path: Path) -> None:
    world = World(tmp_path, machine(S={"Type": "Succeed"}))
    arn = world.engine.start("night-1", {"a": 1})
    assert world.engine.start("night-1", {"a": 1}) == arn
    assert arn == "arn:aws:states:local:000000000000:execution:manga-pipeline:night-1"
    with pytest.raises(UsageError, match="ExecutionAlreadyExists"):
        world.engine.start("night-1", {"a": 2})


@pytest.mark.parametrize("name", ["", "x" * 81, "2026-11-23T08:00", "a b", "a/b", "tên\n", "a*"])
def test_a_name_that_aws_would_refuse_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        World(tmp_path, machine(S={"Type": "Succeed"})).engine.start(name, {})


def test_an_input_over_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="262144"):
        World(tmp_path, machine(S={"Type": "Succeed"})).engine.start("a", {"x": "y" * 262_144})


def test_the_executions_own_timeout_ends_it_in_any_state(tmp_path: Path) -> None:
    definition = {**machine(W={"Type": "Wait", "Seconds": 500, "End": True}), "TimeoutSeconds": 60}
    world = World(tmp_path, definition)
    assert world.run().status == "TIMED_OUT"
    assert world.types()[-1] == "ExecutionTimedOut"
    assert round(world.seconds()[-1]) == 60


def test_stop_from_elsewhere_ends_a_wait_at_once_and_closes_the_token(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W=WORKER))
    elsewhere = JournalExecutions(world.journal, world.timeline, world.definition)

    def plan(call: Call) -> Plan:
        world.timeline.after(40, lambda: elsewhere.stop(world.arn, error="Operator", cause="enough"))
        return [(0.1, SUBMITTED)]

    world.plan = plan
    ended = world.run()
    assert (ended.status, ended.error, ended.cause) == ("ABORTED", "Operator", "enough")
    last = list(world.engine.history(world.arn))[-1]
    assert (last["type"], last["previousEventId"]) == ("ExecutionAborted", 0)
    assert last["executionAbortedEventDetails"] == {"error": "Operator", "cause": "enough"}
    with pytest.raises(LeaseLost, match=r"^TaskTimedOut"):
        world.client.heartbeat(world.tasks.calls[0].token)
    elsewhere.stop(world.arn, error="again", cause="")
    assert elsewhere.describe(world.arn).error == "Operator"


def test_redrive_goes_on_at_the_state_it_ended_in_with_its_input_and_fresh_retries(tmp_path: Path) -> None:
    definition = machine(
        Before={"Type": "Pass", "Result": {"made": 1}, "Next": "A"},
        A={**INVOKE, "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}], "End": True},
    )
    world = World(tmp_path, definition, failing("Busy", "Busy", "Busy"))
    assert world.run().status == "FAILED"
    world.engine.redrive(world.arn)
    assert world.engine.describe(world.arn).status == "RUNNING"
    assert world.engine.run(world.arn).status == "SUCCEEDED"
    kinds = world.types()
    at = kinds.index("ExecutionRedriven")
    assert kinds[at : at + 2] == ["ExecutionRedriven", "LambdaFunctionScheduled"]
    assert kinds.count("PassStateEntered") == 1
    assert [call.attempt for call in world.tasks.calls] == [0, 1, 0, 1]
    assert world.tasks.calls[-1].parameters == {"made": 1}
    with pytest.raises(UsageError, match="ExecutionNotRedrivable"):
        world.engine.redrive(world.arn)


def test_redrive_of_a_fail_state_enters_it_again(tmp_path: Path) -> None:
    world = World(tmp_path, machine(F={"Type": "Fail", "Error": "No"}))
    world.run()
    world.engine.redrive(world.arn)
    assert world.engine.run(world.arn).error == "No"
    once = ["FailStateEntered", "ExecutionFailed"]
    assert world.types() == ["ExecutionStarted", *once, "ExecutionRedriven", *once]


def test_should_stop_leaves_it_running_and_another_engine_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W={"Type": "Wait", "Seconds": 100, "Next": "S"}, S={"Type": "Succeed"}))
    arn = world.engine.start("one", {})
    looks = iter([False, True])
    assert world.engine.run(arn, should_stop=lambda: next(looks)).status == "RUNNING"
    world.timeline.sleep(30)
    assert world.another().run(arn).status == "SUCCEEDED"
    assert world.types().count("WaitStateEntered") == 1
    assert round(world.seconds()[-1]) == 100


def test_who_was_overtaken_by_another_driver_stops(tmp_path: Path) -> None:
    world = World(tmp_path, machine(W={"Type": "Wait", "Seconds": 100, "End": True}))
    arn = world.engine.start("one", {})
    world.timeline.after(10, lambda: world.another().run(arn))
    with pytest.raises(Locked):
        world.engine.run(arn)
    assert world.types().count("WaitStateExited") == 1


def test_events_are_told_once_each_and_in_order(tmp_path: Path) -> None:
    world = World(tmp_path, machine(A={**INVOKE, "Next": "S"}, S={"Type": "Succeed"}), failing())
    told: list[dict[str, Any]] = []
    arn = world.engine.start("one", {})
    world.engine.run(arn, on_event=told.append)
    assert told == list(world.engine.history(arn))
    assert [event["id"] for event in told] == list(range(1, len(told) + 1))
    assert [event["id"] for event in world.engine.history(arn, reverse=True)] == list(range(len(told), 0, -1))


def test_executions_are_listed_newest_first_and_by_status(tmp_path: Path) -> None:
    world = World(tmp_path, machine(S={"Type": "Succeed"}))
    for name in ("a", "b", "c"):
        world.engine.start(name, {})
        world.timeline.sleep(1)
    world.engine.run(world.engine.start("a", {}))
    assert [one.name for one in world.engine.list()] == ["c", "b", "a"]
    assert [one.name for one in world.engine.list(status="RUNNING")] == ["c", "b"]
    with pytest.raises(SourceNotFound):
        world.engine.describe("arn:nope")


def test_a_history_that_is_full_ends_the_execution(tmp_path: Path) -> None:
    back = {"Type": "Choice", "Choices": [{"Variable": "$.x", "IsPresent": True, "Next": "Z"}], "Default": "A"}
    world = World(tmp_path, machine(A={"Type": "Pass", "Next": "B"}, B=back, Z={"Type": "Succeed"}))
    arn = world.engine.start("one", {})
    with sqlite3.connect(world.journal) as db:
        db.execute("UPDATE executions SET cursor = json_set(cursor, '$.last', 24950)")
    ended = world.engine.run(arn)
    assert (ended.status, ended.error) == ("FAILED", "States.Runtime")
    assert "maximum number of history events" in ended.cause
    assert list(world.engine.history(arn))[-1]["id"] <= 25_000


def test_the_same_seed_gives_the_same_history(tmp_path: Path) -> None:
    def history(folder: Path) -> list[dict[str, Any]]:
        retry = [{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 3, "JitterStrategy": "FULL"}]
        world = World(folder, machine(W={**WORKER, "Retry": retry}), lambda call: [(0.1, SUBMITTED)])
        world.run()
        return list(world.engine.history(world.arn))

    assert history(tmp_path / "one") == history(tmp_path / "two")
