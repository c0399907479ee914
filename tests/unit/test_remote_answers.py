"""Answers of sources on the network are data: whatever is in them, what comes out is a chapter or one of our errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangavid.sources.asking import Asker, Manners, Patience, Unreadable
from mangavid.sources.mangadex_api import _Item, _listed, _title
from mangavid.sources.peppercarrot import _index
from mangavid.web import Answer, Web
from tests.fakes.memory import FakeClock

UUID = "0f5a4a1e-1111-4222-8333-123456789abc"
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
ANYTHING = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
LINKS = st.sampled_from(["http://[", "https://a.b/c", "x", "//", "http://", "javascript:1"]) | ANYTHING


def attributes(*names: str) -> Any:
    return st.fixed_dictionaries({}, optional=dict.fromkeys(names, ANYTHING) | {"externalUrl": LINKS})


@settings(max_examples=300, deadline=None)
@given(attributes("title", "altTitles", "tags", "originalLanguage", "contentRating", "chapterNumbersResetOnNewVolume"))
def test_a_title_of_any_attributes_is_read(about: dict[str, Any]) -> None:
    title = _title(_Item(UUID, about))
    assert title.name and title.name.isprintable()


@settings(max_examples=300, deadline=None)
@given(
    attributes("volume", "chapter", "title", "translatedLanguage", "pages", "version", "readableAt", "isUnavailable")
)
def test_a_chapter_of_any_attributes_is_read(about: dict[str, Any]) -> None:
    chapter = _listed(_Item(UUID, about), UUID)
    assert all(text.isprintable() for text in (chapter.title, chapter.number, chapter.volume, chapter.elsewhere))


ENTRY = st.fixed_dictionaries(
    {},
    optional={
        "dir": st.sampled_from(["ep01_A", "ep٣_A", "../x", "ep01_"]) | ANYTHING,
        "translations": st.just(["en", "vi"]) | ANYTHING,
        "filenames": st.fixed_dictionaries({"comic": st.just(["a.jpg"]) | ANYTHING}) | ANYTHING,
        "pages": st.just({"1": "a.jpg", "cover": "b.jpg"}) | ANYTHING,
        "total_pages": st.integers(-3, 10**9) | ANYTHING,
        "credits": st.just({"Translation": ["A"]}) | ANYTHING,
        "authors": ANYTHING,
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ENTRY | ANYTHING, max_size=4) | ANYTHING)
def test_a_list_of_any_episodes_is_read_or_is_unreadable(raw: Any) -> None:
    try:
        episodes = _index(Answer(200, {}, json.dumps(raw).encode()))
    except Unreadable:
        return
    for episode in episodes:
        assert episode.folder.startswith("ep") and episode.folder.isascii() and "/" not in episode.folder
        assert all("/" not in file and ".." not in file for file in episode.files)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "5"}, 6),
        ({"retry-after": "²"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Mon, 23 Nov 2026 08:00:30 GMT"}, 31),
        ({"x-ratelimit-retry-after": "1795420830"}, 31),
        ({"x-ratelimit-retry-after": "1795420830", "date": "Mon, 23 Nov 2026 08:00:20 GMT"}, 11),
        ({"x-ratelimit-retry-after": "1"}, 1),
        ({"x-ratelimit-retry-after": "-1", "retry-after": "1"}, 2),
        ({"x-ratelimit-retry-after": "1795420830", "date": "nonsense"}, 31),
    ],
)
def test_how_long_a_server_wants_to_be_left_alone(headers: dict[str, str], seconds: float | None) -> None:
    asker = Asker("it", Web("test", ()), FakeClock(), Manners(), Patience())
    assert asker.asked_wait(Answer(429, headers, b"")) == seconds
