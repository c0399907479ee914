"""Who may publish what: half a declaration is none, and MangaDex needs one more word."""

from __future__ import annotations

import pytest

from mangavid import rights
from mangavid.config import Config, Publisher, Rights, Source, Youtube
from mangavid.errors import RightsMissing
from mangavid.models import Credits
from mangavid.video import metadata

OWN = Rights(basis="own", holder="An")
MANGADEX = Credits(source="MangaDex", groups=("Nhóm",))
PUBLIC, PRIVATE = Youtube(privacy="public"), Youtube()


@pytest.mark.parametrize(
    ("declared", "missing"),
    [
        (Rights(), "rights.basis is empty"),
        (Rights(holder="An", licence="CC BY 4.0"), "rights.basis is empty"),
        (Rights(basis="own"), "rights.holder is empty"),
        (Rights(basis="permission", holder="  "), "rights.holder is empty"),
        (Rights(basis="licence", holder="An"), "rights.licence is empty"),
        (Rights(basis="licence", licence="CC BY 4.0"), "rights.holder is empty"),
    ],
)
def test_half_a_declaration_is_none(declared: Rights, missing: str) -> None:
    with pytest.raises(RightsMissing, match=missing) as caught:
        rights.check(declared, PRIVATE, Credits())
    assert caught.value.hint
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    "declared",
    [OWN, Rights(basis="public-domain"), Rights(basis="licence", licence="CC BY 4.0", holder="David Revoy")],
)
def test_a_whole_declaration_lets_any_other_chapter_be_published(declared: Rights) -> None:
    rights.check(declared, PUBLIC, Credits(source="Pepper&Carrot"))


@pytest.mark.parametrize("seen", [PUBLIC, Youtube(privacy="unlisted"), Youtube(publish_at="18:00")])
def test_what_comes_from_mangadex_is_shown_to_nobody_without_a_word_of_its_own(seen: Youtube) -> None:
    with pytest.raises(RightsMissing, match=r"rights\.mangadex is not declared"):
        rights.check(OWN, seen, MANGADEX)
    rights.check(Rights(basis="permission", holder="An", mangadex=True), seen, MANGADEX)
    rights.check(OWN, PRIVATE, MANGADEX)


def test_the_word_for_mangadex_alone_is_no_declaration() -> None:
    with pytest.raises(RightsMissing, match=r"rights\.basis"):
        rights.check(Rights(mangadex=True), PRIVATE, MANGADEX)


def test_files_need_no_rights() -> None:
    rights.check_settings(Config())


def test_settings_that_could_never_publish_are_found_before_anything_is_made() -> None:
    youtube = Publisher(kind="youtube")
    with pytest.raises(RightsMissing):
        rights.check_settings(Config(publisher=youtube))
    with pytest.raises(RightsMissing, match="MangaDex"):
        rights.check_settings(Config(publisher=youtube, rights=OWN, youtube=PUBLIC, source=Source(kind="mangadex")))
    rights.check_settings(Config(publisher=youtube, rights=OWN, source=Source(kind="mangadex")))


def test_who_holds_the_rights_stands_in_the_description_once() -> None:
    licensed = Rights(basis="licence", licence="CC BY 4.0", holder="David\nRevoy <d>")
    said = rights.credited("Chuyện.\n\nGiấy phép: CC BY 4.0", licensed)
    assert said == "Chuyện.\n\nGiấy phép: CC BY 4.0\nBản quyền: David Revoy ‹d›"
    assert rights.credited("Chuyện.", Rights(basis="public-domain")) == "Chuyện."


def test_however_long_the_names_are_they_fit_the_room_that_descriptions_leave_for_them() -> None:
    longest = Rights(basis="licence", licence="ệ" * 5000, holder="ữ" * 5000)
    assert len(rights.credited("", longest).encode()) <= metadata.RIGHTS_BYTES
