"""Choice rules: every operator, right and wrong types, and paths that find nothing."""

from __future__ import annotations

from typing import Any

import pytest

from mangavid.local.engine import choice, jsonpath
from mangavid.local.engine.choice import InvalidPath

DATA: dict[str, Any] = {
    "text": "manga",
    "number": 3,
    "half": 0.5,
    "yes": True,
    "none": None,
    "when": "2026-11-23T08:00:00Z",
    "later": "2026-11-23T10:00:00.5+01:00",
    "same": {"text": "manga", "number": 3.0, "yes": True, "when": "2026-11-23T09:00:00+01:00"},
}


def holds(rule: dict[str, Any]) -> bool:
    return choice.holds(rule, lambda path: jsonpath.read(path, DATA))


@pytest.mark.parametrize(
    ("operator", "variable", "value", "wanted"),
    [
        ("StringEquals", "$.text", "manga", True),
        ("StringEquals", "$.text", "Manga", False),
        ("StringEquals", "$.number", "3", False),
        ("StringEqualsPath", "$.text", "$.same.text", True),
        ("StringLessThan", "$.text", "n", True),
        ("StringGreaterThan", "$.text", "a", True),
        ("StringLessThanEquals", "$.text", "manga", True),
        ("StringGreaterThanEqualsPath", "$.text", "$.same.text", True),
        ("NumericEquals", "$.number", 3, True),
        ("NumericEquals", "$.number", 3.0, True),
        ("NumericEquals", "$.yes", 1, False),
        ("NumericEquals", "$.text", 3, False),
        ("NumericEqualsPath", "$.number", "$.same.number", True),
        ("NumericLessThan", "$.half", 1, True),
        ("NumericGreaterThan", "$.half", 1, False),
        ("NumericLessThanEquals", "$.number", 3, True),
        ("NumericGreaterThanEquals", "$.number", 4, False),
        ("NumericLessThanPath", "$.half", "$.number", True),
        ("BooleanEquals", "$.yes", True, True),
        ("BooleanEquals", "$.yes", False, False),
        ("BooleanEquals", "$.number", True, False),
        ("BooleanEqualsPath", "$.yes", "$.same.yes", True),
        ("TimestampEquals", "$.when", "2026-11-23T08:00:00Z", True),
        ("TimestampEqualsPath", "$.when", "$.same.when", True),
        ("TimestampLessThan", "$.when", "2026-11-23T08:00:01Z", True),
        ("TimestampGreaterThanPath", "$.later", "$.when", True),
        ("TimestampLessThanEquals", "$.text", "2026-11-23T08:00:01Z", False),
        ("TimestampGreaterThanEquals", "$.later", "2026-11-23T09:00:00.500Z", True),
        ("IsNull", "$.none", True, True),
        ("IsNull", "$.text", False, True),
        ("IsPresent", "$.text", True, True),
        ("IsPresent", "$.none", True, True),
        ("IsPresent", "$.nope", True, False),
        ("IsPresent", "$.nope.deeper", False, True),
        ("IsNumeric", "$.half", True, True),
        ("IsNumeric", "$.yes", True, False),
        ("IsString", "$.text", True, True),
        ("IsString", "$.none", True, False),
        ("IsBoolean", "$.yes", True, True),
        ("IsBoolean", "$.number", False, True),
        ("IsTimestamp", "$.when", True, True),
        ("IsTimestamp", "$.later", True, True),
        ("IsTimestamp", "$.text", True, False),
    ],
)
def test_an_operator(operator: str, variable: str, value: Any, wanted: bool) -> None:
    assert choice.valid_operand(operator, value)
    assert holds({"Variable": variable, operator: value}) is wanted


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("manga", True),
        ("man*", True),
        ("*", True),
        ("*ang*", True),
        ("m?nga", False),
        ("[m]anga", False),
        ("man", False),
    ],
)
def test_only_the_asterisk_is_a_wildcard(pattern: str, wanted: bool) -> None:
    assert holds({"Variable": "$.text", "StringMatches": pattern}) is wanted


def test_an_escaped_asterisk_is_itself() -> None:
    def matches(text: str, pattern: str) -> bool:
        return choice.holds({"Variable": "$", "StringMatches": pattern}, lambda path: jsonpath.read(path, text))

    assert matches("a*b", r"a\*b")
    assert not matches("axb", r"a\*b")
    assert matches("a\\xb", r"a\\*b")
    assert matches("two\nlines", "two*")


def test_and_or_not_are_as_one_expects_and_stop_early() -> None:
    true, false = {"Variable": "$.number", "NumericEquals": 3}, {"Variable": "$.number", "NumericEquals": 4}
    unknown = {"Variable": "$.nope", "NumericEquals": 4}
    assert holds({"And": [true, {"Not": false}]})
    assert not holds({"And": [false, unknown]})
    assert holds({"Or": [true, unknown]})
    assert not holds({"Or": [false, {"Not": true}]})


@pytest.mark.parametrize("operator", sorted(choice.OPERATORS.keys() - {"IsPresent"}))
def test_a_variable_that_is_not_there_is_an_error_everywhere_but_in_is_present(operator: str) -> None:
    kind, _, path = choice.OPERATORS[operator]
    value: Any = "$.text" if path else {"Numeric": 1, "Boolean": True, "Test": True}.get(kind, "2026-11-23T08:00:00Z")
    with pytest.raises(InvalidPath, match=r"\$\.nope"):
        holds({"Variable": "$.nope", operator: value})


def test_a_path_to_compare_with_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InvalidPath, match=r"\$\.limit"):
        holds({"Variable": "$.number", "NumericLessThanPath": "$.limit"})


def test_there_are_thirty_nine_operators() -> None:
    assert len(choice.OPERATORS) == 39


@pytest.mark.parametrize(
    "text",
    ["2026-11-23", "2026-11-23 08:00:00Z", "2026-11-23T08:00:00", "2026-13-23T08:00:00Z", "2026-11-23t08:00:00z", 5],
)
def test_what_is_no_timestamp(text: Any) -> None:
    assert choice.timestamp(text) is None
