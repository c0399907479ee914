"""Makes the workload of the render benchmark: ``python -m tests.bench.render_workload FOLDER PANELS``.

Panels are drawn as black-and-white manga is: line art, hatching, screentone dots, hair, speech bubbles, scan noise. A
panel's narration lasts 139 frames, so that with the pause it is shown for 5 s. For the peer, which knows nothing of
mangavid, ``peer.json`` says where each panel lies in each frame, and blurred grounds and captions are there as files.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import sys
import wave
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from mangavid import config, models
from mangavid.video import lettering, pictures, timeline

SIZES = [(900, 1300), (1400, 2000), (1100, 1600), (1000, 1400), (1280, 1800), (950, 1350)]
SIZES += [(1200, 1700), (1350, 1950), (1000, 1500), (1400, 1200), (1150, 1650), (900, 1250)]
LINES = (
    "Một ngày nọ, cậu bé mồ côi tỉnh dậy giữa khu rừng tối tăm và nghe tiếng gọi lạ.",
    "Hắn nở nụ cười nham hiểm, rồi biến mất vào bóng đêm không để lại dấu vết.",
    "Cô gái hoảng hốt hét lên. Nhưng chẳng còn ai nghe thấy nữa!",
    "Cả ngôi làng chìm trong biển lửa, và lời nguyền bắt đầu ứng nghiệm.",
)
SPOKEN = 139 * timeline.SAMPLE_RATE // 30


def draw_panel(number: int, width: int, height: int) -> Image.Image:
    chance = random.Random(number)
    w, h = width * 2, height * 2
    image = Image.new("L", (w, h), 252)
    pen = ImageDraw.Draw(image)
    _speed_lines(pen, chance, w, h, 240 if number % 2 else 60)
    _screentone(pen, chance, w, h)
    for _ in range(3):
        _figure(pen, chance, w, h)
    for x, y in ((0.05, 0.03), (0.6, 0.68)):
        _bubble(pen, chance, x * w, y * h, 0.34 * w, 0.16 * h)
    pen.rectangle((0, 0, w - 1, h - 1), outline=0, width=10)
    clean = np.asarray(image.resize((width, height), Image.Resampling.LANCZOS), np.float32)
    noise = np.random.default_rng(number).normal(0, 2.0, clean.shape)
    return Image.fromarray(np.clip(clean + noise, 0, 255).astype(np.uint8))


def _speed_lines(pen: ImageDraw.ImageDraw, chance: random.Random, w: int, h: int, count: int) -> None:
    x, y = w * chance.uniform(0.35, 0.65), h * chance.uniform(0.3, 0.5)
    for _ in range(count):
        angle, inner = chance.uniform(0, math.tau), chance.uniform(0.35, 0.6) * w
        cos, sin = math.cos(angle), math.sin(angle)
        ends = (x + inner * cos, y + inner * sin, x + 2 * h * cos, y + 2 * h * sin)
        pen.line(ends, fill=20, width=chance.choice((2, 3, 4, 6)))


def _screentone(pen: ImageDraw.ImageDraw, chance: random.Random, w: int, h: int) -> None:
    pitch, top = chance.choice((12, 14, 16, 18)), int(h * chance.uniform(0.45, 0.6))
    for row, y in enumerate(range(top, h, pitch)):
        radius = pitch * 0.48 * math.sqrt((y - top) / (h - top))
        for x in range(row % 2 * pitch // 2, w, pitch):
            if radius > 0.8:
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=30)


def _figure(pen: ImageDraw.ImageDraw, chance: random.Random, w: int, h: int) -> None:
    x, y = w * chance.uniform(0.1, 0.6), h * chance.uniform(0.1, 0.6)
    wide, high = w * chance.uniform(0.2, 0.4), h * chance.uniform(0.15, 0.35)
    pen.ellipse((x, y, x + wide, y + high), fill=250, outline=10, width=8)
    for _ in range(40):
        start, points = x + chance.uniform(0, wide), []
        bend, length = chance.uniform(-160, 160), high * chance.uniform(0.3, 1.1)
        for step in range(16):
            t = step / 15
            points.append((start + bend * t * t, y + high * 0.05 + length * t))
        pen.line(points, fill=10, width=chance.choice((3, 4, 6, 9)), joint="curve")
    for step in range(60):
        left, top = x + wide * 0.5 + step * 9, y + high * 0.6
        pen.line((left, top, left + 70, top + 95), fill=40, width=2)


def _bubble(pen: ImageDraw.ImageDraw, chance: random.Random, x: float, y: float, w: float, h: float) -> None:
    pen.ellipse((x, y, x + w, y + h), fill=255, outline=0, width=7)
    for row in range(2):
        for letter in range(9):
            left, top = x + w * (0.2 + letter * 0.068), y + h * (0.32 + row * 0.2)
            size = w * chance.uniform(0.02, 0.045)
            pen.rectangle((left, top, left + size, top + h * 0.1), outline=0, width=5)


def write_voice(path: Path, number: int) -> None:
    """Something with the peaks and pauses of speech: pitched bursts, four a second."""
    t = np.arange(SPOKEN) / timeline.SAMPLE_RATE
    pitch = np.cumsum(130 + 25 * np.sin(2.1 * t + number)) * (math.tau / timeline.SAMPLE_RATE)
    tone = sum(np.sin(k * pitch + k * k) * math.exp(-(((k * 130 - 600) / 700) ** 2)) for k in range(1, 18))
    burst = np.clip(np.sin(math.tau * 3.9 * t), 0, 1) ** 0.6
    samples = tone * burst / np.abs(tone).max() * 20000
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, timeline.SAMPLE_RATE, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())


def main(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pages, panels, scenes, speech = [], [], [], []
    for n, (width, height) in enumerate(SIZES[:count]):
        file = folder / f"page{n:02d}.png"
        draw_panel(n, width, height).save(file)
        write_voice(folder / f"voice{n:02d}.wav", n)
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        pages.append(models.Page(index=n, name=file.name, key=file.name, sha256=sha256, width=width, height=height))
        panels.append(models.Panel(index=n, pieces=(models.Piece(page=n, box=models.Box(0, 0, width, height)),)))
        words = LINES[n % len(LINES)].split()
        each = 4.5 / len(words)
        timed = tuple(models.Word(word, k * each, (k + 0.9) * each) for k, word in enumerate(words))
        scenes.append(models.Scene(index=n, panel=n, text=" ".join(words)))
        key = f"voice{n:02d}.wav"
        speech.append(models.SpokenScene(index=n, key=key, sha256=key, samples=SPOKEN, words=timed))
    chapter = models.Chapter(
        job_id="bench", source="bench", title="Đêm trăng", series="Đêm trăng", number="1", language="vi",
        direction="rtl", pages=tuple(pages), panels=tuple(panels),
    )  # fmt: skip
    script = models.Script(job_id="bench", language="vi", title="Đêm trăng", description="", scenes=tuple(scenes))
    spoken = models.Speech(job_id="bench", voice="bench", sample_rate=timeline.SAMPLE_RATE, scenes=tuple(speech))
    for name, document in (("chapter", chapter), ("script", script), ("speech", spoken)):
        (folder / f"{name}.json").write_bytes(models.encode(document))
    write_peer(folder, timeline.plan(chapter, script, spoken, config.Video()))


def write_caption(file: Path, lines: tuple[str, ...], settings: config.Video) -> tuple[int, int]:
    """A cue as a picture with transparency, as tools overlay it; returns its place."""
    patch = lettering.caption(lines, settings.width, settings.height)
    alpha = 256 - patch.keep.astype(np.int32)
    white = np.clip((patch.add / np.maximum(alpha, 1) - lettering.BLACK) * 255 / 219, 0, 255)
    rgba = np.dstack([*[white] * 3, np.minimum(alpha, 255)]).astype(np.uint8)
    Image.fromarray(rgba).save(file)
    return patch.x, patch.y


def write_peer(folder: Path, plan: timeline.Timeline) -> None:
    clips = []
    settings = config.Video()
    for segment in plan.segments:
        page = folder / f"page{segment.shown.pieces[0].page:02d}.png"
        ground = folder / f"ground{segment.index:02d}.png"
        cv2.imwrite(str(ground), pictures.backdrop(cv2.imread(str(page), 0), settings.width, settings.height))
        motion = segment.shown.motion
        cues = []
        for number, cue in enumerate(segment.cues):
            file = folder / f"cue{segment.index:02d}-{number}.png"
            left, top = write_caption(file, cue.lines, settings)
            cues.append({"picture": str(file), "place": [left, top], "first": cue.first, "frames": cue.frames})
        clips.append(
            {
                "panel": str(page),
                "ground": str(ground),
                "frames": segment.frames,
                "fade": segment.fade,
                "width": segment.shown.width,
                "zoom": motion.kind == "zoom",
                "place": list(motion.place(0)),
                "step": [motion.dx, motion.dy, motion.dw, motion.dh],
                "cues": cues,
            }
        )
    size = [settings.width, settings.height]
    (folder / "peer.json").write_text(json.dumps({"size": size, "fps": settings.fps, "clips": clips}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
