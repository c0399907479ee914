from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mangavid import config
from mangavid.errors import BadSidecar
from mangavid.models import Box, Chapter, Narration, Page, Panel, Piece, Script, Sidecar
from mangavid.writers import neutral, sidecar, titles
from mangavid.writers.offline import OfflineWriter


def chapter(per_page: Sequence[int], **changes: Any) -> Chapter:
    """A chapter with so many panels on each page."""
    pages = tuple(
        Page(index=i, name=f"{i}.png", key=f"k{i}", sha256="", width=100, height=150) for i in range(len(per_page))
    )
    owners = [page for page, count in enumerate(per_page) for _ in range(count)]
    panels = tuple(Panel(index=i, pieces=(Piece(page, Box(0, 0, 100, 50)),)) for i, page in enumerate(owners))
    settings: dict[str, Any] = {
        "job_id": "j",
        "source": "s",
        "title": "One Piece 012",
        "series": "One Piece",
        "number": "12",
        "language": "vi",
        "direction": "rtl",
        "pages": pages,
        "panels": panels,
    }
    return Chapter(**(settings | changes))


def no_image(panel: int) -> bytes:
    raise AssertionError("no picture is needed")


def write(of: Chapter) -> Script:
    return OfflineWriter(config.Writer(ocr=False)).write(of, no_image)


def texts(of: Chapter) -> list[str]:
    return [scene.text for scene in write(of).scenes]


def side(*entries: tuple[int, int | None, str], **more: Any) -> Sidecar:
    return Sidecar(narration=tuple(Narration(page=p, panel=n, text=t) for p, n, t in entries), **more)


# --- sidecar --------------------------------------------------------------------------------------------------------


def test_a_sidecars_text_goes_over_the_panel_it_names() -> None:
    script = write(chapter([2, 2], sidecar=side((1, 2, "Hai."), (2, 1, "Ba."))))
    assert [scene.text for scene in script.scenes] == ["", "Hai.", "Ba.", ""]
    assert [(scene.index, scene.panel) for scene in script.scenes] == [(0, 0), (1, 1), (2, 2), (3, 3)]
    assert all(scene.min_seconds == 2.0 for scene in script.scenes)
    assert script.writer == "sidecar"


def test_a_pages_text_is_spread_over_its_panels_by_sentences() -> None:
    assert texts(chapter([3, 1], sidecar=side((1, None, "Một. “Hai! Ba!” nó kêu. Bốn."), (2, None, "Năm. Sáu.")))) == [
        "Một.",
        "“Hai! Ba!” nó kêu.",
        "Bốn.",
        "Năm. Sáu.",
    ]


def test_a_pages_text_keeps_off_panels_that_have_their_own() -> None:
    assert texts(chapter([3], sidecar=side((1, 2, "Riêng."), (1, None, "Một. Hai.")))) == ["Một.", "Riêng.", "Hai."]


def test_a_pages_text_comes_first_where_every_panel_has_its_own() -> None:
    assert texts(chapter([2], sidecar=side((1, 1, "A."), (1, 2, "B."), (1, None, "Cả trang.")))) == [
        "Cả trang. A.",
        "B.",
    ]


def test_intro_and_outro_go_over_the_first_and_the_last_panel() -> None:
    spoken = side((1, 1, "Một."), intro="Chào\ncác bạn.", outro="Tạm biệt.")
    assert texts(chapter([1, 1], sidecar=spoken)) == ["Chào các bạn. Một.", "Tạm biệt."]
    assert texts(chapter([1], sidecar=spoken)) == ["Chào các bạn. Một. Tạm biệt."]


def test_the_text_stays_as_it_was_written_but_for_invisible_characters() -> None:
    assert texts(chapter([1], sidecar=side((1, 1, "Cha\u0300o\u200b  “bạn”… *nhé*\x07!")))) == ["Chào “bạn”… *nhé*!"]


def test_all_entries_that_name_nothing_are_listed_with_what_there_is() -> None:
    wrong = side((9, 1, "A."), (9, 2, "A."), (1, 2, "Được."), *((1, n, "B.") for n in range(3, 11)), (1, 11, ""))
    with pytest.raises(BadSidecar) as caught:
        write(chapter([2, 1], sidecar=wrong))
    assert str(caught.value).splitlines() == [
        "sidecar: page 9: there is none; the chapter has 2 pages",
        "sidecar: page 1 has 2 panels; its list has 11 entries",
    ]
    assert "whole page" in caught.value.hint


def test_empty_entries_for_panels_that_do_not_exist_are_harmless() -> None:
    assert texts(chapter([1], sidecar=side((1, 1, "A."), (1, 2, " "), (7, None, "")))) == ["A."]


def test_a_long_list_of_problems_is_cut() -> None:
    with pytest.raises(BadSidecar) as caught:
        write(chapter([1], sidecar=side(*((page, None, "A.") for page in range(2, 60)))))
    assert str(caught.value).splitlines()[-1] == "sidecar: and 38 more problems"


def test_a_text_too_long_for_a_panel_is_refused_by_its_place() -> None:
    exactly = side((1, 1, "a" * sidecar.MAX_PANEL))
    assert texts(chapter([1], sidecar=exactly)) == ["a" * sidecar.MAX_PANEL]
    with pytest.raises(BadSidecar, match=r"page 2, panel 1: 2,003 characters"):
        write(chapter([1, 2], sidecar=side((2, 1, "a" * 2000), (2, 1, "bb"))))


def test_a_narration_too_long_for_a_video_is_refused() -> None:
    book = side(*((page, None, "a" * 1900) for page in range(1, 41)))
    with pytest.raises(BadSidecar, match="76,000 characters; the limit is 60,000"):
        write(chapter([1] * 40, sidecar=book))


def test_a_sidecar_in_another_language_is_refused() -> None:
    with pytest.raises(BadSidecar, match="language: is en") as caught:
        write(chapter([1], sidecar=side((1, 1, "Hello."), language="en")))
    assert caught.value.hint == "leave language out: vi is what there is"
    assert texts(chapter([1], sidecar=side((1, 1, "Chào."), language="vi-VN"))) == ["Chào."]


def test_a_sidecar_without_any_text_leaves_the_lines_to_others_and_keeps_its_title() -> None:
    script = write(chapter([1], sidecar=side((1, 1, " "), title="Tên của tôi")))
    assert script.writer == "neutral"
    assert script.title == "Tên của tôi"


def test_panels_cut_through_by_pages_are_counted_where_they_begin() -> None:
    across = Panel(index=1, pieces=(Piece(0, Box(0, 50, 100, 100)), Piece(1, Box(0, 0, 100, 150))))
    strip = chapter([1, 1, 1])
    panels = (strip.panels[0], across, Panel(index=2, pieces=(Piece(2, Box(0, 0, 9, 9)),)))
    spoken = side((1, 2, "Hai."), (2, None, "Giữa."), (3, 1, "Ba."))
    changed = chapter([1, 1, 1], panels=panels, sidecar=spoken, direction="ttb")
    assert texts(changed) == ["", "Giữa. Hai.", "Ba."]


# --- neutral --------------------------------------------------------------------------------------------------------


def test_without_a_sidecar_only_what_is_known_is_said() -> None:
    script = write(chapter([3, 2, 2, 1]))
    assert script.writer == "neutral"
    assert [scene.text for scene in script.scenes] == [
        "One Piece, chương 12.",
        *("", ""),
        *("Trang 2.", ""),
        *("Sang trang 3.", ""),
        "Trang cuối. Hết chương 12.",
    ]


def test_a_long_chapter_announces_few_of_its_pages() -> None:
    said = [text for text in texts(chapter([4] * 60)) if text]
    assert len(said) <= neutral.ANNOUNCED + 2
    assert said[0] == "One Piece, chương 12."
    assert said[-1] == "Hết chương 12."


def test_a_strip_has_no_pages_to_announce() -> None:
    said = [text for text in texts(chapter([3] * 10, direction="ttb")) if text]
    assert said == ["One Piece, chương 12.", "Đã đến giữa chương.", "Hết chương 12."]


@pytest.mark.parametrize(
    ("known", "opening", "title"),
    [
        ({}, "One Piece, chương 12.", "One Piece – Chương 12"),
        ({"title": "Bình minh"}, "One Piece, chương 12. Bình minh.", "One Piece – Chương 12: Bình minh"),
        ({"title": "Ai đó?"}, "One Piece, chương 12. Ai đó?", "One Piece – Chương 12: Ai đó?"),
        ({"series": ""}, "Chương 12. One Piece 012.", "Chương 12: One Piece 012"),
        ({"number": ""}, "One Piece.", "One Piece"),
        ({"series": "", "title": "Chapter 12"}, "Chương 12.", "Chương 12"),
        ({"series": "", "number": "", "title": ""}, "Bắt đầu chương truyện.", "Chương truyện"),
        ({"series": "", "number": "", "title": "Mưa"}, "Mưa.", "Mưa"),
        ({"series": "", "number": "", "title": "pc"}, "Bắt đầu chương truyện.", "pc"),
        ({"series": "wt", "title": ""}, "Chương 12.", "wt – Chương 12"),
        ({"title": "Tập 12: Mưa"}, "One Piece, tập 12. Mưa.", "One Piece – Tập 12: Mưa"),
        ({"number": "12.5"}, "One Piece, chương 12.5.", "One Piece – Chương 12.5"),
    ],
)
def test_names_are_used_as_far_as_they_are_known(known: dict[str, str], opening: str, title: str) -> None:
    script = write(chapter([2, 1], **known))
    assert script.scenes[0].text == opening
    assert script.title == title


@pytest.mark.parametrize(
    ("series", "number", "title", "whole"),
    [
        ("One Piece", "1001", "One Piece - Chapter 1001 - Luffy vs Kaido", "One Piece – Chương 1001: Luffy vs Kaido"),
        ("Doraemon", "5", "Tập 5", "Doraemon – Tập 5"),
        ("Doraemon", "5", "Vol. 05", "Doraemon – Tập 5"),
        ("", "5", "Chuong 5", "Chương 5"),
        ("", "5", "Chapter 5: Mưa", "Chương 5: Mưa"),
        ("", "5", "005 - Mưa", "Chương 5: Mưa"),
        ("", "5", "Chapter 51", "Chương 5"),
        ("", "5", "5 anh em", "Chương 5: 5 anh em"),
        ("", "12.5", "Ch.12.5", "Chương 12.5"),
        ("", "12", "c012v2 Đêm", "Chương 12: c012v2 Đêm"),
        ("Mướp", "1", "Mướp bắt trăng", "Mướp – Chương 1: Mướp bắt trăng"),
        ("A+ (", "1", "A+ ( - #1: Mưa", "A+ ( – Chương 1: Mưa"),
        ("Conan", "", "Conan: Mưa", "Conan – Mưa"),
    ],
)
def test_a_title_does_not_say_series_and_number_twice(series: str, number: str, title: str, whole: str) -> None:
    assert titles.video_title(series, number, title) == whole


def test_a_sidecars_title_is_the_videos() -> None:
    assert titles.of_chapter(chapter([1], sidecar=side(title="<Riêng>"))) == "‹Riêng›"
    assert titles.of_chapter(chapter([1], sidecar=side())) == "One Piece – Chương 12"


def test_a_volume_is_called_one_to_its_end() -> None:
    assert texts(chapter([1, 1], title="Tập 12"))[-1] == "Trang cuối. Hết tập 12."


def test_a_strip_is_tagged_as_one() -> None:
    assert write(chapter([1], direction="ttb")).tags[1] == "webtoon"


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        ({"series": "", "number": "", "title": "ms"}, "Truyện tranh: ms."),
        ({"series": "", "number": "", "title": ""}, "Truyện tranh."),
        ({"number": "", "title": "Mưa"}, "Một chương truyện của One Piece: Mưa."),
        ({"series": "", "title": ""}, "Chương 12."),
    ],
)
def test_the_description_reads_well_whatever_is_known(known: dict[str, str], sentence: str) -> None:
    assert write(chapter([1], **known)).description.splitlines()[0] == sentence


def test_title_description_and_tags_fit_what_youtube_takes() -> None:
    script = write(chapter([1], series="<b>" + "Dài " * 100, title="Một <i>tên</i> " * 40, number="1" * 50))
    everything = script.title + script.description + "".join(script.tags)
    assert not set("<>") & set(everything)
    assert len(script.title) <= 100
    assert len(script.description.encode()) < 5000
    assert sum(map(len, script.tags)) < 300
    assert all("\n" not in tag and "," not in tag for tag in script.tags)


def test_the_description_says_what_the_video_is() -> None:
    script = write(chapter([2, 1], title="Bình minh"))
    assert script.description == "Chương 12 của One Piece: Bình minh.\nBản đọc tiếng Việt, 2 trang, 3 khung tranh."
    assert script.tags == ("One Piece", "manga", "truyện tranh", "đọc truyện tiếng Việt")


def test_a_chapter_of_one_panel_opens_and_closes_on_it() -> None:
    assert texts(chapter([1])) == ["One Piece, chương 12. Hết chương 12."]


def test_writing_twice_gives_the_same_script() -> None:
    assert write(chapter([3, 2])) == write(chapter([3, 2]))
