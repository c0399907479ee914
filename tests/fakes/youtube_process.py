"""A process that publishes as an uploader does: ``python -m tests.fakes.youtube_process JSON``; it may be killed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from mangavid.config import Rights, Youtube
from mangavid.publishers.youtube import YoutubePublisher
from tests.fakes.memory import FakeClock
from tests.fakes.youtube_memory import FileUpload, _Point


def main(text: str) -> None:
    told = json.loads(text)
    upload = FileUpload(Path(told["folder"]), kill=told["kill"])
    settings = Youtube(
        api=told["url"], login=f"{told['url']}/token", playlist=told["playlist"], privacy="unlisted", captions=True
    )
    publisher = YoutubePublisher(
        settings,
        Rights(basis="own", holder="us"),
        lambda: told["token"],
        clock=FakeClock(),
        time_zone="Asia/Ho_Chi_Minh",
        jitter=lambda: 0.0,
        chunk=256 << 10,
        timeout=5.0,
    )
    video_id = upload.known().get("video_id", "")
    if not video_id:
        video_id = publisher.publish(upload).video_id
        with _Point(upload, "published"):
            upload.remember(video_id=video_id)
    publisher.finish(upload, video_id)


if __name__ == "__main__":
    main(sys.argv[1])
