"""Intrinsic functions of the Amazon States Language: ``States.Format('{}', $.name)`` and the other seventeen.

Rules and limits: https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html. What AWS rounds is
rounded as Java does it (half up).
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import json
import math
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from mangavid.local.engine import jsonpath
from mangavid.local.engine.jsontext import dumps

_MAX_TEXT = 10_000
_MAX_ARRAY = 1_000
_INT_LIMIT = 2**31


class BadIntrinsic(ValueError):
    """The text is not a call of a known intrinsic function; the message says why."""


class Failed(Exception):
    """A function refused its arguments."""


class PathMissing(Exception):
    """A path given as argument finds nothing; ``path`` is as written."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.path = path


@dataclass(frozen=True)
class PathArg:
    text: str


@dataclass(frozen=True)
class Call:
    """A parsed call; ``text`` is as written."""

    name: str
    args: tuple[Call | PathArg | str | int | float | bool | None, ...]
    text: str

    def paths(self) -> Iterator[str]:
        """Every path among the arguments, nested calls included."""
        for arg in self.args:
            if isinstance(arg, Call):
                yield from arg.paths()
            elif isinstance(arg, PathArg):
                yield arg.text


def evaluate(call: Call, read: Callable[[str], Any], random: Random) -> Any:
    """The call's value; ``read`` gives a path's value. Raises Failed, PathMissing."""
    values = []
    for arg in call.args:
        if isinstance(arg, Call):
            values.append(evaluate(arg, read, random))
        elif isinstance(arg, PathArg):
            try:
                values.append(read(arg.text))
            except jsonpath.NotFound:
                raise PathMissing(arg.text) from None
        else:
            values.append(arg)
    return _FUNCTIONS[call.name].run(values, random)


# --- the functions --------------------------------------------------------------------------------------------------


def _text(value: Any, what: str = "argument", limit: int = _MAX_TEXT) -> str:
    if not isinstance(value, str):
        raise Failed(f"the {what} must be a string, not {dumps(value)}")
    if len(value) > limit:
        raise Failed(f"the {what} may have {limit} characters, not {len(value)}")
    return value


def _array(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Failed(f"an array is needed, not {dumps(value)}")
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Failed(f"a number is needed, not {dumps(value)}")
    return value if isinstance(value, int) else math.floor(value + 0.5)


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "[" + ", ".join(map(_shown, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_shown(inner)}" for key, inner in value.items()) + "}"
    return dumps(value)


_HOLE = re.compile(r"\\([{}])|(\{\})")


def _format(args: list[Any], _random: Random) -> str:
    template, values = _text(args[0], "template", limit=1_000_000), iter(args[1:])
    used = 0

    def put(found: re.Match[str]) -> str:
        nonlocal used
        if found.group(1):
            return found.group(1)
        used += 1
        try:
            return _shown(next(values))
        except StopIteration:
            raise Failed(f"the template has more {{}} than the {len(args) - 1} values given") from None

    made = _HOLE.sub(put, template)
    if used != len(args) - 1:
        raise Failed(f"the template has {used} {{}}, and {len(args) - 1} values were given")
    return made


def _string_to_json(args: list[Any], _random: Random) -> Any:
    try:
        return json.loads(_text(args[0], limit=1_000_000))
    except ValueError as problem:
        raise Failed(f"not JSON: {problem}") from None


def _partition(args: list[Any], _random: Random) -> list[Any]:
    array, size = _array(args[0]), _whole(args[1])
    if size < 1:
        raise Failed(f"a chunk needs at least one element, not {size}")
    return [array[at : at + size] for at in range(0, len(array), size)]


def _range(args: list[Any], _random: Random) -> list[int]:
    first, last, step = map(_whole, args)
    if step == 0:
        raise Failed("the step of a range can't be 0")
    made = range(first, last + (1 if step > 0 else -1), step)
    if len(made) > _MAX_ARRAY:
        raise Failed(f"a range may have {_MAX_ARRAY} elements, not {len(made)}")
    return list(made)


def _get_item(args: list[Any], _random: Random) -> Any:
    array, index = _array(args[0]), _whole(args[1])
    if not 0 <= index < len(array):
        raise Failed(f"no element {index} in an array of {len(array)}")
    return array[index]


def same(left: Any, right: Any) -> bool:
    """Equality of JSON values: unlike Python's, true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    return bool(left == right)


def _unique(args: list[Any], _random: Random) -> list[Any]:
    kept: list[Any] = []
    for item in _array(args[0]):
        if not any(same(item, other) for other in kept):
            kept.append(item)
    return kept


def _decode(args: list[Any], _random: Random) -> str:
    try:
        return base64.b64decode(_text(args[0]), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as problem:
        raise Failed(f"not Base64 of a text: {problem}") from None


_HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


def _hash(args: list[Any], _random: Random) -> str:
    algorithm = _HASHES.get(args[1]) if isinstance(args[1], str) else None
    if algorithm is None:
        raise Failed(f"unknown algorithm {dumps(args[1])}; known: {', '.join(_HASHES)}")
    data = _text(args[0] if isinstance(args[0], str) else dumps(args[0]))
    return hashlib.new(algorithm, data.encode(), usedforsecurity=False).hexdigest()


def _merge(args: list[Any], _random: Random) -> dict[str, Any]:
    first, second, deep = args
    if not isinstance(first, dict) or not isinstance(second, dict):
        raise Failed("two objects are needed")
    if deep is not False:
        raise Failed("Step Functions merges shallowly only: the third argument must be false")
    return {**first, **second}


def _random_between(args: list[Any], random: Random) -> int:
    start, end = _whole(args[0]), _whole(args[1])
    if start >= end:
        raise Failed(f"the start ({start}) must be below the end ({end})")
    source = Random(_whole(args[2])) if len(args) == 3 else random  # noqa: S311 - a seed asks for the same number again
    return source.randrange(start, end)


def _add(args: list[Any], _random: Random) -> int:
    numbers = [_whole(arg) for arg in args]
    for number in (*numbers, sum(numbers)):
        if not -_INT_LIMIT <= number < _INT_LIMIT:
            raise Failed(f"{number} is not a 32-bit integer")
    return sum(numbers)


def _split(args: list[Any], _random: Random) -> list[str]:
    text, marks = _text(args[0], limit=1_000_000), _text(args[1], "splitter")
    parts = re.split("[" + re.escape(marks) + "]", text) if marks else [text]
    return [part for part in parts if part]


@dataclass(frozen=True)
class _Function:
    least: int
    most: int
    run: Callable[[list[Any], Random], Any]


_FUNCTIONS = {
    "States.Format": _Function(1, 99, _format),
    "States.StringToJson": _Function(1, 1, _string_to_json),
    "States.JsonToString": _Function(1, 1, lambda args, _random: dumps(args[0])),
    "States.Array": _Function(0, 99, lambda args, _random: args),
    "States.ArrayPartition": _Function(2, 2, _partition),
    "States.ArrayContains": _Function(2, 2, lambda args, _random: any(same(args[1], it) for it in _array(args[0]))),
    "States.ArrayRange": _Function(3, 3, _range),
    "States.ArrayGetItem": _Function(2, 2, _get_item),
    "States.ArrayLength": _Function(1, 1, lambda args, _random: len(_array(args[0]))),
    "States.ArrayUnique": _Function(1, 1, _unique),
    "States.Base64Encode": _Function(1, 1, lambda args, _random: base64.b64encode(_text(args[0]).encode()).decode()),
    "States.Base64Decode": _Function(1, 1, _decode),
    "States.Hash": _Function(2, 2, _hash),
    "States.JsonMerge": _Function(3, 3, _merge),
    "States.MathRandom": _Function(2, 3, _random_between),
    "States.MathAdd": _Function(2, 2, _add),
    "States.StringSplit": _Function(2, 2, _split),
    "States.UUID": _Function(0, 0, lambda _args, random: str(uuid.UUID(int=random.getrandbits(128), version=4))),
}
NAMES = frozenset(_FUNCTIONS)
#: Those whose value is a string: what ErrorPath and CausePath may call.
STRINGS = frozenset(
    f"States.{name}"
    for name in ("Format", "JsonToString", "ArrayGetItem", "Base64Encode", "Base64Decode", "Hash", "UUID")
)

# --- reading the text -----------------------------------------------------------------------------------------------

_NAME = re.compile(r"\s*(States\.\w+)\s*\(")
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_WORD = re.compile(r"true|false|null")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@functools.lru_cache(maxsize=1024)
def parse(text: str) -> Call:
    """Read a call. Raises BadIntrinsic (syntax, unknown function, number of arguments, a bad path)."""
    call, end = _call(text, 0)
    if text[end:].strip():
        raise BadIntrinsic(f"unexpected «{text[end:].strip()}» after the call")
    return call


def _call(text: str, at: int) -> tuple[Call, int]:
    found = _NAME.match(text, at)
    if not found:
        raise BadIntrinsic("a call looks like States.Name(…)")
    name, at = found.group(1), found.end()
    function = _FUNCTIONS.get(name)
    if function is None:
        raise BadIntrinsic(f"unknown intrinsic function {name}")
    args: list[Any] = []
    at = _spaces(text, at)
    while not text.startswith(")", at):
        if args:
            if not text.startswith(",", at):
                raise BadIntrinsic(f"{name}: a comma or parenthesis is missing at {at}")
            at = _spaces(text, at + 1)
        arg, at = _argument(text, at)
        args.append(arg)
        at = _spaces(text, at)
    if not function.least <= len(args) <= function.most:
        wanted = function.least if function.least == function.most else f"{function.least} to {function.most}"
        raise BadIntrinsic(f"{name} takes {wanted} arguments, not {len(args)}")
    if name != "States.Format":
        # Only there a brace means anything, so only there it keeps its backslash.
        args = [re.sub(r"\\([{}])", r"\1", arg) if isinstance(arg, str) else arg for arg in args]
    return Call(name, tuple(args), text[found.start(1) : at + 1]), at + 1


def _spaces(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _argument(text: str, at: int) -> tuple[Any, int]:
    if text.startswith("States.", at):
        return _call(text, at)
    if text.startswith("$", at):
        end = _path_end(text, at)
        path = text[at:end].rstrip()
        try:
            jsonpath.parse(path[1:] if path.startswith("$$") else path)
        except jsonpath.BadPath as problem:
            raise BadIntrinsic(f"bad path {path}: {problem}") from None
        return PathArg(path), end
    if found := _STRING.match(text, at):
        return re.sub(r"\\([^{}])", lambda escape: _ESCAPES.get(escape[1], escape[1]), found.group(1)), found.end()
    if found := _WORD.match(text, at) or _NUMBER.match(text, at):
        return json.loads(found.group()), found.end()
    raise BadIntrinsic(f"can't read the argument at {at}")


def _path_end(text: str, at: int) -> int:
    depth = 0
    quote = ""
    while at < len(text):
        char = text[at]
        if quote:
            quote = "" if char == quote else quote
        elif depth and char in "'\"":
            quote = char
        elif char in "[(":
            depth += 1
        elif char in "])":
            if depth == 0:
                break
            depth -= 1
        elif char == "," and depth == 0:
            break
        at += 1
    return at
