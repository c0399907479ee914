"""CloudWatch Logs as far as reading goes, under botocore's own validation: pages, filter patterns, late lines."""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from collections.abc import Container, Iterator
from typing import Any

import botocore.session
from botocore.validate import validate_parameters

from mangavid.aws.session import Refused

_INPUT = botocore.session.Session().get_service_model("logs").operation_model("FilterLogEvents").input_shape
_CONDITION = re.compile(r'\$\.(\w+) = "([^"]*)"')


class CloudWatch:
    """What ``Service.call`` answers. ``page``: events of one answer; ``problems`` are raised first, one a call."""

    def __init__(self, *, page: int = 10_000) -> None:
        self.page = page
        self.groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.problems: list[Exception] = []
        self.asked: list[dict[str, Any]] = []
        #: As AWS does now and then: an empty page, with more behind it.
        self.empty_first = False
        self._lock = threading.Lock()
        self._ids = 0

    def put(self, group: str, at: int, message: str | dict[str, Any], *, stream: str = "s") -> None:
        """``at`` in milliseconds. The group is made."""
        text = message if isinstance(message, str) else json.dumps(message)
        with self._lock:
            self._ids += 1
            event = {"timestamp": at, "message": text, "logStreamName": stream, "eventId": str(self._ids)}
            self.groups[group].append(event)

    def make(self, *groups: str) -> None:
        for group in groups:
            self.groups[group] = self.groups[group]

    def call(self, operation: str, *, expect: Container[str] = (), **asked: Any) -> dict[str, Any]:
        assert operation == "filter_log_events"
        assert _INPUT is not None
        validate_parameters(asked, _INPUT)
        with self._lock:
            self.asked.append(asked)
            if self.problems:
                raise self.problems.pop(0)
            if asked["logGroupName"] not in self.groups:
                assert "ResourceNotFoundException" in expect
                raise Refused("ResourceNotFoundException", {})
            found = sorted(self._found(asked), key=lambda event: event["timestamp"])
        if self.empty_first and "nextToken" not in asked:
            return {"events": [], "nextToken": "0"}
        first = int(asked.get("nextToken", 0))
        last = first + self.page
        return {"events": found[first:last]} | ({"nextToken": str(last)} if last < len(found) else {})

    def _found(self, asked: dict[str, Any]) -> Iterator[dict[str, Any]]:
        for event in self.groups[asked["logGroupName"]]:
            in_time = asked.get("startTime", 0) <= event["timestamp"] < asked.get("endTime", 1 << 62)
            of_stream = event["logStreamName"].startswith(asked.get("logStreamNamePrefix", ""))
            if in_time and of_stream and matches(asked.get("filterPattern", ""), event["message"]):
                yield event


def matches(pattern: str, message: str) -> bool:
    """Whether a line fits a JSON filter pattern of ``=``, ``&&``, ``||`` and parentheses; ``*`` stands for any text."""
    if not pattern:
        return True
    assert pattern.startswith("{ ") and pattern.endswith(" }") and len(pattern) <= 1024, pattern
    try:
        entry = json.loads(message)
    except ValueError:
        return False
    if not isinstance(entry, dict):
        return False

    def holds(condition: re.Match[str]) -> str:
        value = entry.get(condition[1])
        wanted = re.escape(condition[2]).replace(r"\*", ".*")
        return str(isinstance(value, str) and re.fullmatch(wanted, value, re.DOTALL) is not None)

    words = _CONDITION.sub(holds, pattern[2:-2]).replace("&&", " and ").replace("||", " or ")
    assert re.fullmatch(r"(?:True|False|and|or|[() ])*", words), words
    return bool(eval(words))
