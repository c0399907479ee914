"""What a deploy tells while it works."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. What ``name`` is goes with ``what``.

    | what | name | status |
    |---|---|---|
    | pack | a package | ``libraries``, ``code``, ``unchanged`` |
    | upload | an object's key; ``done`` of ``total`` | ``begun``, ``done`` |
    | stack | a resource's id, the stack's name for the stack itself | CloudFormation's |
    | swap | a function or state machine | ``swapped`` |
    | delete | what is deleted | ``begun``, ``done`` |
    | note | – | – |
    """

    what: Literal["pack", "upload", "stack", "swap", "delete", "note"]
    name: str = ""
    status: str = ""
    #: A resource's type.
    type: str = ""
    #: A sentence, or what AWS gives as the reason.
    detail: str = ""
    done: int = 0
    total: int = 0


#: Called from several threads, one at a time is up to who is called.
Tell = Callable[[Step], None]


def silent(_step: Step) -> None:
    """Nobody watches."""
