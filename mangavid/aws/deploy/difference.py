"""Two templates → what changes, property by property. No call is made here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from mangavid.aws.stack.parts import Json

Action = Literal["add", "change", "replace", "remove"]

#: A name that tells an entry of a list from the others, so that one that moved or was put between is no change of all.
_NAMED_BY = ("Sid", "Key", "Id", "Name", "PolicyName", "IndexName", "AttributeName", "DeviceName", "ResourceType")
#: Policies by which a resource outlives the stack, or its replacement.
_KEEPS = ("Retain", "RetainExceptOnCreate")
#: Longest value shown whole, in characters.
_SHOWN = 64
#: Characters shown before the first that differs, where only the middle does.
_LEAD = 16


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """One value that changes: where it is, and how it was and will be.

    None says that nothing is there; a null that is there is the text ``null``.
    """

    path: str
    before: Any = None
    after: Any = None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one resource. ``replace``: it is made anew, and the one there is deleted."""

    action: Action
    id: str
    type: str
    properties: tuple[Property, ...] = ()
    #: Whether AWS decides about replacing only when it comes to it.
    perhaps: bool = False
    #: Whether the one that is there stays, outside the stack, where it is replaced or removed.
    kept: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a change set says of a resource, in its words: ``replacement`` ``True``, ``False`` or ``Conditional``.

    ``properties``: those that the template itself changes → ``Never``, ``Conditionally`` or ``Always`` made anew.
    ``kept``: what is replaced stays, outside the stack.
    """

    type: str
    replacement: str
    properties: dict[str, str] = {}
    kept: bool = False


def changes(before: Json | None, after: Json) -> tuple[Change, ...]:
    """In the order added, changed, removed, each by id. Without a template before, all is added."""
    old: Json = (before or {}).get("Resources", {})
    new: Json = after["Resources"]
    found = [Change(action="add", id=name, type=new[name]["Type"]) for name in sorted(new.keys() - old.keys())]
    for name in sorted(new.keys() & old.keys()):
        if told := tuple(_told(old[name], new[name])):
            action: Action = "replace" if new[name]["Type"] != old[name]["Type"] else "change"
            kept = action == "replace" and new[name].get("UpdateReplacePolicy") in _KEEPS
            found.append(Change(action=action, id=name, type=new[name]["Type"], properties=told, kept=kept))
    found += [
        Change(action="remove", id=name, type=old[name]["Type"], kept=old[name].get("DeletionPolicy") in _KEEPS)
        for name in sorted(old.keys() - new.keys())
    ]
    return tuple(found)


def beside(before: Json | None, after: Json) -> tuple[Property, ...]:
    """What differs in the templates outside their resources (outputs, parameters, description)."""
    rest = [{key: value for key, value in one.items() if key != "Resources"} for one in (before or {}, after)]
    return tuple(_differences("", rest[0], rest[1])) if before else ()


def judged(own: tuple[Change, ...], told: Mapping[str, Told]) -> tuple[Change, ...]:
    """Our changes with what the change set says of each: replaced, or perhaps so.

    What the change set lists besides depends on another resource and may come out the same: only where it is replaced
    for sure is it added.
    """
    found = [_judged(one, told[one.id]) if one.action == "change" and one.id in told else one for one in own]
    ours = {one.id for one in own}
    found += [
        Change(action="replace", id=name, type=one.type, kept=one.kept)
        for name, one in sorted(told.items())
        if name not in ours and one.replacement == "True"
    ]
    return tuple(found)


def _judged(change: Change, told: Told) -> Change:
    """By the properties that the template itself changes, where AWS tells of those; what it is sure of stands."""
    roots = {one.path.partition(".")[0].partition("[")[0] for one in change.properties}
    recreated = {told.properties[root] for root in roots & told.properties.keys()}
    always = "Always" in recreated or told.replacement == "True"
    perhaps = "Conditionally" in recreated if recreated else told.replacement == "Conditional"
    if always:
        return msgspec.structs.replace(change, action="replace", kept=told.kept)
    return msgspec.structs.replace(change, perhaps=perhaps)


def _told(old: Json, new: Json) -> Iterator[Property]:
    """Properties by their own names, what else a resource has (policies, dependencies) by its name."""
    yield from _differences("", old.get("Properties", {}), new.get("Properties", {}))
    rest = [{key: one[key] for key in one if key not in ("Properties", "Metadata")} for one in (old, new)]
    yield from _differences("", rest[0], rest[1])


def _differences(path: str, old: Any, new: Any) -> Iterator[Property]:
    """Nothing for what is the same as JSON, at least one for what is not."""
    if _same(old, new):
        return
    found = list(_inside(path, _opened(old), _opened(new)))
    # What differs only in how it is written (spaces in a definition, the order of a list) is a change to AWS too.
    yield from found or [Property(path=path, before=_there(old), after=_there(new))]


def _inside(path: str, old: Any, new: Any) -> Iterator[Property]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _by_key(old, new, lambda key: f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        ours, theirs = _keyed(old), _keyed(new)
        if ours is not None and theirs is not None:
            yield from _by_key(ours, theirs, lambda key: f"{path}[{key}]")


def _by_key(old: Json, new: Json, path: Callable[[str], str]) -> Iterator[Property]:
    for key in (*old, *(key for key in new if key not in old)):
        if key in old and key in new:
            yield from _differences(path(key), old[key], new[key])
        else:
            before, after = (_there(one[key]) if key in one else None for one in (old, new))
            yield Property(path=path(key), before=before, after=after)


def _there(value: Any) -> Any:
    return "null" if value is None else value


def _same(old: Any, new: Any) -> bool:
    """As JSON: True is not 1 there, and a list may be a tuple here."""
    return json.dumps(old, sort_keys=True) == json.dumps(new, sort_keys=True)


def _opened(value: Any) -> Any:
    """What a value holds: JSON inside text (a definition, settings), text inside a function with nothing else in it."""
    if isinstance(value, dict) and len(value) == 1:
        (name, inner), *_ = value.items()
        if name in ("Fn::Sub", "Fn::Base64") and isinstance(_opened(inner), str | dict):
            value = _opened(inner)
    if isinstance(value, str) and value[:1] == "{":
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            return value
        return found if isinstance(found, dict) else value
    return value


def _keyed(entries: list[Any]) -> dict[str, Any] | None:
    """The entries of a list by the name each has; by place where they are but values; None where they have no order."""
    for field in _NAMED_BY:
        if entries and all(isinstance(one, dict) and isinstance(one.get(field), str) for one in entries):
            keyed = {one[field]: one for one in entries}
            return keyed if len(keyed) == len(entries) else None
    if all(isinstance(one, str) for one in entries):
        return {one: one for one in entries}
    return {str(place): one for place, one in enumerate(entries)}


def shown(value: Any) -> str:
    """A value in one short line."""
    return _cut(_line(value))


def both(one: Property) -> tuple[str, str]:
    """How it was and will be, each in one short line: of long ones that are alike at both ends, where they differ."""
    before, after = _line(one.before), _line(one.after)
    if _cut(before) != _cut(after) or before == after:
        return _cut(before), _cut(after)
    pairs = enumerate(zip(before, after, strict=False))
    begin = max(0, next((place for place, (a, b) in pairs if a != b), min(len(before), len(after))) - _LEAD)
    return _cut(before, begin), _cut(after, begin)


def _line(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict) and len(value) == 1:
        (name, inner), *_ = value.items()
        if name == "Ref" and isinstance(inner, str):
            return f"<{inner}>"
        if name == "Fn::GetAtt" and isinstance(inner, str | list):
            return f"<{inner if isinstance(inner, str) else '.'.join(map(str, inner))}>"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    return " ".join(text.split())


def _cut(text: str, begin: int = 0) -> str:
    if begin:
        end = begin + _SHOWN - 2
        return f"…{text[begin:end]}{'…' if len(text) > end else ''}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}…{text[-_SHOWN // 3 :]}"
