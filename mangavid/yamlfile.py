"""YAML that says what it looks like: a small, strict reading of it for settings and narration sidecars.

Plain scalars follow YAML 1.2's core schema, so ``NO`` and ``1:30`` and ``2026-11-02`` stay text and ``010`` is ten.
Refused with file and line: keys given twice, anchors and aliases (and with them alias bombs), tags, several documents,
numbers without an end, nesting deeper than ``DEPTH``, files over ``SIZE`` bytes, text that is not UTF-8.

Values are built from the parser's events with a stack of our own, so nothing here recurses however deep a file goes.
"""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

from mangavid.errors import BadSidecar, ConfigError, MangavidError

DEPTH = 20
SIZE = 256 * 1024

Path = tuple[str | int, ...]
"""Where a value stands: keys and list positions (from 0), outermost first."""

_NULL = re.compile(r"null|Null|NULL|~|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,40}|[0-9]{1,40}(?:\.[0-9]{0,40}|(?=[eE])))(?:[eE][-+]?[0-9]{1,10})?")
_ENDLESS = re.compile(r"[-+]?(?:\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN")

_PLAINER = (
    (
        re.compile(r"character '\\t' that cannot start any token"),
        "a tab can't be used to indent",
        "indent with spaces",
    ),
    (re.compile(r"character '[@`%]' that cannot start any token"), "", "put the value in quotes"),
    (re.compile(r"mapping values are not allowed here"), "a second «:» on the line", "put the value in quotes"),
    (
        re.compile(r"could not find expected ':'|expected <block end>"),
        "the lines don't fit together here",
        "look at the indentation, and for a missing «:» or quote on this line and the one before",
    ),
    (
        re.compile(r"(?:found|got) '<stream end>'"),
        "the file ends in the middle of a value",
        "look for a missing «]» or «}», or for a value that was left out",
    ),
    (
        re.compile(r"expected the node content, but found '(.)'"),
        r"a value is missing before «\1»",
        "write one, or quotes",
    ),
    (
        re.compile(r"expected ',' or '(.)', but got"),
        r"a «,» or «\1» is missing before this",
        "close what was opened above",
    ),
)


class _Refused(Exception):
    def __init__(self, line: int, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.line = line
        self.hint = hint


class _Open:
    """A list or mapping that is still being read."""

    def __init__(self, value: dict[str, Any] | list[Any], path: Path) -> None:
        self.value = value
        self.path = path
        self.key: str | None = None


def load(data: bytes, name: str, *, error: type[MangavidError] = ConfigError) -> tuple[Any, dict[Path, int]]:
    """The one document in ``data`` (None where it is empty), and the line (from 1) of every key and list entry.

    Raises ``error`` with one line: ``name:line: what is wrong``.
    """
    try:
        return _build(_decoded(data))
    except _Refused as problem:
        raise error(f"{name}:{problem.line}: {problem}", hint=problem.hint) from None


def plain(data: bytes, name: str) -> Any:
    """A narration sidecar's value, for its own reader to check (``mangavid.sources.sidecar``). Raises BadSidecar."""
    return load(data, name, error=BadSidecar)[0]


def _decoded(data: bytes) -> str:
    if len(data) > SIZE:
        raise _Refused(1, f"the file is larger than {SIZE // 1024} KB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data.count(b"\n", 0, problem.start) + 1
        raise _Refused(line, "this is not UTF-8 text", "save the file as UTF-8") from None


def _build(text: str) -> tuple[Any, dict[Path, int]]:
    import yaml

    root: Any = None
    documents = 0
    lines: dict[Path, int] = {}
    stack: list[_Open] = []
    line = 1

    def place(value: Any, at: int) -> Path:
        """Put a value where it belongs; returns its path."""
        nonlocal root
        if not stack:
            root = value
            return ()
        parent = stack[-1]
        if isinstance(parent.value, list):
            path = (*parent.path, len(parent.value))
            lines[path] = at
            parent.value.append(value)
            return path
        if parent.key is None:
            raise _Refused(at, "a key must be a word, not a list or a mapping")
        path = (*parent.path, parent.key)
        parent.value[parent.key] = value
        parent.key = None
        return path

    def key(event: Any, at: int) -> bool:
        """Take a scalar as the next key of the open mapping, where one is due."""
        if not stack or isinstance(stack[-1].value, list) or stack[-1].key is not None:
            return False
        parent = stack[-1]
        word = _text(event.value, at)
        if not word:
            raise _Refused(at, "a key is empty", "put text that begins with «:» in quotes")
        path = (*parent.path, word)
        if word in parent.value:
            raise _Refused(
                at, f"{shown(word)} is given twice; the first is on line {lines[path]}", "remove one of them"
            )
        lines[path] = at
        parent.key = word
        return True

    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else line
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
                raise _Refused(line, "anchors (&) and aliases (*) are not allowed", "write the value out, or in quotes")
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise _Refused(line, f"the tag {shown(tag)} is not allowed", "remove it, or quote the value")
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Refused(line, "a second document begins here («---»)", "keep one document in the file")
            elif isinstance(event, yaml.ScalarEvent):
                if not key(event, line):
                    place(_scalar(event.value, line) if event.style is None else _text(event.value, line), line)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                if len(stack) >= DEPTH:
                    raise _Refused(line, f"this is nested deeper than {DEPTH} levels")
                value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
                stack.append(_Open(value, place(value, line)))
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                stack.pop()
    except yaml.YAMLError as problem:
        _refuse(problem, text, line)
    except (ValueError, OverflowError) as problem:  # PyYAML's own chr() and int() on absurd escapes and directives
        raise _Refused(line, f"this can't be read: {problem}") from None
    return root, lines


def _refuse(problem: Any, text: str, line: int) -> NoReturn:
    """Say a parser's error in one line."""
    mark = getattr(problem, "problem_mark", None)
    began = getattr(problem, "context_mark", None)
    said = getattr(problem, "problem", None)
    if began is not None and str(getattr(problem, "context", "")).startswith("while scanning a quoted scalar"):
        at = began.line + 1
        if said in ("found unexpected end of stream", "found unexpected document separator"):
            raise _Refused(at, f"the quote opened on line {at} is never closed", "close it") from None
    if mark is not None and said:
        line = min(mark.line + 1, max(1, len(text.splitlines())))
    elif hasattr(problem, "reason"):
        line = text.count("\n", 0, problem.position) + 1
        said = f"the character U+{problem.character:04X} is not allowed"
    for pattern, plainer, hint in _PLAINER:
        if said and (found := pattern.search(said)):
            raise _Refused(line, found.expand(plainer) if plainer else said, hint) from None
    raise _Refused(line, str(said or "this is not YAML")) from None


def _text(value: str, line: int) -> str:
    """Text as it was meant: JSON writes what is above U+FFFF as two ``\\u`` escapes, which YAML reads as two halves."""
    if value.isascii():
        return value
    try:
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise _Refused(line, "half of a surrogate pair is not text", "write the character itself") from None


def _scalar(value: str, line: int) -> Any:
    """A plain scalar by YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema)."""
    if _NULL.fullmatch(value):
        return None
    if _BOOL.fullmatch(value):
        return value.lower() == "true"
    if _INT.fullmatch(value):
        return int(value, 0 if value[:2] in ("0o", "0x") else 10)
    if _FLOAT.fullmatch(value):
        number = float(value)
        if math.isfinite(number):
            return number
    if _FLOAT.fullmatch(value) or _ENDLESS.fullmatch(value):
        raise _Refused(line, f"{value} is not a finite number", "put it in quotes if it is text")
    return _text(value, line)


def shown(value: Any, limit: int = 60) -> str:
    """A value from outside as it may stand in a message: one line, quoted where it is text, cut to ``limit``."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if not isinstance(value, str):
        return str(value)
    words = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in value[: limit + 1])
    return f"'{words}'" if len(value) <= limit else f"'{words[:limit]}…'"
