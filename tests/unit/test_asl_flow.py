"""Every path a state uses is there on every way into it."""

from __future__ import annotations

from typing import Any

import pytest

from mangavid import asl
from mangavid.asl import flow

INVOKE = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}


def _machine(**states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def _task(selector: dict[str, Any], path: str, following: str, **more: Any) -> dict[str, Any]:
    return {**INVOKE, "ResultSelector": selector, "ResultPath": path, "Next": following, **more}


DONE = {"Type": "Succeed"}


def test_a_path_set_before_is_there() -> None:
    found = flow.problems(
        _machine(
            Get=_task({"id.$": "$.Payload.id"}, "$.job", "Use"),
            Use={**INVOKE, "Parameters": {"id.$": "$.job.id"}, "End": True},
        )
    )
    assert found == []


def test_a_path_that_was_never_set_is_found() -> None:
    found = flow.problems(_machine(Use={**INVOKE, "Parameters": {"a": {"id.$": "$.job.id"}}, "End": True}))
    assert found == ["Use: Parameters.a.id.$ uses $.job.id, which is not there when coming from the start"]


def test_a_catch_opens_a_way_without_the_result() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Handle"}]
    found = flow.problems(
        _machine(
            Get=_task({"id.$": "$.Payload.id"}, "$.job", "Use", Catch=catch),
            Use=_task({}, "$.used", "Done", Parameters={"id.$": "$.job.id"}, Catch=catch),
            Handle=_task({}, "$.handled", "Done", Parameters={"e.$": "$.error.Error", "id.$": "$.job.id"}),
            Done=DONE,
        )
    )
    assert found == ["Handle: Parameters.id.$ uses $.job.id, which is not there when coming from Get (Catch[0])"]


def test_a_loop_that_throws_the_state_away_is_followed_round() -> None:
    found = flow.problems(
        _machine(
            Get=_task({"id.$": "$.Payload.id"}, "$.job", "Count"),
            Count=_task({"n.$": "$.Payload.n"}, "$", "More"),
            More={
                "Type": "Choice",
                "Choices": [{"Variable": "$.n", "NumericLessThanPath": "$.job.limit", "Next": "Get"}],
                "Default": "Done",
            },
            Done=DONE,
        )
    )
    assert found == ["More: Choices[0] uses $.job.limit, which is not there when coming from Count"]


def test_a_choice_that_asked_whether_it_is_present_may_use_it() -> None:
    present = {"Variable": "$.job.id", "IsPresent": True}
    found = flow.problems(
        _machine(
            Ask={
                "Type": "Choice",
                "Choices": [{"And": [present, {"Variable": "$.job.id", "StringEquals": "x"}], "Next": "Use"}],
                "Default": "Done",
            },
            Use={**INVOKE, "Parameters": {"id.$": "$.job.id"}, "Next": "Done"},
            Done=DONE,
        )
    )
    assert found == []


@pytest.mark.parametrize(
    ("state", "path"),
    [
        ({"Type": "Pass", "InputPath": "$.a"}, "$.a"),
        ({"Type": "Pass", "OutputPath": "$.a"}, "$.a"),
        ({"Type": "Pass", "Parameters": {"x.$": "States.Format('$.no {}', $.a.b)"}}, "$.a.b"),
        ({"Type": "Wait", "SecondsPath": "$.a"}, "$.a"),
        ({"Type": "Wait", "TimestampPath": "$['a']['b']"}, "$['a']['b']"),
        ({**INVOKE, "TimeoutSecondsPath": "$.a"}, "$.a"),
        ({**INVOKE, "ResultSelector": {"x.$": "$.payload"}}, "$.payload"),
    ],
)
def test_every_field_that_holds_a_path_is_looked_at(state: dict[str, Any], path: str) -> None:
    found = flow.problems(_machine(One={**state, "End": True}))
    assert len(found) == 1
    assert f"uses {path}, which is not there" in found[0]


def test_a_fail_state_reads_paths_too() -> None:
    found = flow.problems(_machine(One={"Type": "Fail", "ErrorPath": "$.error", "CausePath": "$$.State.Name"}))
    assert found == ["One: ErrorPath uses $.error, which is not there when coming from the start"]


def test_what_a_function_returns_is_not_guessed_but_its_envelope_is_known() -> None:
    reading = {"x.$": "$.Payload.anything.at.all", "y.$": "$.StatusCode"}
    assert flow.problems(_machine(One={**INVOKE, "ResultSelector": reading, "End": True})) == []


def test_the_executions_input_can_be_told() -> None:
    machine = _machine(One={"Type": "Pass", "InputPath": "$.a.b", "End": True})
    assert flow.problems(machine, {"a": {"b": {}}}) == []
    assert flow.problems(machine, {"a": {}}) != []


def test_a_handler_that_counts_on_a_job_is_found_in_the_pipeline() -> None:
    pipeline = asl.local_definition()
    pipeline["States"]["HandleError"]["Parameters"]["Payload"]["job_id.$"] = "$.job.job_id"
    found = flow.problems(pipeline)
    assert any(line.startswith("HandleError:") and "FetchManga (Catch" in line for line in found)
    assert not any("StartRenderer (Catch" in line for line in found)
