"""What the parts of the fake YouTube hand each other."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


@dataclass(frozen=True)
class Fault:
    """``kind`` is empty where nothing goes wrong; see ``tests.fakes.youtube`` and ``tests.fakes.youtube_uploads``."""

    kind: str
    status: int = 0
    reason: str = ""
    message: str = ""
    n: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def said(found: object, status: int = 200, **headers: str) -> Answer:
    return Answer(status, json.dumps(found).encode(), {"Content-Type": "application/json", **headers})


def refusal(status: int, reason: str, message: str = "", **more: Any) -> Answer:
    """As Google's APIs say no."""
    words = message or f"it is {reason}"
    told = {"code": status, "message": words, "errors": [{"domain": "youtube", "reason": reason, "message": words}]}
    return said({"error": {**told, **more}}, status)
