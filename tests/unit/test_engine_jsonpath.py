"""JSONPath as Step Functions has it."""

from __future__ import annotations

from typing import Any

import pytest

from mangavid.local.engine import jsonpath
from mangavid.local.engine.jsonpath import BadPath, NotFound

STORE: dict[str, Any] = {
    "books": [
        {"title": "Sayings", "price": 8.95, "year": 1896, "tags": ["old"]},
        {"title": "Sword", "price": 12.99, "year": 1952, "isbn": "x"},
        {"title": "Moby", "price": 8.99, "year": 1851, "tags": ["old", "sea"]},
    ],
    "one two": {"a.b": 1, "ghi'chú": 2},
    "limit": 10,
    "none": None,
    "deep": {"title": "inner", "list": [[1, 2], [3]]},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", STORE),
        ("$.limit", 10),
        ("$.none", None),
        ("$['one two']['a.b']", 1),
        ('$["one two"]["a.b"]', 1),
        (r"$['one two']['ghi\'chú']", 2),
        ("$.books[0].title", "Sayings"),
        ("$.books[-1].title", "Moby"),
        ("$.books[0]['title','year']", {"title": "Sayings", "year": 1896}),
        ("$.books.length()", 3),
        ("$.deep.list[1][0]", 3),
        ("$.books[0].title.length()", 7),
    ],
)
def test_a_definite_path_gives_the_value_itself(path: str, value: Any) -> None:
    assert jsonpath.parse(path).definite
    assert jsonpath.read(path, STORE) == value


@pytest.mark.parametrize(
    ("path", "titles"),
    [
        ("$.books[*].title", ["Sayings", "Sword", "Moby"]),
        ("$.books[0,2].title", ["Sayings", "Moby"]),
        ("$.books[1:].title", ["Sword", "Moby"]),
        ("$.books[:1].title", ["Sayings"]),
        ("$.books[:-1].title", ["Sayings", "Sword"]),
        ("$.books[-2:].title", ["Sword", "Moby"]),
        ("$.books[0:2].title", ["Sayings", "Sword"]),
        ("$.books[1:99].title", ["Sword", "Moby"]),
        ("$.books[2:1].title", []),
        ("$..title", ["Sayings", "Sword", "Moby", "inner"]),
        ("$..books[1].title", ["Sword"]),
        ("$.books[?(@.isbn)].title", ["Sword"]),
        ("$.books[?(!@.isbn)].title", ["Sayings", "Moby"]),
        ("$.books[?(@.price < 10 && @.year > 1860)].title", ["Sayings"]),
        ("$.books[?(@.price < $.limit || @.isbn == 'x')].title", ["Sayings", "Sword", "Moby"]),
        ("$.books[?(@.title =~ /s.*/i)].title", ["Sayings", "Sword"]),
        ("$.books[?(@.year in [1851, 1952])].title", ["Sword", "Moby"]),
        ("$.books[?(@.year nin [1851, 1952])].title", ["Sayings"]),
        ("$.books[?(@.tags contains 'sea')].title", ["Moby"]),
        ("$.books[?(@.tags size 1)].title", ["Sayings"]),
        ("$.books[?(@.tags anyof ['sea', 'land'])].title", ["Moby"]),
        ("$.books[?(@['title'] != 'Moby')].title", ["Sayings", "Sword"]),
        ("$.books.[?(@.year <= 1900)].title", ["Sayings", "Moby"]),
        ("$..[?(@.year >= 1952)].title", ["Sword"]),
        ("$.nothing[*].title", []),
        ("$.nothing[1:]", []),
        ("$.nothing.at.all[*]", []),
        ("$.books[?(@.price == 'dear')]", []),
    ],
)
def test_an_indefinite_path_gives_a_list_even_of_none(path: str, titles: list[str]) -> None:
    assert not jsonpath.parse(path).definite
    assert jsonpath.read(path, STORE) == titles


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("$.nope", "No results for path: $['nope']"),
        ("$.deep.nope", "No results for path: $['deep']['nope']"),
        ("$.nope.more", "Missing property in path $['nope']"),
        ("$.books[7]", "No results for path: $['books'][7]"),
        ("$.limit[0]", "Filter: [0] can only be applied to arrays"),
        ("$.limit.x", "Expected to find an object with property ['x']"),
    ],
)
def test_a_definite_path_that_finds_nothing_says_what_is_missing(path: str, said: str) -> None:
    with pytest.raises(NotFound) as problem:
        jsonpath.read(path, STORE)
    assert said in str(problem.value)


@pytest.mark.parametrize(
    "path",
    [
        *["limit", "$.", "$..", "$x", "$.a[", "$.a[1:2:3]", "$.a[?(@.x == )]", "$.a[?@.x]", "$.a['b]", "$.a.nofun()"],
        *["$.a[1 2]", "$.a[*].length()", "$.a[?(@.x ~ 1)]", "$.a b"],
    ],
)
def test_what_is_not_a_path_is_refused(path: str) -> None:
    with pytest.raises(BadPath):
        jsonpath.parse(path)


def test_writing_makes_the_objects_on_the_way_and_copies() -> None:
    before = {"a": {"x": 1}, "list": [1, 2]}
    assert jsonpath.parse("$.a.b.c").write(before, 7) == {"a": {"x": 1, "b": {"c": 7}}, "list": [1, 2]}
    assert jsonpath.parse("$.list[1]").write(before, 7) == {"a": {"x": 1}, "list": [1, 7]}
    assert jsonpath.parse("$").write(before, 7) == 7
    assert before == {"a": {"x": 1}, "list": [1, 2]}


@pytest.mark.parametrize(("path", "document"), [("$.a.b", {"a": 3}), ("$.list[5]", {"list": [1]}), ("$.a", [1])])
def test_writing_where_there_is_no_room_is_refused(path: str, document: Any) -> None:
    with pytest.raises(NotFound):
        jsonpath.parse(path).write(document, 1)


@pytest.mark.parametrize(
    ("path", "yes"), [("$.a.b[0]", True), ("$", True), ("$.a[*]", False), ("$..a", False), ("$['a','b']", False)]
)
def test_only_names_and_indexes_make_a_reference_path(path: str, yes: bool) -> None:
    assert jsonpath.parse(path).reference is yes
