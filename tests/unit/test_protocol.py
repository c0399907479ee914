"""The token protocol's conditional writes: each holds for the one it is meant for, and for nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from mangavid import asl, protocol
from mangavid.errors import ConditionFailed
from mangavid.models import job_of
from mangavid.ports import Change, Item
from tests.fakes.memory import InMemoryJobs

ITEM: Item = {
    "job_id": "j",
    "status": "rendering",
    "title": "t",
    "source": "/a",
    "created_at": "1",
    "updated_at": "1",
    "execution": "arn:mine",
    "attempts": 1,
    "epoch": 3,
    "phase": "render",
    "token": "T1",
    "token_epoch": 3,
    "lease_owner": "me",
    "instance": "i-3",
    "heartbeat_at": "1",
    "ckpt": {"done": 2, "total": 9},
    "ckpt_at_dispatch": 1,
    "stalled": 1,
}
JOB = job_of(ITEM)
FAILURE = {"entered": "e2", "error": "RenderError", "cause": "c", "hint": "", "failed_in": "WaitForRender", "now": "2"}


def after(change: Change, item: Item | None) -> Item:
    jobs = InMemoryJobs()
    if item is not None:
        jobs.items[change.key] = item
    return jobs.change(change)[0]


def claim(item: Item | None, *, again: bool = False) -> Change:
    return protocol.claim(item, "j", run="r", execution="arn:new", fields={}, now="2", again=again)[0]


def failure(item: Item | None = ITEM, **more: Any) -> list[Change]:
    facts: dict[str, Any] = {**FAILURE, **more}
    return protocol.record_failure(item, "j", run="r", execution="arn:mine", **facts)


OTHER_EPOCH, OTHER_RUN = {"epoch": 4}, {"execution": "arn:other"}
DONE = ({"status": "uploaded"}, {"status": "cleaned"})
GUARDED: list[tuple[str, Change, tuple[Item, ...]]] = [
    ("claim", claim(ITEM), ({"status": "voiced"}, OTHER_RUN)),
    ("claim of a new one", claim(None), ({},)),
    ("advance", protocol.advance("j", "arn:mine", "voiced", "2"), (OTHER_RUN, *DONE)),
    ("open_epoch", protocol.open_epoch(JOB, "upload", "2"), (OTHER_EPOCH, OTHER_RUN)),
    ("note_instance", protocol.note_instance("j", 3, "i-9"), (OTHER_EPOCH,)),
    (
        "attach",
        protocol.attach(JOB, token="T2", retry=1, relaunch=True, now="2"),
        (OTHER_EPOCH, OTHER_RUN, {"token": "T2"}),
    ),
    ("replace", protocol.replace(JOB, "2"), (OTHER_EPOCH, {"token": "T2"})),
    (
        "claim_lease",
        protocol.claim_lease("j", "render", 3, "me", "2"),
        (OTHER_EPOCH, {"phase": "upload"}, {"lease_owner": "other"}),
    ),
    ("beat", protocol.beat("j", 3, "2"), (OTHER_EPOCH,)),
    ("checkpoint", protocol.checkpoint("j", 3, 5, 9, "2"), (OTHER_EPOCH,)),
    ("interrupted", protocol.interrupted("j", 3, "SpotInterrupted", "2"), (OTHER_EPOCH,)),
    ("commit_render", protocol.commit_render("j", 3, {}, "2"), (OTHER_EPOCH, {"phase": "upload"})),
    ("commit_upload", protocol.commit_upload(JOB, "v", "/v", "d", "2")[0], ({"video_id": "another"},)),
    ("begin_upload", protocol.begin_upload(JOB, 3, "S2", "x", "", "2"), (OTHER_EPOCH, {"session_uri": "S3"})),
    ("step_done", protocol.step_done("j", 3, "captions"), (OTHER_EPOCH,)),
    ("pay", protocol.pay("j", "d", "a1", 5)[0], ({"answers": frozenset({"a1"})},)),
    ("await_upload", protocol.await_upload("j", 3, "d", "t", "2")[0], (OTHER_EPOCH,)),
    ("record_failure", failure()[1], (OTHER_RUN, *DONE)),
]


@pytest.mark.parametrize(("change", "otherwise"), [case[1:] for case in GUARDED], ids=[case[0] for case in GUARDED])
def test_a_write_is_refused_once_the_job_has_moved_on(change: Change, otherwise: tuple[Item, ...]) -> None:
    after(change, None if change.key == "JOB#j" and change == claim(None) else ITEM)
    for difference in otherwise:
        with pytest.raises(ConditionFailed):
            after(change, {**ITEM, **difference})


def test_a_failure_is_counted_once_for_each_time_the_state_was_entered() -> None:
    run = after(failure()[0], {"last_failure": "e1", "failures_in_a_row": 1})
    assert run["failures_in_a_row"] == 2
    with pytest.raises(ConditionFailed):
        after(failure()[0], run)


@pytest.mark.parametrize("known", [None, "", "v"])
def test_a_video_is_recorded_where_none_is_or_the_same(known: str | None) -> None:
    item = ITEM if known is None else {**ITEM, "video_id": known}
    recorded = after(protocol.commit_upload(JOB, "v", "/v", "d", "2")[0], item)
    assert (recorded["video_id"], recorded["status"]) == ("v", ITEM["status"]), "what belongs to it may be missing"
    assert after(protocol.commit_finish("j", "v", "2"), recorded)["status"] == "uploaded"


def test_a_video_is_finished_once_it_is_recorded_and_while_nobody_withdrew_it() -> None:
    there = {**ITEM, "video_id": "v", "session_uri": "S"}
    finished = after(protocol.commit_finish("j", "v", "2"), there)
    assert finished["status"] == "uploaded"
    assert "session_uri" not in finished, "a secret that nobody needs any more"
    for other in ({"video_id": "another"}, {"video_id": ""}, {"status": "withdrawn"}, {"status": "cleaned"}):
        with pytest.raises(ConditionFailed):
            after(protocol.commit_finish("j", "v", "2"), {**there, **other})


def test_an_upload_begun_takes_the_place_of_the_session_that_is_known_and_of_no_other() -> None:
    begun = after(protocol.begin_upload(JOB, 3, "S2", "x", "S1", "2"), {**ITEM, "session_uri": "S1"})
    assert (begun["session_uri"], begun["session_sha256"]) == ("S2", "x")
    for known in ("S3", ""):
        with pytest.raises(ConditionFailed):
            after(protocol.begin_upload(JOB, 3, "S2", "x", "S1", "2"), {**ITEM, "session_uri": known})


def spent(day: Item | None, units: int, inserts: int = 0) -> Item:
    change = protocol.spend("d", units=units, inserts=inserts, units_a_day=1_000, inserts_a_day=2)
    jobs = InMemoryJobs()
    if day:
        jobs.items[change.key] = dict(day)
    return jobs.change(change)[0]


def test_what_a_call_costs_is_counted_up_to_the_days_limit_and_not_beyond() -> None:
    assert spent(None, 400)["units"] == 400
    assert spent({"units": 600}, 400)["units"] == 1_000
    with pytest.raises(ConditionFailed):
        spent({"units": 601}, 400)
    assert spent({"inserts": 1, "units": 5}, 1, 1) == {"inserts": 2, "units": 6, "key": "QUOTA#d"}
    with pytest.raises(ConditionFailed):
        spent({"inserts": 2}, 0, 1)


@pytest.mark.parametrize("owner", [None, "me"])
def test_an_instance_may_claim_its_epoch_again(owner: str | None) -> None:
    item = {name: value for name, value in {**ITEM, "lease_owner": owner}.items() if value is not None}
    assert after(protocol.claim_lease("j", "render", 3, "me", "2"), item)["lease_owner"] == "me"


@pytest.mark.parametrize("status", ["uploaded", "cleaned", "quarantined", "awaiting_upload"])
def test_what_is_finished_or_set_aside_is_taken_only_when_told_and_never_from_a_run_at_work(status: str) -> None:
    item = {**ITEM, "status": status}
    assert protocol.may_take(item, mine="arn:new", running=False, again=True)
    assert not protocol.may_take(item, mine="arn:new", running=False, again=False)
    assert not protocol.may_take(item, mine="arn:new", running=True, again=True)


def test_what_is_unfinished_is_taken_by_the_run_that_holds_it_or_once_that_has_ended() -> None:
    assert protocol.may_take(ITEM, mine="arn:mine", running=True, again=False)
    assert protocol.may_take(ITEM, mine="arn:new", running=False, again=False)
    assert not protocol.may_take(ITEM, mine="arn:new", running=True, again=False)


def test_a_claim_leaves_nothing_by_which_an_older_worker_could_be_reached() -> None:
    taken = after(claim(ITEM), ITEM)
    assert not {"token", "lease_owner"} & taken.keys()
    assert (taken["attempts"], taken["epoch"], taken["stalled"]) == (1, 3, 0)
    assert after(claim(ITEM, again=True), ITEM)["attempts"] == 0


def test_an_epoch_begins_with_nothing_of_the_one_before() -> None:
    opened = after(protocol.open_epoch(JOB, "upload", "2"), {**ITEM, "last_interruption": "SpotInterrupted"})
    assert not {"token", "lease_owner", "instance", "heartbeat_at", "last_interruption"} & opened.keys()
    assert (opened["epoch"], opened["stalled"], opened["ckpt_at_dispatch"]) == (4, 0, 0)
    assert opened["ckpt"] == {"done": 0, "total": 0}


def test_a_relaunch_remembers_how_far_the_work_was_and_forgets_who_did_it() -> None:
    change = protocol.attach(JOB, token="T2", retry=1, relaunch=True, now="2")
    relaunched = after(change, {**ITEM, "last_interruption": "SpotInterrupted"})
    assert not {"lease_owner", "instance", "heartbeat_at", "last_interruption"} & relaunched.keys()
    assert (relaunched["epoch"], relaunched["token_epoch"], relaunched["ckpt_at_dispatch"]) == (4, 4, 2)
    assert relaunched["stalled"] == 0


def test_a_failure_closes_the_jobs_token_and_keeps_a_video_that_waits() -> None:
    assert "token" not in after(failure()[1], ITEM)
    waiting = {**ITEM, "status": "awaiting_upload", "rendered": {"inputs": "x"}}
    assert after(failure(waiting)[1], waiting)["status"] == "awaiting_upload"
    assert after(failure({**ITEM, "attempts": 2})[1], ITEM)["status"] == "quarantined"


def test_a_run_goes_on_over_midnight_only_where_it_does_not_count() -> None:
    run = {"quota_day": "2026-11-22", "made": frozenset({"j"})}
    assert protocol.next_step({**run, "counted": True}, quota=3, today="2026-11-23") == "done"
    assert protocol.next_step({**run, "counted": False}, quota=3, today="2026-11-23") == "continue"


def test_a_run_that_is_over_aborts_only_where_it_failed() -> None:
    assert protocol.next_step({"iterations": 6}, quota=3, today="d") == "done"
    assert protocol.next_step({"iterations": 6, "failures_in_a_row": 1}, quota=3, today="d") == "abort"
    assert protocol.next_step({"iterations": 5}, quota=3, today="d") == "continue"


def test_a_worker_fences_itself_before_its_token_expires() -> None:
    states = asl.local_definition()["States"]
    for name in ("WaitForRender", "WaitForUpload"):
        expires = states[name]["HeartbeatSeconds"]
        assert protocol.FRESH_SECONDS < protocol.FENCE_SECONDS < protocol.EXIT_SECONDS < expires
        assert expires > protocol.TOKEN_WAIT_SECONDS
        assert 2 * protocol.HEARTBEAT_SECONDS < protocol.FENCE_SECONDS
        assert expires < protocol.WATCHDOG_SECONDS <= 2 * expires


def test_a_chapter_made_anew_remembers_the_video_that_is_replaced() -> None:
    finished = {
        **ITEM,
        "status": "cleaned",
        "video_id": "v1",
        "quota_day": "d",
        "session_uri": "S",
        "steps": {"captions"},
    }
    job, _ = protocol.claim(finished, "j", run="r", execution="arn:new", fields={}, now="2", again=True)
    taken = after(job, finished)
    assert taken["replaced"] == {"v1"}
    assert not {"video_id", "quota_day", "session_uri", "steps"} & taken.keys()
    plain, _ = protocol.claim(ITEM, "j", run="r", execution="arn:new", fields={}, now="2", again=True)
    assert "replaced" not in after(plain, ITEM)
