"""What YouTube's refusals mean: one table from its reasons to our errors, with what to do.

Reasons are those of developers.google.com/youtube/v3/docs/errors and of Google's newer ``ErrorInfo`` details. Several
words stand for one thing and one status for many (403 is a used-up day, a passing rate or a missing right), so the
reason decides, and only an unknown one is told by its status.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

from mangavid.errors import AuthError, MangavidError, PublishError, UpstreamUnavailable, YouTubeQuotaError

Kind = Literal["quota", "pass", "login", "right", "content", "gone", "there"]
"""
``quota``: until the day (or 24 hours) are over. ``pass``: goes by itself, tried again. ``login``: a person must log in
or set up something. ``right``: this may not be done; for a step after the upload a note, for the upload itself as
``login``. ``content``: what was sent is refused. ``gone``: what was named is not there. ``there``: it is there already.
"""

LOGIN: Final = "mangavid auth youtube"
TESTING: Final = (
    f"{LOGIN} logs in anew; while the OAuth consent screen is in Testing a login dies after 7 days: publish it"
    " (In production)"
)
_DAY: Final = "quota days end at midnight Pacific; what is rendered is kept and published then"


class Meaning(NamedTuple):
    kind: Kind
    #: What happened, in our words.
    say: str
    hint: str | None = None


_RATE = Meaning("pass", "YouTube asks for a slower pace")
_DOWN = Meaning("pass", "YouTube has a trouble of its own")
_SPENT = Meaning("quota", "the project's quota of the day is used up", _DAY)
_DISABLED = Meaning(
    "login",
    "the YouTube Data API is not enabled in the Google Cloud project",
    "enable «YouTube Data API v3» at console.cloud.google.com, for the project of the OAuth client",
)
_SCOPE = Meaning("login", "the login does not cover this", f"{LOGIN} and leave every box ticked")
_CLOSED = Meaning("login", "the channel is closed or suspended", "look at the channel at studio.youtube.com")
_CHANNEL = Meaning("login", "this Google account has no channel", f"make one at youtube.com, then {LOGIN}")
_EXPIRED = Meaning("login", "the login is not valid any more", TESTING)

MEANINGS: Final[Mapping[str, Meaning]] = {
    # The day is over.
    "quotaExceeded": _SPENT,
    "dailyLimitExceeded": _SPENT,
    "dailyLimitExceededUnreg": _SPENT,
    "uploadLimitExceeded": Meaning(
        "quota",
        "the channel has uploaded as many videos as it may in 24 hours",
        "a channel that is verified (youtube.com/verify) may upload more",
    ),
    # Passes by itself.
    "rateLimitExceeded": _RATE,
    "userRateLimitExceeded": _RATE,
    "servingLimitExceeded": _RATE,
    "concurrentLimitExceeded": _RATE,
    "RATE_LIMIT_EXCEEDED": _RATE,
    "backendError": _DOWN,
    "internalError": _DOWN,
    "internalServerError": _DOWN,
    "backendNotConnected": _DOWN,
    "notReady": _DOWN,
    "processingFailure": _DOWN,
    "SERVICE_UNAVAILABLE": _DOWN,
    # A person must do something.
    "authError": _EXPIRED,
    "invalidCredentials": _EXPIRED,
    "required": _EXPIRED,
    "expired": _EXPIRED,
    "ACCESS_TOKEN_EXPIRED": _EXPIRED,
    "unauthorized": _EXPIRED,
    "insufficientPermissions": _SCOPE,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": _SCOPE,
    "youtubeSignupRequired": _CHANNEL,
    "authenticatedUserNotChannel": _CHANNEL,
    "channelNotFound": _CHANNEL,
    "authenticatedUserAccountClosed": _CLOSED,
    "authenticatedUserAccountSuspended": _CLOSED,
    "accountDisabled": _CLOSED,
    "accountClosed": _CLOSED,
    "channelClosed": _CLOSED,
    "channelSuspended": _CLOSED,
    "accountDelegationForbidden": _SCOPE,
    "accessNotConfigured": _DISABLED,
    "SERVICE_DISABLED": _DISABLED,
    "CONSUMER_INVALID": _DISABLED,
    # Not allowed.
    "forbidden": Meaning(
        "right", "YouTube forbids it", "may this channel do it? studio.youtube.com shows its features"
    ),
    "forbiddenPrivacySetting": Meaning("content", "YouTube forbids this privacy status (youtube.privacy)"),
    "forbiddenLicenseSetting": Meaning("content", "YouTube forbids this licence"),
    "forbiddenEmbedSetting": Meaning("content", "YouTube forbids this embedding"),
    "uploadRateLimitExceeded": Meaning("right", "the channel has set too many thumbnails of late"),
    "playlistItemsNotAccessible": Meaning("right", "the playlist is not this channel's", "youtube.playlist names it"),
    "playlistOperationUnsupported": Meaning("right", "YouTube lets no video be put there", "youtube.playlist names it"),
    "playlistContainsMaximumNumberOfVideos": Meaning("right", "the playlist is full", "youtube.playlist names another"),
    "mediaBodyTooLarge": Meaning("right", "the file is too large"),
    # What was sent is wrong.
    "invalidTitle": Meaning("content", "YouTube refuses the title"),
    "invalidDescription": Meaning("content", "YouTube refuses the description"),
    "invalidTags": Meaning("content", "YouTube refuses the tags"),
    "invalidCategoryId": Meaning("content", "YouTube refuses the category", "set youtube.category"),
    "invalidVideoMetadata": Meaning("content", "YouTube refuses the title or the category"),
    "invalidPublishAt": Meaning("content", "YouTube refuses the time of publishing", "set youtube.publish_at"),
    "invalidFilename": Meaning("content", "YouTube refuses the file's name"),
    "invalidRecordingDetails": Meaning("content", "YouTube refuses the recording's details"),
    "invalidVideoGameRating": Meaning("content", "YouTube refuses the rating"),
    "defaultLanguageNotSet": Meaning("content", "YouTube misses the language of title and description"),
    "mediaBodyRequired": Meaning("content", "YouTube says that no video was sent"),
    "invalidImage": Meaning("right", "YouTube can't use the picture"),
    "contentRequired": Meaning("right", "YouTube says that no captions were sent"),
    "invalidMetadata": Meaning("right", "YouTube refuses the captions' language or name"),
    "nameTooLong": Meaning("right", "YouTube refuses the captions' name"),
    # Not there, or there already.
    "videoNotFound": Meaning("gone", "the video is not on YouTube any more"),
    "playlistNotFound": Meaning("right", "there is no such playlist", "youtube.playlist names it"),
    "captionNotFound": Meaning("gone", "the captions are not there"),
    "captionExists": Meaning("there", "the captions are there already"),
    "videoAlreadyInPlaylist": Meaning("there", "the video is in the playlist already"),
    "duplicate": Meaning("there", "it is there already"),
    # Answers of the login.
    "invalid_grant": _EXPIRED,
    "invalid_client": Meaning("login", "Google does not know this OAuth client", f"{LOGIN} with the client's own file"),
    "deleted_client": Meaning("login", "the OAuth client was deleted", f"make another (docs/youtube.md), then {LOGIN}"),
    "unauthorized_client": Meaning("login", "this OAuth client may not log in so", "it must be one for desktop apps"),
    "invalid_scope": _SCOPE,
    "admin_policy_enforced": Meaning("login", "the account's administrator does not allow it"),
}


class Refused(Exception):
    """An answer that says no. ``after``: seconds that the service asks to wait, 0 where it names none."""

    def __init__(self, status: int, reason: str, message: str, after: float = 0.0) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.message = message
        self.after = after
        #: What was being done, where that is known better than by whoever tells the person.
        self.doing = ""

    @property
    def meaning(self) -> Meaning:
        return MEANINGS.get(self.reason) or _by_status(self.status)

    @property
    def told(self) -> str:
        """In our words, with theirs in brackets."""
        reason = ": ".join(part for part in (self.reason, self.message) if part)
        return f"{self.meaning.say} ({self.status}{' ' if reason else ''}{reason})"


class Lost(Exception):
    """No answer, or none that can be read: whether the request was carried out is not known."""


def _by_status(status: int) -> Meaning:
    if status in (408, 429) or status >= 500:
        return _RATE if status == 429 else _DOWN
    if status == 401:
        return _EXPIRED
    if status == 403:
        return MEANINGS["forbidden"]
    if status in (404, 410):
        return Meaning("gone", "YouTube does not find it")
    return Meaning("content", "YouTube refuses the request")


def refused(status: int, body: bytes, after: str = "") -> Refused:
    """The refusal in an answer. A body that is none tells nothing but its status."""
    found = _object(body)
    error = found.get("error")
    if isinstance(error, str):  # the login's form
        return Refused(status, clean(error, 60), clean(str(found.get("error_description", ""))), _seconds(after))
    if not isinstance(error, dict):
        return Refused(status, "", "", _seconds(after))
    return Refused(status, _reason(error), clean(str(error.get("message", ""))), _seconds(after))


def _reason(error: dict[str, Any]) -> str:
    """The most telling reason: a word of the table, be it of the older list or of a newer detail."""
    told = [one.get("reason") for one in _objects(error.get("errors"))]
    for detail in _objects(error.get("details")):
        # A rate «per day» is the day's quota in the newer form.
        about = detail.get("metadata")
        if isinstance(about, dict) and "PerDay" in str(about.get("quota_limit", "")):
            return "quotaExceeded"
        told.append(detail.get("reason"))
    words = [clean(word, 60) for word in told if isinstance(word, str)]
    known = [word for word in words if word in MEANINGS]
    # «forbidden» and «required» say least: what stands beside them says more.
    known.sort(key=lambda word: word in ("forbidden", "required"))
    return (known or words or [""])[0]


def passes(problem: Refused | Lost) -> bool:
    """Whether the same request may do later."""
    return isinstance(problem, Lost) or problem.meaning.kind == "pass"


def error(problem: Refused | Lost, doing: str) -> MangavidError:
    """``doing``: what was being done, as the beginning of a sentence."""
    if isinstance(problem, Lost):
        return UpstreamUnavailable(f"{doing}: YouTube can't be reached: {problem}")
    kind, _, hint = problem.meaning
    message = f"{problem.doing or doing}: {problem.told}"
    if kind == "quota":
        return YouTubeQuotaError(message, hint=hint)
    if kind == "pass":
        return UpstreamUnavailable(message)
    if kind in ("login", "right"):
        return AuthError(message, hint=hint or LOGIN)
    return PublishError(message, hint=hint)


def clean(text: str, limit: int = 200) -> str:
    """Text from outside as one line to show: no tags, no control, format or private characters; cut at ``limit``."""
    text = re.sub(r"<[^>]{0,200}>", "", text[: limit * 4])
    text = unicodedata.normalize("NFC", re.sub(r"\s+", " ", text))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")).strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def _object(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _objects(found: Any) -> list[dict[str, Any]]:
    return [one for one in found[:20] if isinstance(one, dict)] if isinstance(found, list) else []


def _seconds(text: str) -> float:
    """Retry-After in seconds; its other form, a date, is not taken: our clock may differ from theirs."""
    return float(text) if re.fullmatch(r"\d{1,4}", text.strip()) else 0.0
