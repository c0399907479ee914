"""What an operator asks of the table: the quota, jobs, executions, a failed job again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import msgspec
import pytest

from mangavid import keys, protocol
from mangavid.config import Config
from mangavid.errors import BadInput, SourceNotFound, UsageError
from mangavid.ports import Change, Execution, Item, Target
from mangavid.quota import PACIFIC
from mangavid.states import operations, runs
from tests.fakes.memory import FakeClock, FakeExecutions, InMemoryJobs

# 2026-11-23 08:00 UTC is midnight in Los Angeles: the first moment of a quota day.
START = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
TODAY = keys.quota_item("2026-11-23")


@pytest.fixture
def jobs() -> InMemoryJobs:
    return InMemoryJobs()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


def put(jobs: InMemoryJobs, job_id: str, status: str, **fields: Any) -> None:
    base = {
        "job_id": job_id,
        "status": status,
        "title": job_id.title(),
        "source": f"/chapters/{job_id}.cbz",
        "created_at": "2026-11-23T07:00:00+00:00",
        "updated_at": "2026-11-23T07:30:00+00:00",
    }
    jobs.change(Change(key=keys.job_item(job_id), set=base | fields))


def view(jobs: InMemoryJobs, clock: FakeClock) -> operations.Quota:
    return operations.quota_view(jobs, Config(), clock)


# --- the quota ------------------------------------------------------------------------------------------------------


def test_on_an_empty_table_the_whole_quota_is_left(jobs: InMemoryJobs, clock: FakeClock) -> None:
    quota = view(jobs, clock)
    assert (quota.day, quota.used, quota.limit, quota.left, quota.inserts) == ("2026-11-23", 0, 3, 3, 0)
    assert quota.limit_from == "setting"
    assert not quota.exhausted
    assert jobs.changes == []


def test_a_job_counted_twice_counts_once(jobs: InMemoryJobs, clock: FakeClock) -> None:
    for job in ("a", "b", "a"):
        jobs.change(Change(key=TODAY, add={"jobs": [job]}, plus={"inserts": 1}))
    quota = view(jobs, clock)
    assert (quota.used, quota.left, quota.inserts, quota.jobs) == (2, 1, 3, ("a", "b"))


def test_more_than_the_limit_leaves_none_and_not_less_than_none(jobs: InMemoryJobs, clock: FakeClock) -> None:
    jobs.change(Change(key=TODAY, add={"jobs": ["a", "b", "c", "d"]}))
    assert view(jobs, clock).left == 0


def test_a_day_youtube_calls_used_up_leaves_none(jobs: InMemoryJobs, clock: FakeClock) -> None:
    jobs.change(Change(key=TODAY, set={"exhausted": True}))
    quota = view(jobs, clock)
    assert quota.exhausted
    assert (quota.used, quota.left) == (0, 0)


@pytest.mark.parametrize(
    ("now", "day", "reset"),
    [
        (datetime(2026, 11, 23, 7, 59, tzinfo=UTC), "2026-11-22", datetime(2026, 11, 23, 8, tzinfo=UTC)),
        (datetime(2026, 11, 23, 8, 0, tzinfo=UTC), "2026-11-23", datetime(2026, 11, 24, 8, tzinfo=UTC)),
        (datetime(2026, 7, 1, 6, 59, tzinfo=UTC), "2026-06-30", datetime(2026, 7, 1, 7, tzinfo=UTC)),
        # The clocks go back on 2026-11-01: that quota day has 25 hours.
        (datetime(2026, 11, 1, 7, 30, tzinfo=UTC), "2026-11-01", datetime(2026, 11, 2, 8, tzinfo=UTC)),
        (datetime(2026, 3, 8, 8, 30, tzinfo=UTC), "2026-03-08", datetime(2026, 3, 9, 7, tzinfo=UTC)),
    ],
)
def test_the_day_turns_at_midnight_pacific_in_summer_and_winter(
    jobs: InMemoryJobs, now: datetime, day: str, reset: datetime
) -> None:
    quota = view(jobs, FakeClock(now))
    assert quota.day == day
    assert quota.resets_at == reset
    assert quota.resets_at.astimezone(PACIFIC).strftime("%H:%M") == "00:00"


def test_a_reset_counts_from_nought_and_leaves_what_youtube_counts(jobs: InMemoryJobs, clock: FakeClock) -> None:
    jobs.change(Change(key=TODAY, set={"exhausted": True}, add={"jobs": ["a", "b", "c"]}, plus={"inserts": 3}))
    quota = operations.quota_reset(jobs, Config(), clock)
    assert (quota.used, quota.left, quota.excluded, quota.inserts, quota.exhausted) == (0, 3, 3, 3, False)
    jobs.change(Change(key=TODAY, add={"jobs": ["d", "a"]}))
    assert view(jobs, clock).used == 1
    assert protocol.count(jobs.get(TODAY)) == 1
    assert jobs.items[TODAY]["jobs"] == {"a", "b", "c", "d"}


def test_a_reset_of_an_empty_day_changes_no_count(jobs: InMemoryJobs, clock: FakeClock) -> None:
    quota = operations.quota_reset(jobs, Config(), clock)
    assert (quota.used, quota.excluded) == (0, 0)


def test_the_next_day_begins_at_nought_and_keeps_the_limit_that_was_set(jobs: InMemoryJobs, clock: FakeClock) -> None:
    jobs.change(Change(key=TODAY, add={"jobs": ["a"]}))
    assert operations.quota_set(jobs, Config(), clock, 7).left == 6
    clock.advance(86_400)
    quota = view(jobs, clock)
    assert (quota.day, quota.used, quota.limit, quota.limit_from) == ("2026-11-24", 0, 7, "quota set")


def test_the_stored_limit_is_the_one_the_states_obey(jobs: InMemoryJobs, clock: FakeClock) -> None:
    target: Any = Target(
        config=Config(), jobs=jobs, objects=None, executions=FakeExecutions(), callbacks=None, instances=None,
        secrets=None, clock=clock, source=None, writer=None, voice=None, publisher=None,
    )  # type: ignore[arg-type]  # fmt: skip
    assert runs.daily_limit(target) == view(jobs, clock).limit == 3
    operations.quota_set(jobs, Config(), clock, 1)
    assert runs.daily_limit(target) == view(jobs, clock).limit == 1
    operations.quota_set(jobs, Config(), clock, None)
    assert runs.daily_limit(target) == view(jobs, clock).limit == 3
    assert view(jobs, clock).limit_from == "setting"


@pytest.mark.parametrize("daily", [0, -1, 101, 10**12])
def test_a_limit_out_of_range_is_refused_and_nothing_is_stored(
    jobs: InMemoryJobs, clock: FakeClock, daily: int
) -> None:
    with pytest.raises(UsageError, match="from 1 to 100"):
        operations.quota_set(jobs, Config(), clock, daily)
    assert jobs.items == {}


# --- jobs -----------------------------------------------------------------------------------------------------------


def test_jobs_are_shown_newest_first_without_what_would_let_a_reader_act_on_them(jobs: InMemoryJobs) -> None:
    put(jobs, "old", "uploaded", updated_at="2026-11-22T00:00:00+00:00")
    put(jobs, "new", "uploading", token="secret", session_uri="https://upload/secret")
    rows = list(operations.job_rows(jobs))
    assert [row["job_id"] for row in rows] == ["new", "old"]
    assert "secret" not in str(rows)
    assert "secret" not in str(operations.find_job(jobs, "new"))


def test_what_is_at_work_comes_first_then_what_failed_then_what_waits(jobs: InMemoryJobs) -> None:
    for day, (name, status) in enumerate(
        [("done", "cleaned"), ("waits", "awaiting_upload"), ("failed", "failed"), ("ready", "voiced")]
    ):
        put(jobs, name, status, updated_at=f"2026-11-2{9 - day}T00:00:00+00:00")
    assert [row["job_id"] for row in operations.job_rows(jobs)] == ["ready", "failed", "waits", "done"]


def test_who_takes_a_few_rows_does_not_read_the_rest(jobs: InMemoryJobs) -> None:
    read: list[str] = []

    class Counted(InMemoryJobs):
        def by_status(self, *status: str) -> Iterator[Item]:
            for item in jobs.by_status(*status):
                read.append(str(item["job_id"]))
                yield item

    for number in range(100):
        put(jobs, f"job-{number:03}", "cleaned")
    assert len(list(islice(operations.job_rows(Counted()), 20))) == 20
    assert len(read) == 20


def test_a_run_whose_item_is_out_of_order_is_found_all_the_same(jobs: InMemoryJobs) -> None:
    executions = FakeExecutions(FakeClock())
    for number in range(12):
        executions.start(f"run-{number}", {})
        executions.clock.advance(60)
        stamp = f"2026-11-23T08:{number:02}:00+00:00" if number != 3 else "2020-01-01T00:00:00+00:00"
        jobs.change(
            Change(key=keys.run_item(f"run-{number}"), set={"started_at": stamp, "made": frozenset({f"job-{number}"})})
        )
    listed = list(operations.runs(jobs, executions))
    assert [(run.name, run.made) for run in listed] == [(f"run-{n}", (f"job-{n}",)) for n in reversed(range(12))]


def test_a_job_is_found_by_its_name_or_how_it_begins(jobs: InMemoryJobs) -> None:
    put(jobs, "dem-trang-3-aa", "failed")
    put(jobs, "dem-trang-3", "failed")
    put(jobs, "hoa-1", "failed")
    assert (operations.find_job(jobs, "dem-trang-3") or {})["job_id"] == "dem-trang-3"
    assert (operations.find_job(jobs, "hoa") or {})["job_id"] == "hoa-1"
    assert operations.find_job(jobs, "no") is None
    assert operations.find_job(jobs, "") is None
    assert operations.find_job(jobs, "../x") is None
    with pytest.raises(UsageError, match="dem fits 2 jobs: dem-trang-3, dem-trang-3-aa"):
        operations.find_job(jobs, "dem")
    with pytest.raises(UsageError, match="dem-tr fits 2 jobs"):
        operations.find_job(jobs, "dem-tr")


def test_a_few_signs_in_the_middle_of_a_word_name_no_job(jobs: InMemoryJobs) -> None:
    put(jobs, "noperm-12", "cleaned")
    assert operations.find_job(jobs, "nope") is None
    assert (operations.find_job(jobs, "noperm") or {})["job_id"] == "noperm-12"
    assert (operations.find_job(jobs, "noperm-1") or {})["job_id"] == "noperm-12"


@pytest.mark.parametrize(
    ("products", "status"),
    [
        ({}, "claimed"),
        ({"pages": 7}, "fetched"),
        ({"pages": 7, "script_key": "s"}, "scripted"),
        ({"pages": 7, "script_key": "s", "speech_key": "t"}, "voiced"),
        ({"pages": 7, "script_key": "s", "speech_key": "t", "rendered": {"video": {}}}, "rendered"),
    ],
)
@pytest.mark.parametrize("failed", operations.FAILED)
def test_a_failed_job_goes_back_to_its_last_good_product(
    jobs: InMemoryJobs, clock: FakeClock, products: dict[str, Any], status: str, failed: str
) -> None:
    put(jobs, "a", failed, error="E", cause="c", failed_in="S", attempts=2, stalled=2, epoch=4, **products)
    job = operations.retry(jobs, clock, "a")
    assert job["status"] == status
    assert not {"error", "cause", "failed_in", "not_before"} & set(job)
    assert job["epoch"] == 4, "an epoch never goes back: it fences off old workers"
    assert job["stalled"] == 0
    assert job["attempts"] == (0 if failed == "quarantined" else 2)
    assert job["updated_at"] > "2026-11-23T07:30"
    assert protocol.may_take(jobs.get(keys.job_item("a")), mine="x", running=False, again=False)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("claimed", "ready"),
        ("rendering", "ready"),
        ("awaiting_upload", "waiting for quota"),
        ("uploaded", "done"),
        ("cleaned", "done"),
    ],
)
def test_a_job_that_has_not_failed_is_left_alone_and_what_to_do_is_said(
    jobs: InMemoryJobs, clock: FakeClock, status: str, said: str
) -> None:
    put(jobs, "a", status)
    with pytest.raises(BadInput, match=f"a has not failed: it is {said}") as caught:
        operations.retry(jobs, clock, "a")
    assert "mangavid" in caught.value.hint
    assert jobs.items[keys.job_item("a")]["status"] == status


def test_a_job_that_does_not_exist_cannot_be_retried(jobs: InMemoryJobs, clock: FakeClock) -> None:
    with pytest.raises(SourceNotFound, match="no job nope"):
        operations.retry(jobs, clock, "nope")


def test_all_that_failed_are_retried_together(jobs: InMemoryJobs, clock: FakeClock) -> None:
    for job, status in (("a", "failed"), ("b", "quarantined"), ("c", "uploaded"), ("d", "interrupted")):
        put(jobs, job, status)
    assert sorted(job["job_id"] for job in operations.retry_failed(jobs, clock)) == ["a", "b", "d"]
    assert operations.retry_failed(jobs, clock) == []


class Overtaken(InMemoryJobs):
    """Another process takes the job between the reading and the writing."""

    def change(self, *changes: Change) -> list[dict[str, Any]]:
        if changes[0].when:
            self.items[changes[0].key]["status"] = "claimed"
        return super().change(*changes)


def test_a_job_taken_at_this_moment_is_not_put_back_over_the_other(clock: FakeClock) -> None:
    jobs = Overtaken()
    put(jobs, "a", "failed")
    with pytest.raises(BadInput, match="changed at this moment"):
        operations.retry(jobs, clock, "a")
    assert jobs.items[keys.job_item("a")]["status"] == "claimed"


# --- executions -----------------------------------------------------------------------------------------------------


@pytest.fixture
def executions(clock: FakeClock) -> FakeExecutions:
    fake = FakeExecutions(clock)
    for name in ("run-20261122T080000-aaaaaa", "run-20261123T080000-bbbbbb", "run-20261123T090000-cccccc"):
        fake.start(name, {})
        clock.advance(3600)
    return fake


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("last", "cccccc"),
        ("cccccc", "cccccc"),
        ("run-20261122", "aaaaaa"),
        ("bbb", "bbbbbb"),
        ("20261123", None),
        ("bbbbbb", "bbbbbb"),
        ("run-20261123T080000-bbbbbb", "bbbbbb"),
        ("arn:aws:states:local:000000000000:execution:manga-pipeline:run-20261122T080000-aaaaaa", "aaaaaa"),
        ("arn:aws:states:local:000000000000:execution:manga-pipeline:no", None),
        ("", None),
        ("nope", None),
    ],
)
def test_an_execution_is_found_by_the_names_a_person_has_for_it(
    executions: FakeExecutions, name: str, found: str | None
) -> None:
    one = operations.find_execution(executions, name)
    assert (one.name[-6:] if one else None) == found


@pytest.mark.parametrize("name", ["last", "run-20261122T080000-aaaaaa"])
def test_an_execution_that_is_named_in_full_is_found_without_reading_the_list(
    executions: FakeExecutions, name: str
) -> None:
    read: list[str] = []

    class Counted(FakeExecutions):
        def list(self, *, status: str | None = None) -> Iterator[Execution]:
            for one in executions.list(status=status):
                read.append(one.name)
                yield one

    counted = Counted()
    counted.by_arn = executions.by_arn
    assert operations.find_execution(counted, name, exact=True) is not None
    assert len(read) == 1
    assert operations.find_execution(counted, "aaaaaa", exact=True) is None
    assert len(read) == 2


def test_a_name_that_fits_several_executions_is_refused_with_them(executions: FakeExecutions) -> None:
    with pytest.raises(UsageError, match="fits 2 executions: run-20261123T090000-cccccc, run-20261123T080000-bbbbbb"):
        operations.find_execution(executions, "run-20261123")


def test_there_is_no_last_execution_on_an_empty_target() -> None:
    assert operations.find_execution(FakeExecutions(), "last") is None


def test_an_execution_is_listed_with_what_its_run_made(jobs: InMemoryJobs, executions: FakeExecutions) -> None:
    name = "run-20261123T080000-bbbbbb"
    jobs.change(
        Change(key=keys.run_item(name), set={"sources": ["/a.cbz"], "last_error": "RenderError"},
               add={"made": ["b", "a"], "failed": ["c"]})
    )  # fmt: skip
    listed = list(operations.runs(jobs, executions))
    assert [run.name[-6:] for run in listed] == ["cccccc", "bbbbbb", "aaaaaa"]
    assert (listed[1].made, listed[1].failed, listed[1].sources) == (("a", "b"), ("c",), ("/a.cbz",))
    assert listed[1].error == "RenderError"
    aborted = msgspec.structs.replace(next(executions.list()), error="Aborted", cause="only failures")
    assert operations.run_of(aborted, {"last_error": "BadImage", "last_cause": "torn"}).cause == "torn"
    assert operations.run_of(aborted, {}).cause == "only failures"
    late = msgspec.structs.replace(aborted, error="States.Timeout", cause="")
    assert operations.run_of(late, {"last_error": "BadImage"}).error == "States.Timeout"
    assert listed[0].made == ()


@pytest.mark.parametrize(
    ("status", "error"), [("ABORTED", "Stopped"), ("TIMED_OUT", "States.Timeout"), ("FAILED", "States.Runtime")]
)
def test_an_execution_that_was_stopped_or_broke_is_redriven(
    jobs: InMemoryJobs, executions: FakeExecutions, clock: FakeClock, status: str, error: str
) -> None:
    one = ended(executions, status, error)
    assert operations.retry_run(jobs, executions, clock, one) == []
    assert executions.describe(one.arn).status == "RUNNING"


@pytest.mark.parametrize(("status", "error"), [("FAILED", "Aborted"), ("SUCCEEDED", None)])
def test_of_an_execution_that_came_to_its_end_the_failed_jobs_are_put_back(
    jobs: InMemoryJobs, executions: FakeExecutions, clock: FakeClock, status: str, error: str | None
) -> None:
    one = ended(executions, status, error)
    put(jobs, "a", "failed", script_key="k")
    put(jobs, "b", "cleaned")
    put(jobs, "c", "failed")
    jobs.change(Change(key=keys.run_item(one.name), set={"failed": frozenset({"a", "b"})}))
    assert [(job["job_id"], job["status"]) for job in operations.retry_run(jobs, executions, clock, one)] == [
        ("a", "scripted")
    ]
    assert executions.describe(one.arn).status == status, "a redrive would only end it again"
    with pytest.raises(BadInput, match="nothing is left"):
        operations.retry_run(jobs, executions, clock, one)


def test_an_execution_that_runs_is_left_alone(jobs: InMemoryJobs, executions: FakeExecutions, clock: FakeClock) -> None:
    with pytest.raises(BadInput, match="has not ended"):
        operations.retry_run(jobs, executions, clock, next(executions.list()))


def ended(executions: FakeExecutions, status: str, error: str | None) -> Execution:
    one = next(executions.list())
    executions.by_arn[one.arn] = msgspec.structs.replace(one, status=status, error=error)
    return executions.by_arn[one.arn]
