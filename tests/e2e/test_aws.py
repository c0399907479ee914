"""The whole pipeline on AWS in small: deployed, run from the command line, a chapter in and an MP4 in the bucket.

ministack stands for AWS. The functions run from their packages, the machines are processes that start from the launch
template's user data and fetch the worker's package; voice, picture and ffmpeg are the real ones.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import pytest

from mangavid import keys
from mangavid.config import Config, Video
from tests.deployed import Deployed, deployed
from tests.faults.chapters import draw_chapter

pytestmark = pytest.mark.slow

CONFIG = Config(video=Video(width=640, height=360, fps=24))
#: States of a chapter's way in their order, and the look for one more after it.
WAY = ["FetchManga", "GenerateScript", "GenerateTTS", "StartRenderer", "WaitForRender", "StartUploader"]
WAY = ["CheckQuota", *WAY, "WaitForUpload", "Cleanup", "IncrementCounter", "FetchManga"]


@pytest.fixture(scope="module")
def aws(request: pytest.FixtureRequest) -> Iterator[Deployed]:
    with deployed(CONFIG, Path(request.config.cache.mkdir("packages")) / "here") as standing:
        yield standing


@pytest.fixture(scope="module")
def outcome(aws: Deployed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``mangavid run --wait`` says of a library of one chapter."""
    aws.put(draw_chapter(tmp_path_factory.mktemp("chapters") / "Thu 1"), "Thu/Thu 1.cbz")
    done = aws.cli("run", "--wait", "--json")
    assert done.returncode == 0, done.stderr + aws.troubles()
    steps = [json.loads(line) for line in done.stderr.splitlines()]
    assert not [step for step in steps if step["what"] in ("retry", "failed")]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_chapter_in_the_library_becomes_a_video_in_the_bucket(
    aws: Deployed, outcome: dict[str, Any], tmp_path: Path
) -> None:
    (made,) = outcome["made"]
    assert (outcome["status"], outcome["failed"], outcome["exit_code"]) == ("SUCCEEDED", [], 0)
    files = {kind: made[kind].removeprefix(f"s3://{aws.site.artifacts}/") for kind in keys.FILES}
    video = tmp_path / "video.mp4"
    video.write_bytes(aws.fetch(files["video"]))
    with av.open(str(video)) as container:
        (picture,), (sound,) = container.streams.video, container.streams.audio
        assert (picture.codec_context.name, picture.width, picture.height) == ("h264", 640, 360)
        assert (sound.codec_context.name, sound.rate) == ("aac", 48_000)
        lengths = [float(stream.duration * stream.time_base) for stream in (picture, sound)]
        assert sum(1 for _ in container.decode(picture)) == round(24 * made["seconds"])
    assert all(abs(length - made["seconds"]) <= 0.1 for length in lengths), lengths
    assert "Khung 1 của trang 2." in aws.fetch(files["captions"]).decode()
    assert aws.fetch(files["thumbnail"]).startswith(b"\xff\xd8")
    assert json.loads(aws.fetch(files["metadata"]))["status"]["privacyStatus"] == "private"


def test_nothing_is_left_but_the_finished_files(aws: Deployed, outcome: dict[str, Any]) -> None:
    (made,) = outcome["made"]
    kept = {made[kind].removeprefix(f"s3://{aws.site.artifacts}/") for kind in keys.FILES}
    assert set(aws.objects()) == {"library/Thu/Thu 1.cbz", *kept}
    assert all(key.startswith(f"jobs/{made['job_id']}/final/") for key in kept)


def test_it_is_counted_once(aws: Deployed, outcome: dict[str, Any]) -> None:
    (made,) = outcome["made"]
    job = aws.job(made["job_id"])
    assert set((aws.jobs.get(keys.quota_item(job["quota_day"])) or {})["jobs"]) == {made["job_id"]}
    told = aws.json("quota", "show")
    if told["day"] == job["quota_day"]:  # no midnight in between
        assert (told["used"], told["jobs"]) == (1, [made["job_id"]])


def test_each_machine_did_its_part_and_is_gone(aws: Deployed, outcome: dict[str, Any]) -> None:
    (made,) = outcome["made"]
    aws.settled()
    renderer, uploader = aws.hands.machines
    assert [(one.role, one.job, one.epoch) for one in (renderer, uploader)] == [
        ("renderer", made["job_id"], 1),
        ("uploader", made["job_id"], 2),
    ]
    for one in (renderer, uploader):
        assert one.off == ["-P +270", "-P now"]
        assert [line["message"] for line in one.said] == ["begins", "ends"], one.log
    assert set(aws.hands.instances().values()) <= {"terminated"}


def test_the_machines_logs_are_in_cloudwatch(aws: Deployed, outcome: dict[str, Any]) -> None:
    for machine in aws.hands.machines:
        stream = f"{machine.job}/e{machine.epoch}/{machine.instance}"
        assert [json.loads(line) for line in aws.logged(machine.role, stream)] == machine.said


def test_status_tells_what_is_there(aws: Deployed, outcome: dict[str, Any]) -> None:
    (made,) = outcome["made"]
    told = aws.json("status")
    (job,), (run,) = told["jobs"], told["executions"]
    assert (job["job_id"], job["status"], job["title"]) == (made["job_id"], "cleaned", "Thu 1")
    assert (job["pages"], job["panels"], job["scenes"]) == (2, 4, 4)
    assert (job["video_id"], job["published"]) == (made["job_id"], made["video"])
    assert "token" not in job
    assert (run["name"], run["status"]) == (outcome["execution"], "SUCCEEDED")
    assert (run["made"], run["failed"]) == ([made["job_id"]], [])
    assert aws.json("status", made["job_id"])["rendered"]["seconds"] == made["seconds"]


def test_history_tells_what_was_done(aws: Deployed, outcome: dict[str, Any]) -> None:
    (made,) = outcome["made"]
    told = aws.json("history", "last")
    assert (told["execution"]["name"], told["execution"]["status"]) == (outcome["execution"], "SUCCEEDED")
    tasks = [one for one in told["states"] if one["kind"] == "Task"]
    assert [one["state"] for one in tasks] == WAY
    assert {(one["outcome"], one["attempts"], len(one["failures"])) for one in tasks} == {("succeeded", 1, 0)}
    assert {one["job_id"] for one in tasks if one["video"] == 1} == {made["job_id"]}
    assert told["states"][-1]["state"] == "NoMangaAvailable"
    begun, ended = (datetime.fromisoformat(told["execution"][word]) for word in ("started", "stopped"))
    took = sum(one["seconds"] for one in told["states"])
    assert took <= (ended - begun).total_seconds() + 0.1, "they come one after another"
    events = aws.json("history", outcome["execution"], "--events")
    assert len(events) <= 70


@pytest.mark.usefixtures("outcome")
def test_another_run_finds_nothing_to_make_and_says_so(aws: Deployed) -> None:
    machines, objects = len(aws.hands.machines), aws.objects()
    done = aws.cli("run", "--wait")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "There is no chapter left to make." in done.stderr
    assert (len(aws.hands.machines), aws.objects()) == (machines, objects)
    assert aws.json("quota", "show")["used"] <= 1
