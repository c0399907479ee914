"""What a person reads for states, statuses and failures; ``--json`` and ``--events`` give the names themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mangavid.config import Config
    from mangavid.ports import Item
    from mangavid.states.operations import Run

WAITED_FOR = {
    "FetchManga": "Reading the pages",
    "GenerateScript": "Writing the narration",
    "GenerateTTS": "Speaking",
    "WaitForRender": "Rendering",
    "WaitForUpload": "Publishing",
}
"""The states a person waits for. Others show up where they fail or are tried again."""
STATES = WAITED_FOR | {
    "CheckQuota": "Looking at the quota",
    "StartRenderer": "Starting to render",
    "StartUploader": "Starting to publish",
    "Cleanup": "Tidying up",
    "IncrementCounter": "Counting the video",
    "HandleError": "Noting the failure",
    "Done": "Done",
    "QuotaReached": "The day's quota is reached",
    "NoMangaAvailable": "No chapter is left",
    "Aborted": "The run ended",
}
_NEXT = {
    "claimed": "FetchManga",
    "fetched": "GenerateScript",
    "scripted": "GenerateTTS",
    "voiced": "WaitForRender",
    "rendering": "WaitForRender",
    "rendered": "WaitForUpload",
    "uploading": "WaitForUpload",
}
_RUNS = {
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "TIMED_OUT": "failed: it took too long",
    "ABORTED": "given up",
    "RUNNING": "working",
}
_STYLES = {
    "done": "green",
    "failed": "red",
    "working": "cyan",
    "waiting for quota": "yellow",
    "interrupted": "yellow",
    "stopped": "yellow",
    "given up": "yellow",
}
#: The error of an execution whose chapter was named anew.
SUPERSEDED = "Superseded"
_UNTOLD = re.compile(r"and (\d+) more problems$")
_BRIEF = 100


def to_begin(config: Config) -> str:
    """Where nothing was done yet, and what to type."""
    if config.target == "aws":
        return "on AWS yet. To begin: mangavid run"
    return "here yet. To begin: mangavid run --sample, or mangavid run CHAPTER.cbz"


def state(name: str) -> str:
    """A state in words; one that has none keeps its name."""
    return STATES.get(name, name)


def state_named(name: str) -> str:
    """The state of this name, however it is written; none of none. Raises UsageError."""
    if not name:
        return ""
    import difflib

    from mangavid.errors import UsageError

    known = {state.casefold(): state for state in STATES}
    if name.casefold() in known:
        return known[name.casefold()]
    close = [known[one] for one in difflib.get_close_matches(name.casefold(), known, 2)]
    hint = f"did you mean {' or '.join(close)}?" if close else f"one of {', '.join(STATES)}"
    raise UsageError(f"no state {name}", hint=hint)


def job(item: Item, running: frozenset[str]) -> tuple[str, str]:
    """A job's status, and its style. ``running``: ARNs of the executions that a run drives now."""
    from mangavid.states.operations import in_words

    said = in_words(item)
    return _styled("working" if said == "ready" and item.get("execution") in running else said)


def step(item: Item) -> str:
    """What a job that is under way is in, and how far; or what is next for it."""
    name = WAITED_FOR.get(_NEXT.get(str(item["status"]), ""), "")
    checkpoint = item.get("ckpt") or {}
    total = checkpoint.get("total", 0) if dispatched(item) else 0
    told = [name, f"{checkpoint['done'] * 100 // total} %"] if total else [name] if name else []
    return ", ".join([*told, f"attempt {attempt(item)}"] if dispatched(item) and attempt(item) > 1 else told)


def dispatched(item: Item) -> bool:
    """Whether a worker was launched for the job, and is not done."""
    return item["status"] in ("rendering", "uploading")


def attempt(item: Item) -> int:
    """Which attempt its wait for a worker is."""
    return int(item.get("sfn_retry", 0)) + 1


def run(found: Run, *, working: bool) -> tuple[str, str]:
    """An execution's status, and its style. ``working``: a run drives executions here now."""
    if found.status == "SUCCEEDED" and found.failed and not found.made:
        return _styled("failed")
    return ended(found.status, found.error, working=working)


def ended(status: str, error: str, *, working: bool) -> tuple[str, str]:
    """An execution's own status. One that is RUNNING though nothing drives it was stopped, or killed; one that was
    ABORTED was stopped too, unless the next run found a reason to give it up.
    """
    given_up = status == "ABORTED" and error == SUPERSEDED
    stopped = (status == "RUNNING" and not working) or (status == "ABORTED" and not given_up)
    return _styled("stopped" if stopped else _RUNS.get(status, status))


def _styled(said: str) -> tuple[str, str]:
    return (said, _STYLES.get(said, "red" if said.startswith("failed") else ""))


def brief(cause: str) -> str:
    """The first line of a cause, cut where it is long, and how many problems follow."""
    lines = cause.strip().splitlines() or [""]
    first = lines[0].strip()
    first = first if len(first) <= _BRIEF else first[: _BRIEF - 1] + "…"
    more = len(lines) - 1
    if untold := _UNTOLD.search(lines[-1]):
        more += int(untold[1]) - 1
    return f"{first} (+{more} more)" if more else first


def reason(error: str, cause: str) -> str:
    """Why something failed, short: the cause, else what the error stands for."""
    from mangavid.errors import by_name

    known = by_name(error)
    return brief(cause) or (known.summary.rstrip(".") if known else error)


def why(item: Item) -> str:
    """A failed job's state and the first problem; empty for any other."""
    from mangavid.states.operations import FAILED

    if item["status"] not in FAILED:
        return ""
    cause = reason(str(item.get("error", "")), str(item.get("cause", "")))
    return ": ".join(part for part in (state(str(item.get("failed_in", ""))), cause) if part)
