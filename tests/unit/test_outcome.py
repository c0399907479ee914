"""What is said of a run that did not end by itself, and of one that could not say why it ended."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mangavid import keys
from mangavid.ports import Change
from mangavid.states.outcome import Outcome, outcome_of
from tests.fakes.world import World, make_world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path)


def ended(world: World, status: str, error: str = "", cause: str = "") -> Outcome:
    arn = world.executions.start("run-1", {})
    one = msgspec.structs.replace(world.executions.describe(arn), status=status, error=error, cause=cause)
    return outcome_of(world.target, [one])


def test_a_run_that_was_stopped_is_no_success(world: World) -> None:
    outcome = ended(world, "ABORTED", "Stopped", "mangavid stop")
    assert (outcome.exit_code, outcome.made, outcome.failed) == (130, (), ())


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT"])
def test_a_run_that_failed_and_left_no_word_of_it_is_a_failure(world: World, status: str) -> None:
    outcome = ended(world, status, "States.Runtime", "no such path")
    (failed,) = outcome.failed
    assert (outcome.exit_code, failed.error, failed.cause) == (4, "States.Runtime", "no such path")


def test_what_the_run_recorded_is_told_and_not_how_the_state_machine_ended(world: World) -> None:
    facts = {"last_failure": "2026-11-26", "last_error": "AuthError", "last_cause": "no right"}
    world.jobs.change(Change(key=keys.run_item("run-1"), set=facts))
    outcome = ended(world, "FAILED", "Aborted", "The run met only failures")
    assert [(one.error, one.cause) for one in outcome.failed] == [("AuthError", "no right")]
    assert outcome.exit_code == 7


def test_a_run_whose_budget_is_used_up_leaves_like_one_over_quota(world: World) -> None:
    facts = {"last_failure": "2026-11-26", "last_error": "BudgetReached", "last_cause": "no money left"}
    world.jobs.change(Change(key=keys.run_item("run-1"), set=facts))
    assert ended(world, "SUCCEEDED").exit_code == 5
