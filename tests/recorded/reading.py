"""Reads a folder of recordings: definitions in JSON5, histories in snapshot files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_COMMENT = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|//[^\n]*|/\*.*?\*/""", re.DOTALL)


@dataclass(frozen=True)
class Recording:
    """One history. ``parameter`` is what stands in brackets in the test's name."""

    name: str
    parameter: str | None
    events: list[dict[str, Any]]

    @property
    def input(self) -> Any:
        return self.events[0].get("executionStartedEventDetails", {}).get("input", {})

    @property
    def role(self) -> str:
        return str(self.events[0].get("executionStartedEventDetails", {}).get("roleArn", "role"))

    @property
    def entered(self) -> list[tuple[str, str]]:
        """(type, name) of the states entered, in order."""
        return [
            (event["type"].removesuffix("StateEntered"), event["stateEnteredEventDetails"]["name"])
            for event in self.events
            if event["type"].endswith("StateEntered")
        ]

    @property
    def complete(self) -> bool:
        return self.events[-1]["type"].startswith("Execution") and len(self.events) > 1


def json5(text: str) -> Any:
    """JSON5 as these definitions use it: YAML's flow style once the comments are gone."""
    plain = _COMMENT.sub(lambda found: found.group() if found.group()[0] in "\"'" else " ", text)
    return yaml.safe_load(plain.replace("\t", "  "))


def definitions(folder: Path) -> dict[str, Any]:
    """Definitions by their path in the folder; a file that can't be read is there as an empty one."""
    found: dict[str, Any] = {}
    root = folder / "definitions"
    for path in sorted(root.rglob("*.json*")):
        try:
            loaded = json5(path.read_text(encoding="utf-8"))
        except yaml.YAMLError:
            loaded = {}
        found[str(path.relative_to(root))] = loaded if isinstance(loaded, dict) else {}
    return found


def recordings(folder: Path) -> Iterator[Recording]:
    """Every history of every snapshot file."""
    for path in sorted((folder / "histories").rglob("*.json")):
        for test, snapshot in json.loads(path.read_text(encoding="utf-8")).items():
            parameter = re.search(r"\[(.*)\]$", test)
            name = f"{path.stem} {test.rpartition('::')[2]}"
            found = list(_histories(snapshot.get("recorded-content", {}), ""))
            for label, events in found:
                shown = name if len(found) == 1 else f"{name} {label}"
                yield Recording(shown, parameter.group(1) if parameter else None, events)


def _histories(content: Any, label: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if isinstance(content, dict):
        events = content.get("events")
        if isinstance(events, list) and events and isinstance(events[0], dict) and "previousEventId" in events[0]:
            yield label, sorted(events, key=lambda event: event["id"])
            return
        for key, value in content.items():
            yield from _histories(value, key)
    elif isinstance(content, list):
        for at, value in enumerate(content):
            yield from _histories(value, f"{label}[{at}]")
