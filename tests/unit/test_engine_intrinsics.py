"""Intrinsic functions, by the examples and limits of their documentation."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from mangavid.local.engine import intrinsics, jsonpath
from mangavid.local.engine.intrinsics import BadIntrinsic, Failed, PathMissing

INPUT = {"name": "Arnav", "array": [1, 2, 3, 4, 5, 6, 7, 8, 9], "object": {"a": 1, "b": [True, None]}, "seven": 7}


def value(text: str, data: Any = INPUT) -> Any:
    return intrinsics.evaluate(intrinsics.parse(text), lambda path: jsonpath.read(path, data), Random(1))


@pytest.mark.parametrize(
    ("call", "wanted"),
    [
        ("States.Format('Hello, my name is {}.', $.name)", "Hello, my name is Arnav."),
        ("States.Format('{} {} {}', 1, true, null)", "1 true null"),
        ("States.Format('{}', $.object)", "{a=1, b=[true, null]}"),
        (r"States.Format('\{{}\} it\'s {}', 1, 'x')", "{1} it's x"),
        ("States.Format('đêm {}', 'trăng, (và) sao')", "đêm trăng, (và) sao"),
        ("""States.StringToJson('{"a": [1, 2]}')""", {"a": [1, 2]}),
        ("States.JsonToString($.object)", '{"a":1,"b":[true,null]}'),
        ("States.Array($.name, 2, 'x', States.Array())", ["Arnav", 2, "x", []]),
        ("States.ArrayPartition($.array, 4)", [[1, 2, 3, 4], [5, 6, 7, 8], [9]]),
        ("States.ArrayContains($.array, 5)", True),
        ("States.ArrayContains(States.Array(1, 2), true)", False),
        ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("States.ArrayRange(3, -1, -2)", [3, 1, -1]),
        ("States.ArrayRange(1, 0, 1)", []),
        ("States.ArrayGetItem($.array, 5)", 6),
        ("States.ArrayLength($.array)", 9),
        ("States.ArrayUnique(States.Array(1, 2, 2, true, 1, 'a', 'a'))", [1, 2, True, "a"]),
        ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
        ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", "Data to encode"),
        ("States.Hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        (
            """States.JsonMerge(States.StringToJson('{"a":{"x":1},"b":1}'), $.object, false)""",
            {"a": 1, "b": [True, None]},
        ),
        ("States.MathAdd(111, -1)", 110),
        ("States.MathAdd(1.5, 2.5)", 5),
        ("States.MathAdd(-1.5, 0)", -1),
        ("States.StringSplit('1,2,3,4,5', ',')", ["1", "2", "3", "4", "5"]),
        ("States.StringSplit('This.is+a,test=string', '.+,=')", ["This", "is", "a", "test", "string"]),
        ("States.Format('{}', States.MathAdd(States.ArrayLength($.array[?(@ > 7)]), $.seven))", "9"),
    ],
)
def test_the_documented_value(call: str, wanted: Any) -> None:
    assert value(call) == wanted


def test_a_random_number_is_in_its_range_and_a_seed_repeats_it() -> None:
    drawn = {value(f"States.MathRandom(1, 4, {seed})") for seed in range(200)}
    assert drawn == {1, 2, 3}
    assert value("States.MathRandom(1, 1000000, 42)") == value("States.MathRandom(1, 1000000, 42)")


def test_a_uuid_is_version_4() -> None:
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", value("States.UUID()"))


@pytest.mark.parametrize(
    "call",
    [
        "States.Format('{} {}', 1)",
        "States.Format('{}', 1, 2)",
        "States.Format($.seven)",
        "States.StringToJson('{nope')",
        "States.ArrayPartition($.array, 0)",
        "States.ArrayPartition($.name, 2)",
        "States.ArrayRange(0, 1000, 1)",
        "States.ArrayRange(0, 1, 0)",
        "States.ArrayGetItem($.array, 9)",
        "States.ArrayGetItem($.array, -1)",
        "States.ArrayLength($.name)",
        "States.Base64Decode('***')",
        "States.Hash('x', 'SHA-3')",
        "States.JsonMerge($.object, $.object, true)",
        "States.JsonMerge($.object, $.array, false)",
        "States.MathRandom(3, 3)",
        "States.MathAdd(2147483647, 1)",
        "States.MathAdd('1', 1)",
        "States.MathAdd(true, 1)",
        f"States.Base64Encode('{'x' * 10_001}')",
    ],
)
def test_arguments_that_do_not_fit_are_refused_when_it_runs(call: str) -> None:
    with pytest.raises(Failed):
        value(call)


def test_a_path_that_finds_nothing_is_told_as_written() -> None:
    with pytest.raises(PathMissing) as problem:
        value("States.Format('{}', States.JsonToString($.no['such']))")
    assert problem.value.path == "$.no['such']"


@pytest.mark.parametrize(
    "call",
    [
        "States.Nope()",
        "States.Format",
        "States.Format()",
        "States.UUID(1)",
        "States.MathAdd(1)",
        "States.MathAdd(1, 2) and more",
        "States.MathAdd(1 2)",
        "States.MathAdd(1,",
        "States.Format('open, $.a)",
        "States.Format('{}', $.a[)",
        "States.Array(nope)",
        "$.a",
    ],
)
def test_what_is_not_a_call_is_refused_before_it_runs(call: str) -> None:
    with pytest.raises(BadIntrinsic):
        intrinsics.parse(call)


def test_all_eighteen_are_here() -> None:
    assert len(intrinsics.NAMES) == 18
