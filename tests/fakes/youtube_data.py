"""The fake's channel: videos, the list of uploads (which may lag), thumbnails, captions, playlists."""

from __future__ import annotations

import email.parser
import email.policy
import json
from typing import Any

from tests.fakes.youtube_model import Answer, refusal, said

UPLOADS = "UUchannel"
PLAYLIST = "PLours"


class Data:
    def __init__(self) -> None:
        self.videos: dict[str, dict[str, Any]] = {}
        #: Ids in the order they were made.
        self.order: list[str] = []
        #: Times that the list of uploads is asked for before a new video is in it.
        self.lag = 0
        self.lists = 0
        self.unlisted: dict[str, int] = {}
        self.title = "Kênh thử"
        self.channels = 1
        self.thumbnails: list[tuple[str, bytes]] = []
        self.captions: list[dict[str, Any]] = []
        self.playlists: dict[str, list[str]] = {PLAYLIST: []}
        self.updates: list[dict[str, Any]] = []
        #: What YouTube makes of a status behind everybody's back.
        self.overrule: dict[str, Any] = {}
        self.ignored: set[str] = set()

    def made(self, about: dict[str, Any], sha256: str) -> dict[str, Any]:
        video_id = f"vid-{len(self.order):07d}"
        status = {"uploadStatus": "uploaded", "license": "youtube", "embeddable": True, "publicStatsViewable": True}
        video = {
            "kind": "youtube#video",
            "id": video_id,
            "snippet": about["snippet"],
            "status": {**status, "privacyStatus": "public", **about["status"], **self.overrule},
        }
        self.videos[video_id] = video
        self.order.append(video_id)
        self.unlisted[video_id] = self.lists + self.lag
        video["sha256"] = sha256
        return {name: video[name] for name in ("kind", "id", "snippet", "status")}

    def others(self, number: int) -> None:
        """Uploads that are not ours."""
        for _ in range(number):
            self.made({"snippet": {"title": "other", "tags": ["x"]}, "status": {}}, "")

    def serve(self, call: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        act = {
            "channels.list": self._channels,
            "playlistItems.list": self._items,
            "playlistItems.insert": self._put,
            "videos.list": self._videos,
            "videos.update": self._update,
            "videos.delete": self._delete,
            "thumbnails.set": self._thumbnail,
            "captions.list": self._captions,
            "captions.insert": self._caption,
        }.get(call)
        return act(query, headers, body) if act else refusal(404, "notFound")

    def _channels(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        assert query["mine"] == "true"
        one = {"contentDetails": {"relatedPlaylists": {"uploads": UPLOADS}}, "snippet": {"title": self.title}}
        return said({"items": [one] * self.channels} if self.channels else {"pageInfo": {}})

    def _items(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        playlist = query["playlistId"]
        if playlist == UPLOADS:
            if not query.get("pageToken"):
                self.lists += 1
            ids = [one for one in reversed(self.order) if one in self.videos and self.lists > self.unlisted[one]]
        elif playlist in self.playlists:
            ids = self.playlists[playlist]
        else:
            return refusal(404, "playlistNotFound")
        if only := query.get("videoId"):
            ids = [one for one in ids if one == only]
        start, size = int(query.get("pageToken", "0")), int(query.get("maxResults", "5"))
        more = {"nextPageToken": str(start + size)} if len(ids) > start + size else {}
        return said({"items": [{"contentDetails": {"videoId": one}} for one in ids[start : start + size]], **more})

    def _put(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        snippet = json.loads(body)["snippet"]
        if snippet["playlistId"] not in self.playlists:
            return refusal(404, "playlistNotFound")
        self.playlists[snippet["playlistId"]].append(snippet["resourceId"]["videoId"])
        return said({"id": "item"})

    def _videos(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        found = [self.videos[one] for one in query["id"].split(",") if one in self.videos]
        return said(
            {"items": [{"id": one["id"], **{part: one[part] for part in query["part"].split(",")}} for one in found]}
        )

    def _update(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        told = json.loads(body)
        video = self.videos.get(told["id"])
        if video is None:
            return refusal(404, "videoNotFound")
        status = told["status"]
        self.updates.append(status)
        if "publishAt" in status and status["privacyStatus"] != "private":
            return refusal(400, "invalidPublishAt")
        # What is left out falls back.
        plain = {"license": "youtube", "embeddable": True, "publicStatsViewable": True, "privacyStatus": "public"}
        kept = {name: video["status"][name] for name in self.ignored if name in video["status"]}
        video["status"] = {"uploadStatus": video["status"]["uploadStatus"], **plain, **status, **kept, **self.overrule}
        return said({"id": told["id"], "status": video["status"]})

    def _delete(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        if self.videos.pop(query["id"], None) is None:
            return refusal(404, "videoNotFound")
        return Answer(204, b"", {})

    def _thumbnail(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        if query["videoId"] not in self.videos:
            return refusal(404, "videoNotFound")
        self.thumbnails.append((query["videoId"], body))
        return said({"items": []})

    def _captions(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        if query["videoId"] not in self.videos:
            return refusal(404, "videoNotFound")
        found = [one for one in self.captions if one["videoId"] == query["videoId"]]
        asr = {"language": "vi", "name": "", "trackKind": "asr"}
        return said({"items": [{"snippet": asr}, *({"snippet": one} for one in found)]})

    def _caption(self, query: dict[str, str], headers: dict[str, str], body: bytes) -> Answer:
        head = f"Content-Type: {headers['content-type']}\r\n\r\n".encode()
        whole: Any = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        about, text = whole.iter_parts()
        snippet = json.loads(about.get_payload(decode=True))["snippet"]
        if any(all(one[k] == snippet[k] for k in ("videoId", "language", "name")) for one in self.captions):
            return refusal(409, "captionExists")
        self.captions.append({**snippet, "text": text.get_payload(decode=True).decode()})
        return said({"id": "caption"})
