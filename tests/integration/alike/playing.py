"""Playing a scenario on both stages, and holding what came of it together."""

from __future__ import annotations

import gc
import os
import pprint
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import getstate, seed, setstate
from typing import Any

from tests.integration.alike.outcome import Ended, outcome, wrongs
from tests.integration.alike.scenario import scenario
from tests.integration.alike.stages import STAGES

COMMAND = "python -m tests.integration.alike"


@dataclass
class Played:
    """``complaints``: what is wrong, a sentence each, with the command that plays it again."""

    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)
    happened: set[str] = field(default_factory=set)


@contextmanager
def players(most: int = 4) -> Iterator[Executor]:
    """Processes that play scenarios: one a processor. What they warn of is an error, as in a test."""
    count = min(most, os.cpu_count() or 1)
    with ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin) as pool:
        yield pool


def _begin() -> None:
    warnings.simplefilter("error")
    # No machine of the scenarios needs one of the thousand images that moto knows.
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    # moto keeps a great many small things: looking through them as often as usual takes a fifth of the time.
    gc.set_threshold(300_000, 10, 10)


def play(number: int) -> Played:
    played = Played()
    again = f"to see it: {COMMAND} {number}"
    for name in STAGES:
        try:
            found, happened, broken = _on(name, number)
        except Exception as problem:
            problem.add_note(f"scenario {number} on {name}; {again}")
            raise
        played.outcomes[name] = found
        played.happened |= happened
        played.complaints += [f"scenario {number} on {name}: {one}; {again}" for one in broken]
    local, aws = (played.outcomes[name] for name in ("local", "aws"))
    for difference in unlike(local, aws):
        played.complaints.append(f"scenario {number}: {difference}; {again}")
    return played


def _on(name: str, number: int) -> tuple[dict[str, Any], set[str], list[str]]:
    before = getstate()
    # A lease spreads its heartbeats by it.
    seed(number)
    try:
        with (
            tempfile.TemporaryDirectory(prefix="alike-", dir=_quick()) as folder,
            STAGES[name](scenario(number), Path(folder)) as stage,
        ):
            stage.play()
            ended = Ended(stage)
            return outcome(stage, ended), stage.happened, wrongs(stage, ended)
    finally:
        setstate(before)


def unlike(local: Any, aws: Any, where: str = "") -> Iterator[str]:
    """Each place where two outcomes differ."""
    if isinstance(local, dict) and isinstance(aws, dict):
        for name in sorted(local.keys() | aws.keys()):
            yield from unlike(local.get(name), aws.get(name), f"{where}/{name}")
    elif local != aws:
        yield f"{where} differs\n  local {pprint.pformat(local)}\n  aws   {pprint.pformat(aws)}"


def _quick() -> str | None:
    """A folder in memory where there is one: what is stored is synced, and a disk takes its time over that."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
