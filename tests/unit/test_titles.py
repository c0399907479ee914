"""What the names of chapters and their folders tell: series, number, title, group."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid.sources.titles import identity_of, read_path

#: Name, series, number, title, group. The folder is «Downloads», which tells nothing.
NAMES = [
    ("One Piece - Chapter 1001 - Luffy vs Kaido", "One Piece", "1001", "Luffy vs Kaido", ""),
    ("One Piece - Chapter 1001", "One Piece", "1001", "One Piece - Chapter 1001", ""),
    ("One Piece Chapter 1001: Luffy vs Kaido.cbz", "One Piece", "1001", "Luffy vs Kaido", ""),
    ("one-piece-chapter-1001", "one piece", "1001", "one piece chapter 1001", ""),
    ("solo-leveling-chapter-12-5.cbz", "solo leveling", "12.5", "solo leveling chapter 12-5", ""),
    ("One_Piece_Ch.1001.cbz", "One Piece", "1001", "One Piece Ch.1001", ""),
    ("One.Piece.Chapter.12.5", "One Piece", "12.5", "One Piece Chapter 12.5", ""),
    ("[Nhóm dịch] Doraemon - Tập 5 (2020)", "Doraemon", "5", "Tập 5", "Nhóm dịch"),
    ("Doraemon - Tập 5 - Bảo bối thần kỳ.zip", "Doraemon", "5", "Tập 5: Bảo bối thần kỳ", ""),
    ("Doraemon tập 05", "Doraemon", "5", "Tập 5", ""),
    ("Doraemon Tập 5 - Chương 3 - Cỗ máy thời gian", "Doraemon", "3", "Cỗ máy thời gian", ""),
    ("Chuong 5", "", "5", "Chuong 5", ""),
    ("Chương 7.zip", "", "7", "Chương 7", ""),
    ("Chương 12: Đêm trăng", "", "12", "Đêm trăng", ""),
    ("Chap 12 - Trận chiến cuối", "", "12", "Trận chiến cuối", ""),
    ("chap12", "", "12", "chap12", ""),
    ("Thám Tử Conan Chap 1120 [VN]", "Thám Tử Conan", "1120", "Thám Tử Conan Chap 1120", ""),
    ("Yotsuba - c001 (v01) [Group].cbz", "Yotsuba", "1", "Yotsuba - c001", "Group"),
    ("Naruto v01 c012 (2003) (Digital) (Hero-Empire).cbz", "Naruto", "12", "Naruto v01 c012", ""),
    ("Yotsuba v05 (2008) (Digital).cbz", "Yotsuba", "5", "Tập 5", ""),
    ("Berserk Vol. 3", "Berserk", "3", "Tập 3", ""),
    ("Vol.3.cbz", "", "3", "Tập 3", ""),
    ("[Moon Scans] Frieren - Vol. 1 Ch. 12.5 - The Mage (en)", "Frieren", "12.5", "The Mage", "Moon Scans"),
    ("【Trăng】Frieren c012", "Frieren", "12", "Frieren c012", "Trăng"),
    ("Moon Scans_Chapter 12", "", "12", "Moon Scans Chapter 12", "Moon Scans"),
    ("Vol. 1 Ch. 0012 - Khởi đầu", "", "12", "Khởi đầu", ""),
    ("Ch.012", "", "12", "Ch.012", ""),
    ("#12", "", "12", "#12", ""),
    ("Spider #12 - Bẫy", "Spider", "12", "Bẫy", ""),
    ("c012v2", "", "12", "c012v2", ""),
    ("12.5", "", "12.5", "12.5", ""),
    ("007.cbz", "", "7", "007", ""),
    ("012 - Romance Dawn", "", "12", "Romance Dawn", ""),
    ("1. Bình minh phiêu lưu", "", "1", "Bình minh phiêu lưu", ""),
    ("Berserk 012.cbz", "Berserk", "12", "Berserk 012", ""),
    ("20th Century Boys 003", "20th Century Boys", "3", "20th Century Boys 003", ""),
    ("20th Century Boys - 003 - Friend", "20th Century Boys", "3", "Friend", ""),
    ("No.6 - Chapter 3", "No.6", "3", "No.6 - Chapter 3", ""),
    ("7 viên ngọc rồng", "", "", "7 viên ngọc rồng", ""),
    ("Thám tử mèo (2020)", "", "", "Thám tử mèo", ""),
    ("Thám tử mèo 2020", "", "", "Thám tử mèo 2020", ""),
    ("第３話.cbz", "", "3", "第３話", ""),
    ("進撃の巨人 第3巻 第12話 開戦", "進撃の巨人", "12", "開戦", ""),
    ("進撃の巨人 3巻", "進撃の巨人", "3", "Tập 3", ""),
    ("Bleach Chapter 12 [END]", "Bleach", "12", "Bleach Chapter 12", ""),
    ("Bleach Chapter 12 END", "Bleach", "12", "Bleach Chapter 12 END", ""),
    ("Bleach Chương 1-3", "Bleach", "1-3", "Bleach Chương 1-3", ""),
    ("Ngoại truyện 2", "", "", "Ngoại truyện 2", ""),
    ("Oneshot.cbz", "", "", "Oneshot", ""),
    ("ms", "", "", "ms", ""),
    ("Kỳ 4 - Mưa", "", "4", "Mưa", ""),
    ("Hồi 10", "", "10", "Hồi 10", ""),
    ("Bleach c012 [1A2B3C4D][720p] [Trăng Non]", "Bleach", "12", "Bleach c012", "Trăng Non"),
]


@pytest.mark.parametrize(("name", "series", "number", "title", "group"), NAMES)
def test_a_name_tells_series_number_title_and_group(
    name: str, series: str, number: str, title: str, group: str
) -> None:
    named = read_path(Path("/home/user1/Downloads") / name)
    assert (named.series, named.number, named.title, named.group) == (series, number, title, group)


@pytest.mark.parametrize(
    ("path", "series"),
    [
        ("/m/One Piece/Chapter 0012.cbz", "One Piece"),
        ("/m/One Piece/Vol. 2/Ch.12.5.cbz", "One Piece"),
        ("/m/One Piece Vol 2/Ch.12.5.cbz", "One Piece"),
        ("/m/One Piece (1997) [VN]/3", "One Piece"),
        ("/m/Chú Thuật/Chương 7.zip", "Chú Thuật"),
        ("/m/進撃の巨人/第３話.cbz", "進撃の巨人"),
        ("/m/20th Century Boys/003.cbz", "20th Century Boys"),
        ("/m/One Piece/Extra 2.cbz", "One Piece"),
        ("/m/One Piece/Oneshot", "One Piece"),
        ("/tmp/user1/t1/ms", ""),
        ("/tmp/user1/t1/A/ch1", "A"),
        ("/tmp/user1/t1/N/12", "N"),
        ("/tmp/user1/t1/N/B/ch2", "B"),
        ("/tmp/user1/N/Tập 1/ch2", "N"),
        ("/home/user1/Chuong 5", ""),
        ("/Users/user1/Vol 1/Chuong 5", ""),
        ("/home/user1/manga/Chuong 5", ""),
        ("/home/user1/12/Chuong 5", ""),
        ("/Chuong 5", ""),
    ],
)
def test_the_folder_names_the_series_and_none_above_it_but_a_volumes(path: str, series: str) -> None:
    assert read_path(Path(path)).series == series


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_any_name_has_a_title(name: str) -> None:
    assert read_path(Path("/m") / name).title


def test_identity_stays_when_the_series_moves_and_the_spelling_of_the_path_changes() -> None:
    assert identity_of(Path("/a/b/One Piece/Chapter 1.cbz")) == identity_of(Path("/z/one  piece/chapter 1.zip"))


def test_same_names_in_two_series_are_two_chapters() -> None:
    assert identity_of(Path("/m/A B/Vol 1/ch 1.cbz")) != identity_of(Path("/m/C D/Vol 1/ch 1.cbz"))
    assert identity_of(Path("/m/Naruto/1.cbz")) != identity_of(Path("/m/Bleach/1.cbz"))


def test_volumes_of_one_series_are_told_apart() -> None:
    assert identity_of(Path("/m/Naruto/Vol 1/1.cbz")) != identity_of(Path("/m/Naruto/Vol 2/1.cbz"))
