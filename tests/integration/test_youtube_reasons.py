"""Every reason for which YouTube says no: which of our errors it becomes, how often it is tried, what it says."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.errors import AuthError, MangavidError, PublishError, UpstreamUnavailable, YouTubeQuotaError
from mangavid.publishers.youtube import marked, marker
from mangavid.publishers.youtube_api import DESCRIPTION
from mangavid.publishers.youtube_errors import MEANINGS, Refused, clean, error, refused
from mangavid.publishers.youtube_steps import next_time
from scripts.prune_youtube import installed, text
from tests.fakes.youtube import FakeYoutube
from tests.fakes.youtube_desk import Desk

CLASSES = {
    "quota": YouTubeQuotaError,
    "pass": UpstreamUnavailable,
    "login": AuthError,
    "right": AuthError,
    "content": PublishError,
    "gone": PublishError,
    "there": PublishError,
}
STATUS = {"quota": 403, "pass": 403, "login": 403, "right": 403, "content": 400, "gone": 404, "there": 409}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with FakeYoutube() as fake:
        yield Desk(fake, tmp_path)


@pytest.mark.parametrize("reason", MEANINGS)
def test_a_reason_at_the_beginning_of_an_upload_is_told_in_our_words(desk: Desk, reason: str) -> None:
    kind, say, hint = MEANINGS[reason]
    desk.fake.fault("videos.insert", "refuse", times=9, status=STATUS[kind], reason=reason, message="\x1b[1mthey say\n")
    with pytest.raises(MangavidError) as caught:
        desk.publisher().publish(desk.upload())
    assert type(caught.value) is CLASSES[kind]
    assert str(caught.value) == f"beginning the upload: {say} ({STATUS[kind]} {reason}: [1mthey say)"
    assert caught.value.hint
    assert hint is None or caught.value.hint == hint
    assert desk.fake.count("videos.insert") == (6 if kind == "pass" else 1)
    assert desk.fake.videos == {}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, PublishError),
        (401, AuthError),
        (403, AuthError),
        (404, PublishError),
        (408, UpstreamUnavailable),
        (409, PublishError),
        (413, PublishError),
        (429, UpstreamUnavailable),
        (500, UpstreamUnavailable),
        (599, UpstreamUnavailable),
        (302, PublishError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 3}', b'{"error": {"errors": "x"}}', b"[" * 10_000])
def test_an_unknown_reason_is_told_by_its_status(status: int, expected: type[MangavidError], body: bytes) -> None:
    told = error(refused(status, body), "doing it")
    assert type(told) is expected
    assert str(told).startswith("doing it: ")
    assert str(status) in str(told)


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"errors": [{"reason": "forbidden"}], "details": [{"reason": "SERVICE_DISABLED"}]}, "SERVICE_DISABLED"),
        ({"errors": [{"reason": "x"}, {"reason": "quotaExceeded"}]}, "quotaExceeded"),
        (
            {
                "errors": [{"reason": "rateLimitExceeded"}],
                "details": [{"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_limit": "defaultPerDayPerProject"}}],
            },
            "quotaExceeded",
        ),
        (
            {"details": [{"reason": "RATE_LIMIT_EXCEEDED", "metadata": {"quota_limit": "PerMinutePerUser"}}]},
            "RATE_LIMIT_EXCEEDED",
        ),
        ({"errors": [{"reason": "brandNew"}]}, "brandNew"),
        ({"errors": [None, 3, {"reason": 4}]}, ""),
    ],
)
def test_the_most_telling_reason_is_taken(about: dict[str, object], reason: str) -> None:
    assert refused(403, json.dumps({"error": about}).encode()).reason == reason


def test_a_wait_that_is_asked_for_is_kept_within_bounds(desk: Desk) -> None:
    desk.fake.fault("videos.insert", "refuse", status=503, headers={"Retry-After": "20"})
    desk.fake.fault("videos.insert", "refuse", status=503, headers={"Retry-After": "9999"})
    desk.publisher().publish(desk.upload())
    assert desk.clock.slept == [20.0, 60.0]


@given(st.text())
def test_no_word_of_theirs_obeys_a_terminal(words: str) -> None:
    told = str(error(Refused(400, clean(words, 60), clean(words)), "doing it"))
    assert all(unicodedata.category(char)[0] != "C" for char in told)
    assert len(told) < 400


@given(st.lists(st.text(min_size=1, max_size=120), max_size=60))
def test_the_mark_is_always_among_the_tags_and_they_fit(tags: list[str]) -> None:
    kept = marked(tuple(tags), marker("job"))
    assert kept[0] == marker("job")
    assert sum(len(tag) + (2 if " " in tag else 0) for tag in kept) + len(kept) - 1 <= 500


@pytest.mark.parametrize(
    ("now", "hour", "zone", "expected"),
    [
        ("2026-11-23T08:00", "18:30", "Asia/Ho_Chi_Minh", "2026-11-23T11:30"),
        ("2026-11-23T11:30", "18:30", "Asia/Ho_Chi_Minh", "2026-11-24T11:30"),
        ("2026-11-23T11:26", "18:30", "Asia/Ho_Chi_Minh", "2026-11-24T11:30"),
        ("2026-11-23T11:25", "18:30", "Asia/Ho_Chi_Minh", "2026-11-23T11:30"),
        ("2026-03-28T20:00", "18:00", "Europe/Berlin", "2026-03-29T16:00"),
        ("2026-10-24T20:00", "18:00", "Europe/Berlin", "2026-10-25T17:00"),
        ("2026-12-31T23:59", "00:00", "UTC", "2027-01-02T00:00"),
    ],
)
def test_the_next_time_of_publishing_lies_ahead_also_on_days_of_23_and_25_hours(
    now: str, hour: str, zone: str, expected: str
) -> None:
    found = next_time(datetime.fromisoformat(now).replace(tzinfo=UTC), hour, zone)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_the_description_of_the_api_is_what_the_library_brings() -> None:
    """Where an update of the library breaks it: ``python scripts/prune_youtube.py``, and look at what changed."""
    assert DESCRIPTION.read_text("utf-8") == text(json.loads(installed().read_text("utf-8")))
