"""ComicInfo.xml: what is read, and what is left aside."""

from __future__ import annotations

import pytest

from mangavid.sources.comicinfo import MAX_BYTES, Unreadable, read

FULL = """<?xml version="1.0" encoding="utf-8"?>
<ComicInfo xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <Title>Đêm trăng</Title><Series>Phố cổ</Series><Number>012.50</Number><Volume>3</Volume>
  <Summary>Một đêm.</Summary><Writer>An, Bình</Writer><Penciller>Bình, Chi</Penciller>
  <Translator>Dung</Translator><ScanInformation>Nhóm A</ScanInformation><LanguageISO>vi</LanguageISO>
  <Web>https://example.org/a https://example.org/b</Web><Manga>YesAndRightToLeft</Manga><PageCount>3</PageCount>
  <Pages><Page Image="0" Type="FrontCover"/><Page Image="2" Type="Deleted"/></Pages>
</ComicInfo>"""


def test_every_field_that_is_used_is_read() -> None:
    info = read(FULL.encode())
    assert (info.title, info.series, info.number, info.volume) == ("Đêm trăng", "Phố cổ", "12.5", "3")
    assert (info.summary, info.language, info.direction) == ("Một đêm.", "vi", "rtl")
    assert info.credits.authors == ("An", "Bình", "Chi")
    assert info.credits.translators == ("Dung",)
    assert info.credits.groups == ("Nhóm A",)
    assert info.credits.url == "https://example.org/a"
    assert info.left_out == {2}


def test_utf_16_is_read_too() -> None:
    assert read(FULL.replace("utf-8", "utf-16").encode("utf-16")).series == "Phố cổ"


@pytest.mark.parametrize(("said", "direction"), [("No", "ltr"), ("Yes", None), ("Unknown", None), ("", None)])
def test_only_a_plain_word_gives_a_direction(said: str, direction: str | None) -> None:
    assert read(f"<ComicInfo><Manga>{said}</Manga></ComicInfo>".encode()).direction == direction


def test_identity_needs_a_series_and_what_tells_its_chapters_apart() -> None:
    assert read(b"<ComicInfo><Series>A</Series></ComicInfo>").identity == ""
    assert read(b"<ComicInfo><Number>1</Number></ComicInfo>").identity == ""
    one = read(b"<ComicInfo><Series>A  b</Series><Number>01</Number></ComicInfo>").identity
    assert one == read(b"<ComicInfo><Series>a B</Series><Number>1</Number></ComicInfo>").identity != ""


def test_texts_lose_control_characters_and_are_cut() -> None:
    title = read("<ComicInfo><Title>a\u202eb\u200bc\n d</Title></ComicInfo>".encode()).title
    assert title == "abc d"
    assert len(read(f"<ComicInfo><Title>{'x' * 5000}</Title></ComicInfo>".encode()).title) == 300


def test_a_web_field_that_is_no_web_address_is_dropped() -> None:
    assert read(b"<ComicInfo><Web>javascript:alert(1) file:///etc/passwd</Web></ComicInfo>").credits.url == ""


def test_a_language_that_is_no_code_is_dropped() -> None:
    assert read(b"<ComicInfo><LanguageISO>../vi</LanguageISO></ComicInfo>").language == ""


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'<!DOCTYPE c [<!ENTITY a "b">]><ComicInfo><Title>&a;</Title></ComicInfo>', "DOCTYPE"),
        (b'<!DOCTYPE c SYSTEM "http://127.0.0.1/x.dtd"><ComicInfo/>', "DOCTYPE"),
        ('<!DOCTYPE c [<!ENTITY a "b">]><ComicInfo/>'.encode("utf-16"), "DOCTYPE"),
        (b"<ComicInfo><Title>", "not well-formed"),
        (b"", "not well-formed"),
        (b"\xff\x00\xff", "not well-formed"),
        (b'<?xml version="1.0" encoding="no-such"?><ComicInfo/>', "not well-formed"),
        (b"<html><body>404</body></html>", "root"),
        (b"<ComicInfo>" + b"<a>" * 50 + b"</a>" * 50 + b"</ComicInfo>", "deeply"),
        (b"<ComicInfo>" + b" " * MAX_BYTES + b"</ComicInfo>", "larger"),
    ],
)
def test_what_does_not_fit_says_why(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(data)
