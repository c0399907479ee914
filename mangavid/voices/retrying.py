"""Asking a service again: how often, how long to wait in between, and how to say why it was given up."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from mangavid.errors import MangavidError
from mangavid.ports import Clock

#: Seconds before the second, third and fourth try.
WAITS = (2.0, 10.0, 60.0)
_Got = TypeVar("_Got")


class Again(Exception):
    """A try failed in a way that may pass. ``after``: seconds the service asks to wait; ``hint``: what may help."""

    def __init__(self, reason: str, *, after: float = 0.0, hint: str = "") -> None:
        super().__init__(reason)
        self.after = after
        self.hint = hint


def tried(call: Callable[[], _Got], *, clock: Clock, jitter: Callable[[], float], tries: int = 4) -> _Got:
    """What ``call`` gives, which is tried so often while it raises Again; the last of those is raised.

    ``jitter`` gives numbers in [0, 1): each wait is shortened by up to half, so that those who were turned away
    together don't come back together.
    """
    for wait in WAITS[: tries - 1]:
        try:
            return call()
        except Again as problem:
            clock.sleep(max(wait * (1.0 - 0.5 * jitter()), min(problem.after, WAITS[-1])))
    return call()


def seconds_of(header: str | None) -> float:
    """A ``Retry-After`` in seconds; 0 where there is none, or it is a date."""
    text = (header or "").strip()
    return min(float(text[:9]), 3600.0) if re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", text) else 0.0


def once_more(problem: MangavidError) -> MangavidError:
    """The same problem as a new exception: one that is raised again and again gathers tracebacks."""
    return type(problem)(str(problem), hint=problem.hint)


def shown(text: str, limit: int) -> str:
    """Text from outside as a line to show: no control, format, private or unassigned characters, at most ``limit``."""
    text = unicodedata.normalize("NFC", re.sub(r"\s+", " ", text[: limit * 4]))
    text = "".join(char for char in text if unicodedata.category(char)[0] != "C").strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
