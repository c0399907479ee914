"""Chapters to render, drawn and spoken by the tests themselves."""

from __future__ import annotations

import hashlib
import math
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from mangavid import config, models
from mangavid.models import Box, Chapter, Direction, Page, Panel, Piece, Scene, Script, Speech, SpokenScene, Word
from mangavid.video import timeline

SMALL = config.Video(width=640, height=360, crossfade=0.2, pause=0.2, min_panel=1.0, music="none")
RATE = timeline.SAMPLE_RATE


class Made(NamedTuple):
    """A chapter with its narration and its files: pages by index, voices by scene."""

    chapter: Chapter
    script: Script
    speech: Speech
    pages: dict[int, Path]
    voices: dict[int, Path]

    def plan(self, settings: config.Video = SMALL) -> timeline.Timeline:
        return timeline.plan(self.chapter, self.script, self.speech, settings)


def drawing(width: int, height: int, *, seed: int = 0, colour: bool = False) -> NDArray[np.uint8]:
    """Line art on paper: circles, hatching and a frame. Sharp enough to measure motion on."""
    chance = np.random.default_rng(seed)
    image = np.full((height, width, 3), 245, np.uint8)
    for _ in range(40):
        centre = (int(chance.integers(0, width)), int(chance.integers(0, height)))
        shade = chance.integers(0, 200, 3).tolist() if colour else [int(chance.integers(0, 120))] * 3
        cv2.circle(image, centre, int(chance.integers(4, max(5, min(width, height) // 5))), shade, 3, cv2.LINE_AA)
    for x in range(0, width + height, 23):
        cv2.line(image, (x, 0), (x - height, height), (60, 60, 60), 1, cv2.LINE_AA)
    cv2.rectangle(image, (0, 0), (width - 1, height - 1), (0, 0, 0), 4)
    return image if colour else image[:, :, 0].copy()


def words_of(text: str, seconds: float) -> tuple[Word, ...]:
    """The words of a text, evenly over so many seconds."""
    parts = text.split()
    each = seconds / max(1, len(parts))
    return tuple(Word(part, n * each, (n + 0.9) * each) for n, part in enumerate(parts))


def write_voice(path: Path, samples: int, *, pitch: float = 140.0) -> None:
    """Bursts with overtones, four a second, that begin at full level: peaky, as speech is."""
    t = np.arange(samples) / RATE
    tone = sum(np.sin(k * math.tau * pitch * t) / k for k in range(1, 9))
    burst = np.clip(np.cos(math.tau * 4 * t), 0, 1) ** 0.5
    write_wav(path, np.asarray(tone * burst * 9000).astype("<i2"))


def write_wav(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def chapter_of(pages: Sequence[Page], panels: Sequence[Sequence[Piece]], direction: Direction = "rtl") -> Chapter:
    return Chapter(
        job_id="dem-trang-1",
        source="folder",
        title="Đêm trăng",
        series="Đêm trăng",
        number="1",
        language="vi",
        direction=direction,
        pages=tuple(pages),
        panels=tuple(Panel(index=n, pieces=tuple(pieces)) for n, pieces in enumerate(panels)),
    )


def narrated(chapter: Chapter, texts: Sequence[str], seconds: Sequence[float]) -> tuple[Script, Speech]:
    """A scene a panel: its text, and how long it is spoken (nothing where the text is empty)."""
    scenes, spoken = [], []
    for n, (text, length) in enumerate(zip(texts, seconds, strict=True)):
        scenes.append(Scene(index=n, panel=n, text=text))
        samples = round(length * RATE) if text else 0
        key = f"voice{n}.wav" if text else ""
        spoken.append(SpokenScene(index=n, key=key, sha256=key, samples=samples, words=words_of(text, length)))
    script = Script(job_id=chapter.job_id, language="vi", title=chapter.title, description="Kể.", scenes=tuple(scenes))
    return script, Speech(job_id=chapter.job_id, voice="test", sample_rate=RATE, scenes=tuple(spoken))


def planned(*sizes: tuple[int, int], texts: Sequence[str] = (), direction: Direction = "rtl") -> Made:
    """A chapter of one-panel pages of these sizes, for planning only: there are no files."""
    pages = [
        Page(index=n, name=f"{n}.png", key=f"{n}.png", sha256=f"{n:064x}", width=w, height=h)
        for n, (w, h) in enumerate(sizes)
    ]
    chapter = chapter_of(pages, [[Piece(page=n, box=Box(0, 0, w, h))] for n, (w, h) in enumerate(sizes)], direction)
    texts = texts or [f"Cảnh thứ {n + 1} của câu chuyện." for n in range(len(sizes))]
    script, speech = narrated(chapter, texts, [1.0 + 0.3 * n for n in range(len(sizes))])
    return Made(chapter, script, speech, {}, {})


def made(folder: Path, images: Sequence[NDArray[np.uint8]], *, texts: Sequence[str] = (), seconds: float = 1.0) -> Made:
    """A chapter of one-panel pages with these pictures, files and all."""
    pages, files, voices = [], {}, {}
    for n, image in enumerate(images):
        files[n] = folder / f"page{n}.png"
        cv2.imwrite(str(files[n]), image)
        sha256 = hashlib.sha256(files[n].read_bytes()).hexdigest()
        height, width = image.shape[:2]
        pages.append(Page(index=n, name=files[n].name, key=files[n].name, sha256=sha256, width=width, height=height))
    chapter = chapter_of(pages, [[Piece(page=p.index, box=Box(0, 0, p.width, p.height))] for p in pages])
    texts = texts or [f"Cảnh thứ {n + 1} của câu chuyện." for n in range(len(images))]
    script, speech = narrated(chapter, texts, [seconds] * len(images))
    for scene in speech.scenes:
        if scene.samples:
            voices[scene.index] = folder / scene.key
            write_voice(voices[scene.index], scene.samples, pitch=120.0 + 10 * scene.index)
    return Made(chapter, script, speech, files, voices)


def replace_text(chapter: Made, scene: int, text: str) -> Made:
    """The same narration with one line changed to another of the same length in time."""
    scenes = list(chapter.speech.scenes)
    old = scenes[scene]
    seconds = old.samples / RATE
    scenes[scene] = models.SpokenScene(
        index=old.index, key=old.key, sha256=old.sha256, samples=old.samples, words=words_of(text, seconds)
    )
    lines = [Scene(index=s.index, panel=s.panel, text=text) if s.index == scene else s for s in chapter.script.scenes]
    script = Script(job_id="j", language="vi", title=chapter.script.title, description="", scenes=tuple(lines))
    speech = Speech(job_id="j", voice="test", sample_rate=RATE, scenes=tuple(scenes))
    return chapter._replace(script=script, speech=speech)
