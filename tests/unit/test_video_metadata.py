"""The metadata keeps within what YouTube takes, whatever the chapter is called."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.models import Credits
from mangavid.video import metadata
from mangavid.video.timeline import Timeline
from tests.videos import planned

CHAPTER = planned((900, 1300)).chapter
anything = st.text(max_size=300) | st.text("Đêm trăng <b>&", min_size=90, max_size=400)


@given(anything)
def test_a_title_is_one_line_of_at_most_100_characters_and_never_empty(text: str) -> None:
    title = metadata.title(text, CHAPTER)
    assert 1 <= len(title) <= 100
    assert not set(title) & set("<>\n")


def test_a_long_title_is_cut_at_a_word() -> None:
    assert metadata.title("chữ " * 40, CHAPTER) == " ".join(["chữ"] * 24) + "…"


@given(anything, anything, st.integers(1, 60))
def test_a_description_is_at_most_5000_bytes_and_ends_with_the_credits(text: str, name: str, times: int) -> None:
    credits = Credits(authors=(name,) * 3, groups=("Nhóm Trăng",), licence="CC BY 4.0", source="MangaDex", url="x")
    marks = tuple(metadata.Mark(start=n * 10, title=f"Trang {n}") for n in range(3))
    whole = metadata.description(text * times, credits, marks)
    assert len(whole.encode()) <= 5000
    assert not set(whole) & set("<>")
    assert "0:00 Trang 0\n0:10 Trang 1" in whole
    if len(name) < 100:
        assert whole.endswith("Nhóm dịch: Nhóm Trăng\nNguồn: MangaDex x\nGiấy phép: CC BY 4.0")


def test_vietnamese_is_counted_in_bytes() -> None:
    whole = metadata.description("ậ" * 4000, Credits(authors=("Tác giả",)), ())
    room = metadata.DESCRIPTION_BYTES - metadata.RIGHTS_BYTES
    assert room - 50 < len(whole.encode()) <= room
    assert whole.endswith("Tác giả: Tác giả")


@given(st.lists(anything, max_size=80))
def test_tags_keep_to_500_characters_as_youtube_counts_them(wanted: list[str]) -> None:
    kept = metadata.tags(wanted)
    counted = sum(len(tag) + 2 * (" " in tag) for tag in kept) + max(0, len(kept) - 1)
    assert counted <= 500
    assert len({tag.casefold() for tag in kept}) == len(kept)
    assert all(tag and "," not in tag for tag in kept)


def long_plan(seconds: list[int]) -> Timeline:
    """A page a segment, of so many seconds each."""
    plan = planned(*[(900, 1300)] * len(seconds)).plan()
    first, segments = 0, []
    for segment, length in zip(plan.segments, seconds, strict=True):
        segments.append(msgspec.structs.replace(segment, first=first, frames=length * plan.fps))
        first += length * plan.fps
    return msgspec.structs.replace(plan, segments=tuple(segments))


@given(st.lists(st.integers(1, 90), min_size=1, max_size=40))
def test_chapters_are_as_youtube_wants_them_or_none(seconds: list[int]) -> None:
    plan = long_plan(seconds)
    marks = metadata.marks(plan)
    if not marks:
        return
    assert len(marks) >= 3 and marks[0].start == 0
    ends = [mark.start for mark in marks[1:]] + [sum(seconds)]
    assert all(end - mark.start >= 10 for mark, end in zip(marks, ends, strict=True))
    assert len({mark.title for mark in marks}) == len(marks)


@pytest.mark.parametrize(
    ("seconds", "titles"),
    [
        ([20, 20, 20, 20], ["Trang 1", "Trang 2", "Trang 3", "Trang 4"]),
        ([5] * 30, ["Trang 1–9", "Trang 10–18", "Trang 19–27", "Trang 28–30"]),
        ([12, 12], []),
        ([60, 60, 60, 5], ["Trang 1", "Trang 2", "Trang 3–4"]),
    ],
)
def test_chapters_are_named_after_their_pages(seconds: list[int], titles: list[str]) -> None:
    assert [mark.title for mark in metadata.marks(long_plan(seconds))] == titles
