"""What belongs to a video that is on YouTube: thumbnail, captions, playlist, and last of all who may see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mangavid.config import Youtube
from mangavid.errors import ConfigError, MangavidError, PublishError
from mangavid.ports import Clock, Upload
from mangavid.publishers.youtube_api import Api
from mangavid.publishers.youtube_errors import Refused, clean

#: What the captions of a language are called in the player.
NAMES: Final = {"vi": "Tiếng Việt"}
#: A time of publishing nearer than this is tomorrow's: YouTube would take a past one for «now».
LEAST_AHEAD = timedelta(minutes=5)
#: An update replaces the whole status, so what a person may have set is read and sent along.
_KEPT: Final = (
    "privacyStatus",
    "license",
    "embeddable",
    "publicStatsViewable",
    "selfDeclaredMadeForKids",
    "containsSyntheticMedia",
)
_LOOKS = 3
_WHY: Final = {
    "duplicate": "it is a video that the channel has already",
    "copyright": "of a claim of copyright",
    "claim": "of a claim of copyright",
    "inappropriate": "YouTube finds it inappropriate",
    "length": "it is too long for this channel; verify it at youtube.com/verify",
    "legal": "of a legal complaint",
    "termsOfUse": "of YouTube's terms of use",
    "trademark": "of a trademark",
    "uploaderAccountClosed": "the channel is closed",
    "uploaderAccountSuspended": "the channel is suspended",
}


class Steps:
    """Each step is done once: it is recorded after it was done, and doing it twice changes nothing."""

    def __init__(self, settings: Youtube, api: Api, clock: Clock, time_zone: str) -> None:
        self._settings = settings
        self._api = api
        self._clock = clock
        self._zone = time_zone

    def belongings(self, upload: Upload, video_id: str, language: str) -> None:
        """Thumbnail, captions, playlist. What YouTube refuses for good becomes a note; it is no reason to fail."""
        spend = _spender(upload)
        settings, files = self._settings, upload.rendered

        def thumbnail() -> None:
            self._api.thumbnail(video_id, upload.fetch(files.thumbnail.key).read_bytes(), spend)

        def captions() -> None:
            text = upload.fetch(files.captions.key).read_bytes()
            self._api.captions(video_id, language, NAMES.get(language, language), text, spend)

        def playlist() -> None:
            self._api.into_playlist(video_id, settings.playlist, spend)

        self._step(upload, "thumbnail", "the thumbnail was not set", thumbnail)
        if settings.captions and files.captions.bytes and language:
            self._step(upload, "captions", "the captions were not put on", captions)
        if settings.playlist:
            self._step(upload, "playlist", "the video was not put into the playlist", playlist)

    def _step(self, upload: Upload, name: str, failed: str, act: Callable[[], None]) -> None:
        if name in upload.steps:
            return
        upload.check()
        upload.alive()
        try:
            act()
        except Refused as problem:
            kind = problem.meaning.kind
            if kind in ("quota", "login", "pass") or problem.reason == "videoNotFound":
                raise
            if kind != "there":
                upload.note(f"{failed}: {problem.told}")
        upload.done(name)

    def visibility(self, upload: Upload, video_id: str) -> None:
        """Make it as the settings say, and look whether it is. Raises PublishError where not: then it is private."""
        if "visibility" in upload.steps:
            return
        spend = _spender(upload)
        upload.check()
        upload.alive()
        status = self._status(video_id, spend)
        wanted = self._wanted(status)
        if mismatches(status, wanted):
            upload.check()
            self._api.update(video_id, fields(status, **wanted), spend)
            status = self._seen(video_id, wanted, spend)
        if off := mismatches(status, wanted):
            self._hidden(video_id, status, spend)
            differs = [f"{name} is {clean(str(status.get(name)), 40)}, not {wanted[name]}" for name in off]
            raise PublishError(
                f"YouTube did not take the settings of {video_id}: {'; '.join(differs)}; it was made private",
                hint="look at it at studio.youtube.com, then mangavid retry",
            )
        upload.done("visibility")

    def _wanted(self, status: dict[str, Any]) -> dict[str, Any]:
        settings = self._settings
        wanted: dict[str, Any] = {
            "privacyStatus": settings.privacy,
            "publishAt": None,
            "selfDeclaredMadeForKids": settings.made_for_kids,
            "containsSyntheticMedia": settings.synthetic_media,
        }
        if settings.publish_at and settings.privacy == "private":
            if status.get("privacyStatus") == "public":  # the hour has come since it was set
                wanted["privacyStatus"] = "public"
            elif not self._is_due(status.get("publishAt")):
                wanted["publishAt"] = self._next(settings.publish_at)
            else:
                wanted["publishAt"] = status["publishAt"]
        return wanted

    def _next(self, hour: str) -> str:
        """The next time of day, as RFC 3339 in UTC."""
        return next_time(self._clock.now(), hour, self._zone).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _is_due(self, told: Any) -> bool:
        """Whether it is set already to a coming time of the day that the settings name."""
        moment = _moment(told)
        if moment is None or moment <= self._clock.now():
            return False
        return moment.astimezone(_zone(self._zone)).strftime("%H:%M") == self._settings.publish_at

    def _status(self, video_id: str, spend: Callable[[int], None]) -> dict[str, Any]:
        for look in range(_LOOKS):
            if found := self._api.videos(video_id, "status", spend):
                return checked(found[0])
            if look + 1 < _LOOKS:
                self._clock.sleep(2.0 * 2**look)  # it may not be listed yet
        raise PublishError(
            f"the video {video_id} is not on YouTube any more",
            hint="was it deleted there? mangavid run … --again publishes the chapter anew",
        )

    def _seen(self, video_id: str, wanted: dict[str, Any], spend: Callable[[int], None]) -> dict[str, Any]:
        """The status as it is after a change, which may take a moment to show."""
        for look in range(_LOOKS):
            status = self._status(video_id, spend)
            if not mismatches(status, wanted) or look + 1 == _LOOKS:
                break
            self._clock.sleep(2.0 * 2**look)
        return status

    def _hidden(self, video_id: str, status: dict[str, Any], spend: Callable[[int], None]) -> None:
        """Make private what is not as it should be; where that fails too, the person is told of the first trouble."""
        try:
            self._api.update(video_id, fields(status, privacyStatus="private"), spend)
        except (Refused, MangavidError) as problem:
            raise PublishError(
                f"YouTube did not take the settings of {video_id}, and it could not be made private",
                hint="make it private at studio.youtube.com",
            ) from problem


def checked(video: dict[str, Any]) -> dict[str, Any]:
    """A video's status. Raises PublishError where YouTube has refused the video."""
    status = video.get("status")
    if not isinstance(status, dict):
        return {}
    state = status.get("uploadStatus")
    if state in ("rejected", "failed"):
        reason = str(status.get("rejectionReason" if state == "rejected" else "failureReason", ""))
        why = f", because {_WHY[reason]}" if reason in _WHY else ""
        raise PublishError(
            f"YouTube has {'rejected' if state == 'rejected' else 'failed to process'} the video"
            f" {clean(str(video.get('id', '')), 64)}{why} ({clean(reason, 60) or 'no reason given'})",
            hint="look at it at studio.youtube.com: the same video would meet the same end",
        )
    return status


def fields(status: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """All of a status that an update may hold, with changes; what is None, and a time of publishing that is not among
    the changes, is left out.
    """
    made: dict[str, Any] = {name: status[name] for name in _KEPT if name in status}
    made.update(changed)
    return {name: value for name, value in made.items() if value is not None}


def mismatches(status: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What differs of who may see it and for whom it is made. The rest does no harm, and is not held to."""

    def same(name: str) -> bool:
        told, value = status.get(name), wanted[name]
        if name == "publishAt":
            return _moment(told) == _moment(value)
        return bool((told or False) == value)  # what is false may be left out

    return [name for name in ("privacyStatus", "publishAt", "selfDeclaredMadeForKids") if not same(name)]


def next_time(now: datetime, hour: str, zone: str) -> datetime:
    """The next moment, in UTC, at which it is ``HH:MM`` in a time zone and that is far enough ahead."""
    hours, minutes = (int(part) for part in hour.split(":"))
    local = now.astimezone(_zone(zone))
    moment = local.replace(hour=hours, minute=minutes, second=0, microsecond=0)
    while moment.astimezone(UTC) < now + LEAST_AHEAD:
        moment += timedelta(days=1)  # wall time: a day of 23 or 25 hours comes out right
    return moment.astimezone(UTC)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigError(f"aws.time_zone: there is no time zone {clean(name, 60)!r}") from None


def _moment(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _spender(upload: Upload) -> Callable[[int], None]:
    def spend(units: int) -> None:
        upload.spend(units)

    return spend
