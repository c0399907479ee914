"""Compares our events with recorded ones, in which ids, times and ARN parts are placeholders."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

_PLACEHOLDER = re.compile(r"<<[^<>]+>[^<>]*>|<[^<>]+>")
_OUR_TOKEN = re.compile(r"mv1\.[0-9a-f]{64}")
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def plain(value: Any) -> Any:
    """JSON in strings read, however deep: AWS gives text where the snapshot has objects, and the other way round."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return plain(json.loads(value))
        except ValueError:
            return value
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def comparable(event: dict[str, Any]) -> dict[str, Any]:
    """An event without its time."""
    return {key: plain(value) for key, value in event.items() if key != "timestamp"}


def differences(recorded: list[dict[str, Any]], ours: list[dict[str, Any]], *, complete: bool) -> list[str]:
    """Readable differences, empty where there is none. An incomplete recording is compared as far as it goes."""
    found: list[str] = []
    bound: dict[str, str] = {}
    for theirs, mine in zip(recorded, ours, strict=False):
        there = list(_unlike(comparable(theirs), comparable(mine), f"event {theirs['id']} {theirs['type']}", bound))
        found += there
        if theirs["type"] != mine["type"]:
            break
    if len(ours) < len(recorded) or (complete and len(ours) > len(recorded)):
        found.append(f"{len(recorded)} events recorded, {len(ours)} made: ours are {[event['type'] for event in ours]}")
    return found


def _unlike(recorded: Any, ours: Any, where: str, bound: dict[str, str]) -> Iterator[str]:
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for key in sorted(recorded.keys() | ours.keys()):
            if key not in ours:
                yield f"{where}.{key}: recorded {short(recorded[key])}, missing in ours"
            elif key not in recorded:
                yield f"{where}.{key}: not recorded, ours has {short(ours[key])}"
            else:
                yield from _unlike(recorded[key], ours[key], f"{where}.{key}", bound)
    elif isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
        for at, (theirs, mine) in enumerate(zip(recorded, ours, strict=True)):
            yield from _unlike(theirs, mine, f"{where}[{at}]", bound)
    elif not _alike(recorded, ours, bound):
        yield f"{where}: recorded {short(recorded)}, ours {short(ours)}"


def _alike(recorded: Any, ours: Any, bound: dict[str, str]) -> bool:
    if isinstance(recorded, bool) or isinstance(ours, bool):
        return recorded is ours
    if recorded == ours:
        return True
    if isinstance(recorded, str) and not isinstance(ours, str) and _PLACEHOLDER.fullmatch(recorded):
        return True
    if not isinstance(recorded, str) or not isinstance(ours, str):
        return False
    if _ISO.fullmatch(ours) and not _is_time(recorded) and re.fullmatch(r"[a-z-]*(date|time)[a-z-]*", recorded):
        return True
    if _OUR_TOKEN.fullmatch(ours):
        return bound.setdefault(recorded, ours) == ours
    return _fits(recorded, ours, bound)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _fits(recorded: str, ours: str, bound: dict[str, str]) -> bool:
    """Whether a text with placeholders can be ours; a numbered placeholder is one thing throughout a history."""
    pieces = _PLACEHOLDER.split(recorded)
    names = _PLACEHOLDER.findall(recorded)
    if not names:
        return False
    groups = [f"({re.escape(bound[name])})" if name in bound else "(.*)" for name in names]
    pattern = "".join(re.escape(piece) + group for piece, group in zip(pieces, [*groups, ""], strict=True))
    found = re.fullmatch(pattern, ours, re.DOTALL)
    if found is None:
        return False
    for name, value in zip(names, found.groups(), strict=True):
        if re.search(r":\d+>$", name):
            bound[name] = value
    return True


def short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else text[:300] + "…"
