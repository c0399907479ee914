"""What `scale` fills its targets with: jobs and runs of years, and the history of one execution of hundreds of videos.

The history is the engine's own: the pipeline's definition on a clock that jumps, its functions answered by a plan.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from mangavid import asl, keys
from mangavid.local.engine.interpreter import Engine
from mangavid.local.engine.tasks import Call, Raised, Returned
from mangavid.local.engine.tokens import TokenClient
from mangavid.ports import Item
from tests.fakes.timeline import Plan, PlannedTasks, Timeline

#: Now, for the whole of it.
END = datetime(2026, 11, 23, 8, tzinfo=UTC)
#: Jobs that are in no final state, by status; all others are cleaned up.
UNFINISHED = {"rendering": 1, "voiced": 1, "awaiting_upload": 2, "failed": 6, "quarantined": 3}
A_DAY = 3
#: AWS keeps what it knows of an execution for 90 days.
LISTED = 90
_ARN = "arn:aws:states:eu-west-1:123456789012:execution:manga-pipeline"


def jobs(count: int) -> Iterator[Item]:
    """Job items as the states leave them, oldest first, three a day."""
    unfinished = [status for status, number in UNFINISHED.items() for _ in range(number)]
    for n in range(count):
        status = unfinished[n - count] if n >= count - len(unfinished) else "cleaned"
        yield _job(n, END - timedelta(hours=8 * (count - n)), status)


def _job(n: int, began: datetime, status: str) -> Item:
    job_id, inputs = _job_id(n), f"{n * 7919:016x}"
    item: Item = {
        "key": keys.job_item(job_id),
        "job_id": job_id,
        "status": status,
        "title": f"Đêm trăng trên phố cổ, tập {n // 20 + 1} chương {n % 20 + 1}",
        "source": f"library/dem-trang-tren-pho-co/tap-{n // 20 + 1:03}/chuong-{n % 20 + 1:02}.cbz",
        "created_at": began.isoformat(timespec="microseconds"),
        "updated_at": (began + timedelta(minutes=17)).isoformat(timespec="microseconds"),
        "schema_version": 1,
        "execution": f"{_ARN}:{run_name(n // A_DAY)}",
        "counted": True,
        "pages": 24,
        "panels": 118,
        "scenes": 118,
        "script_key": f"jobs/{job_id}/script/{inputs}.json",
        "speech_key": f"jobs/{job_id}/audio/{inputs}.json",
        "epoch": 2,
        "phase": "upload" if status == "cleaned" else "render",
        "instance": f"i-{n:017x}",
        "dispatched_at": began.isoformat(timespec="microseconds"),
        "heartbeat_at": (began + timedelta(minutes=16)).isoformat(timespec="microseconds"),
        "version": inputs,
        "writer": "sidecar",
    }
    if status == "cleaned":
        files = {"video": ".mp4", "captions": ".srt", "thumbnail": ".jpg", "metadata": ".json"}
        products = {
            name: {"key": f"jobs/{job_id}/final/{inputs}/e1/{name}{ending}", "sha256": inputs * 4, "bytes": 48_000_000}
            for name, ending in files.items()
        }
        measured = {"inputs": inputs, "seconds": 612.4, "lufs": -14.1, "epoch": 1, "segments": 118}
        item |= {"rendered": {**products, **measured}, "video_id": f"v{n:010}", "quota_day": f"{began:%Y-%m-%d}"}
        item |= {"published": f"https://youtu.be/v{n:010}"}
    elif status in ("failed", "quarantined"):
        item |= {"attempts": 3 if status == "quarantined" else 1, "failed_in": "WaitForRender", "error": "RenderError"}
        item |= {"cause": "ffmpeg ended with 1: no frames came out of panel 17", "hint": "mangavid retry it"}
    elif status == "rendering":
        item |= {"ckpt": {"done": 31, "total": 118}, "ckpt_at_dispatch": 0, "lease_owner": f"i-{n:017x}"}
    return item


def runs(count: int) -> Iterator[Item]:
    """RUN# items, oldest first, one a day."""
    for n in range(count):
        yield {
            "key": keys.run_item(run_name(n)),
            "name": run_name(n),
            "quota_day": f"{_day(n, count):%Y-%m-%d}",
            "started_at": _day(n, count).isoformat(timespec="microseconds"),
            "made": frozenset(_job_id(n * A_DAY + one) for one in range(A_DAY)),
            "in_a_row": 0,
        }


def executions(count: int, most: int | None = None) -> Iterator[dict[str, Any]]:
    """Executions of these runs, newest first, in ListExecutions' shape without what names the machine."""
    for n in reversed(range(0 if most is None else max(0, count - most), count)):
        began = _day(n, count).timestamp()
        yield {"name": run_name(n), "status": "SUCCEEDED", "startDate": began, "stopDate": began + 5400}


def run_name(n: int) -> str:
    return f"schedule-{n:05}-{n * 7919 % 65536:04x}"


def _day(n: int, count: int) -> datetime:
    return END - timedelta(days=count - n)


def _job_id(n: int) -> str:
    return f"dem-trang-tren-pho-co-{n:05}-{n * 31 % 4096:03x}"


# --- one long execution ---------------------------------------------------------------------------------------------


class Workflow:
    """What the pipeline's functions and workers answer: one video in 20 is rendered twice, one in 50 fails."""

    def __init__(self, journal: Path, videos: int) -> None:
        self._clock = Timeline(END - timedelta(days=20))
        self._client = TokenClient(journal)
        self._random = Random(videos)  # another one gets other tokens
        self._videos, self._at = videos, 0
        self._engine = Engine(
            journal,
            asl.local_definition(),
            self._clock,
            PlannedTasks(self._clock, self._plan),
            random=self._random,
            idle=self._clock.idle,
        )

    def run(self, name: str) -> str:
        """The execution's ARN; it has ended."""
        return self._engine.run(self._engine.start(name, {})).arn

    def _plan(self, call: Call) -> Plan:
        event = call.parameters["Payload"]
        quota = {"quota_reached": False, "daily_count": 0, "daily_quota": 1, "next": "continue"}
        job = _job_id(self._at)
        match call.state:
            case "CheckQuota":
                answer: dict[str, Any] = quota
            case "FetchManga":
                self._at += 1
                left = self._at <= self._videos
                answer = {"status": "success" if left else "no_manga_available", "job_id": _job_id(self._at)}
            case "GenerateScript":
                answer = {"job_id": job, "scenes": 118}
            case "GenerateTTS":
                answer = {"job_id": job, "seconds": 612.4}
            case "StartRenderer" | "StartUploader":
                answer = {"job_id": job, "done": False, "epoch": 1}
            case "WaitForRender" if self._at % 50 == 0:
                return [(20, Raised("NoProgress", json.dumps({"errorMessage": "it stood still", "errorType": "X"})))]
            case "WaitForRender" | "WaitForUpload":
                self._work(call, event["job_id"])
                answer = {}
            case "Cleanup":
                answer = {"deleted": 251}
            case _:
                answer = quota
        return [(0.4 + self._random.random(), Returned(_answered(answer, self._random)))]

    def _work(self, call: Call, job: str) -> None:
        if self._at % 20 == 0 and call.attempt == 0:
            self._clock.after(300, lambda: self._client.failure(call.token, "SpotInterrupted", "the machine was taken"))
        else:
            self._clock.after(200, lambda: self._client.success(call.token, {"job_id": job, "status": "completed"}))


def _answered(payload: dict[str, Any], random: Random) -> dict[str, Any]:
    """As Lambda answers Step Functions: most of a history's bytes."""
    request = f"{random.getrandbits(128):032x}"
    headers = {
        "Connection": ["keep-alive"],
        "Content-Length": ["118"],
        "Content-Type": ["application/json"],
        "Date": ["Mon, 23 Nov 2026 08:00:00 GMT"],
        "X-Amz-Executed-Version": ["$LATEST"],
        "X-Amzn-Trace-Id": [f"Root=1-{request[:8]}-{request[8:]};Parent={request[:16]};Sampled=1;Lineage=1:a:0"],
        "x-amzn-Remapped-Content-Length": ["0"],
        "x-amzn-RequestId": [request],
    }
    http = {
        "AllHttpHeaders": headers,
        "HttpHeaders": {name: values[0] for name, values in headers.items()},
        "HttpStatusCode": 200,
    }
    return {
        "ExecutedVersion": "$LATEST",
        "Payload": payload,
        "SdkHttpMetadata": http,
        "SdkResponseMetadata": {"RequestId": request},
        "StatusCode": 200,
    }


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
