"""What a writer keeps and may spend: answers kept once and counted once, budgets held before a request goes out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from mangavid import keys
from mangavid.config import Config, Writer
from mangavid.errors import BudgetReached, OverBudget
from mangavid.models import Chapter, Story
from mangavid.ports import Change
from mangavid.states.desk import JobDesk, before, remember
from tests.fakes.world import World, make_world

CHAPTER = Chapter(
    job_id="truyen-2", source="/x", title="Hai", series="Truyện", number="2", language="vi", direction="rtl", pages=(),
    panels=(),
)  # fmt: skip
DAY = "QUOTA#2026-11-23"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = make_world(tmp_path, config=Config(writer=Writer(budget_video=0.10, budget_day=0.25)))
    world.jobs.change(Change(key=keys.job_item(CHAPTER.job_id), set={"job_id": CHAPTER.job_id, "status": "fetched"}))
    return world


def test_an_answer_that_was_kept_is_recalled_and_counted_once_on_the_video_and_the_day(world: World) -> None:
    desk = JobDesk(world.target, CHAPTER)
    assert desk.recall("b1") is None
    desk.keep("b1", b'{"lines": []}\xff', 30_000)
    assert desk.recall("b1") == b'{"lines": []}\xff'
    desk.keep("b1", b"again", 30_000)
    assert world.jobs.items["JOB#truyen-2"]["micros"] == world.jobs.items[DAY]["micros"] == 30_000


def test_an_answer_kept_by_a_run_that_was_killed_before_it_counted_is_counted_when_it_is_found(world: World) -> None:
    desk = JobDesk(world.target, CHAPTER)
    desk.keep("b1", b"x", 30_000)
    world.jobs.items["JOB#truyen-2"] |= {"answers": frozenset(), "micros": 0}
    assert JobDesk(world.target, CHAPTER).recall("b1") == b"x"
    assert world.jobs.items["JOB#truyen-2"]["micros"] == 30_000


def test_a_request_that_could_pass_the_videos_budget_is_not_allowed(world: World) -> None:
    desk = JobDesk(world.target, CHAPTER)
    desk.allow(100_000)
    desk.keep("b1", b"x", 60_000)
    desk.allow(40_000)
    with pytest.raises(OverBudget, match=r"more than \$0\.10: \$0\.06 is spent"):
        desk.allow(40_001)


def test_a_request_that_could_pass_the_days_budget_ends_the_run(world: World) -> None:
    world.jobs.change(Change(key=DAY, plus={"micros": 200_000}))
    desk = JobDesk(world.target, CHAPTER)
    desk.allow(50_000)
    with pytest.raises(BudgetReached, match="2026-11-23"):
        desk.allow(50_001)


def test_no_budget_is_no_limit(tmp_path: Path) -> None:
    world = make_world(tmp_path, config=Config(writer=Writer(budget_video=0, budget_day=0)))
    JobDesk(world.target, CHAPTER).allow(10**12)


def test_the_chapter_before_is_the_one_with_the_next_lower_number_of_the_same_series(world: World) -> None:
    for number in ("0.5", "1.5", "3", "10"):
        remember(world.target, msgspec.structs.replace(CHAPTER, number=number), Story(summary=f"Chương {number}"))
    remember(world.target, msgspec.structs.replace(CHAPTER, series="Khác", number="1.9"), Story(summary="khác"))
    found = before(world.target, CHAPTER)
    assert found is not None
    assert found.summary == "Chương 1.5"
    assert before(world.target, msgspec.structs.replace(CHAPTER, number="0.5")) is None


def test_a_story_told_again_replaces_the_one_before(world: World) -> None:
    first = msgspec.structs.replace(CHAPTER, number="1")
    remember(world.target, first, Story(summary="cũ"))
    remember(world.target, first, Story(summary="mới", names=("An: bé gái",)))
    assert before(world.target, CHAPTER) == Story(summary="mới", names=("An: bé gái",))


@pytest.mark.parametrize("number", ["", "extra", "nan", "-1", "1e9"])
def test_a_chapter_without_a_number_has_none_before_it_and_is_before_none(world: World, number: str) -> None:
    odd = msgspec.structs.replace(CHAPTER, number=number)
    remember(world.target, odd, Story(summary="x"))
    assert before(world.target, odd) is None
    assert not any(key.startswith("STORY#") for key in world.jobs.items)
