"""Small providers for tests of the states: a shelf of chapters, a writer, a voice, a publisher; each with a ledger."""

from __future__ import annotations

import io
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from mangavid.errors import MangavidError, SourceNotFound
from mangavid.models import Chapter, Credits, Direction, Rendered, Scene, Script, Word
from mangavid.ports import Desk, Fetched, Found, Publication, RawPage, Upload, Utterance


def png(width: int = 60, height: int = 90, grey: int = 200) -> bytes:
    out = io.BytesIO()
    Image.new("L", (width, height), grey).save(out, "PNG")
    return out.getvalue()


def wav(samples: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(b"\1\0" * samples)
    return out.getvalue()


class Shelf:
    """A source of chapters by name, each of ``pages`` blank pages; ``broken``: what fetching a name raises; ``gone``:
    names that are no longer there.
    """

    def __init__(self, *names: str, pages: int = 2, direction: Direction | None = "rtl") -> None:
        self.names = list(names)
        self.pages = pages
        self.direction = direction
        self.broken: dict[str, MangavidError] = {}
        self.gone: set[str] = set()
        self.fetched: list[str] = []
        self.notes: tuple[str, ...] = ()

    def find(self) -> Iterator[Found]:
        for name in sorted(self.gone.intersection(self.names)):
            raise SourceNotFound(f"/shelf/{name} does not exist")
        for name in self.names:
            yield Found(ref=f"/shelf/{name}", identity=name, series="Kệ", number="1", title=name, language="vi")

    def fetch(self, found: Found) -> Fetched:
        self.fetched.append(found.identity)
        if found.identity in self.broken:
            raise self.broken[found.identity]
        return Fetched(
            found=found,
            pages=tuple(
                RawPage(name=f"{n}.png", ext="png", data=png(grey=100 + n), width=60, height=90)
                for n in range(self.pages)
            ),
            skipped=self.notes,
            credits=Credits(authors=("Ai đó",)),
            direction=self.direction,
            sidecar=None,
        )

    def only(self, refs: list[str]) -> Shelf:
        """The same shelf, seen through a run's named sources."""
        seen = Shelf(*[ref.rpartition("/")[2] for ref in refs], pages=self.pages, direction=self.direction)
        seen.broken, seen.gone, seen.fetched, seen.notes = self.broken, self.gone, self.fetched, self.notes
        return seen


class OneLineWriter:
    name = "one-line"

    def __init__(self) -> None:
        self.calls = 0

    def write(self, chapter: Chapter, image: Callable[[int], bytes], desk: Desk) -> Script:
        self.calls += 1
        assert image(0).startswith(b"\xff\xd8"), "a panel's picture is a JPEG"
        scenes = tuple(
            Scene(index=panel.index, panel=panel.index, text=f"Khung {panel.index}.") for panel in chapter.panels
        )
        return Script(job_id=chapter.job_id, language="vi", title=chapter.title, description="", scenes=scenes)


class BeepVoice:
    key = "beep-1"
    at_once = 2

    def __init__(self) -> None:
        self.said: list[str] = []

    def speak(self, text: str) -> Utterance:
        self.said.append(text)
        words = text.split()
        return Utterance(
            wav=wav(4_800 * len(words)),
            samples=4_800 * len(words),
            words=tuple(Word(word, n * 0.1, (n + 1) * 0.1) for n, word in enumerate(words)),
        )


class StandingUpload:
    """``ports.Upload`` of a job that nobody else works on; what it was told is kept."""

    def __init__(self, job_id: str, rendered: Rendered, fetch: Callable[[str], Path] = Path) -> None:
        self.job_id = job_id
        self.rendered = rendered
        self.fetch = fetch
        self.session = ""
        self.begun = False
        self.replaced: frozenset[str] = frozenset()
        self.steps: frozenset[str] = frozenset()
        self.units = self.inserts = 0
        self.notes: list[str] = []

    def check(self) -> None: ...

    def began(self, session: str) -> None:
        self.session, self.begun = session, True

    def sent(self, done: int, total: int) -> None: ...

    def alive(self) -> None: ...

    def spend(self, units: int, *, inserts: int = 0) -> None:
        self.units += units
        self.inserts += inserts

    def done(self, step: str) -> None:
        self.steps |= {step}

    def note(self, text: str) -> None:
        self.notes.append(text)


class LedgerPublisher:
    """Counts what is published; ``fail_with`` is raised instead while it is set."""

    name = "ledger"

    def __init__(self) -> None:
        self.videos: list[str] = []
        self.fail_with: MangavidError | None = None
        self.finish_with: MangavidError | None = None
        self.finished: list[str] = []
        self.withdrawn: list[tuple[str, bool]] = []

    def publish(self, upload: Upload) -> Publication:
        if self.fail_with is not None:
            raise self.fail_with
        assert upload.fetch(upload.rendered.video.key).is_file()
        self.videos.append(upload.job_id)
        return Publication(video_id=f"v-{upload.job_id}", where=f"/videos/{upload.job_id}.mp4")

    def finish(self, upload: Upload, video_id: str) -> None:
        assert video_id == f"v-{upload.job_id}"
        if self.finish_with is not None:
            raise self.finish_with
        self.finished.append(upload.job_id)

    def withdraw(self, video_id: str, *, delete: bool) -> str:
        self.withdrawn.append((video_id, delete))
        return "deleted" if delete else "taken out of sight"
