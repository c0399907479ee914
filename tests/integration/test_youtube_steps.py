"""What belongs to a video on YouTube, and who may see it: done once each, refusals told, nothing shown by mistake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mangavid.config import Rights
from mangavid.errors import AuthError, LeaseLost, PublishError, RightsMissing, UpstreamUnavailable, YouTubeQuotaError
from tests.fakes.youtube import FakeYoutube
from tests.fakes.youtube_data import PLAYLIST
from tests.fakes.youtube_desk import Desk
from tests.fakes.youtube_memory import SRT

STEPS = {"thumbnail", "captions", "playlist", "visibility"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with FakeYoutube() as fake:
        yield Desk(fake, tmp_path)


def there(desk: Desk) -> str:
    return desk.publisher().publish(desk.upload()).video_id


def finished(desk: Desk, video_id: str, **changes: Any) -> set[str]:
    upload = desk.upload()
    desk.publisher(**changes).finish(upload, video_id)
    return set(upload.steps)


def test_everything_is_put_on_before_anybody_may_see_it(desk: Desk) -> None:
    video_id = there(desk)
    assert finished(desk, video_id, privacy="public", playlist=PLAYLIST) == STEPS
    fake = desk.fake
    assert fake.calls.index("videos.update") > max(
        fake.calls.index(call) for call in ("thumbnails.set", "captions.insert", "playlistItems.insert")
    )
    assert fake.data.thumbnails == [(video_id, b"\xff\xd8 a picture")]
    assert [(one["language"], one["name"], one["text"]) for one in fake.data.captions] == [("vi", "Tiếng Việt", SRT)]
    assert fake.data.playlists == {PLAYLIST: [video_id]}
    assert fake.videos[video_id]["status"]["privacyStatus"] == "public"
    assert fake.units == desk.upload().known()["units"] == 50 + 50 + 400 + 1 + 50 + 1 + 50 + 1


def test_a_private_video_without_captions_costs_no_more_than_it_must(desk: Desk) -> None:
    assert finished(desk, there(desk), captions=False) == {"thumbnail", "visibility"}
    assert desk.fake.units == 51


def test_finishing_twice_does_nothing_twice(desk: Desk) -> None:
    video_id = there(desk)
    for _ in range(2):
        finished(desk, video_id, privacy="unlisted", playlist=PLAYLIST)
    assert [desk.fake.count(call) for call in ("thumbnails.set", "captions.insert", "videos.update")] == [1, 1, 1]


def test_a_step_that_was_done_and_not_recorded_is_found_done(desk: Desk) -> None:
    video_id = there(desk)
    finished(desk, video_id, privacy="unlisted", playlist=PLAYLIST)
    upload = desk.upload()
    upload.remember(steps=[])
    desk.publisher(privacy="unlisted", playlist=PLAYLIST).finish(upload, video_id)
    assert [desk.fake.count(call) for call in ("captions.insert", "playlistItems.insert", "videos.update")] == [1, 1, 1]
    assert len(desk.fake.data.captions) == 1


#: Name: call, what is told, words of the note.
NOTED: dict[str, tuple[str, dict[str, Any], str]] = {
    "thumbnail forbidden: channel not verified": (
        "thumbnails.set",
        {"status": 403, "reason": "forbidden", "message": "The authenticated user lacks permission"},
        "the thumbnail was not set: YouTube forbids it (403 forbidden: The authenticated user lacks permission)",
    ),
    "thumbnail refused as a picture": (
        "thumbnails.set",
        {"status": 400, "reason": "invalidImage"},
        "the thumbnail was not set: YouTube can't use the picture",
    ),
    "too many thumbnails of late": (
        "thumbnails.set",
        {"status": 429, "reason": "uploadRateLimitExceeded"},
        "the channel has set too many thumbnails",
    ),
    "thumbnail too large": ("thumbnails.set", {"status": 400, "reason": "mediaBodyTooLarge"}, "the file is too large"),
    "captions forbidden": ("captions.insert", {"status": 403, "reason": "forbidden"}, "the captions were not put on"),
    "captions without content": (
        "captions.insert",
        {"status": 400, "reason": "contentRequired"},
        "no captions were sent",
    ),
    "captions' name refused": ("captions.insert", {"status": 400, "reason": "nameTooLong"}, "captions' name"),
    "captions refused by an unknown word": (
        "captions.insert",
        {"status": 400, "reason": "newReason2027"},
        "YouTube refuses the request (400 newReason2027",
    ),
    "captions can't be listed": (
        "captions.list",
        {"status": 403, "reason": "forbidden"},
        "the captions were not put on",
    ),
    "no such playlist": (
        "playlistItems.list",
        {"status": 404, "reason": "playlistNotFound"},
        "there is no such playlist",
    ),
    "somebody else's playlist": (
        "playlistItems.insert",
        {"status": 403, "reason": "playlistItemsNotAccessible"},
        "not this channel's",
    ),
    "playlist is full": (
        "playlistItems.insert",
        {"status": 403, "reason": "playlistContainsMaximumNumberOfVideos"},
        "the playlist is full",
    ),
    "playlist takes no videos": (
        "playlistItems.insert",
        {"status": 400, "reason": "playlistOperationUnsupported"},
        "lets no video be put there",
    ),
}


@pytest.mark.parametrize("name", NOTED)
def test_what_is_refused_for_good_is_a_note_and_the_rest_is_done(desk: Desk, name: str) -> None:
    call, told, words = NOTED[name]
    video_id = there(desk)
    desk.fake.fault(call, "refuse", times=9, **told)
    assert finished(desk, video_id, privacy="public", playlist=PLAYLIST) == STEPS
    (note,) = desk.upload().notes
    assert words in note
    assert desk.fake.count(call) == 1
    assert desk.fake.videos[video_id]["status"]["privacyStatus"] == "public"


#: Calls of the steps, and whether one that was carried out and whose answer was lost may be called again.
TWICE = {
    "thumbnails.set": True,
    "captions.list": True,
    "captions.insert": False,
    "playlistItems.list": True,
    "playlistItems.insert": False,
    "videos.list": True,
    "videos.update": True,
}


@pytest.mark.parametrize("call", TWICE)
@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("refuse", {"status": 503, "reason": "backendError"}),
        ("refuse", {"status": 403, "reason": "rateLimitExceeded"}),
        ("refuse", {"status": 401, "reason": "authError"}),
        ("bare", {"status": 502}),
        ("drop", {}),
        ("drop-after", {}),
        ("cut", {}),
        ("garbage", {}),
        ("huge", {}),
    ],
    ids=["503", "slower", "401", "502 no JSON", "cut off", "answer lost", "cut short", "no JSON", "endless"],
)
def test_what_passes_is_tried_again_and_done_once(desk: Desk, call: str, kind: str, told: dict[str, Any]) -> None:
    video_id = there(desk)
    desk.fake.fault(call, kind, **told)
    assert finished(desk, video_id, privacy="public", playlist=PLAYLIST) == STEPS
    assert desk.upload().notes == []
    fake = desk.fake
    assert (len(fake.data.captions), fake.data.playlists[PLAYLIST]) == (1, [video_id])
    carried_out = kind in ("drop-after", "cut", "garbage", "huge")
    assert fake.count(call) == (1 if carried_out and not TWICE[call] else fake.count(call))
    assert fake.videos[video_id]["status"]["privacyStatus"] == "public"
    if told.get("status") != 401:
        assert fake.units <= desk.upload().known()["units"], "every call that YouTube counts was counted before"


@pytest.mark.parametrize("call", TWICE)
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"kind": "bare", "status": 503}, UpstreamUnavailable),
        ({"kind": "drop"}, UpstreamUnavailable),
        ({"kind": "refuse", "status": 403, "reason": "quotaExceeded"}, YouTubeQuotaError),
        ({"kind": "refuse", "status": 403, "reason": "dailyLimitExceeded"}, YouTubeQuotaError),
        ({"kind": "refuse", "status": 403, "reason": "insufficientPermissions"}, AuthError),
        ({"kind": "refuse", "status": 401, "reason": "authError"}, AuthError),
        ({"kind": "refuse", "status": 404, "reason": "videoNotFound"}, PublishError),
    ],
    ids=["503", "cut off", "quota", "day", "scope", "401", "gone"],
)
def test_what_does_not_pass_ends_it_before_anybody_sees_the_video(
    desk: Desk, call: str, told: dict[str, Any], expected: type[Exception]
) -> None:
    video_id = there(desk)
    desk.fake.fault(call, times=80, **told)
    with pytest.raises(expected):
        finished(desk, video_id, privacy="public", playlist=PLAYLIST)
    assert desk.fake.videos[video_id]["status"]["privacyStatus"] == "private"
    assert "visibility" not in desk.upload().steps


@pytest.mark.parametrize("lost", ["check", "alive", "done-thumbnail", "done-captions", "done-visibility"])
def test_a_worker_that_lost_its_lease_stops(desk: Desk, lost: str) -> None:
    video_id = there(desk)
    with pytest.raises(LeaseLost):
        desk.publisher(privacy="public").finish(desk.upload(lost=lost), video_id)
    assert finished(desk, video_id, privacy="public") == STEPS - {"playlist"}
    assert len(desk.fake.data.captions) == 1


def test_the_days_rest_is_asked_before_each_call(desk: Desk) -> None:
    video_id = there(desk)
    with pytest.raises(YouTubeQuotaError):
        desk.publisher().finish(desk.upload(units=120), video_id)
    assert (desk.upload().steps, desk.fake.units) == (frozenset({"thumbnail"}), 100)


# --- who may see it ---


def test_a_time_of_publishing_is_the_next_one_of_the_channels_zone(desk: Desk) -> None:
    video_id = there(desk)
    finished(desk, video_id, publish_at="18:30", captions=False)
    status = desk.fake.videos[video_id]["status"]
    assert (status["privacyStatus"], status["publishAt"]) == ("private", "2026-11-23T11:30:00Z")


def test_a_time_of_publishing_that_was_set_is_kept_by_a_second_process(desk: Desk) -> None:
    video_id = there(desk)
    with pytest.raises(LeaseLost):
        desk.publisher(publish_at="18:30", captions=False).finish(desk.upload(lost="done-visibility"), video_id)
    desk.clock.time = datetime(2026, 11, 23, 11, 29, tzinfo=UTC)
    finished(desk, video_id, publish_at="18:30", captions=False)
    assert desk.fake.count("videos.update") == 1
    assert desk.fake.videos[video_id]["status"]["publishAt"] == "2026-11-23T11:30:00Z"


def test_a_video_that_became_public_at_its_time_is_not_hidden_again(desk: Desk) -> None:
    video_id = there(desk)
    with pytest.raises(LeaseLost):
        desk.publisher(publish_at="18:30", captions=False).finish(desk.upload(lost="done-visibility"), video_id)
    status = desk.fake.videos[video_id]["status"]
    status["privacyStatus"] = "public"
    del status["publishAt"]
    finished(desk, video_id, publish_at="18:30", captions=False)
    assert desk.fake.videos[video_id]["status"]["privacyStatus"] == "public"


def test_what_a_person_set_at_youtube_is_kept(desk: Desk) -> None:
    video_id = there(desk)
    desk.fake.videos[video_id]["status"] |= {"license": "creativeCommon", "embeddable": False}
    finished(desk, video_id, privacy="unlisted", captions=False)
    status = desk.fake.videos[video_id]["status"]
    assert (status["license"], status["embeddable"], status["privacyStatus"]) == ("creativeCommon", False, "unlisted")


@pytest.mark.parametrize(
    ("overrule", "changes", "words"),
    [
        ({"privacyStatus": "public"}, {"privacy": "unlisted"}, "privacyStatus is public, not unlisted"),
        ({"privacyStatus": "private"}, {"privacy": "public"}, "privacyStatus is private, not public"),
        ({"selfDeclaredMadeForKids": True}, {"privacy": "unlisted"}, "selfDeclaredMadeForKids is True, not False"),
        ({"publishAt": "2031-01-01T00:00:00Z"}, {"publish_at": "07:00"}, "publishAt is 2031-01-01T00:00:00Z, not"),
    ],
)
def test_settings_that_youtube_does_not_take_are_told_and_the_video_made_private(
    desk: Desk, overrule: dict[str, Any], changes: dict[str, Any], words: str
) -> None:
    video_id = there(desk)
    desk.fake.data.overrule = overrule
    with pytest.raises(PublishError, match=words):
        finished(desk, video_id, captions=False, **changes)
    assert desk.fake.data.updates[-1]["privacyStatus"] == "private"
    assert "visibility" not in desk.upload().steps


def test_a_video_that_can_not_be_made_private_either_is_told(desk: Desk) -> None:
    video_id = there(desk)
    desk.fake.data.overrule = {"privacyStatus": "public"}
    desk.fake.fault("videos.update", "refuse", after=1, status=403, reason="forbidden")
    with pytest.raises(PublishError, match="could not be made private") as caught:
        finished(desk, video_id, captions=False, privacy="unlisted")
    assert "studio.youtube.com" in caught.value.hint


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"uploadStatus": "rejected", "rejectionReason": "copyright"}, "rejected the video .* claim of copyright"),
        ({"uploadStatus": "rejected", "rejectionReason": "\x1b[31mevil"}, r"rejected the video .* \(\[31mevil\)"),
        ({"uploadStatus": "failed", "failureReason": "codec"}, "failed to process the video .*codec"),
    ],
    ids=["copyright", "hostile reason", "codec"],
)
def test_a_video_that_youtube_refuses_later_is_not_shown(desk: Desk, status: dict[str, str], words: str) -> None:
    video_id = there(desk)
    desk.fake.videos[video_id]["status"] |= status
    with pytest.raises(PublishError, match=words):
        finished(desk, video_id, privacy="public", captions=False)
    assert desk.fake.count("videos.update") == 0


def test_a_video_that_was_deleted_meanwhile_is_told(desk: Desk) -> None:
    video_id = there(desk)
    desk.fake.videos.clear()
    with pytest.raises(PublishError, match="not on YouTube any more"):
        finished(desk, video_id)


def test_rights_are_asked_for_once_more_before_it_is_shown(desk: Desk) -> None:
    video_id = there(desk)
    with pytest.raises(RightsMissing):
        desk.publisher(Rights(), privacy="public").finish(desk.upload(), video_id)
    assert desk.fake.count("videos.update") == 0


# --- taking it back ---


def test_a_withdrawn_video_is_private_and_keeps_the_rest(desk: Desk) -> None:
    video_id = there(desk)
    finished(desk, video_id, publish_at="18:30", captions=False, made_for_kids=True)
    assert desk.publisher().withdraw(video_id, delete=False) == f"The video {video_id} is private now"
    status = desk.fake.videos[video_id]["status"]
    assert status["privacyStatus"] == "private"
    assert "publishAt" not in status
    assert status["selfDeclaredMadeForKids"] is True
    assert desk.publisher().withdraw(video_id, delete=False) == f"The video {video_id} is private already"


@pytest.mark.parametrize("delete", [False, True])
def test_withdrawing_what_is_gone_is_no_error(desk: Desk, delete: bool) -> None:
    assert "not on YouTube any more" in desk.publisher().withdraw("vid-9999999", delete=delete)


def test_a_deletion_whose_answer_is_lost_is_a_deletion(desk: Desk) -> None:
    video_id = there(desk)
    desk.fake.fault("videos.delete", "drop-after")
    assert "not on YouTube any more" in desk.publisher().withdraw(video_id, delete=True)
    assert desk.fake.videos == {}


def test_a_withdrawal_that_is_forbidden_is_told(desk: Desk) -> None:
    desk.fake.fault("videos.delete", "refuse", status=403, reason="forbidden")
    with pytest.raises(AuthError, match=r"deleting the video: YouTube forbids it \(403 forbidden"):
        desk.publisher().withdraw(there(desk), delete=True)
    with pytest.raises(PublishError, match="can't be the id"):
        desk.publisher().withdraw("a,b", delete=True)
