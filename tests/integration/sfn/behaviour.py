"""What a function does in a scenario, told once and played on both engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:"
INVOKE = "arn:aws:states:::lambda:invoke"
WAIT = f"{INVOKE}.waitForTaskToken"


@dataclass(frozen=True)
class Gives:
    """Returns a value."""

    value: Any = None


@dataclass(frozen=True)
class Raises:
    """Ends with an error of this name."""

    error: str
    message: str = "why"


@dataclass(frozen=True)
class Hangs:
    """Does not return in time."""


@dataclass(frozen=True)
class Answers:
    """Hands its token to a worker that beats ``beats`` times and then succeeds with ``value``."""

    value: Any
    beats: int = 0


@dataclass(frozen=True)
class Fails:
    """Hands its token to a worker that fails."""

    error: str
    cause: str = "why"


@dataclass(frozen=True)
class Dies:
    """Hands its token to a worker that is never heard of again."""


Act = Gives | Raises | Hangs | Answers | Fails | Dies


@dataclass(frozen=True)
class Scenario:
    """A definition, its input, and per function what it does at its first, second… call (the last one repeats).

    ``defects``: names in ``defects.KNOWN`` that show here.
    """

    name: str
    definition: dict[str, Any]
    input: Any = field(default_factory=dict)
    acts: dict[str, tuple[Act, ...]] = field(default_factory=dict)
    defects: tuple[str, ...] = ()

    def act(self, function: str, call: int) -> Act:
        acts = self.acts[function]
        return acts[min(call, len(acts) - 1)]


@dataclass
class View:
    """What is compared of an execution."""

    status: str
    output: Any
    error: str
    cause: str
    path: list[str]
    events: list[tuple[int, int, str]]
    details: list[Any]
    tokens: int = 0
    stopped: bool = True
