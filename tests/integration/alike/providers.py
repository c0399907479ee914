"""Providers that are small and fail where the scenario says so; each with a ledger."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from mangavid.models import Chapter as Manifest
from mangavid.models import Credits, Scene, Script
from mangavid.ports import Desk, Fetched, Found, Item, Publication, RawPage, Upload, Utterance
from mangavid.quota import quota_day
from tests.fakes.providers import png, wav
from tests.integration.alike.scenario import Chapter

if TYPE_CHECKING:
    from tests.integration.alike.machines import MachinesLease
    from tests.integration.alike.stages import Stage


@cache
def _page(number: int) -> bytes:
    return png(grey=100 + number)


class _Providers:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._so_far: Counter[str] = Counter()

    def _chapter(self, name: str) -> Chapter:
        return next(one for one in self._stage.scenario.chapters if one.name == name)


class Library(_Providers):
    """``ports.Source``."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.fetched: list[str] = []
        self._names = [one.name for one in stage.scenario.chapters]

    def seen(self, run: Item) -> Library:
        """The library, or of it the chapters that a run names."""
        if not run.get("sources"):
            return self
        named = copy.copy(self)
        named._names = [str(ref).rpartition("/")[2] for ref in run["sources"]]
        return named

    def find(self) -> Iterator[Found]:
        self._stage.raise_first("find", "", self._stage.scenario.find, self._so_far)
        for name in self._names:
            yield Found(ref=f"/shelf/{name}", identity=name, series="Kệ", number=name, title=name, language="vi")

    def fetch(self, found: Found) -> Fetched:
        chapter = self._chapter(found.identity)
        self._stage.raise_first("fetch", chapter.name, chapter.fetch, self._so_far)
        self.fetched.append(chapter.name)
        return Fetched(
            found=found,
            pages=tuple(
                RawPage(name=f"{n}.png", ext="png", data=_page(n), width=60, height=90) for n in range(chapter.pages)
            ),
            skipped=(),
            credits=Credits(authors=("Ai đó",)),
            direction="rtl",
            sidecar=None,
        )


class Narrator(_Providers):
    """``ports.Writer``."""

    name = "one-line"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.written: list[str] = []

    def write(self, chapter: Manifest, image: Callable[[int], bytes], desk: Desk) -> Script:
        self._stage.raise_first("write", chapter.title, self._chapter(chapter.title).write, self._so_far)
        self.written.append(chapter.title)
        scenes = tuple(
            Scene(index=panel.index, panel=panel.index, text=f"{chapter.title} {panel.index}")
            for panel in chapter.panels
        )
        return Script(job_id=chapter.job_id, language="vi", title=chapter.title, description="", scenes=scenes)


class Speaker(_Providers):
    """``ports.Voice``. One line at a time: what was said before a line failed is the same each time."""

    key = "beep-1"
    at_once = 1

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.said: list[str] = []

    def speak(self, text: str) -> Utterance:
        name, _, number = text.partition(" ")
        if number == "0":
            self._stage.raise_first("speak", name, self._chapter(name).speak, self._so_far)
        self.said.append(text)
        return Utterance(wav=wav(480), samples=480, words=())


class Press(_Providers):
    """``ports.Publisher``: one that finds again what it sent, as the port demands. ``videos``: in their order."""

    name = "ledger"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.videos: list[str] = []
        self.days: Counter[str] = Counter()

    def publish(self, upload: Upload) -> Publication:
        job_id = upload.job_id
        lease = self._machine_lease()
        if lease.job().video_id:
            self._stage.wrongs.append(f"{job_id} is published again, though its video is recorded")
        lease.point("publish")
        assert upload.fetch(upload.rendered.video.key).read_bytes() == f"video of {job_id}".encode()
        if job_id not in self.videos:
            self.videos.append(job_id)
            self.days[quota_day(self._stage.strands.now())] += 1
        lease.point("published")
        return Publication(video_id=f"v-{job_id}", where=f"/videos/{job_id}.mp4")

    def finish(self, upload: Upload, video_id: str) -> None:
        if upload.job_id not in self.videos or video_id != f"v-{upload.job_id}":
            self._stage.wrongs.append(f"{video_id} of {upload.job_id} is finished, and was never published")

    def withdraw(self, video_id: str, *, delete: bool) -> str:
        raise AssertionError("no scenario withdraws a video")

    def _machine_lease(self) -> MachinesLease:
        machine = self._stage.fleet.current
        assert machine is not None and machine.lease is not None
        return machine.lease
