"""What happens in a scenario, drawn from its seed: the shelf, the quota, and what goes wrong where.

Everything is told by what it happens to (the n-th call, the n-th machine, the k-th checkpoint), nothing by a time of
day, so that it happens to both targets alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

SEGMENTS: Final = 3
#: An error at the first call, at the first two (as often as a state tries again), and at every call there is.
ONCE, TWICE, ALWAYS = 1, 2, 99


@dataclass(frozen=True)
class Act:
    """What a machine does at a point of its work: ``boot`` ``claimed`` ``checkpoint-1``… ``commit`` ``committed``
    ``answered``, and of an uploader ``publish`` ``published``. ``detail``: seconds, or the name of an error.
    """

    what: str
    at: str
    detail: str = ""


@dataclass(frozen=True)
class Chapter:
    """``fetch`` ``write`` ``speak``: the errors of so many first calls. ``launch``: how often no machine is to be had.

    ``renderers`` and ``uploaders``: what the first machines do, one by one; those after them do their work.
    """

    name: str
    pages: int = 1
    fetch: tuple[str, int] = ("", 0)
    write: tuple[str, int] = ("", 0)
    speak: tuple[str, int] = ("", 0)
    no_capacity: tuple[int, int] = (0, 0)
    renderers: tuple[Act, ...] = ()
    uploaders: tuple[Act, ...] = ()


@dataclass(frozen=True)
class Call:
    """What goes wrong with a state's calls number ``nth`` and following. ``lost``: the answer is. ``twice``: it is
    delivered two times. ``table``, ``table after``: the jobs table fails at its ``operation``-th operation, before or
    after it did it.
    """

    state: str
    what: str
    nth: int = 1
    times: int = 1
    operation: int = 1


@dataclass(frozen=True)
class Stop:
    """The first execution is ended when it has entered a state for the n-th time: before its call, or after the call
    did what it does. ``how``: ``command`` (``mangavid stop``) or ``console`` (the execution alone).
    """

    state: str
    nth: int
    after: bool
    how: str


@dataclass(frozen=True)
class Scenario:
    seed: int
    start: datetime
    chapters: tuple[Chapter, ...]
    quota: int
    counted: int
    #: When each run begins, after the first one's beginning or the end of the one before.
    runs: tuple[timedelta, ...]
    find: tuple[str, int] = ("", 0)
    calls: tuple[Call, ...] = ()
    stop: Stop | None = None
    #: When the first execution enters this state, another one is started.
    second: str = ""
    #: The reaper looks every quarter of an hour.
    sweeps: bool = False
    boot_seconds: float = 20.0
    segment_seconds: float = 25.0

    def kinds(self) -> set[str]:
        """Names of all that is planned to go wrong."""
        found = {f"call {call.what}" for call in self.calls}
        for one in self.chapters:
            errors = (("fetch", one.fetch), ("write", one.write), ("speak", one.speak))
            found |= {f"{what} {error}" for what, (error, times) in errors if times}
            found |= {"no capacity"} if any(one.no_capacity) else set()
            found |= {f"renderer {act.what}" for act in one.renderers if act.what}
            found |= {f"uploader {act.what}" for act in one.uploaders if act.what}
        if self.find[1]:
            found.add("find")
        if self.stop:
            found.add(f"stop {self.stop.how}")
        if self.second:
            found.add("second execution")
        if self.sweeps:
            found.add("sweeps")
        if self.counted:
            found.add("counted before")
        return found


TASKS: Final = (
    "CheckQuota",
    "FetchManga",
    "GenerateScript",
    "GenerateTTS",
    "StartRenderer",
    "WaitForRender",
    "StartUploader",
    "WaitForUpload",
    "Cleanup",
    "IncrementCounter",
)

_FETCH = ("BadArchive", "BadImage", "BadSidecar", "SourceNotFound", "SourceUnavailable", "UpstreamUnavailable")
_WRITE = ("ScriptRefused", "ScriptInvalid", "WriterUnavailable", "AuthError")
_SPEAK = ("TtsFailed", "TtsUnavailable")
_POINTS = ("boot", "claimed", *(f"checkpoint-{n}" for n in range(1, SEGMENTS + 1)), "commit", "committed", "answered")
_WORKING = _POINTS[1:-2]
_PUBLISHING = ("boot", "claimed", "publish", "published", "commit", "committed", "answered")
_RENDERERS = (
    *("dies", "dies", "silent", "drain", "drain", "fails", "hangs", "zombie", "zombie"),
    *("mute", "table", "midnight", "stop", "well"),
)
_UPLOADERS = (
    *("dies", "dies", "silent", "drain", "fails", "fails", "quota", "slow", "zombie", "hangs"),
    *("mute", "stop", "well"),
)


def scenario(seed: int) -> Scenario:
    """The scenario of a seed."""
    dice = Random(seed)
    quota = dice.randint(1, 3)
    chapters = tuple(_chapter(dice, name) for name in "abcd"[: dice.choice([1, 1, 2, 2, 3, 4])])
    calls = _calls(dice)
    if any(call.state == "HandleError" for call in calls):
        # So that there is an error to handle.
        chapters = (replace(chapters[0], speak=("TtsFailed", ONCE)), *chapters[1:])
    start = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # nine in the morning Pacific
    if any(act.what == "midnight" for one in chapters for act in (*one.renderers, *one.uploaders)):
        start = datetime(2026, 11, 24, 7, 20, tzinfo=UTC)
    counted = dice.choice([0, 0, 0, 0, 0, 1, quota])
    # Where nothing is left of the first day's quota there is a second day.
    hours = [0, 24 if counted >= quota else dice.choice([0, 1, 24, 24]), dice.choice([0, 1, 24, 24])]
    return Scenario(
        seed=seed,
        start=start,
        chapters=chapters,
        quota=quota,
        counted=counted,
        runs=tuple(timedelta(hours=total) for total in itertools.accumulate(hours)),
        find=("SourceUnavailable", dice.choice([ONCE, TWICE, ALWAYS])) if dice.random() < 0.04 else ("", 0),
        calls=calls,
        stop=_stop(dice) if dice.random() < 0.25 else None,
        second=dice.choice(TASKS) if dice.random() < 0.15 else "",
        sweeps=dice.random() < 0.15,
        boot_seconds=dice.choice([1.0, 60.0, 120.0]),
        segment_seconds=dice.choice([5.0, 25.0, 70.0]),
    )


def _chapter(dice: Random, name: str) -> Chapter:
    def errors(of: Sequence[str], likely: float) -> tuple[str, int]:
        if dice.random() >= likely:
            return "", 0
        return dice.choice(of), dice.choice([ONCE, ONCE, TWICE, 3, ALWAYS])

    return Chapter(
        name=name,
        pages=dice.randint(1, 2),
        fetch=errors(_FETCH, 0.15),
        write=errors(_WRITE, 0.12),
        speak=errors(_SPEAK, 0.1),
        no_capacity=(
            dice.choice([1, 2, 4, 9]) if dice.random() < 0.1 else 0,
            dice.choice([1, 5]) if dice.random() < 0.06 else 0,
        ),
        renderers=_acts(dice, _render_act, 0.35),
        uploaders=_acts(dice, _upload_act, 0.35),
    )


def _acts(dice: Random, draw: Callable[[Random], Act], likely: float) -> tuple[Act, ...]:
    acts: list[Act] = []
    while dice.random() < likely and len(acts) < 4:
        acts.append(draw(dice))
    return tuple(acts)


def _render_act(dice: Random) -> Act:
    what = dice.choice(_RENDERERS)
    match what:
        case "stop":
            return Act(what, dice.choice(_POINTS), dice.choice(["command", "console"]))
        case "dies" | "silent":
            return Act(what, dice.choice(_POINTS))
        case "drain":
            return Act(what, dice.choice(_POINTS[:-2]))
        case "fails":
            return Act(what, dice.choice(_WORKING), dice.choice(["RenderError", "StorageFull", "BadInput"]))
        case "zombie":
            return Act(what, dice.choice(["commit", "commit", *_WORKING]), dice.choice(["310", "330", "400"]))
        case "mute":
            return Act(what, dice.choice((*_WORKING, "committed")), dice.choice(["20", "200", "700"]))
        case "well":
            return Act("", "")
    return Act(what, dice.choice(_WORKING))


def _upload_act(dice: Random) -> Act:
    what = dice.choice(_UPLOADERS)
    match what:
        case "stop":
            return Act(what, dice.choice(_PUBLISHING), dice.choice(["command", "console"]))
        case "dies" | "silent":
            return Act(what, dice.choice(_PUBLISHING))
        case "fails":
            return Act(what, "publish", dice.choice(["PublishError", "AuthError", "UpstreamUnavailable"]))
        case "quota":
            return Act("fails", "publish", "YouTubeQuotaError")
        case "zombie":
            return Act(what, dice.choice(["publish", "published"]), dice.choice(["310", "330", "400"]))
        case "slow":
            return Act(what, "publish", "500")
        case "mute":
            return Act(what, dice.choice(["publish", "published", "committed"]), dice.choice(["20", "200", "700"]))
        case "well":
            return Act("", "")
    return Act(what, dice.choice(["publish", "published"]))


def _calls(dice: Random) -> tuple[Call, ...]:
    calls = []
    while dice.random() < 0.45 and len(calls) < 3:
        what = dice.choice(["lost", "lost", "twice", "table", "table", "table after"])
        if what == "table" and dice.random() < 0.5:
            state, times = dice.choice(["Cleanup", "IncrementCounter", "IncrementCounter"]), dice.choice([1, 3, 4, 6])
        else:
            state, times = dice.choice((*TASKS, "HandleError", "HandleError")), dice.choice([1, 1, 2])
        calls.append(Call(state, what, dice.choice([1, 1, 1, 2, 3]), times, dice.choice([1, 1, 2, 3])))
    return tuple(calls)


def _stop(dice: Random) -> Stop:
    state = dice.choice((*TASKS, "WaitForRender", "WaitForUpload"))
    return Stop(state, dice.choice([1, 1, 2]), dice.random() < 0.5, dice.choice(["command", "console"]))
