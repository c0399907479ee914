"""The calls to YouTube's Data API beside the upload itself: each counted before it is made, and tried again if it may.

What a call costs: developers.google.com/youtube/v3/determine_quota_cost. The requests are built by
google-api-python-client from a pruned copy of the API's description, ``youtube.v3.json`` beside this file
(``scripts/prune_youtube.py`` makes it): the library brings 110 MB of others and may rename them, and its own way to
another address leaves uploads of files on https, which a fake on this machine does not speak.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from mangavid.config import Youtube
from mangavid.publishers.youtube_errors import Lost, Refused, refused
from mangavid.publishers.youtube_http import Http, Patience

DESCRIPTION = Path(__file__).with_name("youtube.v3.json")
#: Units of the day's 10,000; a list costs 1, but for captions.
COSTS: Final = {
    "channels.list": 1,
    "playlistItems.list": 1,
    "videos.list": 1,
    "captions.list": 50,
    "thumbnails.set": 50,
    "playlistItems.insert": 50,
    "videos.update": 50,
    "videos.delete": 50,
    "captions.insert": 400,
}
_PAGE = 50


def free(units: int) -> None:
    """For calls that no upload counts."""


class Api:
    """Methods raise Refused where the answer is no for good, UpstreamUnavailable after all tries, AuthError."""

    def __init__(self, settings: Youtube, http: Http, patience: Patience) -> None:
        self._settings = settings
        self._http = http
        self._patience = patience
        self._service: Any = None

    def uploads(self, spend: Callable[[int], None] = free) -> tuple[str, str]:
        """Id of the playlist of the channel's own uploads, and the channel's name."""
        found = self._call(
            "channels", "list", spend, "looking up the channel", part="contentDetails,snippet", mine=True
        )
        for channel in _items(found):
            playlist = _at(channel, "contentDetails", "relatedPlaylists", "uploads")
            if isinstance(playlist, str) and playlist:
                return playlist, str(_at(channel, "snippet", "title") or "")
        raise Refused(403, "authenticatedUserNotChannel", "")

    def newest(self, playlist: str, pages: int, spend: Callable[[int], None]) -> Iterator[dict[str, Any]]:
        """Videos of a playlist from its beginning, as ``videos``: the newest uploads first, 50 a page."""
        page: dict[str, str] = {}
        for _ in range(pages):
            try:
                found = self._call(
                    "playlistItems",
                    "list",
                    spend,
                    "listing the channel's uploads",
                    part="contentDetails",
                    playlistId=playlist,
                    maxResults=_PAGE,
                    **page,
                )
            except Refused as problem:
                if problem.reason == "playlistNotFound":  # the channel's first video is not listed yet
                    return
                raise
            ids = [one for one in (_at(item, "contentDetails", "videoId") for item in _items(found)) if one]
            if ids:
                yield from self.videos(",".join(str(one) for one in ids), "snippet,status", spend)
            following = found.get("nextPageToken")
            if not isinstance(following, str) or not following:
                return
            page = {"pageToken": following}

    def videos(self, ids: str, part: str, spend: Callable[[int], None] = free) -> list[dict[str, Any]]:
        """Those of these videos that are there, with the parts asked for."""
        found = self._call("videos", "list", spend, "looking at the video", part=part, id=ids, maxResults=_PAGE)
        return _items(found)

    def update(self, video_id: str, status: dict[str, Any], spend: Callable[[int], None] = free) -> None:
        """Replace the whole status: what is left out falls back to YouTube's defaults."""
        body = {"id": video_id, "status": status}
        self._call("videos", "update", spend, "changing who may see the video", part="status", body=body)

    def delete(self, video_id: str) -> None:
        self._call("videos", "delete", free, "deleting the video", id=video_id)

    def thumbnail(self, video_id: str, picture: bytes, spend: Callable[[int], None]) -> None:
        media = _media(picture, "image/jpeg")
        self._call("thumbnails", "set", spend, "setting the thumbnail", videoId=video_id, media_body=media)

    def captions(self, video_id: str, language: str, name: str, text: bytes, spend: Callable[[int], None]) -> None:
        """Put captions on, unless captions of this language and name are there; looked up before each try."""

        def attempt() -> None:
            found = self._once("captions", "list", spend, part="snippet", videoId=video_id)
            for one in _items(found):
                about = one.get("snippet")
                if isinstance(about, dict) and (about.get("language"), about.get("name")) == (language, name):
                    return
            snippet = {"videoId": video_id, "language": language, "name": name, "isDraft": False}
            media = _media(text, "application/octet-stream")
            self._once("captions", "insert", spend, part="snippet", body={"snippet": snippet}, media_body=media)

        self._patience("putting the captions on", attempt)

    def into_playlist(self, video_id: str, playlist: str, spend: Callable[[int], None]) -> None:
        """Put a video into a playlist, unless it is in it; looked up before each try."""

        def attempt() -> None:
            found = self._once("playlistItems", "list", spend, part="id", playlistId=playlist, videoId=video_id)
            if _items(found):
                return
            snippet = {"playlistId": playlist, "resourceId": {"kind": "youtube#video", "videoId": video_id}}
            self._once("playlistItems", "insert", spend, part="snippet", body={"snippet": snippet})

        self._patience("putting the video into the playlist", attempt)

    def _call(self, room: str, method: str, spend: Callable[[int], None], doing: str, **told: Any) -> dict[str, Any]:
        """Only for what may be done twice."""
        return self._patience(doing, lambda: self._once(room, method, spend, **told))

    def _once(self, room: str, method: str, spend: Callable[[int], None], **told: Any) -> dict[str, Any]:
        from googleapiclient.errors import HttpError

        self._http.ready()
        spend(COSTS[f"{room}.{method}"])
        request = getattr(getattr(self._built(), room)(), method)(**told)
        try:
            found = request.execute(num_retries=0)
        except HttpError as problem:
            content = problem.content if isinstance(problem.content, bytes) else b""
            raise refused(int(problem.resp.status), content, str(problem.resp.get("retry-after", ""))) from None
        except ValueError:
            raise Lost("the answer is no JSON") from None
        if method in ("delete",):
            return {}
        if not isinstance(found, dict):
            raise Lost("the answer is no JSON object")
        return found

    def _built(self) -> Any:
        if self._service is None:
            from googleapiclient.discovery import build_from_document

            document = json.loads(DESCRIPTION.read_text("utf-8"))
            document["rootUrl"] = document["baseUrl"] = self._settings.api.rstrip("/") + "/"
            self._service = build_from_document(document, http=self._http)
        return self._service


def _media(data: bytes, kind: str) -> Any:
    """A file within one request."""
    import io

    from googleapiclient.http import MediaIoBaseUpload

    return MediaIoBaseUpload(io.BytesIO(data), mimetype=kind, resumable=False)


def _items(found: dict[str, Any]) -> list[dict[str, Any]]:
    items = found.get("items")
    return [one for one in items[:_PAGE] if isinstance(one, dict)] if isinstance(items, list) else []


def _at(found: Any, *names: str) -> Any:
    for name in names:
        found = found.get(name) if isinstance(found, dict) else None
    return found
