"""What mangavid itself says in a video and in its description, by the language of the narration."""

from __future__ import annotations

from typing import Final

import msgspec


class Phrases(msgspec.Struct, frozen=True, kw_only=True):
    """Words and sentences with ``{}`` for what is filled in."""

    chapter: str
    volume: str
    #: A chapter of which nothing is known.
    untitled: str
    page: str
    #: Over panels where a page begins, one after the other.
    pages: tuple[str, ...]
    last_page: str
    middle: str
    begins: str
    ends: str
    this_chapter: str
    #: A chapter without a number, with and without a series.
    some_chapter: str
    some_comic: str
    of_series: str
    read_in: str
    tags: tuple[str, ...]
    authors: str
    translators: str
    groups: str
    source: str
    licence: str
    holder: str


VIETNAMESE: Final = Phrases(
    chapter="Chương",
    volume="Tập",
    untitled="Chương truyện",
    page="Trang",
    pages=("Trang {}.", "Sang trang {}.", "Tiếp theo là trang {}."),
    last_page="Trang cuối.",
    middle="Đã đến giữa chương.",
    begins="Bắt đầu chương truyện.",
    ends="Hết {}.",
    this_chapter="chương",
    some_chapter="một chương truyện",
    some_comic="truyện tranh",
    of_series="{} của {}",
    read_in="Bản đọc tiếng Việt, {} trang, {} khung tranh.",
    tags=("truyện tranh", "đọc truyện tiếng Việt"),
    authors="Tác giả",
    translators="Người dịch",
    groups="Nhóm dịch",
    source="Nguồn",
    licence="Giấy phép",
    holder="Bản quyền",
)
ENGLISH: Final = Phrases(
    chapter="Chapter",
    volume="Volume",
    untitled="A chapter",
    page="Page",
    pages=("Page {}.", "On page {}.", "Next comes page {}."),
    last_page="The last page.",
    middle="Half of the chapter is told.",
    begins="The chapter begins.",
    ends="End of {}.",
    this_chapter="the chapter",
    some_chapter="a chapter",
    some_comic="a comic",
    of_series="{} of {}",
    read_in="Read in English, {} pages, {} panels.",
    tags=("comic", "manga recap"),
    authors="By",
    translators="Translated by",
    groups="Scanlation",
    source="Source",
    licence="Licence",
    holder="Rights",
)
_ALL: Final = {"vi": VIETNAMESE, "en": ENGLISH}


def phrases(language: str) -> Phrases:
    """Those of a language; Vietnamese where there are none of it."""
    return _ALL.get(language, VIETNAMESE)
