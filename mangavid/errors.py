"""The exception tree.

The class name is the error name in ``statemachine.asl.json`` (a Lambda's ``errorType`` is its exception's class
name), so renaming a class here renames an error there; ``tests/unit/test_asl.py`` holds the two equal. Each class
carries its exit code; ``docs/exit-codes.md`` is generated from this module.
"""

from __future__ import annotations

from typing import ClassVar


class MangavidError(Exception):
    """Something the person can be told in one line.

    ``str(error)`` is «what happened: where, why»; ``hint`` is what to do or type next (may be empty).
    """

    exit_code: ClassVar[int] = 1
    #: Step Functions may try again: the cause is outside and passes by itself.
    transient: ClassVar[bool] = False
    summary: ClassVar[str] = "A bug in mangavid."
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = self.default_hint if hint is None else hint


# --- 2: usage and configuration -------------------------------------------------------------------------------------


class UsageError(MangavidError):
    exit_code = 2
    summary = "The command line was not understood."
    default_hint = "mangavid --help lists the commands"


class ConfigError(MangavidError):
    """One or more settings are wrong; the message holds one line a problem (file, line, key, suggestion)."""

    exit_code = 2
    summary = "A setting is wrong."
    default_hint = "mangavid config example shows every setting"


class UnsupportedDefinition(MangavidError):
    """The local engine was given a state machine that uses what it does not implement."""

    exit_code = 2
    summary = "The state machine uses something the local engine does not implement."


# --- 3: bad input ---------------------------------------------------------------------------------------------------


class BadInput(MangavidError):
    exit_code = 3
    summary = "A chapter, page, archive or sidecar can't be used as it is."


class SourceNotFound(BadInput):
    summary = "The chapter or job that was named does not exist."


class BadArchive(BadInput):
    summary = "An archive is broken, hostile or over a limit."


class BadImage(BadInput):
    summary = "A page can't be decoded, or is over a limit."


class BadSidecar(BadInput):
    summary = "A narration sidecar does not fit its format."


# --- 4: a job failed ------------------------------------------------------------------------------------------------


class JobFailed(MangavidError):
    exit_code = 4
    summary = "A job failed."
    default_hint = "mangavid status shows it; mangavid retry --failed takes it up again"


class RenderError(JobFailed):
    summary = "The video could not be rendered."


class PublishError(JobFailed):
    summary = "The video could not be published."


class ScriptInvalid(JobFailed):
    summary = "The writer's answer did not fit the schema, also after its repairs."


class ScriptRefused(JobFailed):
    summary = "The writer refused to write about this chapter."
    default_hint = "it is not asked again; another writer.model may, or write a narration yourself (docs/sidecar.md)"


class OverBudget(JobFailed):
    summary = "The text of one video would cost more than its budget."
    default_hint = "writer.budget_video is the limit; writer.detail and writer.batch change what a text costs"


class TtsFailed(JobFailed):
    summary = "A line could not be spoken by any configured voice."


class NoProgress(JobFailed):
    summary = "A worker was started again and advanced nothing."


class DeployFailed(MangavidError):
    exit_code = 4
    summary = "What was to stand on AWS could not be made or changed."
    default_hint = "mangavid deploy tries again"


# --- 5: quota -------------------------------------------------------------------------------------------------------


class YouTubeQuotaError(MangavidError):
    exit_code = 5
    summary = "The day's quota is used up."
    default_hint = "mangavid quota show says when it resets"


class BudgetReached(MangavidError):
    exit_code = 5
    summary = "The day's budget for the language model or the voice is used up."
    default_hint = "writer.budget_day is the limit; mangavid quota show says when the day ends"


# --- 6: outside, try again ------------------------------------------------------------------------------------------


class UpstreamUnavailable(MangavidError):
    exit_code = 6
    transient = True
    summary = "A service, tool or disk this needs is unavailable; try again."
    default_hint = "try again later: what was done is kept"


class SourceUnavailable(UpstreamUnavailable):
    summary = "The source of chapters does not answer."


class WriterUnavailable(UpstreamUnavailable):
    summary = "The language model does not answer."


class TtsUnavailable(UpstreamUnavailable):
    summary = "The voice service does not answer."


class StorageFull(UpstreamUnavailable):
    transient = False  # it does not pass by itself
    summary = "There is not enough disk space."
    default_hint = "free some space, then run the same command again: it goes on where it stopped"


class SpotCapacity(UpstreamUnavailable):
    summary = "No machine could be had to work on."


class SpotInterrupted(UpstreamUnavailable):
    summary = "The machine was taken away; the work goes on elsewhere from its last checkpoint."


# --- 7, 8, 130 ------------------------------------------------------------------------------------------------------


class AuthError(MangavidError):
    exit_code = 7
    summary = "Credentials are missing, expired or lack a permission."


class RightsMissing(AuthError):
    summary = "No rights are declared for publishing this chapter."
    default_hint = "declare them in the settings: rights.basis, rights.holder (docs/rights.md)"


class Locked(MangavidError):
    exit_code = 8
    summary = "Another run is already working here."


class Interrupted(MangavidError):
    exit_code = 130
    summary = "Stopped by Ctrl-C or a signal."
    default_hint = "mangavid run goes on where this stopped"


# --- inside only: answers of the token service and of conditional writes --------------------------------------------


class LeaseLost(MangavidError):
    """The token is closed or the epoch has moved on: this worker is no longer the one."""


class ConditionFailed(MangavidError):
    """A conditional write met another state than it asked for. ``current`` is the item as it is, or None."""

    def __init__(self, message: str, *, current: dict[str, object] | None = None) -> None:
        super().__init__(message)
        self.current = current


_HINT = "\nhint: "


def told(error: MangavidError) -> str:
    """Message and hint as one text, for where only a text gets through (a Lambda's errorMessage, a task's cause)."""
    return f"{error}{_HINT}{error.hint}" if error.hint else str(error)


def message_and_hint(text: str) -> tuple[str, str]:
    """What ``told`` made one, apart again; the hint is empty where there is none."""
    message, _, hint = text.partition(_HINT)
    return message, hint


def every_error() -> tuple[type[MangavidError], ...]:
    """All classes of the tree, parents first, in the order of this file."""
    found: list[type[MangavidError]] = []

    def walk(cls: type[MangavidError]) -> None:
        found.append(cls)
        for sub in cls.__subclasses__():
            walk(sub)

    walk(MangavidError)
    return tuple(found)


def by_name(name: str) -> type[MangavidError] | None:
    """The class whose name is an ASL error name, or None where it is not one of ours."""
    return next((cls for cls in every_error() if cls.__name__ == name), None)
