"""Chapters as large as they come: 300 pages, and a webtoon of 120 strips, rendered small."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image, ImageDraw

from tests.drawn import art
from tests.faults.chapters import Home, was_killed

pytestmark = pytest.mark.slow

#: What is told between states, and of a video in the history: the promise of docs/state-machine.md.
STATE_BYTES, VIDEO_EVENTS = 8 * 1024, 70
FPS = 24
#: Small pictures, cut and not faded, a second each.
TINY = {
    "MANGAVID_VIDEO_CAPTIONS": "false",
    "MANGAVID_VIDEO_CROSSFADE": "0",
    "MANGAVID_VIDEO_MIN_PANEL": "1.0",
    "MANGAVID_WRITER_OCR": "false",
}


def pages(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """Pages of one panel each; the first two and the last have a line."""
    folder.mkdir()
    for page in range(count):
        image = Image.new("L", size, 255)
        draw = ImageDraw.Draw(image)
        inside = (12, 12, size[0] - 24, size[1] - 24)
        draw.rectangle((12, 12, size[0] - 13, size[1] - 13), fill=235, outline=0, width=3)
        art(draw, inside, page)
        image.save(folder / f"{page + 1:03}.png", compress_level=1)
    return _told(folder, (1, 2, count))


def strips(folder: Path, count: int, size: tuple[int, int]) -> Path:
    """A webtoon of four panels to three slices: most are cut in two."""
    folder.mkdir()
    width, height = size
    panel = height * 3 // 4
    whole = Image.new("L", (width, 3 * height), 255)
    draw = ImageDraw.Draw(whole)
    for n in range(4):
        box = (20, n * panel + 120, width - 40, panel - 240)
        draw.rectangle((box[0], box[1], box[0] + box[2], box[1] + box[3]), fill=225, outline=0, width=4)
        art(draw, box, n)
    for strip in range(count):
        cut = whole.crop((0, strip % 3 * height, width, (strip % 3 + 1) * height))
        # No two are the same file: as pages of one content they would be one object.
        ImageDraw.Draw(cut).line((0, 0, 1 + strip, 0), fill=250)
        cut.save(folder / f"{strip + 1:03}.png", compress_level=1)
    return _told(folder, (1,))


def _told(folder: Path, numbers: tuple[int, ...]) -> Path:
    lines = {str(number): "Trăng lên." for number in numbers}
    (folder / "narration.json").write_text(json.dumps({"title": folder.name, "pages": lines}), encoding="utf-8")
    return folder


@dataclass
class Made:
    """One chapter, made. ``segments``: frames of each as they were before they were tidied up."""

    home: Home
    job: dict[str, Any]
    segments: list[int]

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.home.json("history", "last", "--events")
        return found


@pytest.fixture(scope="module", params=["book", "webtoon"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    chapter = (
        pages(folder / "Truyện dài 1", 300, (200, 300))
        if request.param == "book"
        else strips(folder / "Cuộn dọc 1", 120, (400, 1600))
    )
    home = Home(folder / "home", chapter, extra=TINY)
    # The ninth call is Cleanup's: the run is killed there for a look at the segments, and goes on.
    done = home.run(str(chapter), fault="engine.call:kill:9", timeout=600)
    assert was_killed(done), done.stderr
    (job,) = home.json("status")["jobs"]
    segments = [frames(file) for file in (home.path / "objects/jobs" / job["job_id"] / "render").glob("*.mp4")]
    done = home.run(timeout=120)
    assert done.returncode == 0, done.stderr
    (job,) = home.json("status")["jobs"]
    assert job["status"] == "cleaned"
    return Made(home, job, segments)


def frames(video: Path) -> int:
    with av.open(str(video)) as container:
        (picture,) = container.streams.video
        return sum(1 for packet in container.demux(picture) if packet.pts is not None)


def documents(event: dict[str, Any]) -> Iterator[str]:
    details = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    return (details[name] for name in ("input", "output", "parameters") if isinstance(details.get(name), str))


def test_what_states_are_given_and_give_stays_small(made: Made) -> None:
    sizes = [len(text.encode()) for event in made.events() for text in documents(event)]
    assert len(sizes) > 30
    assert max(sizes) <= STATE_BYTES


def test_a_video_takes_at_most_seventy_events(made: Made) -> None:
    assert len(made.events()) <= VIDEO_EVENTS


def test_no_page_and_no_panel_is_lost(made: Made) -> None:
    job = made.job
    # The webtoon: four panels to three strips.
    assert (job["pages"], job["panels"]) in ((300, 300), (120, 160))
    assert job["scenes"] == job["rendered"]["segments"] == len(made.segments) == job["panels"]
    assert set(made.home.done("page.stored").values()) == set(made.home.done("segment.encoded").values()) == {1}
    assert len(made.home.done("page.stored")) == job["pages"]


def test_a_video_is_as_long_as_its_segments_together(made: Made) -> None:
    assert frames(made.home.video()) == sum(made.segments)
    assert made.job["rendered"]["seconds"] == pytest.approx(sum(made.segments) / FPS)
    assert min(made.segments) >= FPS
