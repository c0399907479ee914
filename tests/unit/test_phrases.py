"""The same said in another language: nothing Vietnamese is left in an English video, and nothing is missing."""

from __future__ import annotations

import re

import msgspec
import pytest

from mangavid.models import Box, Chapter, Credits, Page, Panel, Piece
from mangavid.phrases import ENGLISH, VIETNAMESE, phrases
from mangavid.video import metadata
from mangavid.writers import neutral, titles

VIETNAMESE_ONLY = re.compile("[ăâđêôơư\u1ea0-\u1ef9]", re.IGNORECASE)


def chapter(pages: int = 3, **fields: object) -> Chapter:
    whole = Chapter(
        job_id="j", source="/x", title="The Rain", series="Kite", number="12", language="en", direction="ltr",
        pages=tuple(Page(index=n, name=f"{n}", key="k", sha256="", width=10, height=10) for n in range(pages)),
        panels=tuple(Panel(index=n, pieces=(Piece(page=n, box=Box(0, 0, 10, 10)),)) for n in range(pages)),
    )  # fmt: skip
    return msgspec.structs.replace(whole, **fields)


@pytest.mark.parametrize("field", VIETNAMESE.__struct_fields__)
def test_each_phrase_has_as_many_places_in_every_language(field: str) -> None:
    here, there = (getattr(one, field) for one in (VIETNAMESE, ENGLISH))
    texts = zip(here, there, strict=True) if isinstance(here, tuple) else [(here, there)]
    for vietnamese, english in texts:
        assert vietnamese.count("{}") == english.count("{}")
        assert english and not VIETNAMESE_ONLY.search(english)


def test_neutral_lines_titles_and_tags_are_in_the_language_of_the_chapter() -> None:
    said = neutral.lines(chapter())
    assert said == ["Kite, chapter 12. The Rain.", "Page 2.", "The last page. End of chapter 12."]
    assert titles.of_chapter(chapter()) == "Kite – Chapter 12: The Rain"
    assert neutral.description(chapter()) == ("Chapter 12 of Kite: The Rain.\nRead in English, 3 pages, 3 panels.")
    assert neutral.tags(chapter()) == ("Kite", "manga", "comic", "manga recap")
    assert neutral.lines(chapter(series="", number="", title="x"))[0] == "The chapter begins."


def test_credits_are_named_in_the_language_of_the_script() -> None:
    said = metadata.description("Story.", Credits(authors=("Ann",), licence="CC BY 4.0"), (), "en")
    assert said == "Story.\n\nBy: Ann\nLicence: CC BY 4.0"


def test_a_language_without_phrases_has_the_vietnamese_ones() -> None:
    assert phrases("en") is ENGLISH
    assert phrases("xx") is VIETNAMESE
