"""The contract of ports.Executions: the fake, and the journal of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mangavid.aws.executions import StepFunctionsExecutions
from mangavid.errors import SourceNotFound, UsageError
from mangavid.local.engine.executions import JournalExecutions
from mangavid.ports import Executions
from tests.fakes.aws import CLIENTS, credentials
from tests.fakes.memory import FakeClock, FakeExecutions
from tests.fakes.stepfunctions import MACHINE, StepFunctions, serving

DEFINITION = {"StartAt": "S", "States": {"S": {"Type": "Wait", "Seconds": 60, "End": True}}}


def step_functions(folder: Path, clock: FakeClock, stack: ExitStack) -> StepFunctionsExecutions:
    service = StepFunctions(folder / "journal.db", clock, DEFINITION)
    service.page = 2
    stack.enter_context(credentials())
    stack.enter_context(serving(CLIENTS, service.answer))
    return StepFunctionsExecutions(CLIENTS["stepfunctions"], MACHINE)


ADAPTERS: dict[str, Callable[[Path, FakeClock, ExitStack], Executions]] = {
    "memory": lambda _, clock, __: FakeExecutions(clock),
    "journal": lambda folder, clock, _: JournalExecutions(folder / "journal.db", clock, DEFINITION),
    "step-functions": step_functions,
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=sorted(ADAPTERS))
def executions(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Executions]:
    with ExitStack() as stack:
        yield ADAPTERS[request.param](tmp_path, clock, stack)


def test_a_started_execution_runs_with_its_input(executions: Executions, clock: FakeClock) -> None:
    arn = executions.start("night-1", {"a": [1, "đêm"]})
    one = executions.describe(arn)
    assert (one.arn, one.name, one.status, one.input) == (arn, "night-1", "RUNNING", {"a": [1, "đêm"]})
    assert (one.started, one.stopped, one.output, one.error, one.cause) == (clock.now(), None, None, "", "")


def test_the_same_name_and_input_again_is_the_same_execution(executions: Executions, clock: FakeClock) -> None:
    arn = executions.start("night-1", {"a": 1})
    clock.advance(5)
    assert executions.start("night-1", {"a": 1}) == arn
    assert len(list(executions.list())) == 1


def test_executions_are_listed_newest_first_and_by_status(executions: Executions, clock: FakeClock) -> None:
    arns = []
    for name in ("one", "two", "three"):
        arns.append(executions.start(name, {}))
        clock.advance(1)
    executions.stop(arns[1], error="Operator", cause="")
    assert [one.name for one in executions.list()] == ["three", "two", "one"]
    assert [one.name for one in executions.list(status="RUNNING")] == ["three", "one"]
    assert [one.name for one in executions.list(status="ABORTED")] == ["two"]


def test_more_executions_than_a_page_holds_are_all_listed_once(executions: Executions, clock: FakeClock) -> None:
    for n in range(40):
        executions.start(f"night-{n}", {})
        clock.advance(n % 2)
    assert sorted(one.name for one in executions.list()) == sorted(f"night-{n}" for n in range(40))
    assert [one.started for one in executions.list()] == sorted((o.started for o in executions.list()), reverse=True)
    assert len(list(executions.list(status="RUNNING"))) == 40


def test_a_stop_keeps_error_and_cause_and_the_time(executions: Executions, clock: FakeClock) -> None:
    arn = executions.start("night-1", {})
    clock.advance(90)
    executions.stop(arn, error="Operator", cause="enough")
    one = executions.describe(arn)
    assert (one.status, one.error, one.cause, one.stopped) == ("ABORTED", "Operator", "enough", clock.now())


def test_a_redriven_execution_runs_again(executions: Executions) -> None:
    arn = executions.start("night-1", {})
    executions.stop(arn, error="Operator", cause="enough")
    executions.redrive(arn)
    one = executions.describe(arn)
    assert (one.status, one.stopped, one.error) == ("RUNNING", None, "")


def test_what_was_never_started_is_not_found(executions: Executions) -> None:
    for ask in (executions.describe, executions.redrive):
        with pytest.raises(SourceNotFound):
            ask("arn:aws:states:local:000000000000:execution:manga-pipeline:never")
    assert list(executions.list()) == []


@pytest.mark.parametrize("adapter", ["journal", "step-functions"])
def test_a_history_is_read_both_ways_and_over_all_pages(adapter: str, tmp_path: Path, clock: FakeClock) -> None:
    with ExitStack() as stack:
        executions = ADAPTERS[adapter](tmp_path, clock, stack)
        arn = executions.start("night-1", {})
        for _ in range(3):
            executions.stop(arn, error="Operator", cause="enough")
            executions.redrive(arn)
        events = list(executions.history(arn))
        kinds = ["ExecutionStarted", *["ExecutionAborted", "ExecutionRedriven"] * 3]
        assert [(event["id"], event["type"]) for event in events] == list(enumerate(kinds, 1))
        assert events[0]["timestamp"] == clock.now()
        assert events[0]["executionStartedEventDetails"]["input"] == "{}"
        assert events[1]["executionAbortedEventDetails"] == {"error": "Operator", "cause": "enough"}
        assert list(executions.history(arn, reverse=True)) == events[::-1]
        with pytest.raises(SourceNotFound):
            list(executions.history("arn:never"))


@pytest.mark.parametrize("adapter", ["journal", "step-functions"])
def test_a_name_is_taken_for_good_by_the_input_it_was_started_with(
    adapter: str, tmp_path: Path, clock: FakeClock
) -> None:
    with ExitStack() as stack:
        executions = ADAPTERS[adapter](tmp_path, clock, stack)
        arn = executions.start("night-1", {"a": 1})
        executions.stop(arn, error="", cause="")
        assert executions.start("night-1", {"a": 1}) == arn
        for name, data in (("night-1", {"a": 2}), ("a name with blanks", {})):
            with pytest.raises(UsageError):
                executions.start(name, data)
        with pytest.raises(UsageError, match="ExecutionNotRedrivable"):
            executions.redrive(executions.start("night-2", {}))
