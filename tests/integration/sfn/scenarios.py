"""The scenarios: every kind of state with success and each error, retries, timers, loops."""

from __future__ import annotations

from typing import Any

from tests.integration.sfn.behaviour import (
    FUNCTION,
    INVOKE,
    WAIT,
    Act,
    Answers,
    Dies,
    Fails,
    Gives,
    Hangs,
    Raises,
    Scenario,
)

State = dict[str, Any]


def machine(**states: State) -> State:
    return {"StartAt": next(iter(states)), "States": states}


def one(kind: str, **fields: Any) -> State:
    return machine(S={"Type": kind, **fields, **({} if kind in ("Succeed", "Fail") else {"End": True})})


def plain(**fields: Any) -> State:
    return {"Type": "Task", "Resource": f"{FUNCTION}f", **fields}


def invoke(payload: Any = None, **fields: Any) -> State:
    parameters = {"FunctionName": f"{FUNCTION}f", "Payload": {} if payload is None else payload}
    return {"Type": "Task", "Resource": INVOKE, "Parameters": parameters, **fields}


def wait(**fields: Any) -> State:
    payload = {"token.$": "$$.Task.Token", "retry.$": "$$.State.RetryCount"}
    return {**invoke(payload, **fields), "Resource": WAIT}


def task(
    name: str, state: State, *acts: Act, input: Any = None, defects: tuple[str, ...] = (), **more: State
) -> Scenario:
    ending = {} if more or "Next" in state else {"End": True}
    if more and "Next" not in state:
        state = {**state, "Next": next(iter(more))}
    definition = machine(S={**state, **ending}, **more)
    return Scenario(name, definition, {} if input is None else input, {"f": acts}, defects)


OK: State = {"Type": "Succeed"}
NO_PATH = "a path missing in a task is an error of the task"
CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Caught"}]
NOISY: State = {
    "a": {"b": [1, 2, {"c": "x"}], "n": None},
    "t": True,
    "s": "text",
    "f": 1.5,
    "list": [{"k": 1}, {"k": 2}],
}


def data_flow() -> list[Scenario]:
    def passing(name: str, *defects: str, **fields: Any) -> Scenario:
        return Scenario(f"pass-{name}", one("Pass", **fields), NOISY, defects=defects)

    return [
        passing("plain"),
        passing("result", Result={"x": [1, {"y.$": "$.kept"}]}),
        passing("result-path", Result=7, ResultPath="$.made.here"),
        passing("result-path-replaces", Result=7, ResultPath="$.a"),
        passing("result-discarded", Result=7, ResultPath=None),
        passing("input-path", InputPath="$.a.b"),
        passing("input-null", InputPath=None, Parameters={"all.$": "$"}),
        passing("output-path", OutputPath="$.list[1]"),
        passing("output-null", OutputPath=None),
        passing("array-element", "a field of an array's element comes in a list", Parameters={"x.$": "$.a.b[2].c"}),
        passing("parameters", Parameters={"x.$": "$.a.b[2]", "deep": {"y.$": "$.t", "z": [1, {"w.$": "$.s"}]}}),
        passing("wildcard", Parameters={"ks.$": "$.list[*].k", "slice.$": "$.a.b[1:]", "deep.$": "$..k"}),
        passing("filter", Parameters={"found.$": "$.list[?(@.k == 2)]"}),
        passing(
            "context",
            Parameters={"name.$": "$$.State.Name", "input.$": "$$.Execution.Input", "m.$": "$$.StateMachine.Name"},
        ),
        passing("missing-parameter", "JSON in a cause is written with spaces", Parameters={"x.$": "$.nope"}),
        passing("missing-input-path", InputPath="$.nope"),
        passing("missing-output-path", OutputPath="$.nope"),
        passing(
            "intrinsics",
            Parameters={
                "format.$": "States.Format('{} and {}', $.s, $.f)",
                "length.$": "States.ArrayLength($.a.b)",
                "range.$": "States.ArrayRange(1, 9, 3)",
                "part.$": "States.ArrayPartition(States.ArrayRange(1, 5, 1), 2)",
                "has.$": "States.ArrayContains($.a.b, 2)",
                "item.$": "States.ArrayGetItem($.list, 1)",
                "unique.$": "States.ArrayUnique(States.Array(1, 2, 1))",
                "array.$": "States.Array($.s, 1)",
                "hash.$": "States.Hash($.s, 'SHA-256')",
                "b64.$": "States.Base64Decode(States.Base64Encode($.s))",
                "merge.$": "States.JsonMerge($.a, $.list[0], false)",
                "json.$": "States.StringToJson(States.JsonToString($.list))",
                "sum.$": "States.MathAdd($.f, 2)",
                "split.$": "States.StringSplit('a,b;c', ',;')",
            },
        ),
        passing(
            "intrinsic-float", "a float in an intrinsic is refused", Parameters={"sum.$": "States.MathAdd(1.5, 2)"}
        ),
        Scenario("succeed-output-path", one("Succeed", InputPath="$.a", OutputPath="$.b"), NOISY),
        Scenario("fail-plain", one("Fail", Error="Bad", Cause="because")),
        Scenario("fail-empty", one("Fail")),
        Scenario("fail-paths", one("Fail", ErrorPath="$.s", CausePath="States.Format('not {}', $.t)"), NOISY),
        Scenario("wait-0", one("Wait", Seconds=0), NOISY),
        Scenario("wait-1", one("Wait", Seconds=1, OutputPath="$.a"), NOISY),
        Scenario("wait-path", one("Wait", SecondsPath="$.n"), {"n": 1}),
        Scenario("wait-path-negative", one("Wait", SecondsPath="$.n"), {"n": -1}),
        Scenario("wait-path-text", one("Wait", SecondsPath="$.n"), {"n": "1"}),
        Scenario("wait-path-missing", one("Wait", SecondsPath="$.n"), {}),
        Scenario("wait-past", one("Wait", Timestamp="2020-01-01T00:00:00Z")),
        Scenario("wait-timestamp-bad", one("Wait", TimestampPath="$.s"), NOISY),
    ]


def choices() -> list[Scenario]:
    def choosing(name: str, rule: State, data: Any, *defects: str, default: bool = True) -> Scenario:
        choice: State = {
            "Type": "Choice",
            "Choices": [{**rule, "Next": "Yes"}],
            **({"Default": "No"} if default else {}),
        }
        no: State = {"No": {"Type": "Pass", "Result": {"no": 1}, "End": True}} if default else {}
        definition = machine(C=choice, Yes={"Type": "Pass", "Result": {"yes": 1}, "End": True}, **no)
        return Scenario(f"choice-{name}", definition, data, defects=defects)

    x = {"Variable": "$.x"}
    both = {"And": [{**x, "IsPresent": True}, {**x, "NumericLessThan": 5}]}
    return [
        choosing("string", {**x, "StringEquals": "a"}, {"x": "a"}),
        choosing("string-type", {**x, "StringEquals": "1"}, {"x": 1}),
        choosing("string-less", {**x, "StringLessThan": "b"}, {"x": "a"}),
        choosing("string-path", {**x, "StringGreaterThanEqualsPath": "$.y"}, {"x": "a", "y": "a"}),
        choosing("matches", {**x, "StringMatches": "*.log"}, {"x": "a.log"}),
        choosing(
            "matches-question-mark",
            {**x, "StringMatches": "a?c"},
            {"x": "abc"},
            "StringMatches takes ? and [ for wildcards",
        ),
        choosing("number", {**x, "NumericEquals": 1}, {"x": 1.0}),
        choosing("number-boolean", {**x, "NumericEquals": 1}, {"x": True}),
        choosing("number-path", {**x, "NumericLessThanPath": "$.y"}, {"x": 1, "y": 2}),
        choosing("boolean", {**x, "BooleanEquals": False}, {"x": False}),
        choosing("timestamp", {**x, "TimestampLessThan": "2026-01-01T00:00:00Z"}, {"x": "2025-12-31T00:00:00Z"}),
        choosing(
            "is-timestamp-offset",
            {**x, "IsTimestamp": True},
            {"x": "2025-12-31T00:00:00+07:00"},
            "IsTimestamp knows only Z",
        ),
        choosing("null", {**x, "IsNull": True}, {"x": None}),
        choosing("present-null", {**x, "IsPresent": True}, {"x": None}),
        choosing("absent", {**x, "IsPresent": False}, {}),
        choosing("missing", {**x, "NumericEquals": 1}, {}, "a Choice on a missing path is just not matched"),
        choosing("and", both, {"x": 3}),
        choosing("and-stops", both, {}),
        choosing("or", {"Or": [{**x, "IsString": True}, {**x, "IsNumeric": True}]}, {"x": 3}),
        choosing("not", {"Not": both}, {"x": 7}),
        choosing("no-match", {**x, "IsNull": True}, {"x": 1}, "no match is States.Runtime", default=False),
    ]


def tasks() -> list[Scenario]:
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 2}]
    seeing = {"seen.$": "$$.State.RetryCount"}
    return [
        task("function", plain(), Gives({"x": 1})),
        task("function-string", plain(), Gives("text"), defects=("a string output loses its quotes",)),
        task("function-result-path", plain(ResultPath="$.r", InputPath="$.a"), Gives([1]), input=NOISY),
        task("function-selector", plain(ResultSelector={"n.$": "$.x", "k": 1}), Gives({"x": 1})),
        task("function-selector-missing", plain(ResultSelector={"n.$": "$.y"}), Gives({"x": 1}), defects=(NO_PATH,)),
        task("function-output-path", plain(ResultPath="$.r", OutputPath="$.r.x"), Gives({"x": 1})),
        task("function-parameters", plain(Parameters={"v.$": "$.a", "c.$": "$$.State.Name"}), Gives(1), input=NOISY),
        task("function-missing-parameter", plain(Parameters={"v.$": "$.nope"}), Gives(1), defects=(NO_PATH,)),
        task("function-raises", plain(), Raises("Broken")),
        task("function-caught", plain(Catch=CATCH), Raises("Broken"), input={"in": 1}, Caught=OK),
        task(
            "function-not-caught",
            plain(Catch=[{"ErrorEquals": ["Other"], "Next": "Caught"}]),
            Raises("Broken"),
            Caught=OK,
        ),
        task(
            "function-caught-by-name",
            plain(Catch=[{"ErrorEquals": ["Broken"], "Next": "Caught"}]),
            Raises("Broken"),
            Caught=OK,
        ),
        task(
            "function-caught-task-failed",
            plain(Catch=[{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]),
            Raises("Broken"),
            Caught=OK,
        ),
        task(
            "function-catch-discards",
            plain(Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": "Caught"}]),
            Raises("Broken"),
            input={"in": 1},
            Caught=OK,
        ),
        task(
            "function-retried",
            plain(Retry=retry, Parameters=seeing),
            Raises("Busy"),
            Raises("Busy"),
            Gives({"done": 1}),
        ),
        task("function-retries-used-up", plain(Retry=retry), Raises("Busy")),
        task("function-retries-used-up-caught", plain(Retry=retry, Catch=CATCH), Raises("Busy"), Caught=OK),
        task("function-not-retried", plain(Retry=retry), Raises("Broken")),
        task(
            "function-never-retried",
            plain(Retry=[{"ErrorEquals": ["Fatal"], "MaxAttempts": 0}, {"ErrorEquals": ["States.ALL"]}]),
            Raises("Fatal"),
        ),
        task(
            "function-two-retriers",
            plain(Retry=[{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["B"], "MaxAttempts": 1}]),
            Raises("A"),
            Raises("B"),
            Gives({"ok": 1}),
        ),
        task("function-timeout", plain(TimeoutSeconds=1), Hangs()),
        task("function-timeout-caught", plain(TimeoutSeconds=1, Catch=CATCH), Hangs(), Caught=OK),
        task(
            "function-timeout-retried",
            plain(TimeoutSeconds=1, Retry=[{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}]),
            Hangs(),
            Gives({"ok": 1}),
        ),
        task("function-timeout-path", plain(TimeoutSecondsPath="$.t"), Hangs(), input={"t": 1}),
        task("invoke", invoke({"x.$": "$.a"}), Gives({"y": 1}), input=NOISY),
        task(
            "invoke-selector",
            invoke(ResultSelector={"y.$": "$.Payload.y"}, ResultPath="$.r"),
            Gives({"y": 1}),
            input={"in": 1},
        ),
        task("invoke-raises", invoke(), Raises("Broken")),
        task("invoke-caught", invoke(Catch=CATCH), Raises("Broken"), Caught=OK),
        task(
            "invoke-retried", invoke(seeing, Retry=retry, ResultSelector={"p.$": "$.Payload"}), Raises("Busy"), Gives(1)
        ),
        task("invoke-timeout", invoke(TimeoutSeconds=1), Hangs()),
        task("invoke-timeout-caught", invoke(TimeoutSeconds=1, Catch=CATCH), Hangs(), Caught=OK),
        task("token-success", wait(), Answers({"x": 1})),
        task(
            "token-success-placed",
            wait(ResultSelector={"y.$": "$.x"}, ResultPath="$.r"),
            Answers({"x": 1}),
            input={"in": 1},
        ),
        task("token-failure", wait(), Fails("RenderError"), defects=("a failure's cause is lost",)),
        task(
            "token-failure-caught",
            wait(Catch=CATCH),
            Fails("RenderError"),
            Caught=OK,
            defects=("a failure's cause is lost",),
        ),
        task(
            "token-failure-retried",
            wait(Retry=[{"ErrorEquals": ["SpotInterrupted"], "MaxAttempts": 2}]),
            Fails("SpotInterrupted"),
            Answers({"ok": 1}),
            defects=("a retry gets the same token", "a retry hears the answer of the attempt before"),
        ),
        task("token-call-raises", wait(), Raises("Broken")),
        task("token-timeout", wait(TimeoutSeconds=1), Dies()),
        task("token-timeout-caught", wait(TimeoutSeconds=1, Catch=CATCH), Dies(), Caught=OK),
        task("token-heartbeats", wait(HeartbeatSeconds=2, TimeoutSeconds=20), Answers({"x": 1}, beats=8)),
        task("token-heartbeat-runs-out", wait(HeartbeatSeconds=1, TimeoutSeconds=20), Dies()),
        task(
            "token-heartbeat-retried",
            wait(HeartbeatSeconds=1, TimeoutSeconds=20, Retry=[{"ErrorEquals": ["States.Timeout"], "MaxAttempts": 1}]),
            Dies(),
            Answers({"second": True}),
            defects=("a retry gets the same token",),
        ),
        task(
            "token-heartbeat-caught-as-heartbeat",
            wait(
                HeartbeatSeconds=1,
                TimeoutSeconds=20,
                Catch=[{"ErrorEquals": ["States.HeartbeatTimeout"], "ResultPath": "$.error", "Next": "Caught"}],
            ),
            Dies(),
            Caught=OK,
            defects=("a heartbeat's expiry is no States.HeartbeatTimeout",),
        ),
        task(
            "token-timeout-not-task-failed",
            wait(TimeoutSeconds=1, Catch=[{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]),
            Dies(),
            Caught=OK,
        ),
    ]


def loops() -> list[Scenario]:
    count = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)"}, "Next": "More"}
    more = {
        "Type": "Choice",
        "Choices": [{"Variable": "$.n", "NumericLessThan": 20, "Next": "Count"}],
        "Default": "Done",
    }
    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}]
    ask = plain(Retry=retry, ResultPath="$.r", Parameters={"n.$": "$.n", "retry.$": "$$.State.RetryCount"}, Next="More")
    again = {"Type": "Choice", "Choices": [{"Variable": "$.r", "NumericLessThan": 2, "Next": "Ask"}], "Default": "Done"}
    return [
        Scenario("loop", machine(Count=count, More=more, Done=OK), {"n": 0}),
        Scenario(
            "loop-retries-afresh",
            machine(Ask=ask, More=again, Done=OK),
            {"n": 0},
            {"f": (Raises("Busy"), Gives(1), Raises("Busy"), Gives(2))},
        ),
        Scenario("version-and-comment", {"Comment": "x", "Version": "1.0", **machine(S={"Comment": "y", **OK})}),
        Scenario(
            "execution-timeout",
            {**one("Wait", Seconds=30), "TimeoutSeconds": 1},
            defects=("a timed-out execution has no stop",),
        ),
    ]


def every() -> list[Scenario]:
    return [*data_flow(), *choices(), *tasks(), *loops()]
