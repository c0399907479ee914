"""Names of files and folders: order, junk, and how they are shown."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.sources.names import clean, is_junk, is_page, page_order, plain_number, shown


def in_order(names: list[str]) -> list[str]:
    mixed = names[:]
    random.Random(7).shuffle(mixed)
    return sorted(mixed, key=page_order)


def test_pages_sort_by_the_value_of_their_numbers_and_without_regard_to_case() -> None:
    names = ["page0.jpg", "Page1.jpg", "page2.JPG", "Page3.jpg", "page4.jpg", "page10.jpg"]
    assert in_order(names) == names


def test_nested_folders_sort_folder_by_folder() -> None:
    names = ["ch 2/1.png", "ch 2/2.png", "ch 10/1.png", "ch 10/02.png"]
    assert in_order(names) == names


def test_windows_separators_sort_like_slashes() -> None:
    names = ["a\\2.png", "a\\10.png", "b\\1.png"]
    assert in_order(names) == names


def test_full_width_digits_count_as_numbers() -> None:
    names = ["第２話.png", "第１０話.png"]
    assert in_order(names) == names


def test_the_two_ways_to_write_an_accent_sort_alike() -> None:
    assert in_order(["trang é 1.png", "trang e\u0301 2.png", "trang é 3.png"]) == [
        "trang é 1.png",
        "trang e\u0301 2.png",
        "trang é 3.png",
    ]


@given(st.lists(st.text(max_size=20), max_size=12))
def test_any_names_have_one_order(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=page_order) == sorted(backwards, key=page_order)


@pytest.mark.parametrize(
    "name",
    [
        "__MACOSX/._001.jpg",
        ".DS_Store",
        "a/.hidden.png",
        "Thumbs.db",
        "DESKTOP.INI",
        "@eaDir/001.jpg",
        "x\\__MACOSX\\1.jpg",
    ],
)
def test_what_systems_leave_behind_is_junk(name: str) -> None:
    assert is_junk(name)
    assert not is_page(name)


@pytest.mark.parametrize(
    "name", ["ComicInfo.xml", "credits.txt", "read me.nfo", "inner.cbz", "folder.jpg/", "jpg", ".jpg"]
)
def test_other_files_are_no_pages(name: str) -> None:
    assert not is_page(name)


@pytest.mark.parametrize("name", ["1.jpg", "a/b/01.JPEG", "..\\x.webp", "é.avif", "t.gif", "../../1.png"])
def test_images_are_pages_wherever_their_names_point(name: str) -> None:
    assert is_page(name)


def test_shown_names_have_no_drive_no_root_and_no_way_up() -> None:
    assert shown("C:\\a\\..\\..\\b.jpg") == "a/b.jpg"
    assert shown("/etc/../x.png") == "etc/x.png"
    assert shown("../") == "unnamed"


@given(st.text(max_size=400))
def test_cleaned_text_is_one_short_line_without_control_or_direction_marks(text: str) -> None:
    result = clean(text, 50)
    assert len(result) <= 50
    assert not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E for c in result)


def test_vietnamese_survives_cleaning_composed() -> None:
    assert clean("Đe\u0302m  tra\u0306ng\n") == "Đêm trăng"


@pytest.mark.parametrize(
    ("text", "plain"), [("007", "7"), ("012.50", "12.5"), ("0", "0"), ("1,5", "1.5"), (" Extra ", "Extra"), ("", "")]
)
def test_numbers_lose_what_does_not_count(text: str, plain: str) -> None:
    assert plain_number(text) == plain
