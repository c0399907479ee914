"""Publishing to a YouTube channel: one video a job, whatever dies in between, private until all else is done.

What keeps it one video:

- The address of the upload (a session, which makes one video at most) is remembered before the first byte is sent.
  Another process goes on with it: it asks what is there, and gets the video itself where all was.
- A job that never began an upload is inserted without looking: a process that died between the request for a session
  and remembering it leaves a session without bytes, and no video comes of that. Looking costs units, and lists lag, so
  looking where nothing can be would make nothing safer.
- Where an upload was begun and its session is gone, the channel's newest uploads are searched for the job's mark, a
  tag, before anything new is begun. A list that fails is an error, never a «no». A list may lag behind: where all bytes
  may have arrived, «no» is believed only after it has been said for ``lag`` seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from mangavid import keys, rights
from mangavid.config import Rights, Youtube
from mangavid.errors import PublishError, UpstreamUnavailable
from mangavid.models import Credits
from mangavid.ports import Clock, Publication, Upload
from mangavid.publishers.youtube_api import Api
from mangavid.publishers.youtube_errors import Refused, clean, error
from mangavid.publishers.youtube_http import Http, Patience
from mangavid.publishers.youtube_steps import Steps, checked, fields
from mangavid.publishers.youtube_upload import VIDEO_ID, Gone, Sender

CHUNK = 8 << 20
#: As YouTube counts them, see ``mangavid.video.metadata``.
TAGS_CHARS = 500
#: Sessions in one call: each costs an insert, and one that YouTube drops again and again is its trouble.
_SESSIONS = 3
#: Pages of 50 searched for the mark: the uploads of weeks.
_PAGES = 10
_WAITS = (15.0, 30.0, 60.0, 120.0)


class Snippet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What ``metadata.json`` says of the video."""

    title: str
    description: str
    tags: tuple[str, ...] = ()
    default_language: str = ""
    default_audio_language: str = ""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of ``metadata.json`` (``mangavid.video.metadata.Metadata``) that are published."""

    snippet: Snippet
    credits: Credits = Credits()
    language: str = ""


class YoutubePublisher:
    """``ports.Publisher``. ``video_id`` is YouTube's."""

    name = "youtube"

    def __init__(
        self,
        settings: Youtube,
        declared: Rights,
        token: Callable[[], str],
        *,
        clock: Clock,
        time_zone: str,
        jitter: Callable[[], float] | None = None,
        chunk: int = CHUNK,
        timeout: float = 60.0,
        lag: float = 600.0,
        tries: int = 6,
    ) -> None:
        """``token`` gives the login as JSON: client_id, client_secret, refresh_token.

        ``time_zone``: of ``settings.publish_at``. ``jitter``: numbers from 0 to 1. ``chunk``: bytes a request, a
        multiple of 256 KiB. ``timeout``: seconds without a sign of the other side. ``tries``: of what passes by itself.
        """
        self._settings = settings
        self._rights = declared
        self._clock = clock
        self._lag = lag
        http = Http(settings, token, clock=clock, timeout=timeout)
        patience = Patience(clock, jitter or _chance, tries=tries)
        self._api = Api(settings, http, patience)
        self._sender = Sender(settings, http, patience, chunk=chunk)
        self._steps = Steps(settings, self._api, clock, time_zone)

    def publish(self, upload: Upload) -> Publication:
        told = _told(upload)
        rights.check(self._rights, self._settings, told.credits)
        path = upload.fetch(upload.rendered.video.key)
        try:
            video_id = self._uploaded(upload, told, path)
        except Refused as problem:
            raise error(problem, "publishing") from None
        return Publication(video_id=video_id, where=address(video_id))

    def finish(self, upload: Upload, video_id: str) -> None:
        told = _told(upload)
        language = told.language or told.snippet.default_language
        try:
            self._steps.belongings(upload, video_id, language)
            # Once more: the settings may be others than when it was uploaded, and now it may be shown.
            rights.check(self._rights, self._settings, told.credits)
            self._steps.visibility(upload, video_id)
        except Refused as problem:
            raise error(problem, "finishing the video") from None

    def withdraw(self, video_id: str, *, delete: bool) -> str:
        if not VIDEO_ID.fullmatch(video_id):
            raise PublishError(f"{clean(video_id, 80)!r} can't be the id of a video on YouTube")
        try:
            return self._withdrawn(video_id, delete)
        except Refused as problem:
            if problem.meaning.kind == "gone":
                return f"The video {video_id} is not on YouTube any more"
            raise error(problem, f"withdrawing {video_id}") from None

    def _withdrawn(self, video_id: str, delete: bool) -> str:
        if delete:
            self._api.delete(video_id)
            return f"The video {video_id} was deleted from YouTube"
        found = self._api.videos(video_id, "status")
        if not found:
            return f"The video {video_id} is not on YouTube any more"
        status = checked(found[0])
        if status.get("privacyStatus") == "private" and "publishAt" not in status:
            return f"The video {video_id} is private already"
        self._api.update(video_id, fields(status, privacyStatus="private"))
        return f"The video {video_id} is private now"

    def _uploaded(self, upload: Upload, told: Told, path: Path) -> str:
        """The video's id."""
        size = upload.rendered.video.bytes
        mark = marker(upload.job_id)
        session, fresh = upload.session, False
        # Begun with another file, by a process that is gone: all its bytes may have arrived.
        gone = Gone(True) if upload.begun and not session else None
        for _ in range(_SESSIONS):
            if session:
                sent = self._sender.send(upload, session, path, size, fresh=fresh)
                if isinstance(sent, str):
                    return sent
                gone = sent
            if gone is not None and (found := self._found(upload, mark, gone.whole)):
                return found
            session, fresh = self._sender.begin(upload, self._body(told, mark), size), True
        sent = self._sender.send(upload, session, path, size, fresh=fresh)
        if isinstance(sent, str):
            return sent
        raise UpstreamUnavailable(f"sending the video: YouTube dropped the upload {_SESSIONS} times")

    def _body(self, told: Told, mark: str) -> dict[str, Any]:
        """As videos.insert wants it. A missing privacyStatus would mean public since November 2026."""
        said = told.snippet
        snippet: dict[str, Any] = {
            "title": said.title,
            "description": rights.credited(said.description, self._rights, said.default_language),
            "tags": marked(said.tags, mark),
            "categoryId": self._settings.category,
        }
        if said.default_language:
            snippet["defaultLanguage"] = said.default_language
        if said.default_audio_language:
            snippet["defaultAudioLanguage"] = said.default_audio_language
        status = {
            "privacyStatus": "private",
            "selfDeclaredMadeForKids": self._settings.made_for_kids,
            "containsSyntheticMedia": self._settings.synthetic_media,
        }
        return {"snippet": snippet, "status": status}

    def _found(self, upload: Upload, mark: str, whole: bool) -> str:
        """The id of the job's video on the channel; empty where there is none. Waits for the list where it may lag."""

        def spend(units: int) -> None:
            upload.spend(units)

        ends = self._clock.monotonic() + (self._lag if whole else 0.0)
        playlist, _ = self._api.uploads(spend)
        pages, n = _PAGES, 0
        while True:
            upload.alive()
            for video in self._api.newest(playlist, pages, spend):
                if (found := _is_it(video, mark)) and found not in upload.replaced:
                    if upload.begun and not upload.session:
                        upload.note("the video on YouTube is of an earlier rendering of this chapter")
                    return found
            rest = ends - self._clock.monotonic()
            if rest <= 0:
                return ""
            self._clock.sleep(min(_WAITS[min(n, len(_WAITS) - 1)], rest))
            pages, n = 1, n + 1


def probe(settings: Youtube, token: Callable[[], str], *, clock: Clock, timeout: float = 20.0) -> str:
    """Whether the login works, for one unit: «channel X». Raises AuthError, UpstreamUnavailable, YouTubeQuotaError."""
    http = Http(settings, token, clock=clock, timeout=timeout)
    try:
        _, title = Api(settings, http, Patience(clock, _chance, tries=2)).uploads()
    except Refused as problem:
        raise error(problem, "looking up the channel") from None
    return f"channel {clean(title, 100) or 'without a name'}"


def address(video_id: str) -> str:
    return f"https://youtu.be/{video_id}"


def marker(job_id: str) -> str:
    """The tag by which a job's video is known again."""
    return f"mangavid-{keys.digest(job_id)}"


def marked(tags: tuple[str, ...], mark: str) -> list[str]:
    """The mark first, then as many tags as fit beside it."""
    kept, used = [mark], len(mark)
    for tag in tags:
        cost = len(tag) + (2 if " " in tag else 0) + 1
        if tag != mark and used + cost <= TAGS_CHARS:
            kept.append(tag)
            used += cost
    return kept


def _is_it(video: dict[str, Any], mark: str) -> str:
    """Its id where it bears the mark and is there: not of an upload that never came to its end.

    Raises PublishError where YouTube refused it: it would refuse it again.
    """
    snippet = video.get("snippet")
    tags = snippet.get("tags") if isinstance(snippet, dict) else None
    video_id = video.get("id")
    if not isinstance(tags, list) or mark not in tags or not isinstance(video_id, str):
        return ""
    status = video.get("status")
    state = status.get("uploadStatus") if isinstance(status, dict) else ""
    aborted = isinstance(status, dict) and status.get("failureReason") == "uploadAborted"
    if state == "deleted" or (state == "failed" and aborted) or not VIDEO_ID.fullmatch(video_id):
        return ""
    checked(video)
    return video_id


def _told(upload: Upload) -> Told:
    path = upload.fetch(upload.rendered.metadata.key)
    try:
        return msgspec.json.decode(path.read_bytes(), type=Told)
    except (msgspec.MsgspecError, UnicodeDecodeError) as problem:
        raise PublishError(
            f"the video's metadata is not what mangavid wrote: {clean(str(problem))}",
            hint="mangavid run … --again makes the video anew",
        ) from None


def _chance() -> float:
    import random

    return random.random()  # noqa: S311 - spreads requests, keeps no secret
