"""Filter expressions of JSONPath, ``[?(@.year < 1999 && @.title =~ /a.*/i)]``, as Jayway reads them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Reader = Callable[[str, Any], Any]
Predicate = Callable[[Any, Any], bool]
Value = Callable[[Any, Any], Any]


class _Undefined:
    """The value of a path in a filter that finds nothing."""


UNDEFINED = _Undefined()

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<op>&&|\|\||==|!=|<=|>=|=~|<|>|!|\(|\))
      | (?P<regex>/(?:[^/\\]|\\.)+/[imsx]*)
      | (?P<path>[@$](?:\.\.?[^\s.\[\]()=!<>&|~,]+|\[(?:[^\]'"]|'[^']*'|"[^"]*")*\])*(?:\(\))?)
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<json>\[[^\]]*\]|\{[^}]*\})
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<word>[A-Za-z]+)
    )""",
    re.VERBOSE | re.DOTALL,
)
_WORDS = {"in", "nin", "subsetof", "anyof", "noneof", "contains", "size", "empty"}
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


def compile_filter(text: str, read: Reader) -> Predicate:
    """The predicate of ``(…)``, called with the element and the whole document. Raises ValueError."""
    if not (text.startswith("(") and text.endswith(")")):
        raise ValueError(f"a filter is written [?(…)], not [?{text}]")
    parser = _Parser(text, read)
    predicate = parser.either()
    if parser.tokens:
        raise ValueError(f"can't read the filter from «{parser.tokens[0][1]}» on")
    return predicate


class _Parser:
    def __init__(self, text: str, read: Reader) -> None:
        self.read = read
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if not found or found.end() == at:
                raise ValueError(f"can't read the filter from «{text[at:]}» on")
            kind = found.lastgroup
            assert kind is not None
            self.tokens.append((kind, found.group(kind)))
            at = found.end()

    def next(self, *wanted: str) -> str:
        if self.tokens and self.tokens[0][0] in ("op", "word") and self.tokens[0][1] in wanted:
            return self.tokens.pop(0)[1]
        return ""

    def either(self) -> Predicate:
        parts = [self.both()]
        while self.next("||"):
            parts.append(self.both())
        return lambda element, root: any(part(element, root) for part in parts)

    def both(self) -> Predicate:
        parts = [self.unary()]
        while self.next("&&"):
            parts.append(self.unary())
        return lambda element, root: all(part(element, root) for part in parts)

    def unary(self) -> Predicate:
        if self.next("!"):
            inner = self.unary()
            return lambda element, root: not inner(element, root)
        if self.next("("):
            inner = self.either()
            if not self.next(")"):
                raise ValueError("a parenthesis of the filter is not closed")
            return inner
        left = self.value()
        op = self.next("==", "!=", "<=", ">=", "<", ">", "=~", *_WORDS)
        if not op:
            return lambda element, root: left(element, root) is not UNDEFINED
        right = self.value()
        return lambda element, root: _compare(left(element, root), op, right(element, root))

    def value(self) -> Value:
        if not self.tokens:
            raise ValueError("the filter ends too early")
        kind, text = self.tokens.pop(0)
        if kind == "path":
            read, path = self.read, "$" + text[1:]
            if text[0] == "@":
                return lambda element, _root: _found(read, path, element)
            return lambda _element, root: _found(read, path, root)
        constant = _constant(kind, text)
        return lambda _element, _root: constant


def _found(read: Reader, path: str, document: Any) -> Any:
    try:
        return read(path, document)
    except LookupError:
        return UNDEFINED


def _constant(kind: str, text: str) -> Any:
    if kind == "string":
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if kind == "regex":
        body, _, flags = text[1:].rpartition("/")
        return re.compile(body, sum(_FLAGS[flag] for flag in flags))
    if kind == "json":
        return json.loads(text.replace("'", '"'))
    if kind == "number":
        return json.loads(text)
    if kind == "word" and text in ("true", "false", "null"):
        return json.loads(text)
    raise ValueError(f"can't read «{text}» in a filter")


def _compare(left: Any, op: str, right: Any) -> bool:
    if op == "=~":
        return isinstance(left, str) and isinstance(right, re.Pattern) and right.fullmatch(left) is not None
    if op == "!=":
        return not _equal(left, right)
    if left is UNDEFINED or right is UNDEFINED:
        return False
    if op == "==":
        return _equal(left, right)
    if op in ("<", "<=", ">", ">="):
        return _ordered(left, op, right)
    return _in_words(left, op, right)


def _equal(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _ordered(left: Any, op: str, right: Any) -> bool:
    numbers = all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right))
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        return False
    match op:
        case "<":
            return bool(left < right)
        case "<=":
            return bool(left <= right)
        case ">":
            return bool(left > right)
        case _:
            return bool(left >= right)


def _in_words(left: Any, op: str, right: Any) -> bool:
    match op:
        case "in":
            return isinstance(right, list) and left in right
        case "nin":
            return isinstance(right, list) and left not in right
        case "subsetof":
            return isinstance(left, list) and isinstance(right, list) and all(item in right for item in left)
        case "anyof":
            return isinstance(left, list) and isinstance(right, list) and any(item in right for item in left)
        case "noneof":
            return isinstance(left, list) and isinstance(right, list) and not any(item in right for item in left)
        case "contains":
            return (isinstance(left, list) and right in left) or (
                isinstance(left, str) and isinstance(right, str) and right in left
            )
        case "size":
            return isinstance(left, list | str) and len(left) == right
        case _:
            return isinstance(left, list | str) and (not left) is right
