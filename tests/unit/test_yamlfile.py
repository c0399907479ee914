"""Strict YAML: what is refused, with its line, and what scalars mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangavid.errors import BadSidecar, ConfigError
from mangavid.yamlfile import DEPTH, SIZE, load, plain, shown


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NO", "NO"),
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("2026-11-02", "2026-11-02"),
        ("2026-11-02T10:00:00Z", "2026-11-02T10:00:00Z"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("=", "="),
        ("<<", "<<"),
        ("010", 10),
        ("-010", -10),
        ("0o10", 8),
        ("0x1F", 31),
        ("+3", 3),
        ("12", 12),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-14.0", -14.0),
        ("true", True),
        ("FALSE", False),
        ("tRue", "tRue"),
        ("null", None),
        ("~", None),
        ("", None),
        ("'true'", "true"),
        ('"12"', "12"),
        ("'~'", "~"),
        ("Đêm trăng", "Đêm trăng"),
        ("9" * 60, "9" * 60),
    ],
)
def test_a_plain_scalar_means_what_yaml_1_2_says(text: str, value: Any) -> None:
    found = plain(f"key: {text}\n".encode(), "f.yaml")["key"]
    assert found == value
    assert type(found) is type(value)


def test_lists_and_mappings_come_with_the_line_of_every_key_and_entry() -> None:
    value, lines = load(b"a: 1\nb:\n  - x\n  - c: 2\n    d: [3, 4]\n", "f.yaml")
    assert value == {"a": 1, "b": ["x", {"c": 2, "d": [3, 4]}]}
    assert lines[("a",)] == 1
    assert lines[("b",)] == 2
    assert lines[("b", 0)] == 3
    assert lines[("b", 1)] == 4
    assert lines[("b", 1, "c")] == 4
    assert lines[("b", 1, "d", 1)] == 5


def test_keys_are_always_text() -> None:
    assert plain(b"1: a\nno: b\nnull: c\n", "f") == {"1": "a", "no": "b", "null": "c"}


def test_an_empty_file_is_none() -> None:
    assert plain(b"", "f") is None
    assert plain(b"# only a comment\n", "f") is None


def test_a_byte_order_mark_is_passed_over() -> None:
    assert plain(b"\xef\xbb\xbfa: 1\n", "f") == {"a": 1}


def test_windows_line_ends_are_read() -> None:
    assert plain(b"a: 1\r\nb: x\r\n", "f") == {"a": 1, "b": "x"}


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
)


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "'a' is given twice; the first is on line 1"),
        ("a:\n  x: 1\n  x: 2\n", 3, "'x' is given twice; the first is on line 2"),
        ("'a': 1\na: 2\n", 2, "given twice"),
        ("a: {b: 1, b: 2}\n", 1, "given twice"),
        ("a: &x 1\nb: *x\n", 1, "anchors"),
        ("a: *x\n", 1, "anchors"),
        (BOMB, 1, "anchors"),
        ("a: &a [*a]\n", 1, "anchors"),
        ("a: !!python/object/apply:os.system ['id']\n", 1, "tag"),
        ("a: !!str 1\n", 1, "tag"),
        ("a: ! 1\n", 1, "tag"),
        ("!!map\na: 1\n", 1, "tag"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: .inf\n", 1, "finite"),
        ("a: -.INF\n", 1, "finite"),
        ("a: .nan\n", 1, "finite"),
        ("a: 1e999\n", 1, "finite"),
        ("a: 1\n\tb: 2\n", 2, "tab"),
        ("a: b: c\n", 1, "second «:»"),
        ("a: [1, 2\nb: 3\n", 2, "a «,» or «]» is missing before this"),
        ("a: 'open\n", 1, "the quote opened on line 1 is never closed"),
        ('a: 1\nb: "open\nc: 2\n\n', 2, "the quote opened on line 2 is never closed"),
        ("a: 'open\n---\nb: 1\n", 1, "the quote opened on line 1 is never closed"),
        ("a:\n  b: [\n", 2, "the file ends in the middle of a value"),
        ("a: {b: 1\n", 1, "the file ends in the middle of a value"),
        ("a: [}\n", 1, "a value is missing before «}»"),
        ("a: @x\n", 1, "cannot start"),
        ("a:\n   b: 1\n  c: 2\n", 3, "don't fit together"),
        ("? [a, b]\n: 1\n", 1, "a key must be a word"),
        ("? {a: b}\n: 1\n", 1, "a key must be a word"),
        ('"": 1\n', 1, "a key is empty"),
        ("{: 1}\n", 1, "a value is missing before «:»"),
        (": 1\n", 1, "don't fit together"),
        ('a: "\\UFFFFFFFF"\n', 1, "can't be read"),
        ('a: "\\uD800"\n', 1, "surrogate"),
        ('"\\uD800": 1\n', 1, "surrogate"),
        ('a: "\\q"\n', 1, "unknown escape"),
        ("a: \x07\n", 1, "U+0007"),
        ("a: 1\nb: \x1b[31m\n", 2, "U+001B"),
        ("%YAML 99.1\n---\na: 1\n", 1, "incompatible"),
        (f"%YAML 1.{'9' * 5000}\n---\na: 1\n", 1, "can't be read"),
        ("[" * (DEPTH + 1), 1, "nested deeper"),
        ("[" * 200_000, 1, "nested deeper"),
        ("{a: " * 50_000, 1, "nested deeper"),
        ("".join(f"{' ' * n}a:\n" for n in range(200)), DEPTH + 1, "nested deeper"),
        ("- " * 100_000, 1, "nested deeper"),
    ],
)
def test_what_is_refused_is_refused_in_one_line_with_file_and_line(text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(text.encode("utf-8", "surrogatepass"), "my.yaml")
    message = str(caught.value)
    assert message.startswith(f"my.yaml:{line}: ")
    assert says in message
    assert "\n" not in message
    assert len(message) < 200


def test_bytes_that_are_not_utf8_are_refused_with_their_line() -> None:
    with pytest.raises(ConfigError, match=r"f:2: this is not UTF-8 text") as caught:
        load(b"a: 1\nb: \xe9t\xe9\n", "f")
    assert caught.value.hint == "save the file as UTF-8"
    with pytest.raises(ConfigError, match="not UTF-8"):
        load("a: 1".encode("utf-16"), "f")


def test_a_file_over_the_limit_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(ConfigError, match="larger than 256 KB"):
        load(b"[" * (SIZE + 1), "f")


def test_the_deepest_allowed_nesting_is_read() -> None:
    value = plain(("[" * DEPTH + "]" * DEPTH).encode(), "f")
    for _ in range(DEPTH - 1):
        value = value[0]
    assert value == []


def test_a_sidecar_is_refused_as_a_sidecar() -> None:
    with pytest.raises(BadSidecar, match=r"s\.yaml:1: "):
        plain(b"a: [", "s.yaml")


@settings(max_examples=500, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text("-:[]{}&*!|>'\"%@#?, \n\tab01\\u.~=<", max_size=80).map(str.encode)))
def test_whatever_the_bytes_they_are_read_or_refused_in_one_line(data: bytes) -> None:
    try:
        load(data, "f")
    except ConfigError as problem:
        assert str(problem).startswith("f:")
        assert "\n" not in str(problem)


LEAF = st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=8)
TREE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(TREE)
def test_json_is_read_as_json(value: Any) -> None:
    text = json.dumps({"value": value})
    assert plain(text.encode(), "f") == {"value": value}


def test_a_value_in_a_message_is_one_short_line_without_control_characters() -> None:
    assert shown("a\nb\x1b[31m") == "'a\\u000ab\\u001b[31m'"
    assert shown("x" * 500) == "'" + "x" * 60 + "…'"
    assert shown(None) == "nothing"
    assert shown(False) == "false"
    assert shown([1]) == "a list"
    assert shown({}) == "a mapping"
    assert shown(3.5) == "3.5"
