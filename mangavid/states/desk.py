"""What a writer has on its desk: the chapter before, its own earlier answers, and the money it may spend.

Answers are objects of the job (``script/answers/``), counted on the job's item and on the day's in one transaction. A
run that is killed between the two counts the answer when it finds it again.
"""

from __future__ import annotations

import msgspec

from mangavid import faults, keys, protocol
from mangavid.errors import BudgetReached, ConditionFailed, OverBudget
from mangavid.models import Chapter, Story, decode, encode
from mangavid.ports import Change, Target
from mangavid.quota import quota_day

_MILLION = 1_000_000


class _Kept(msgspec.Struct, frozen=True):
    answer: bytes
    micros: int


class JobDesk:
    """``ports.Desk`` of one job."""

    def __init__(self, target: Target, chapter: Chapter) -> None:
        self._target = target
        self._job_id = chapter.job_id
        self.before = before(target, chapter)

    def recall(self, key: str) -> bytes | None:
        place = keys.answer(self._job_id, key)
        if not self._target.objects.exists(place):
            return None
        kept = decode(self._target.objects.get(place), _Kept, name=place)
        self._count(key, kept.micros)
        return kept.answer

    def keep(self, key: str, answer: bytes, micros: int) -> None:
        self._target.objects.put(keys.answer(self._job_id, key), encode(_Kept(answer, micros)))
        faults.point("answer.kept", key)
        self._count(key, micros)

    def _count(self, key: str, micros: int) -> None:
        day = quota_day(self._target.clock.now())
        try:
            self._target.jobs.change(*protocol.pay(self._job_id, day, key, micros))
        except ConditionFailed:
            return  # counted before

    def allow(self, micros: int) -> None:
        settings = self._target.config.writer
        job = self._target.jobs.get(keys.job_item(self._job_id)) or {}
        day_name = quota_day(self._target.clock.now())
        day = self._target.jobs.get(keys.quota_item(day_name)) or {}
        spent = int(job.get("micros", 0))
        if settings.budget_video and spent + micros > settings.budget_video * _MILLION:
            raise OverBudget(
                f"the text of this video would cost more than ${settings.budget_video:.2f}: ${spent / _MILLION:.2f} is"
                f" spent, the next request may cost ${micros / _MILLION:.2f}"
            )
        spent = int(day.get("micros", 0))
        if settings.budget_day and spent + micros > settings.budget_day * _MILLION:
            raise BudgetReached(
                f"the texts of {day_name} would cost more than ${settings.budget_day:.2f}: ${spent / _MILLION:.2f} is"
                f" spent, the next request may cost ${micros / _MILLION:.2f}"
            )

    def progress(self, done: int, total: int) -> None:
        self._target.progress(self._job_id, done, total, "panel")


# --- from one chapter to the next ------------------------------------------------------------------------------------


def before(target: Target, chapter: Chapter) -> Story | None:
    """The story of the chapter before this one in its series, as far as it was told here and its number is one."""
    number = _number(chapter.number)
    if number is None or not chapter.series:
        return None
    told = target.jobs.get(keys.story_item(chapter.series, chapter.language)) or {}
    earlier = [(n, value) for name, value in told.items() if (n := _told(name)) is not None and n < number]
    if not earlier:
        return None
    return msgspec.convert(max(earlier, key=lambda one: one[0])[1], Story)


def remember(target: Target, chapter: Chapter, story: Story) -> None:
    """Keep a chapter's story for the next one. Told again, it replaces what was kept."""
    number = _number(chapter.number)
    if number is None or not chapter.series or not story.summary:
        return
    target.jobs.change(
        Change(
            key=keys.story_item(chapter.series, chapter.language),
            set={f"c{number:g}": msgspec.to_builtins(story)},
        )
    )


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < 1e6 else None


def _told(field: str) -> float | None:
    return _number(field[1:]) if field.startswith("c") else None
