"""The state machine's file: found, rendered, linted; and every way of breaking it that we know is caught."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mangavid import asl, errors
from mangavid.asl import structure
from mangavid.asl.lint import error_names, lint
from mangavid.errors import ConfigError, UnsupportedDefinition
from mangavid.local.engine.definition import load
from mangavid.resources import bundled

Definition = dict[str, Any]


@pytest.fixture
def pipeline() -> Definition:
    return asl.local_definition()


def test_the_pipelines_own_definition_is_clean_and_can_be_run_here(pipeline: Definition) -> None:
    assert lint(pipeline) == []
    assert load(pipeline).start == "CheckQuota"


def test_every_error_that_the_definition_names_is_a_class_of_ours(pipeline: Definition) -> None:
    named = error_names(pipeline)
    assert {"YouTubeQuotaError", "SpotInterrupted", "RenderError"} <= named
    assert named <= {cls.__name__ for cls in errors.every_error()}


def test_rendering_changes_the_two_placeholders_and_nothing_else() -> None:
    text = asl.source()
    made = asl.render(text, "eu-west-1", "123456789012")
    assert "${" in text
    assert "${" not in made
    assert made == text.replace("${AWS::Region}", "eu-west-1").replace("${AWS::AccountId}", "123456789012")
    assert ":lambda:eu-west-1:123456789012:function:manga-pipeline-fetcher" in made


def test_a_placeholder_nobody_fills_in_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"\$\{AWS::Partition\}"):
        asl.render('{"Resource": "arn:${AWS::Partition}:lambda:${AWS::Region}"}', "eu-west-1", "1")


def test_a_bundled_file_is_found_in_the_wheel_before_the_checkout(tmp_path: Path) -> None:
    package = tmp_path / "mangavid"
    package.mkdir()
    (tmp_path / "statemachine.asl.json").write_text("checkout")
    assert bundled("statemachine.asl.json", package=package).read_text() == "checkout"
    (package / "_bundle").mkdir()
    (package / "_bundle" / "statemachine.asl.json").write_text("wheel")
    assert bundled("statemachine.asl.json", package=package).read_text() == "wheel"
    with pytest.raises(FileNotFoundError, match=r"config\.example\.yaml is neither in"):
        bundled("config.example.yaml", package=package)


# --- broken mutants -------------------------------------------------------------------------------------------------


def _caught(definition: Definition) -> list[str]:
    """What lint and the engine's loader say."""
    found = lint(definition)
    try:
        load(definition)
    except UnsupportedDefinition as problem:
        found = [*found, *str(problem).splitlines()[1:]]
    return found


def _set(state: str, *path: str | int) -> Callable[[Any], Callable[[Definition], None]]:
    def value_of(value: Any) -> Callable[[Definition], None]:
        def mutate(definition: Definition) -> None:
            place: Any = definition["States"][state]
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = value

        return mutate

    return value_of


def _drop(state: str, field: str) -> Callable[[Definition], None]:
    return lambda definition: definition["States"][state].pop(field)


def _all_first(definition: Definition) -> None:
    definition["States"]["WaitForUpload"]["Catch"].reverse()


def _unreachable(definition: Definition) -> None:
    definition["States"]["Nobody"] = {"Type": "Pass", "Next": "Done"}


def _no_token(definition: Definition) -> None:
    del definition["States"]["WaitForRender"]["Parameters"]["Payload"]["token.$"]


MUTANTS: dict[str, tuple[Callable[[Definition], None], str]] = {
    "backoff below 1": (_set("FetchManga", "Retry", 1, "BackoffRate")(0.5), "BackoffRate"),
    "Catch to a missing state": (_set("FetchManga", "Catch", 0, "Next")("Nowhere"), "'Nowhere'"),
    "Choice with an operand of the wrong type": (
        _set("QuotaChoice", "Choices", 0, "BooleanEquals")("yes"),
        "BooleanEquals can't compare",
    ),
    "bad .$ payload": (_set("Cleanup", "Parameters", "Payload", "job_id.$")(7), "job_id.$"),
    "unknown States error": (_set("FetchManga", "Catch", 0, "ErrorEquals")(["States.Foo"]), "States.Foo"),
    "unknown field": (_set("FetchManga", "TimeoutSecond")(5), "unknown field TimeoutSecond"),
    "heartbeat not below timeout": (_set("WaitForRender", "HeartbeatSeconds")(14400), "HeartbeatSeconds (14400)"),
    "unknown intrinsic": (
        _set("CountOnwards", "Parameters", "quota", "daily_count.$")("States.MathPow($.quota.daily_count, 1)"),
        "States.MathPow",
    ),
    "Next to a missing state": (_set("Cleanup", "Next")("Nowhere"), "'Nowhere'"),
    "neither Next nor End": (_drop("Cleanup", "Next"), "neither Next nor End"),
    "a token task that hands on no token": (_no_token, "$$.Task.Token"),
    "bad ResultPath": (_set("Cleanup", "ResultPath")("$.x[*]"), "ResultPath"),
    "bad Resource": (_set("Cleanup", "Resource")("arn:aws:lambda:cleanup"), "Resource"),
    "States.ALL not last": (_all_first, "must be in the last"),
    "unreachable state": (_unreachable, "Nobody: can't be reached"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_state_machine_is_caught(name: str, pipeline: Definition) -> None:
    mutate, said = MUTANTS[name]
    mutate(pipeline)
    found = _caught(pipeline)
    assert any(said in line for line in found), found


def _retry(*retriers: dict[str, Any]) -> Callable[[Definition], None]:
    return _set("WaitForRender", "Retry")(list(retriers))


_DEATH = {"ErrorEquals": ["States.Timeout", "States.HeartbeatTimeout"], "MaxAttempts": 2}

HOUSE_RULES: dict[str, tuple[Callable[[Definition], None], str]] = {
    "no heartbeat on a wait": (_drop("WaitForRender", "HeartbeatSeconds"), "without HeartbeatSeconds"),
    "no timeout": (_drop("Cleanup", "TimeoutSeconds"), "has no TimeoutSeconds"),
    "a dead worker is not retried": (_retry({"ErrorEquals": ["States.TaskFailed"]}), "States.HeartbeatTimeout"),
    "only half of what a dead worker is": (_retry({"ErrorEquals": ["States.HeartbeatTimeout"]}), "list States.Timeout"),
    "listed but with no attempt": (_retry({**_DEATH, "MaxAttempts": 0}), "States.HeartbeatTimeout"),
    "permanent errors after transient ones": (
        _retry(_DEATH, {"ErrorEquals": ["RenderError"], "MaxAttempts": 0}),
        "must be named first",
    ),
    "an error named twice": (
        _retry({"ErrorEquals": ["NoProgress"], "MaxAttempts": 0}, {"ErrorEquals": ["NoProgress"]}, _DEATH),
        "NoProgress is named in Retry[0] already",
    ),
    "an error nobody raises": (_retry({"ErrorEquals": ["RenderrError"]}, _DEATH), "nothing here raises RenderrError"),
}


@pytest.mark.parametrize("name", HOUSE_RULES)
def test_a_rule_of_the_house_is_kept(name: str, pipeline: Definition) -> None:
    mutate, said = HOUSE_RULES[name]
    mutate(pipeline)
    found = lint(pipeline)
    assert any(said in line for line in found), found


def test_structure_speaks_of_what_is_not_even_a_state_machine() -> None:
    assert structure.problems({"StartAt": "A"}) == ["States: must be an object with at least one state"]
    found = structure.problems({"StartAt": "B", "States": {"A": {"Type": "Pass", "Next": "A", "End": True}}})
    assert "StartAt: names 'B', which is not a state" in found
    assert "A: has both Next and End" in found


def test_lint_leaves_the_definition_as_it_was(pipeline: Definition) -> None:
    before = copy.deepcopy(pipeline)
    lint(pipeline)
    assert pipeline == before
