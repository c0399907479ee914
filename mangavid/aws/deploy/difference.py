"""Two templates → what changes, property by property. No call is made here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from mangavid.aws.stack.parts import Json

Action = Literal["add", "change", "replace", "remove"]

#: A name that tells an entry of a list from the others, so that one that moved or was put between is no change of all.
_NAMED_BY = ("Sid", "Key", "Id", "Name", "PolicyName", "IndexName", "AttributeName", "DeviceName", "ResourceType")
#: Longest value shown whole, in characters.
_SHOWN = 64


class Property(msgspec.Struct, frozen=True, kw_only=True):
    """One value that changes: where it is, and how it was and will be (None: not there)."""

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


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What a change set says of a resource, in its words: ``replacement`` ``True``, ``False`` or ``Conditional``.

    ``properties``: those that the template itself changes → ``Never``, ``Conditionally`` or ``Always`` made anew.
    """

    type: str
    replacement: str
    properties: dict[str, str] = {}


def changes(before: Json | None, after: Json) -> tuple[Change, ...]:
    """In the order added, changed, removed, each by id. Without a template before, all is added."""
    old: Json = (before or {}).get("Resources", {})
    new: Json = after["Resources"]
    found = [Change(action="add", id=name, type=new[name]["Type"]) for name in sorted(new.keys() - old.keys())]
    for name in sorted(new.keys() & old.keys()):
        if new[name] != old[name] and (told := tuple(_told(old[name], new[name]))):
            action: Action = "replace" if new[name]["Type"] != old[name]["Type"] else "change"
            found.append(Change(action=action, id=name, type=new[name]["Type"], properties=told))
    found += [Change(action="remove", id=name, type=old[name]["Type"]) for name in sorted(old.keys() - new.keys())]
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
        Change(action="replace", id=name, type=one.type)
        for name, one in sorted(told.items())
        if name not in ours and one.replacement == "True"
    ]
    return tuple(found)


def _judged(change: Change, told: Told) -> Change:
    """By the properties that the template itself changes, where AWS tells of those."""
    roots = {one.path.partition(".")[0].partition("[")[0] for one in change.properties}
    recreated = {told.properties[root] for root in roots & told.properties.keys()}
    always = "Always" in recreated if recreated else told.replacement == "True"
    perhaps = "Conditionally" in recreated if recreated else told.replacement == "Conditional"
    return msgspec.structs.replace(change, action="replace" if always else "change", perhaps=perhaps and not always)


def _told(old: Json, new: Json) -> Iterator[Property]:
    """Properties by their own names, what else a resource has (policies, dependencies) by its name."""
    yield from _differences("", old.get("Properties", {}), new.get("Properties", {}))
    rest = [{key: one[key] for key in one if key not in ("Properties", "Metadata")} for one in (old, new)]
    yield from _differences("", rest[0], rest[1])


def _differences(path: str, old: Any, new: Any) -> Iterator[Property]:
    if old == new:
        return
    old, new = _opened(old), _opened(new)
    if isinstance(old, dict) and isinstance(new, dict):
        for key in (*old, *(key for key in new if key not in old)):
            yield from _differences(f"{path}.{key}" if path else str(key), old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list):
        ours, theirs = _keyed(old), _keyed(new)
        if ours is not None and theirs is not None:
            for key in (*ours, *(key for key in theirs if key not in ours)):
                yield from _differences(f"{path}[{key}]", ours.get(key), theirs.get(key))
        else:
            yield Property(path=path, before=old, after=new)
    elif old != new:
        yield Property(path=path, before=old, after=new)


def _opened(value: Any) -> Any:
    """What a value holds: JSON inside text (a definition, settings), text inside a function with nothing else in it."""
    if isinstance(value, dict) and len(value) == 1:
        (name, inner), *_ = value.items()
        if name in ("Fn::Sub", "Fn::Base64") and isinstance(_opened(inner), str | dict):
            value = _opened(inner)
    if isinstance(value, str) and value[:1] == "{":
        try:
            found = json.loads(value)
        except ValueError:
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
    if value is None:
        return "–"
    if isinstance(value, dict) and len(value) == 1:
        (name, inner), *_ = value.items()
        if name == "Ref":
            return f"<{inner}>"
        if name == "Fn::GetAtt":
            return f"<{'.'.join(map(str, inner))}>"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN // 2]}…{text[-_SHOWN // 3 :]}"
