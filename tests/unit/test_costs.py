"""What an execution has cost, about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mangavid.aws import costs
from mangavid.aws.stack.functions import SIZES
from mangavid.ports import Step
from mangavid.states.timeline import Failure, Visit

START = datetime(2026, 11, 26, tzinfo=UTC)


def visit(
    state: str, seconds: float, kind: str = "Task", attempts: int = 1, failures: tuple[Failure, ...] = ()
) -> Visit:
    made = Visit(state=state, kind=kind, started=START, video=1, seconds=seconds, attempts=attempts)
    made.failures = list(failures)
    return made


def test_every_task_of_the_state_machine_is_paid_for_by_its_functions_size_or_by_the_hour() -> None:
    functions = costs._functions()
    assert {name for state, name in functions.items() if state not in costs.MACHINE_HOUR} <= SIZES.keys()
    assert costs.MACHINE_HOUR.keys() <= functions.keys()


def test_a_function_is_paid_for_the_time_it_works_and_its_memory() -> None:
    cost = costs.estimate([visit("FetchManga", 100.0)])
    assert cost.functions == pytest.approx(100 * SIZES["fetcher"].memory / 1024 * costs.GB_SECOND + costs.CALL)
    assert (cost.transitions, cost.machines) == (costs.TRANSITION, 0.0)


def test_what_is_waited_between_attempts_is_not_paid_for_and_each_attempt_is_a_transition() -> None:
    failure = Failure(attempt=1, at=START, error="E", cause="", waited=60.0)
    once, twice = (
        costs.estimate([visit("FetchManga", 40.0)]),
        costs.estimate([visit("FetchManga", 100.0, attempts=2, failures=(failure,))]),
    )
    assert twice.functions == pytest.approx(once.functions + costs.CALL)
    assert twice.transitions == 2 * once.transitions


def test_a_machine_is_paid_for_while_it_is_waited_for_and_a_choice_is_one_transition() -> None:
    cost = costs.estimate([visit("WaitForRender", 1800.0), visit("QuotaChoice", 5.0, kind="Choice")])
    assert cost.machines == costs.MACHINE_HOUR["WaitForRender"] / 2
    assert (cost.transitions, cost.functions) == (2 * costs.TRANSITION, 0.0)


def test_while_a_run_is_followed_the_cost_so_far_comes_with_what_a_machine_does() -> None:
    so_far = costs.SoFar()

    def told(what: Any, state: str, seconds: float = 0.0) -> str:
        return so_far.told(Step(what=what, execution="run-1", state=state, seconds=seconds)).detail

    assert told("entered", "FetchManga") == told("succeeded", "FetchManga", 2.0) == ""
    assert told("entered", "WaitForRender") == ""
    assert told("progress", "WaitForRender", 3600.0) == "about $0.15 so far"
    assert told("retry", "WaitForRender", 5.0) == ""
    assert told("progress", "WaitForRender", 7200.0) == "about $0.30 so far", "the state's own time is told, not added"
    assert told("succeeded", "WaitForRender", 7200.0) == "about $0.30 so far"
    assert told("succeeded", "WaitForUpload", 36_000.0) == "about $0.45 so far"


@pytest.mark.parametrize(
    ("dollars", "said"), [(0.0, "less than $0.01"), (0.009, "less than $0.01"), (0.0345, "about $0.03")]
)
def test_it_is_told_in_cents(dollars: float, said: str) -> None:
    assert costs.shown(costs.Cost(transitions=dollars, functions=0.0, machines=0.0)) == said
