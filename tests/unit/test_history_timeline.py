"""A history told as a timeline."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from mangavid.states.timeline import Visit, timeline, visits

START = datetime(2026, 11, 23, 8, tzinfo=UTC)
NOW = START + timedelta(hours=5)


class History:
    """Events in the shape of GetExecutionHistory, each following the one before it unless told otherwise."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.seconds = 0.0
        self.add("ExecutionStarted")

    def add(self, kind: str, *, after: float = 0.0, previous: int | None = None, **details: Any) -> int:
        self.seconds += after
        number = len(self.events) + 1
        name = "state" + kind[kind.index("State") + 5 :] if "State" in kind else kind[0].lower() + kind[1:]
        event = {
            "id": number,
            "previousEventId": number - 1 if previous is None else previous,
            "timestamp": START + timedelta(seconds=self.seconds),
            "type": kind,
            f"{name}EventDetails": details,
        }
        self.events.append(event)
        return number

    def task(
        self, name: str, seconds: float, *, job: str = "", fails: tuple[str, ...] = (), wait: float = 60.0
    ) -> None:
        """A task that fails with each of ``fails`` and then succeeds."""
        self.add("TaskStateEntered", name=name, input="{}")
        for error in fails:
            self.add("TaskScheduled")
            self.add("TaskStarted")
            self.add("TaskFailed", after=1.0, error=error, cause='{"errorMessage": "no answer", "errorType": "X"}')
            self.seconds += wait
        self.add("TaskScheduled")
        self.add("TaskStarted")
        self.add("TaskSucceeded", after=seconds)
        output = json.dumps({"job": {"job_id": job}}) if job else "{}"
        self.add("TaskStateExited", name=name, output=output)

    def visits(self) -> list[Visit]:
        return timeline(self.events, now=NOW)


def test_a_state_is_a_row_with_its_start_and_length() -> None:
    history = History()
    history.task("CheckQuota", 2.5)
    history.add("ChoiceStateEntered", name="QuotaChoice")
    history.add("ChoiceStateExited", name="QuotaChoice")
    history.add("SucceedStateEntered", name="Done")
    history.add("SucceedStateExited", name="Done")
    history.add("ExecutionSucceeded")
    rows = [(one.state, one.kind, one.seconds, one.attempts, one.outcome) for one in history.visits()]
    assert rows == [
        ("CheckQuota", "Task", 2.5, 1, "succeeded"),
        ("QuotaChoice", "Choice", 0.0, 0, "succeeded"),
        ("Done", "Succeed", 0.0, 0, "succeeded"),
    ]


def test_retries_are_told_with_their_errors_and_waits() -> None:
    history = History()
    history.task("FetchManga", 5.0, fails=("SourceUnavailable", "States.Timeout"), wait=60.0)
    (visit,) = history.visits()
    assert visit.outcome == "succeeded"
    assert visit.attempts == 3
    assert visit.seconds == pytest.approx(127.0)
    assert [(one.attempt, one.error, one.cause, one.waited) for one in visit.failures] == [
        (1, "SourceUnavailable", "no answer", 60.0),
        (2, "States.Timeout", "no answer", 60.0),
    ]


def test_a_state_whose_failure_was_caught_has_failed() -> None:
    history = History()
    history.add("TaskStateEntered", name="GenerateScript")
    history.add("TaskScheduled")
    history.add("TaskFailed", error="ScriptInvalid", cause="plain words")
    history.add("TaskStateExited", name="GenerateScript", output="{}")
    history.task("HandleError", 0.1)
    first, second = history.visits()
    assert (first.outcome, first.failures[0].waited, first.failures[0].cause) == ("failed", None, "plain words")
    assert (second.state, second.outcome) == ("HandleError", "succeeded")


def test_a_timeout_without_an_error_name_is_a_timeout() -> None:
    history = History()
    history.add("TaskStateEntered", name="WaitForRender")
    history.add("TaskScheduled")
    history.add("TaskTimedOut", after=300.0)
    history.add("ExecutionTimedOut")
    (visit,) = history.visits()
    assert visit.failures[0].error == "States.Timeout"
    assert (visit.outcome, visit.seconds) == ("failed", 300.0)


def test_rows_are_grouped_by_video_and_named_after_its_job() -> None:
    history = History()
    history.task("CheckQuota", 0.1)
    for job in ("a-1", "b-2"):
        history.task("FetchManga", 1.0, job=job)
        history.task("GenerateScript", 1.0, job=job)
    history.task("FetchManga", 1.0)
    assert [(one.state, one.video, one.job_id) for one in history.visits()] == [
        ("CheckQuota", 0, ""),
        ("FetchManga", 1, "a-1"),
        ("GenerateScript", 1, "a-1"),
        ("FetchManga", 2, "b-2"),
        ("GenerateScript", 2, "b-2"),
        ("FetchManga", 3, ""),
    ]


def test_a_state_that_is_not_over_runs_until_now() -> None:
    history = History()
    history.add("TaskStateEntered", name="WaitForRender")
    history.add("TaskScheduled")
    (visit,) = history.visits()
    assert (visit.outcome, visit.ended, visit.seconds) == ("running", None, 5 * 3600.0)


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("ExecutionAborted", "stopped"), ("ExecutionFailed", "failed"), ("ExecutionSucceeded", "succeeded")],
)
def test_the_end_of_the_execution_ends_what_was_not_left(kind: str, outcome: str) -> None:
    history = History()
    history.add("TaskStateEntered", name="WaitForRender")
    history.add(kind, after=10.0, error="Aborted")
    (visit,) = history.visits()
    assert (visit.outcome, visit.seconds) == (outcome, 10.0)


def test_a_redrive_ends_nothing() -> None:
    history = History()
    history.add("ExecutionRedriven")
    history.task("CheckQuota", 1.0)
    (visit,) = history.visits()
    assert visit.outcome == "succeeded"


def test_a_state_that_was_redriven_goes_on_and_the_time_between_is_not_its_own() -> None:
    history = History()
    history.add("TaskStateEntered", name="WaitForRender")
    history.add("TaskScheduled")
    history.add("ExecutionAborted", after=10.0, previous=0)
    history.add("ExecutionRedriven", after=3600.0)
    (stopped,) = history.visits()
    assert (stopped.outcome, stopped.seconds) == ("stopped", 10.0)
    history.add("TaskScheduled")
    (working,) = history.visits()
    assert (working.outcome, working.ended, working.attempts) == ("running", None, 2)
    history.add("TaskSucceeded", after=5.0)
    history.add("TaskStateExited", name="WaitForRender", output="{}")
    (done,) = history.visits()
    assert (done.outcome, done.seconds, done.idle) == ("succeeded", 15.0, 3600.0)


def test_events_of_two_branches_go_to_the_state_they_belong_to() -> None:
    history = History()
    first = history.add("TaskStateEntered", name="A", previous=1)
    second = history.add("TaskStateEntered", name="B", previous=1)
    first = history.add("TaskScheduled", previous=first)
    second = history.add("TaskScheduled", previous=second)
    second = history.add("TaskFailed", previous=second, error="E")
    history.add("TaskSucceeded", previous=first)
    a, b = history.visits()
    assert (a.state, len(a.failures), a.attempts) == ("A", 0, 1)
    assert (b.state, len(b.failures), b.attempts) == ("B", 1, 1)


def test_a_video_is_told_as_soon_as_the_next_begins_and_what_is_told_is_not_kept() -> None:
    history = History()
    history.task("CheckQuota", 0.1)
    for number in range(50):
        history.task("FetchManga", 1.0, job=f"a-{number}")
        history.task("GenerateScript", 1.0, job=f"a-{number}")
    read: list[int] = []

    def reading() -> Iterator[dict[str, Any]]:
        for event in history.events:
            read.append(event["id"])
            yield event

    told = visits(reading(), now=NOW)
    assert read == []
    assert next(told).state == "CheckQuota"
    assert len(read) == 7, "until the first video begins"
    second, third = next(told), next(told)
    assert (second.state, third.state, third.job_id) == ("FetchManga", "GenerateScript", "a-0")
    assert len(read) == 17, "until the next begins"
    kept = [sum(isinstance(one, Visit) for one in gc.get_objects()) for _ in told]
    assert len(kept) == 98
    assert max(kept) <= kept[0] + 6


def test_what_is_told_one_by_one_is_what_is_told_at_once() -> None:
    history = History()
    history.task("CheckQuota", 0.1)
    history.task("FetchManga", 1.0, fails=("SourceUnavailable",), job="a-1")
    left = history.add("TaskStateEntered", name="WaitForRender")
    history.add("TaskScheduled")
    history.task("FetchManga", 1.0, job="b-2")
    history.add("TaskFailed", previous=left, error="E")
    history.task("FetchManga", 1.0, job="c-3")
    history.add("ExecutionAborted")
    found = history.visits()
    assert list(visits(history.events, now=NOW)) == found
    assert [(one.state, one.outcome, len(one.failures)) for one in found][2] == ("WaitForRender", "stopped", 1)


def test_input_and_output_are_there_where_they_are_asked_for() -> None:
    history = History()
    history.add("TaskStateEntered", name="FetchManga", input='{"quota": {"daily_count": 1}}')
    history.add("TaskStateExited", name="FetchManga", output="cut sho")
    history.add("TaskStateEntered", name="GenerateScript")
    first, second = timeline(history.events, now=NOW, data=True)
    assert (first.input, first.output) == ({"quota": {"daily_count": 1}}, "cut sho")
    assert (second.input, second.output) == (msgspec.UNSET, msgspec.UNSET)
    assert {"input", "output"}.isdisjoint(msgspec.to_builtins(history.visits()[0]))


def test_an_empty_history_is_an_empty_timeline() -> None:
    assert timeline([], now=NOW) == []


@pytest.mark.parametrize("document", [None, "", "not json", "[]", '{"job": null}', '{"job": {"job_id": null}}', "1"])
def test_an_output_without_a_job_names_none(document: str | None) -> None:
    history = History()
    history.add("TaskStateEntered", name="GenerateScript", input=document)
    history.add("TaskStateExited", name="GenerateScript", output=document)
    assert history.visits()[0].job_id == ""


def test_events_that_do_not_say_what_they_follow_follow_the_one_before() -> None:
    history = History()
    history.task("FetchManga", 5.0, fails=("SourceUnavailable",))
    history.task("GenerateScript", 3.0)
    history.add("ExecutionSucceeded")
    told = history.visits()
    for event in history.events:
        del event["previousEventId"]
    assert history.visits() == told
