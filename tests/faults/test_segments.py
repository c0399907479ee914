"""Encoders killed at their worst moments: before and after a segment gets its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from mangavid.errors import RenderError
from mangavid.video import pool
from mangavid.video.timeline import Timeline
from tests.videos import SMALL, Made, drawing, made


@pytest.fixture
def chapter(tmp_path: Path) -> Made:
    return made(tmp_path, [drawing(500, 420, seed=n) for n in range(4)])


def render(chapter: Made, plan: Timeline, folder: Path) -> list[int]:
    """Encode with one process; the indexes of the segments that were told, in that order."""
    folder.mkdir(exist_ok=True)
    told: list[int] = []
    with pool.Encoders(1) as encoders:
        encoders.run(
            [pool.Job(segment, folder / f"{segment.key}.mp4") for segment in plan.segments],
            settings=SMALL,
            page_files=chapter.pages,
            on_segment=lambda job: told.append(job.segment.index),
        )
    return told


@pytest.mark.slow
@pytest.mark.parametrize("point", ["segment.encoded", "file.before_rename", "segment.committed"])
def test_an_encoder_killed_at_every_second_segment_loses_none(
    chapter: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    plan = chapter.plan()
    assert render(chapter, plan, tmp_path / "calm") == [0, 1, 2, 3]
    monkeypatch.setenv("MANGAVID_FAULT", f"{point}:kill:2")
    assert render(chapter, plan, tmp_path / "torn") == [0, 1, 2, 3]
    calm, torn = ({f.name: f.read_bytes() for f in (tmp_path / name).iterdir()} for name in ("calm", "torn"))
    assert calm == torn


def test_an_encoder_killed_before_every_rename_leaves_nothing_that_looks_done(
    chapter: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANGAVID_FAULT", "file.before_rename:kill:1")
    with pytest.raises(RenderError, match="segment 1: its encoder was killed by SIGKILL, twice"):
        render(chapter, chapter.plan(), tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
