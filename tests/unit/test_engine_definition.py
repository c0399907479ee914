"""What the engine does not implement, or can't be meant, is refused before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from mangavid.errors import UnsupportedDefinition
from mangavid.local.engine.definition import load, resource

INVOKE = {"Resource": "arn:aws:states:::lambda:invoke", "Parameters": {"FunctionName": "f"}}


def reasons(states: dict[str, Any], **top: Any) -> list[str]:
    try:
        load({"StartAt": next(iter(states)), "States": states, **top})
    except UnsupportedDefinition as problem:
        return [line.strip() for line in str(problem).splitlines()[1:]]
    return []


def one(kind: str, **fields: Any) -> list[str]:
    terminal = {} if kind in ("Succeed", "Fail", "Choice") or "Next" in fields else {"End": True}
    return reasons({"S": {"Type": kind, **terminal, **fields}})


def rule(**fields: Any) -> list[str]:
    return reasons({"S": {"Type": "Choice", "Choices": [{"Next": "T", **fields}]}, "T": {"Type": "Succeed"}})


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (one("Map", ItemProcessor={}), "S: Map is not implemented here"),
        (one("Parallel", Branches=[]), "S: Parallel is not implemented here"),
        (one("Loop"), "S: unknown state type 'Loop'"),
        (one("Pass", Assign={"x": 1}), "S: variables (Assign) are not implemented here"),
        (one("Pass", QueryLanguage="JSONata"), "S: JSONata is not implemented here"),
        (one("Pass", Output="{% 1 %}"), "S: JSONata (Output) is not implemented here"),
        (
            reasons({"S": {"Type": "Succeed"}}, QueryLanguage="JSONata"),
            "QueryLanguage: only JSONPath is implemented here",
        ),
        (reasons({"S": {"Type": "Succeed"}}, Stats={}), "Stats: unknown field"),
        (reasons({"S": {"Type": "Succeed"}}, Version="2.0"), "Version: '2.0' is unknown"),
        (reasons({"S": {"Type": "Succeed"}}, TimeoutSeconds=0), "TimeoutSeconds: must be a whole number of at least 1"),
        (one("Pass", ResultSelector={}), "S: unknown field ResultSelector"),
        (one("Pass", InputPath="a"), "S: InputPath: bad path a: a path starts with $"),
        (one("Pass", InputPath=5), "S: InputPath must be a path"),
        (one("Pass", ResultPath="$$.Task"), "S: ResultPath: '$$.Task' is not a reference path"),
        (one("Pass", ResultPath="$.a[*]"), "S: ResultPath: '$.a[*]' is not a reference path"),
        (
            one("Pass", Parameters={"a": [{"b.$": "c"}]}),
            "S: Parameters: b.$ must hold a path or a call of an intrinsic function, not 'c'",
        ),
        (
            one("Pass", Parameters={"a.$": "States.Nope()"}),
            "S: Parameters: a.$: unknown intrinsic function States.Nope",
        ),
        (one("Pass", Parameters={"a.$": "$.x["}), "S: Parameters: a.$: a bracket is not closed"),
        (one("Task", Resource="nope"), "S: Resource: 'nope' is not a Lambda function or a service integration"),
        (
            one("Task", Resource="arn:aws:states:eu-west-1:1:activity:a"),
            "S: Resource: 'arn:aws:states:eu-west-1:1:activity:a' is not a Lambda function or a service integration",
        ),
        (one("Task", Resource="arn:aws:states:::lambda:invoke"), "S: Parameters: lambda:invoke needs a FunctionName"),
        (one("Task", **INVOKE, Credentials={}), "S: Credentials are not implemented here"),
        (
            one("Task", **INVOKE, HeartbeatSeconds=5),
            "S: HeartbeatSeconds: only a task that waits for a token is ever heard from",
        ),
        (one("Task", **INVOKE, TimeoutSeconds=0), "S: TimeoutSeconds must be a whole number from 1 to 99999999"),
        (
            one("Task", **INVOKE, TimeoutSeconds=5, TimeoutSecondsPath="$.t"),
            "S: has both TimeoutSeconds and TimeoutSecondsPath",
        ),
        (one("Task", **INVOKE, Retry={}), "S: Retry must be a list"),
        (
            one("Task", **INVOKE, Retry=[{"ErrorEquals": []}]),
            "S: Retry[0].ErrorEquals must be a list of error names, and not empty",
        ),
        (
            one("Task", **INVOKE, Retry=[{"ErrorEquals": ["A"], "MaxAttempts": -1}]),
            "S: Retry[0]: MaxAttempts must be a whole number from 0 to 99999999",
        ),
        (
            one("Task", **INVOKE, Retry=[{"ErrorEquals": ["A"], "BackoffRate": 0.9}]),
            "S: Retry[0]: BackoffRate must be at least 1.0",
        ),
        (
            one("Task", **INVOKE, Retry=[{"ErrorEquals": ["A"], "JitterStrategy": "SOME"}]),
            "S: Retry[0]: JitterStrategy must be NONE or FULL",
        ),
        (
            one("Task", **INVOKE, Retry=[{"ErrorEquals": ["A"], "MaxDelaySeconds": 2, "IntervalSeconds": 3}]),
            "S: Retry[0]: MaxDelaySeconds must not be below IntervalSeconds",
        ),
        (one("Task", **INVOKE, Retry=[{"ErrorEquals": ["A"], "Delay": 1}]), "S: Retry[0]: unknown field Delay"),
        (
            one("Task", **INVOKE, Retry=[{"ErrorEquals": ["States.ALL", "A"]}]),
            "S: Retry[0].ErrorEquals: States.ALL must stand alone",
        ),
        (one("Choice", Choices=[]), "S: Choices must be a list with at least one rule"),
        (rule(Variable="$.a"), "S: Choices[0] must have exactly one comparison or And, Or, Not, not 0"),
        (
            rule(Variable="$.a", IsNull=True, IsString=True),
            "S: Choices[0] must have exactly one comparison or And, Or, Not, not 2",
        ),
        (rule(IsNull=True), "S: Choices[0] has no Variable"),
        (rule(Variable="$.a", NumericEquals="1"), "S: Choices[0]: NumericEquals can't compare with '1'"),
        (rule(Variable="$.a", NumericEquals=True), "S: Choices[0]: NumericEquals can't compare with True"),
        (rule(Variable="$.a", TimestampEquals="soon"), "S: Choices[0]: TimestampEquals can't compare with 'soon'"),
        (rule(Variable="$.a", StringEqualsPath="b"), "S: Choices[0]: StringEqualsPath can't compare with 'b'"),
        (rule(And=[]), "S: Choices[0].And must be a list with at least one rule"),
        (
            rule(Not={"And": [{"Variable": "$.a", "IsNull": 1}]}),
            "S: Choices[0].Not.And[0]: IsNull can't compare with 1",
        ),
        (rule(Condition="{% true %}"), "S: Choices[0] must have exactly one comparison or And, Or, Not, not 0"),
        (one("Wait"), "S: needs exactly one of Seconds, SecondsPath, Timestamp, TimestampPath"),
        (
            one("Wait", Seconds=1, SecondsPath="$.s"),
            "S: needs exactly one of Seconds, SecondsPath, Timestamp, TimestampPath",
        ),
        (one("Wait", Seconds=1.5), "S: Seconds must be a whole number from 0 to 99999999"),
        (one("Wait", Timestamp="2026-11-23"), "S: Timestamp: '2026-11-23' is not an ISO-8601 time with offset"),
        (one("Fail", Error="A", ErrorPath="$.a"), "S: has both Error and ErrorPath"),
        (one("Fail", Error=5), "S: Error must be a string"),
        (one("Fail", CausePath="States.MathAdd(1, 1)"), "S: CausePath: States.MathAdd does not give a string"),
        (one("Fail", CausePath="cause"), "S: CausePath must be a path or a call of an intrinsic function"),
        (one("Fail", InputPath="$.a"), "S: a Fail state has no InputPath"),
        (one("Succeed", End=True), "S: a Succeed state has no End"),
        (reasons({"x" * 81: {"Type": "Succeed"}}), f"{'x' * 81}: a state's name may have 80 characters"),
    ],
)
def test_a_definition_is_refused_for_one_reason_with_the_states_name(found: list[str], reason: str) -> None:
    assert reason in found
    assert len(found) <= 2


def test_all_reasons_are_listed_at_once() -> None:
    found = reasons({"A": {"Type": "Map", "Next": "B"}, "B": {"Type": "Pass", "Next": "C"}, "D": {"Type": "Pass"}})
    assert found == [
        "B: Next names 'C', which is not a state",
        "D: has neither Next nor End",
        "D: can't be reached from A",
        "A: Map is not implemented here",
    ]


def test_what_aws_runs_though_it_cant_be_meant_passes_when_asked() -> None:
    lonely = {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken", "End": True}
    machine = {"StartAt": "S", "States": {"S": lonely}}
    with pytest.raises(UnsupportedDefinition, match=r"never hand on \$\$\.Task\.Token"):
        load(machine)
    assert load(machine, strict=False).resources["S"].waits_for_token


def test_a_resource_that_nothing_here_answers_is_refused() -> None:
    machine = {"StartAt": "S", "States": {"S": {"Type": "Task", **INVOKE, "End": True}}}
    with pytest.raises(UnsupportedDefinition, match="nothing here answers arn:aws:states:::lambda:invoke"):
        load(machine, supports=lambda arn: "sqs" in arn)


@pytest.mark.parametrize(
    ("arn", "service", "action"),
    [
        ("arn:aws:lambda:eu-west-1:1:function:f", "", ""),
        ("arn:aws:lambda:eu-west-1:1:function:f:$LATEST", "", ""),
        ("arn:aws:states:::lambda:invoke", "lambda", "invoke"),
        ("arn:aws-cn:states:::lambda:invoke.waitForTaskToken", "lambda", "invoke.waitForTaskToken"),
        ("arn:aws:states:::aws-sdk:sqs:receiveMessage", "aws-sdk:sqs", "receiveMessage"),
        ("arn:aws:states:::states:startExecution.sync:2", "states", "startExecution.sync:2"),
    ],
)
def test_resources_are_read_as_the_history_names_them(arn: str, service: str, action: str) -> None:
    known = resource(arn)
    assert known is not None
    assert (known.service, known.action) == (service, action)
