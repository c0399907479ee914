"""Code and definition swapped in place, as Lambda and Step Functions answer where no emulator does."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from mangavid.aws.deploy import fast
from mangavid.aws.deploy.difference import changes
from mangavid.aws.deploy.progress import Step
from mangavid.errors import DeployFailed, Locked, UpstreamUnavailable
from tests.fakes.formation import Client, Formation, Waits, error
from tests.stacks import CODE, made

SHA256 = "ab" * 32
KEY = f"code/fetcher-{SHA256}.zip"
NAME = "manga-pipeline-fetcher"


class Function:
    """One function. ``comes``: how its update stands at each look after it began; the last stays."""

    def __init__(self, *comes: str, reason: str = "") -> None:
        self.sha256 = "old"
        self.comes = list(comes) or ["Successful"]
        self.reason = reason
        self.client = Client("lambda", {"get_function_configuration": self._look, "update_function_code": self._update})

    def _look(self, FunctionName: str) -> dict[str, Any]:
        assert FunctionName == NAME
        if self.sha256 == "old":
            return {"CodeSha256": self.sha256}
        status = self.comes.pop(0) if len(self.comes) > 1 else self.comes[0]
        return {"CodeSha256": self.sha256, "LastUpdateStatus": status, "LastUpdateStatusReason": self.reason}

    def _update(self, S3Key: str, **_: Any) -> dict[str, Any]:
        self.sha256 = base64.b64encode(bytes.fromhex(S3Key[-68:-4])).decode()
        return {}


def swap(function: Function, clock: Waits | None = None) -> tuple[list[str], list[Step]]:
    steps: list[Step] = []
    site = Formation().site(**{"lambda": function.client})
    return fast.swap_functions(site, clock or Waits(), {"fetcher": KEY}, steps.append), steps


def conflict() -> Exception:
    return error("ResourceConflictException", "An update is in progress for resource", "UpdateFunctionCode", status=409)


def test_a_function_is_swapped_once_its_update_has_come_to_its_end() -> None:
    function = Function("InProgress", "InProgress", "Successful")
    swapped, steps = swap(function)
    assert (swapped, [(one.what, one.name) for one in steps]) == (["fetcher"], [("swap", NAME)])
    # A second time it has the code already.
    function.client.calls.clear()
    assert swap(function) == ([], [])
    assert function.client.called() == []


def test_a_function_that_does_not_take_its_code_is_named_with_the_reason() -> None:
    with pytest.raises(DeployFailed, match=f"{NAME} did not take its new code: no such architecture"):
        swap(Function("InProgress", "Failed", reason="no such architecture"))


def test_a_function_that_another_is_changing_is_waited_for_but_not_for_ever() -> None:
    function = Function()
    function.client.refuse["update_function_code"] = [conflict(), conflict()]
    assert swap(function)[0] == ["fetcher"]
    function, clock = Function(), Waits()
    function.client.refuse["update_function_code"] = [conflict() for _ in range(500)]
    with pytest.raises(Locked, match="An update is in progress"):
        swap(function, clock)
    assert clock.slept < 120


def test_too_many_requests_are_to_be_tried_again() -> None:
    function = Function()
    function.client.refuse["update_function_code"] = [
        error("TooManyRequestsException", "Rate exceeded", "UpdateFunctionCode", status=429)
    ]
    with pytest.raises(UpstreamUnavailable):
        swap(function)


# --- the definition --------------------------------------------------------------------------------------------------


def machine(*answers: dict[str, Any] | Exception) -> Client:
    def validate(**given: Any) -> dict[str, Any]:
        json.loads(given["definition"])
        answer = answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client("stepfunctions", {"validate_state_machine_definition": validate})


def diagnostic(severity: str) -> dict[str, Any]:
    found = {"severity": severity, "code": "SCHEMA", "message": "no such state", "location": "/States/A/Next"}
    return {"result": "FAIL" if severity == "ERROR" else "OK", "diagnostics": [found]}


def test_a_definition_that_step_functions_refuses_is_told_before_anything_is_swapped() -> None:
    site = Formation().site(stepfunctions=machine(diagnostic("ERROR")))
    with pytest.raises(DeployFailed, match="/States/A/Next: no such state") as caught:
        fast.check_definition(site, made())
    assert caught.value.hint == "nothing was changed"


@pytest.mark.parametrize(
    "answer",
    [
        {"result": "OK", "diagnostics": []},
        diagnostic("WARNING"),
        error("UnknownOperationException", "no such call", "ValidateStateMachineDefinition"),
    ],
)
def test_a_warning_or_an_endpoint_that_can_not_tell_is_no_refusal(answer: Any) -> None:
    client = machine(answer)
    fast.check_definition(Formation().site(stepfunctions=client), made())
    assert client.calls != []


# --- what can be swapped ---------------------------------------------------------------------------------------------


def test_only_code_and_definition_are_swapped_and_all_else_is_left_with_its_reason() -> None:
    before, after = made(), made()
    resources = after["Resources"]
    resources["FetcherFunction"]["Properties"]["Code"]["S3Key"] = "code/other.zip"
    # Its memory takes a full deploy, and its code goes with it.
    resources["CleanupFunction"]["Properties"]["Code"]["S3Key"] = "code/other.zip"
    resources["CleanupFunction"]["Properties"]["MemorySize"] = 1024
    text = resources["StateMachine"]["Properties"]["DefinitionString"]["Fn::Sub"]
    resources["StateMachine"]["Properties"]["DefinitionString"]["Fn::Sub"] = text.replace('"Comment"', '"comment"', 1)
    resources["New"] = {"Type": "AWS::SQS::Queue"}
    del resources["DeadLettersAlarm"]
    functions, definition, left = fast.sort_out(before, after)
    assert (functions, definition) == (["fetcher"], text != text.replace('"Comment"', '"comment"', 1))
    assert {(one.action, one.id) for one in left} == {
        ("add", "New"),
        ("change", "CleanupFunction"),
        ("remove", "DeadLettersAlarm"),
    }
    assert {one.id for one in left} | {"FetcherFunction", "StateMachine"} >= {one.id for one in changes(before, after)}


def test_a_definition_that_is_only_written_otherwise_is_swapped_too() -> None:
    before, after = made(), made()
    sub = after["Resources"]["StateMachine"]["Properties"]["DefinitionString"]
    sub["Fn::Sub"] = f" {sub['Fn::Sub']}"
    assert fast.sort_out(before, after) == ([], True, [])


def test_the_definition_of_a_stack_is_the_text_that_step_functions_has() -> None:
    text = fast.definition(Formation().site(), made())
    assert "${AWS::" not in text
    assert "arn:aws:states:eu-west-1:123456789012:" in text or "eu-west-1:123456789012" in text
    assert fast.code_key(made(), "fetcher") == CODE.functions["fetcher"]
