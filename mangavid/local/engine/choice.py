"""Choice rules: comparisons of a variable with a value or another path, and And, Or, Not of them."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from mangavid.local.engine import intrinsics, jsonpath

_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "Equals": intrinsics.same,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_TYPE_TESTS = {"IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"}
#: RFC 3339 with an upper-case T, and Z or an offset; Java's ISO_OFFSET_DATE_TIME lets the seconds be left out.
_TIMESTAMP = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})")


def _operators() -> dict[str, tuple[str, str, bool]]:
    """Operator → kind, order, whether its value is a path."""
    known = {}
    for kind in ("String", "Numeric", "Timestamp"):
        for order in _ORDERS:
            known[f"{kind}{order}"] = (kind, order, False)
            known[f"{kind}{order}Path"] = (kind, order, True)
    known["BooleanEquals"] = ("Boolean", "Equals", False)
    known["BooleanEqualsPath"] = ("Boolean", "Equals", True)
    known["StringMatches"] = ("String", "Matches", False)
    for test in _TYPE_TESTS:
        known[test] = ("Test", test, False)
    return known


OPERATORS = _operators()


class InvalidPath(Exception):
    """A path of a rule finds nothing; ``path`` is as written."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


def timestamp(value: Any) -> datetime | None:
    """The time a string names, or None where it is none."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    # Python reads microseconds; what is finer is cut off.
    trimmed = re.sub(r"(\.\d{6})\d+", r"\1", value)
    try:
        return datetime.fromisoformat(trimmed)
    except ValueError:
        return None


def numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def valid_operand(name: str, value: Any) -> bool:
    """Whether a rule's literal (or path) has the type its operator wants."""
    kind, _, is_path = OPERATORS[name]
    if is_path:
        return isinstance(value, str) and value.startswith("$")
    match kind:
        case "String":
            return isinstance(value, str)
        case "Numeric":
            return numeric(value)
        case "Timestamp":
            return timestamp(value) is not None
        case _:
            return isinstance(value, bool)


def holds(rule: dict[str, Any], read: Callable[[str], Any]) -> bool:
    """Whether a rule is true; ``read`` gives a path's value. Raises InvalidPath."""
    if "And" in rule:
        return all(holds(inner, read) for inner in rule["And"])
    if "Or" in rule:
        return any(holds(inner, read) for inner in rule["Or"])
    if "Not" in rule:
        return not holds(rule["Not"], read)
    name = next(key for key in rule if key in OPERATORS)
    wanted = rule[name]
    try:
        value = read(rule["Variable"])
    except jsonpath.NotFound:
        if name == "IsPresent":
            return wanted is False
        raise InvalidPath(rule["Variable"]) from None
    kind, order, is_path = OPERATORS[name]
    if kind == "Test":
        return _is(order, value) is wanted
    if is_path:
        try:
            wanted = read(wanted)
        except jsonpath.NotFound:
            raise InvalidPath(rule[name]) from None
    return _compare(kind, order, value, wanted)


def _is(test: str, value: Any) -> bool:
    match test:
        case "IsPresent":
            return True
        case "IsNull":
            return value is None
        case "IsNumeric":
            return numeric(value)
        case "IsString":
            return isinstance(value, str)
        case "IsBoolean":
            return isinstance(value, bool)
        case _:
            return timestamp(value) is not None


def _compare(kind: str, order: str, value: Any, wanted: Any) -> bool:
    if kind == "Timestamp":
        value, wanted = timestamp(value), timestamp(wanted)
        if value is None or wanted is None:
            return False
    elif kind == "String":
        if not isinstance(value, str) or not isinstance(wanted, str):
            return False
        if order == "Matches":
            return _matches(value, wanted)
    elif kind == "Numeric":
        if not numeric(value) or not numeric(wanted):
            return False
    elif not isinstance(value, bool) or not isinstance(wanted, bool):
        return False
    return bool(_ORDERS[order](value, wanted))


def _matches(value: str, pattern: str) -> bool:
    """``*`` is any run of characters, ``\\*`` an asterisk; nothing else is special."""
    parts = re.findall(r"\\[*\\]|\*|[^*\\]+|\\", pattern)
    written = "".join(
        ".*" if part == "*" else re.escape(part[1:] if part in ("\\*", "\\\\") else part) for part in parts
    )
    return re.fullmatch(written, value, re.DOTALL) is not None
