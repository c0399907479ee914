"""The contract of ports.Jobs, run over every adapter of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mangavid.errors import ConditionFailed
from mangavid.local.jobs import SqliteJobs
from mangavid.ports import Change, Clause, Jobs
from tests.fakes.aws import cloud
from tests.fakes.memory import InMemoryJobs

ADAPTERS: dict[str, Callable[[Path, ExitStack], Jobs]] = {
    "memory": lambda _, __: InMemoryJobs(),
    "sqlite": lambda folder, _: SqliteJobs(folder / "jobs.db"),
    "dynamodb": lambda _, stack: stack.enter_context(cloud()).jobs,
}


@pytest.fixture(params=sorted(ADAPTERS))
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Jobs]:
    with ExitStack() as stack:
        yield ADAPTERS[request.param](tmp_path, stack)


def test_a_missing_item_is_none(jobs: Jobs) -> None:
    assert jobs.get("JOB#a") is None


def test_a_change_creates_the_item_and_returns_it_as_it_is_afterwards(jobs: Jobs) -> None:
    (item,) = jobs.change(Change(key="JOB#a", set={"status": "claimed", "n": 1, "deep": {"x": [1, "đêm"]}}))
    assert item == {"key": "JOB#a", "status": "claimed", "n": 1, "deep": {"x": [1, "đêm"]}}
    assert jobs.get("JOB#a") == item


def test_sets_grow_and_shrink_idempotently_and_an_empty_set_is_no_field(jobs: Jobs) -> None:
    for _ in range(3):
        jobs.change(Change(key="QUOTA#d", add={"jobs": ["a", "b"]}))
    assert jobs.get("QUOTA#d")["jobs"] == {"a", "b"}
    jobs.change(Change(key="QUOTA#d", discard={"jobs": ["a", "b"]}))
    assert "jobs" not in jobs.get("QUOTA#d")


def test_numbers_add_up_from_nothing(jobs: Jobs) -> None:
    jobs.change(Change(key="QUOTA#d", plus={"inserts": 1}))
    assert jobs.change(Change(key="QUOTA#d", plus={"inserts": 2}))[0]["inserts"] == 3


def test_fields_are_removed(jobs: Jobs) -> None:
    jobs.change(Change(key="JOB#a", set={"lease_owner": "me", "status": "x"}))
    jobs.change(Change(key="JOB#a", remove=["lease_owner", "never-there"]))
    assert jobs.get("JOB#a") == {"key": "JOB#a", "status": "x"}


@pytest.mark.parametrize(
    ("clause", "true"),
    [
        (Clause("n", "eq", 2), True),
        (Clause("n", "eq", 3), False),
        (Clause("n", "ne", 3), True),
        (Clause("none", "ne", 3), False),
        (Clause("n", "lt", 3), True),
        (Clause("n", "lt", 2), False),
        (Clause("none", "lt", 3), False),
        (Clause("n", "present"), True),
        (Clause("none", "present"), False),
        (Clause("none", "absent"), True),
        (Clause("n", "absent"), False),
        (Clause("s", "in", ("a", "b")), True),
        (Clause("s", "in", ("b",)), False),
        (Clause("set", "size_lt", 3), True),
        (Clause("set", "size_lt", 2), False),
        (Clause("none", "size_lt", 2), False),
        (Clause("set", "contains", "x"), True),
        (Clause("set", "contains", "z"), False),
        (Clause("set", "not_contains", "z"), True),
        (Clause("none", "not_contains", "z"), False),
    ],
)
def test_a_clause_holds_or_the_change_is_refused_whole(jobs: Jobs, clause: Clause, true: bool) -> None:
    jobs.change(Change(key="JOB#a", set={"n": 2, "s": "a"}, add={"set": ["x", "y"]}))
    before = jobs.get("JOB#a")
    if true:
        jobs.change(Change(key="JOB#a", set={"hit": True}, when=[[clause]]))
        assert jobs.get("JOB#a")["hit"] is True
    else:
        with pytest.raises(ConditionFailed) as caught:
            jobs.change(Change(key="JOB#a", set={"hit": True}, when=[[clause]]))
        assert caught.value.current == before
        assert jobs.get("JOB#a") == before


def test_a_set_without_members_is_no_field(jobs: Jobs) -> None:
    jobs.change(Change(key="QUOTA#d", set={"n": 1, "excluded": frozenset()}, add={"jobs": []}))
    assert jobs.get("QUOTA#d") == {"key": "QUOTA#d", "n": 1}


def test_groups_are_anded_and_clauses_within_a_group_ored(jobs: Jobs) -> None:
    free_or_mine = [Clause("lease_owner", "absent"), Clause("lease_owner", "eq", "me")]
    claim = Change(key="JOB#a", set={"lease_owner": "me"}, when=[[Clause("epoch", "eq", 1)], free_or_mine])
    with pytest.raises(ConditionFailed):
        jobs.change(claim)
    jobs.change(Change(key="JOB#a", set={"epoch": 1}))
    jobs.change(claim)
    jobs.change(claim)
    jobs.change(Change(key="JOB#a", set={"lease_owner": "other"}))
    with pytest.raises(ConditionFailed):
        jobs.change(claim)


def test_absent_holds_for_a_missing_item(jobs: Jobs) -> None:
    create = Change(key="RUN#r", set={"status": "RUNNING"}, when=[[Clause("status", "absent")]])
    jobs.change(create)
    with pytest.raises(ConditionFailed):
        jobs.change(create)


def test_several_changes_are_made_together_or_not_at_all(jobs: Jobs) -> None:
    jobs.change(Change(key="JOB#a", set={"epoch": 1}))
    with pytest.raises(ConditionFailed):
        jobs.change(
            Change(key="QUOTA#d", add={"jobs": ["a"]}),
            Change(key="JOB#a", set={"video_id": "v"}, when=[[Clause("epoch", "eq", 2)]]),
        )
    assert jobs.get("QUOTA#d") is None
    jobs.change(
        Change(key="QUOTA#d", add={"jobs": ["a"]}),
        Change(key="JOB#a", set={"video_id": "v"}, when=[[Clause("epoch", "eq", 1)]]),
    )
    assert jobs.get("QUOTA#d")["jobs"] == {"a"}
    assert jobs.get("JOB#a")["video_id"] == "v"


def test_jobs_are_listed_by_status_newest_first(jobs: Jobs) -> None:
    for name, status, at in [("a", "failed", "1"), ("b", "uploaded", "2"), ("c", "failed", "3")]:
        jobs.change(Change(key=f"JOB#{name}", set={"status": status, "updated_at": at}))
    jobs.change(Change(key="RUN#r", set={"status": "RUNNING", "started_at": "9"}))
    assert [item["key"] for item in jobs.by_status("failed")] == ["JOB#c", "JOB#a"]
    assert [item["key"] for item in jobs.by_status("failed", "uploaded")] == ["JOB#c", "JOB#b", "JOB#a"]
    assert [item["key"] for item in jobs.by_status()] == ["JOB#c", "JOB#b", "JOB#a"]


def test_more_jobs_than_a_page_holds_are_all_listed_once_and_in_order(jobs: Jobs) -> None:
    for n in range(70):
        stamp = f"{n // 3:02}"  # several of one moment, too
        jobs.change(Change(key=f"JOB#a{n:02}", set={"status": "failed" if n % 7 else "claimed", "updated_at": stamp}))
        jobs.change(Change(key=f"RUN#r{n:02}", set={"started_at": stamp}))
    for found, key in ((jobs.by_status("failed", "claimed"), "updated_at"), (jobs.runs(), "started_at")):
        items = list(found)
        assert len({item["key"] for item in items}) == len(items) == 70
        assert [item[key] for item in items] == sorted((item[key] for item in items), reverse=True)


def test_a_list_that_is_read_slowly_keeps_nobody_from_changing_what_is_in_it(jobs: Jobs) -> None:
    for n in range(40):
        jobs.change(Change(key=f"JOB#a{n:02}", set={"status": "failed", "updated_at": f"{n:02}", "job_id": f"a{n:02}"}))
    for item in jobs.by_status("failed"):
        jobs.change(Change(key=str(item["key"]), set={"status": "voiced"}, when=[(Clause("status", "eq", "failed"),)]))
    assert len(list(jobs.by_status("voiced"))) == 40


def test_jobs_are_found_by_how_their_id_begins(jobs: Jobs) -> None:
    for name in ("dem-1", "dem-2", "de", "hoa-1"):
        jobs.change(Change(key=f"JOB#{name}", set={"job_id": name, "status": "failed", "updated_at": "1"}))
    jobs.change(Change(key="JOB#dem-3", set={"job_id": "dem-3"}))
    assert sorted(jobs.named("dem")) == ["dem-1", "dem-2"]
    assert list(jobs.named("no")) == []


def test_runs_are_listed_newest_first(jobs: Jobs) -> None:
    for name, at in [("r1", "1"), ("r2", "2")]:
        jobs.change(Change(key=f"RUN#{name}", set={"started_at": at}))
    assert [item["key"] for item in jobs.runs()] == ["RUN#r2", "RUN#r1"]


def test_of_many_threads_that_claim_at_once_one_wins(tmp_path: Path) -> None:
    jobs = SqliteJobs(tmp_path / "jobs.db")
    won: list[int] = []

    def claim(me: int) -> None:
        try:
            jobs.change(Change(key="JOB#a", set={"lease_owner": me}, when=[[Clause("lease_owner", "absent")]]))
        except ConditionFailed:
            return
        won.append(me)

    threads = [threading.Thread(target=claim, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert jobs.get("JOB#a")["lease_owner"] == won[0]
