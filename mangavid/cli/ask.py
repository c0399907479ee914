"""The one question mangavid asks: whether what is about to be changed or lost may be."""

from __future__ import annotations

import sys

from mangavid.cli import output
from mangavid.errors import Interrupted, UsageError


def agree(question: str, *, doing: str, undone: str, unasked: str, look: str) -> None:
    """Go on only after a yes.

    Raises UsageError where nobody can be asked (``doing`` says what asks, ``unasked`` what to type instead),
    Interrupted where the answer is another (``undone`` says what did not happen, ``look`` what to type next).
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(f"{doing} asks first, and this is no terminal", hint=unasked)
    sys.stderr.write(output.safe(f"{question} Type yes: "))
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Interrupted(undone, hint=look)
