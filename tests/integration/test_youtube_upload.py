"""The bytes of a video to YouTube: every trouble of the line and of the session, and one video at the end of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mangavid.config import Rights
from mangavid.errors import AuthError, LeaseLost, PublishError, RightsMissing, UpstreamUnavailable, YouTubeQuotaError
from mangavid.publishers.youtube import marker
from tests.fakes.youtube import FakeYoutube
from tests.fakes.youtube_desk import CHUNK, Desk
from tests.fakes.youtube_memory import JOB

FIVE = 5  # parts of the video


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with FakeYoutube() as fake:
        yield Desk(fake, tmp_path)


def published(desk: Desk, **changes: Any) -> str:
    """Publish; the ledger must hold one video with all its bytes."""
    upload = desk.upload()
    video_id = desk.publisher(**changes).publish(upload).video_id
    assert list(desk.fake.videos) == [video_id]
    assert desk.fake.videos[video_id]["sha256"] == upload.rendered.video.sha256
    return video_id


def test_a_video_is_sent_private_with_everything_declared_and_nobody_notified(desk: Desk) -> None:
    video = desk.fake.videos[published(desk, privacy="public", made_for_kids=True, category="24")]
    assert {name: video["status"][name] for name in ("privacyStatus", "selfDeclaredMadeForKids")} == {
        "privacyStatus": "private",
        "selfDeclaredMadeForKids": True,
    }
    assert video["status"]["containsSyntheticMedia"] is False
    assert video["snippet"]["tags"] == [marker(JOB), "truyện tranh", "manga"]
    assert (video["snippet"]["categoryId"], video["snippet"]["defaultLanguage"]) == ("24", "vi")
    assert "notifySubscribers=false" in desk.fake.uploads.queries[0]
    assert desk.upload().known()["inserts"] == 1
    assert desk.fake.units == 0, "a first upload needs no look at the channel"


def test_the_session_is_remembered_before_the_first_byte(desk: Desk) -> None:
    with pytest.raises(LeaseLost):
        desk.publisher().publish(desk.upload(lost="began"))
    assert (desk.fake.uploads.begun, desk.fake.uploads.bytes, desk.fake.videos) == (1, 0, {})


def test_a_worker_that_lost_its_lease_begins_nothing(desk: Desk) -> None:
    with pytest.raises(LeaseLost):
        desk.publisher().publish(desk.upload(lost="check"))
    assert desk.fake.count("videos.insert") == 0


#: Name: the faults as (call, kind, what is told of it), and how often an insert is called.
SURVIVED: dict[str, tuple[list[tuple[str, str, dict[str, Any]]], int]] = {
    "503 at the beginning: tried again": ([("videos.insert", "refuse", {"status": 503, "reason": "backendError"})], 2),
    "500 that is no JSON at the beginning: tried again": ([("videos.insert", "bare", {"status": 500})], 2),
    "429 at the beginning: tried again": (
        [("videos.insert", "refuse", {"status": 429, "reason": "rateLimitExceeded"})],
        2,
    ),
    "403 userRateLimitExceeded at the beginning: tried again": (
        [("videos.insert", "refuse", {"status": 403, "reason": "userRateLimitExceeded"})],
        2,
    ),
    "the beginning is cut off: tried again": ([("videos.insert", "drop", {})], 2),
    "the answer to the beginning is lost: its session stays empty": ([("videos.insert", "drop-after", {})], 2),
    "a beginning without an address: tried again": ([("videos.insert", "say", {"status": 200})], 2),
    "503 at a part: goes on": ([("put", "refuse", {"status": 503})], 1),
    "500 at a part five times: goes on": ([("put", "refuse", {"status": 500, "times": 5})], 1),
    "429 at a part: goes on": ([("put", "refuse", {"status": 429})], 1),
    "408 at a part: goes on": ([("put", "bare", {"status": 408})], 1),
    "401 at a part: logs in anew, the same part again": (
        [("put", "refuse", {"status": 401, "reason": "authError"})],
        1,
    ),
    "a part is cut off: asks, goes on": ([("put", "drop", {"after": 1})], 1),
    "the answer to a part is lost: asks, goes on behind it": ([("put", "drop-after", {"after": 1})], 1),
    "the answer to a part is not HTTP: asks, goes on": ([("put", "no-http", {"after": 1})], 1),
    "half of a part is kept: the rest is sent": ([("put", "half", {})], 1),
    "half of every part is kept: the rest is sent": ([("put", "half", {"times": 12})], 1),
    "a part is not kept: it is sent again": ([("put", "ignore", {"after": 1, "times": 3})], 1),
    "it forgets some of what it had: sent again": ([("put", "back", {"n": 100_000, "after": 2})], 1),
    "it forgets everything: sent again": ([("put", "back", {"n": 0, "after": 3})], 1),
    "it names bytes that there are not: asked again": ([("put", "range", {"after": 1})], 1),
    "it moves to another address: goes on there": ([("put", "rotate", {"after": 1})], 1),
    "it moves at every part: goes on": ([("put", "rotate", {"times": 4})], 1),
    "the last answer is lost: the video is asked for": ([("put", "drop-after", {"after": 4})], 1),
    "the last answer is cut short: the video is asked for": ([("put", "cut", {"after": 4})], 1),
    "the last answer is no JSON: the video is asked for": ([("put", "garbage", {"after": 4})], 1),
    "the last answer is a list: the video is asked for": ([("put", "list", {"after": 4})], 1),
    "the last answer is endless: the video is asked for": ([("put", "huge", {"after": 4})], 1),
    "the last answer names no video: the video is asked for": (
        [("put", "say", {"status": 200, "message": '{"id": "../x"}', "after": 4})],
        1,
    ),
    "503 after the last part and at the question: asked again": (
        [("put", "drop-after", {"after": 4}), ("ask", "refuse", {"status": 503, "times": 3})],
        1,
    ),
    "all is there and no video yet: asked until it is": ([("put", "late", {"n": 4, "after": 4})], 1),
    "the session is lost in the middle: looks, begins anew": ([("put", "expire", {"after": 2})], 2),
    "the session is lost with 410: looks, begins anew": ([("put", "expire", {"status": 410, "after": 1})], 2),
    "the session is lost with the last answer: its video is found": ([("put", "expire-after", {"after": 4})], 1),
    "the session is lost twice: begins anew twice": ([("put", "expire", {}), ("put", "expire", {"after": 1})], 3),
    "the login is down for a while: tried again": ([("token", "bare", {"status": 503, "times": 3})], 1),
    "the login's answer is cut off: tried again": ([("token", "cut", {})], 1),
    "the login's answer is no JSON: tried again": ([("token", "garbage", {})], 1),
}


@pytest.mark.parametrize("name", SURVIVED)
def test_one_video_comes_of_it(desk: Desk, name: str) -> None:
    faults, inserts = SURVIVED[name]
    for call, kind, told in faults:
        desk.fake.fault(call, kind, **told)
    published(desk)
    assert desk.fake.count("videos.insert") == inserts
    assert desk.upload().known()["inserts"] == inserts, "each is counted before it is made"
    assert desk.upload().session.startswith(desk.fake.url)


#: The same with a client that waits only a little.
STALLED = {
    "the beginning stalls": ("videos.insert", "stall", 0, 2),
    "a part stalls": ("put", "stall", 1, 1),
    "the answer to the last part stalls": ("put", "stall-after", 4, 1),
    "the login stalls": ("token", "stall", 0, 1),
    "the question stalls": ("ask", "stall", 0, 1),
}


@pytest.mark.parametrize("name", STALLED)
def test_what_does_not_answer_is_given_up_and_tried_again(desk: Desk, name: str) -> None:
    call, kind, after, inserts = STALLED[name]
    if call == "ask":
        desk.fake.fault("put", "drop")
    desk.fake.fault(call, kind, after=after)
    upload = desk.upload()
    desk.publisher(timeout=0.3).publish(upload)
    assert (len(desk.fake.videos), desk.fake.count("videos.insert")) == (1, inserts)


#: Name: call, kind, what is told, the error's class, words in it, inserts.
ENDED: dict[str, tuple[str, str, dict[str, Any], type[Exception], str, int]] = {
    "503 for ever at the beginning": ("videos.insert", "refuse", {"status": 503}, UpstreamUnavailable, "beginning", 6),
    "no connection for ever at the beginning": (
        "videos.insert",
        "drop",
        {},
        UpstreamUnavailable,
        "can't be reached",
        6,
    ),
    "503 for ever at a part": ("put", "refuse", {"status": 503}, UpstreamUnavailable, "sending the video", 1),
    "nothing is ever kept": ("put", "ignore", {}, UpstreamUnavailable, "takes no more bytes", 1),
    "every part is forgotten": ("put", "back", {"n": 0}, UpstreamUnavailable, "takes no more", 1),
    "no video ever comes of it": ("put", "late", {"n": 99}, UpstreamUnavailable, "gives no video", 1),
    "every session is lost": ("put", "expire", {}, UpstreamUnavailable, "dropped the upload", 3),
    "400 at a part": ("put", "refuse", {"status": 400, "reason": "badContent"}, PublishError, "badContent", 1),
    "quota at a part": ("put", "refuse", {"status": 403, "reason": "quotaExceeded"}, YouTubeQuotaError, "quota", 1),
    "an address that is not YouTube's": (
        "videos.insert",
        "say",
        {"status": 200, "headers": {"Location": "https://evil.example/upload"}},
        PublishError,
        "not YouTube's",
        1,
    ),
    "plain http to another port": (
        "videos.insert",
        "say",
        {"status": 200, "headers": {"Location": "http://127.0.0.1:1/upload"}},
        PublishError,
        "not YouTube's",
        1,
    ),
}


@pytest.mark.parametrize("name", ENDED)
def test_what_does_not_pass_is_an_error_and_no_video(desk: Desk, name: str) -> None:
    call, kind, told, expected, words, inserts = ENDED[name]
    desk.fake.fault(call, kind, times=80, **told)
    with pytest.raises(expected, match=words) as caught:
        desk.publisher().publish(desk.upload())
    assert desk.fake.videos == {}
    assert desk.fake.count("videos.insert") == inserts
    assert "CANARY" not in f"{caught.value}{caught.value.hint}"  # type: ignore[attr-defined]


def test_what_is_forgotten_again_and_again_is_given_up(desk: Desk) -> None:
    for _ in range(20):
        desk.fake.fault("put", "back", after=1, n=0)
    with pytest.raises(UpstreamUnavailable, match="loses again and again"):
        desk.publisher().publish(desk.upload())
    assert desk.fake.count("put") < 30


def test_another_process_goes_on_where_the_first_stopped(desk: Desk) -> None:
    with pytest.raises(LeaseLost):
        desk.publisher().publish(desk.upload(lost=f"sent-{2 * CHUNK}"))
    assert desk.fake.uploads.parts == [(0, CHUNK), (CHUNK, CHUNK)]
    published(desk)
    assert desk.fake.uploads.parts[2:] == [(2 * CHUNK, CHUNK), (3 * CHUNK, CHUNK), (4 * CHUNK, 12345)]
    assert (desk.fake.count("videos.insert"), desk.fake.units) == (1, 0)


def test_a_session_that_was_finished_by_another_gives_its_video(desk: Desk) -> None:
    first = published(desk)
    assert published(desk) == first
    assert (desk.fake.count("videos.insert"), desk.fake.count("put")) == (1, FIVE)


@pytest.mark.parametrize("lag", [0, 1, 3])
def test_a_lost_session_whose_video_is_listed_late_is_waited_for(desk: Desk, lag: int) -> None:
    first = published(desk)
    desk.fake.uploads.expire_all()
    desk.fake.data.lag = desk.fake.data.unlisted[first] = lag
    upload = desk.upload()
    assert desk.publisher().publish(upload).video_id == first
    assert (desk.fake.count("videos.insert"), len(desk.fake.videos)) == (1, 1)
    assert upload.lives > lag, "the worker says that it lives while it waits"


def test_a_lost_session_without_a_video_is_begun_anew_after_the_wait(desk: Desk) -> None:
    with pytest.raises(LeaseLost):
        desk.publisher().publish(desk.upload(lost=f"sent-{2 * CHUNK}"))
    desk.fake.uploads.expire_all()
    before = desk.clock.monotonic()
    published(desk)
    assert desk.clock.monotonic() - before >= 600
    assert desk.fake.count("videos.insert") == 2
    assert desk.fake.units < 60


def test_a_session_lost_before_its_last_part_is_not_waited_for(desk: Desk) -> None:
    desk.fake.fault("put", "expire", after=2)
    published(desk)
    assert sum(desk.clock.slept) == 0


def test_an_upload_begun_with_an_earlier_file_gives_that_video_and_a_note(desk: Desk) -> None:
    first = published(desk)
    upload = desk.upload()
    upload.remember(sha256="another")
    assert desk.publisher().publish(upload).video_id == first
    assert upload.notes == ["the video on YouTube is of an earlier rendering of this chapter"]
    assert desk.fake.count("videos.insert") == 1


def test_a_video_that_the_new_one_takes_the_place_of_is_not_taken_for_it(desk: Desk) -> None:
    first = published(desk)
    upload = desk.upload()
    upload.remember(sha256="another", replaced=[first])
    assert desk.publisher().publish(upload).video_id != first
    assert desk.fake.count("videos.insert") == 2
    assert upload.notes == []


def test_the_mark_is_found_behind_hundreds_of_other_videos(desk: Desk) -> None:
    first = published(desk)
    desk.fake.data.others(333)
    desk.fake.uploads.expire_all()
    assert desk.publisher().publish(desk.upload()).video_id == first
    assert desk.fake.units == 1 + 2 * 7


@pytest.mark.parametrize("call", ["channels.list", "playlistItems.list", "videos.list"])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "refuse", "status": 503}, UpstreamUnavailable),
        ({"kind": "drop"}, UpstreamUnavailable),
        ({"kind": "garbage"}, UpstreamUnavailable),
        ({"kind": "list"}, UpstreamUnavailable),
        ({"kind": "refuse", "status": 403, "reason": "quotaExceeded"}, YouTubeQuotaError),
        ({"kind": "refuse", "status": 403, "reason": "forbidden"}, AuthError),
    ],
    ids=["503", "cut off", "no JSON", "a list", "quota", "forbidden"],
)
def test_a_look_that_fails_is_an_error_and_never_a_second_video(
    desk: Desk, call: str, fault: dict[str, Any], expected: type[Exception]
) -> None:
    published(desk)
    desk.fake.uploads.expire_all()
    desk.fake.fault(call, times=80, **fault)
    with pytest.raises(expected):
        desk.publisher().publish(desk.upload())
    assert (desk.fake.count("videos.insert"), len(desk.fake.videos)) == (1, 1)


def test_a_video_that_youtube_rejected_is_not_sent_again(desk: Desk) -> None:
    video = desk.fake.videos[published(desk)]
    video["status"] |= {"uploadStatus": "rejected", "rejectionReason": "duplicate"}
    desk.fake.uploads.expire_all()
    with pytest.raises(PublishError, match=r"rejected the video .* the channel has already"):
        desk.publisher().publish(desk.upload())
    assert desk.fake.count("videos.insert") == 1


@pytest.mark.parametrize(
    "status", [{"uploadStatus": "deleted"}, {"uploadStatus": "failed", "failureReason": "uploadAborted"}], ids=str
)
def test_an_upload_that_never_came_to_its_end_is_no_video(desk: Desk, status: dict[str, str]) -> None:
    desk.fake.videos[published(desk)]["status"] |= status
    desk.fake.uploads.expire_all()
    desk.publisher().publish(desk.upload())
    assert desk.fake.count("videos.insert") == 2


def test_the_day_is_asked_before_every_insert(desk: Desk) -> None:
    with pytest.raises(YouTubeQuotaError):
        desk.publisher().publish(desk.upload(inserts=0))
    assert desk.fake.calls == ["token"]


def test_the_projects_own_bucket_is_told_as_the_quota(desk: Desk) -> None:
    desk.fake.inserts_a_day = 0
    with pytest.raises(YouTubeQuotaError, match="quota of the day is used up"):
        desk.publisher().publish(desk.upload())


@pytest.mark.parametrize(
    ("rights", "credits", "words"),
    [
        (Rights(), {}, "no rights are declared"),
        (Rights(basis="licence", holder="us"), {}, "not named"),
        (Rights(basis="own", holder="us"), {"source": "MangaDex"}, "MangaDex"),
    ],
)
def test_nothing_is_sent_without_declared_rights(
    desk: Desk, rights: Rights, credits: dict[str, Any], words: str
) -> None:
    desk.made = {"metadata": {"credits": credits}}
    with pytest.raises(RightsMissing, match=words):
        desk.publisher(rights, privacy="public").publish(desk.upload())
    assert desk.fake.calls == []


def test_a_video_that_was_cut_short_on_disk_is_told(desk: Desk) -> None:
    upload = desk.upload()
    (desk.folder / "video.mp4").write_bytes(b"short")
    with pytest.raises(PublishError, match="shorter than it was"):
        desk.publisher().publish(upload)
    assert desk.fake.videos == {}


def test_metadata_that_mangavid_did_not_write_is_told(desk: Desk) -> None:
    upload = desk.upload()
    (desk.folder / "metadata.json").write_text('{"snippet": 3}')
    with pytest.raises(PublishError, match="not what mangavid wrote"):
        desk.publisher().publish(upload)


def test_an_access_token_is_renewed_before_it_ends(desk: Desk) -> None:
    publisher = desk.publisher()
    video_id = publisher.publish(desk.upload()).video_id
    desk.clock.advance(3600)
    publisher.finish(desk.upload(), video_id)
    assert desk.fake.login.renewed == 2
    assert all(agent.startswith("mangavid/") for agent in desk.fake.agents)
