"""The narration sidecar: its format, and everything wrong told at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangavid import yamlfile
from mangavid.errors import BadSidecar
from mangavid.models import Narration, Sidecar
from mangavid.sources import sidecar

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "sidecar.md"


def read(value: Any) -> Sidecar:
    return sidecar.read(json.dumps(value).encode(), "n.json", yamlfile.plain)


def problems(value: Any) -> list[str]:
    with pytest.raises(BadSidecar) as caught:
        read(value)
    return str(caught.value).splitlines()


def documented(kind: str) -> bytes:
    return DOCUMENTATION.read_text().split(f"```{kind}\n")[1].split("```")[0].encode()


def test_the_documented_yaml_is_read_as_the_documentation_says() -> None:
    read_ = sidecar.read(documented("yaml"), "narration.yaml", yamlfile.plain)
    assert read_.title == "Đêm trăng trên phố cổ"
    assert read_.intro.startswith("Chào")
    assert read_.narration[0] == Narration(page=1, text="Trăng lên trên những mái ngói cũ.")
    assert [(n.page, n.panel, n.text) for n in read_.narration[1:]] == [
        (2, 1, "Minh dừng lại trước cửa tiệm sách."),
        (2, 2, "- Có ai ở nhà không?"),
        (2, 3, ""),
        (2, 4, "Không một tiếng trả lời."),
        (4, None, "Bên trong, một ngọn nến vẫn cháy."),
    ]


def test_the_documented_json_is_read() -> None:
    read_ = sidecar.read(documented("json"), "narration.json", yamlfile.plain)
    assert [(n.page, n.panel) for n in read_.narration] == [(1, None), (2, 1), (2, 2), (2, 3)]


def test_the_documented_complaints_are_the_ones_it_makes() -> None:
    shown = [line.split(": ", 1)[1] for line in documented("text").decode().splitlines()]
    made = problems({"titel": "x", "pages": {"two": "x", "2": ["a", "b", 3]}})
    assert [line.split(": ", 1)[1] for line in made] == shown


def test_all_problems_are_told_at_once_each_with_file_and_entry() -> None:
    lines = problems({"title": 5, "language": "Vietnamese!", "pages": {"0": "a", "1": True, "2": [[]], "x": "b"}})
    assert len(lines) == 6
    assert all(line.startswith("n.json: ") for line in lines)
    assert "page 2, panel 1" in "\n".join(lines)


@pytest.mark.parametrize("value", [None, 3, "text", [], {}, {"pages": {}}, {"pages": ["a"]}, {"title": "only"}])
def test_a_document_without_pages_is_refused(value: Any) -> None:
    assert problems(value)


def test_a_page_given_twice_is_refused() -> None:
    assert problems({"pages": {"1": "a", "01": "b"}}) == ["n.json: page 1 is there twice"]


def test_long_texts_are_refused_not_cut() -> None:
    assert "2001 characters" in problems({"pages": {"1": "x" * 2001}})[0]


def test_a_thousand_problems_are_told_in_twenty_lines_and_a_count() -> None:
    lines = problems({"pages": {f"p{i}": "" for i in range(1000)}})
    assert len(lines) == 21
    assert "980 more" in lines[-1]


def test_control_and_direction_marks_are_taken_out() -> None:
    assert read({"pages": {"1": "a\u202eb\x1b[31m\nc"}}).narration[0].text == "ab[31m c"


@pytest.mark.parametrize("data", [b"{", b"[" * 100_000, b"\xff\xfe\x00", b"x" * (sidecar.MAX_BYTES + 1), b""])
def test_unreadable_json_is_refused_by_name(data: bytes) -> None:
    with pytest.raises(BadSidecar, match=r"n\.json"):
        sidecar.read(data, "n.json", yamlfile.plain)


def test_yaml_that_can_not_be_read_is_refused_by_name() -> None:
    with pytest.raises(BadSidecar, match=r"n\.yaml"):
        sidecar.read(b"pages: [1, 2", "n.yaml", yamlfile.plain)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["pages", "title", "1", "2"]), inner),
    max_leaves=12,
)


def test_a_refusal_shows_the_format_itself() -> None:
    with pytest.raises(BadSidecar) as caught:
        read({"pages": 3})
    assert "pages: {1: [text, text], 2: text}" in caught.value.hint


@given(JSON)
def test_any_json_is_a_sidecar_or_refused_in_plain_words(value: Any) -> None:
    try:
        assert read(value).narration
    except BadSidecar as problem:
        assert str(problem).startswith("n.json")


def test_entries_follow_their_pages_when_some_are_left_out() -> None:
    before = read({"pages": {"1": "one", "2": "two", "3": ["three"], "9": "nine"}})
    after = sidecar.renumbered(before, [True, False, True])
    assert [(n.page, n.text) for n in after.narration] == [(1, "one"), (2, "three"), (8, "nine")]


def test_an_entry_past_the_last_page_stays_past_it() -> None:
    before = read({"pages": {"4": "none such"}})
    assert sidecar.renumbered(before, [True, True, False]).narration[0].page == 3
