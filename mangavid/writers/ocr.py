"""Reading bubbles that are in Vietnamese already (extra ``mangavid[ocr]``, and the tesseract program with ``vie``).

Two tools, each for what it does well: RapidOCR finds where letters are (its own reading drops Vietnamese vowels with
tone marks and is sure of the result, so it is never asked to read); tesseract reads Vietnamese well, but only from a
picture that holds little else. There is no translator that works offline: bubbles in other languages are not used.
"""

from __future__ import annotations

import csv
import io
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from mangavid.models import Box, Chapter, Direction
from mangavid.writers.sentences import tidy

#: Below this mean confidence a bubble is drawing, not text.
MIN_CONFIDENCE = 0.6
#: Vietnamese text has marks on some seven words of ten, other languages hardly any.
MIN_MARKED = 0.4
#: So few words decide nothing: noise has marks too.
MIN_WORDS = 20
#: After so many panels with bubbles it must have shown that the chapter is in Vietnamese (a panel takes seconds).
SAMPLE_PANELS = 8
MAX_PANEL = 600
#: Height of a line, in pixels, at which tesseract makes fewest mistakes with marks (tried 40 to 110).
READ_HEIGHT = 60.0
_MARKED = re.compile("[ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ]", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{2,}")
_LINK = re.compile(r"\S*(?:://|www\.|@)\S*|\S+\.(?:com|net|org|vn|info|io|me|tv|xyz)\b\S*", re.IGNORECASE)
_TELEPHONE = re.compile(r"\+?\d(?:[ .-]?\d){8,}")


class Bubble(msgspec.Struct, frozen=True):
    """Text in one place of a panel; ``confidence`` 0 to 1."""

    box: Box
    text: str
    confidence: float


class Reader(Protocol):
    """Reads Vietnamese."""

    def read(self, jpeg: bytes) -> Sequence[Bubble]:
        """The bubbles of a panel, in any order. Text that is not Vietnamese may come out as anything."""


def lines(chapter: Chapter, image: Callable[[int], bytes], reader: Reader) -> list[str] | None:
    """What the bubbles of every panel say, in reading order; None where the chapter is not in Vietnamese or mute."""
    found: list[str] = []
    with_bubbles = 0
    for panel in chapter.panels:
        bubbles = reader.read(image(panel.index))
        clear = [bubble for bubble in bubbles if bubble.confidence >= MIN_CONFIDENCE]
        texts = [_without_addresses(bubble.text) for bubble in in_order(clear, chapter.direction)]
        found.append(_cut(" ".join(text for text in texts if _WORD.search(text))))
        with_bubbles += bool(bubbles)
        if with_bubbles == SAMPLE_PANELS and not is_vietnamese(" ".join(found)):
            return None
    return found if is_vietnamese(" ".join(found)) else None


def is_vietnamese(text: str) -> bool:
    """Whether these are enough words to tell, and enough of them carry the marks of Vietnamese."""
    words = _WORD.findall(text)
    return len(words) >= MIN_WORDS and sum(bool(_MARKED.search(word)) for word in words) >= MIN_MARKED * len(words)


def in_order(bubbles: Sequence[Bubble], direction: Direction) -> list[Bubble]:
    """Reading order: rows from the top, in a row from the right (from the left where the chapter reads so).

    A bubble is in a row when its middle lies within the height of the row's first.
    """
    rows: list[list[Bubble]] = []
    for bubble in sorted(bubbles, key=lambda one: (one.box.y, one.box.x)):
        middle = bubble.box.y + bubble.box.h / 2
        row = next((row for row in rows if row[0].box.y <= middle <= row[0].box.bottom), None)
        if row is None:
            rows.append([bubble])
        else:
            row.append(bubble)
    sign = -1 if direction == "rtl" else 1
    return [bubble for row in rows for bubble in sorted(row, key=lambda one: sign * (one.box.x + one.box.w / 2))]


def _without_addresses(text: str) -> str:
    """Pages carry advertisements: no address, handle or telephone number gets into a narration."""
    return tidy(_TELEPHONE.sub(" ", _LINK.sub(" ", tidy(text))))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_PANEL else text[:MAX_PANEL].rsplit(" ", 1)[0] + "…"


# --- the real reader ------------------------------------------------------------------------------------------------


def open_reader() -> Reader | str:
    """The reader, or in a sentence what it lacks."""
    tesseract = shutil.which("tesseract")
    if not tesseract:
        return "the program tesseract is not installed (Debian: tesseract-ocr tesseract-ocr-vie)"
    try:
        listed = subprocess.run([tesseract, "--list-langs"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"tesseract does not run ({problem})"
    if "vie" not in listed.stdout.split():
        return "tesseract has no Vietnamese data (Debian: tesseract-ocr-vie)"
    try:
        from rapidocr import RapidOCR

        engine = RapidOCR(
            params={
                "Global.use_cls": False,
                "Global.max_side_len": 1600,
                "Global.log_level": "error",
                "Det.limit_type": "max",
                "Det.limit_side_len": 960,
            }
        )
    except ImportError:
        return "the OCR extra is not installed (pip install 'mangavid[ocr]')"
    except Exception as problem:  # an optional reader that does not start must not cost the video
        return f"RapidOCR does not start ({type(problem).__name__}: {problem})"
    return BubbleReader(engine, tesseract)


class BubbleReader:
    """RapidOCR's boxes, grouped to bubbles, each read by tesseract."""

    def __init__(self, engine: Any, tesseract: str, timeout: float = 30.0) -> None:
        """``engine(array, use_det=True, use_cls=False, use_rec=False).boxes`` are quadrilaterals of text lines."""
        self._engine = engine
        self._tesseract = tesseract
        self._timeout = timeout

    def read(self, jpeg: bytes) -> list[Bubble]:
        import numpy as np
        from PIL import Image

        with Image.open(io.BytesIO(jpeg)) as opened:
            picture = opened.convert("RGB")
        found = self._engine(np.asarray(picture)[:, :, ::-1], use_det=True, use_cls=False, use_rec=False).boxes
        quads = [] if found is None else [[(float(x), float(y)) for x, y in quad] for quad in found]
        heights = sorted(max(y for _, y in quad) - min(y for _, y in quad) for quad in quads)
        scale = min(4.0, max(0.5, READ_HEIGHT / max(heights[len(heights) // 2], 1.0))) if heights else 1.0
        bubbles = []
        for box in grouped([_around(quad, picture.width, picture.height) for quad in quads]):
            text, confidence = self._tesseract_reads(picture.crop((box.x, box.y, box.right, box.bottom)), scale)
            if text:
                bubbles.append(Bubble(box, text, confidence))
        return bubbles

    def _tesseract_reads(self, crop: Any, scale: float) -> tuple[str, float]:
        """The text of a crop as one block, and the mean confidence of its words, weighted by length."""
        from PIL import Image, ImageOps

        size = (max(1, round(crop.width * scale)), max(1, round(crop.height * scale)))
        grey = crop.convert("L").resize(size, Image.Resampling.LANCZOS)
        file = io.BytesIO()
        ImageOps.expand(grey, border=20, fill=255).save(file, "PNG")
        try:
            done = subprocess.run(
                [self._tesseract, "stdin", "stdout", "-l", "vie", "--psm", "6", "tsv"],
                input=file.getvalue(),
                capture_output=True,
                timeout=self._timeout,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return "", 0.0
        return parse_tsv(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else ("", 0.0)


def parse_tsv(text: str) -> tuple[str, float]:
    """Words and their weighted mean confidence from tesseract's TSV (columns ``conf`` 0 to 100 and ``text``)."""
    words, weighted, letters = [], 0.0, 0
    for row in csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE):
        word = (row.get("text") or "").strip()
        if not word:
            continue
        try:
            confidence = float(row.get("conf") or 0)
        except ValueError:
            continue
        words.append(word)
        weighted += max(confidence, 0.0) * len(word)
        letters += len(word)
    return " ".join(words), weighted / letters / 100 if letters else 0.0


def grouped(lines_: Sequence[Box]) -> list[Box]:
    """Lines of one bubble as one box: lines that overlap sideways and are less than a line's height apart."""
    groups = [[line] for line in sorted(lines_, key=lambda one: one.y)]
    merged = True
    while merged:
        merged = False
        for i, group in enumerate(groups):
            near = next((j for j in range(i + 1, len(groups)) if any(_near(a, b) for a in group for b in groups[j])), 0)
            if near:
                group += groups.pop(near)
                merged = True
                break
    boxes = []
    for group in groups:
        x, y = min(line.x for line in group), min(line.y for line in group)
        boxes.append(Box(x, y, max(line.right for line in group) - x, max(line.bottom for line in group) - y))
    return boxes


def _near(a: Box, b: Box) -> bool:
    sideways = min(a.right, b.right) - max(a.x, b.x)
    apart = max(a.y, b.y) - min(a.bottom, b.bottom)
    return sideways > 0.3 * min(a.w, b.w) and apart < 0.8 * min(a.h, b.h)


def _around(quad: Sequence[tuple[float, float]], width: int, height: int) -> Box:
    """The upright box around a line, a little wider so that marks above and below letters are in it."""
    xs, ys = [x for x, _ in quad], [y for _, y in quad]
    margin = 0.25 * (max(ys) - min(ys)) + 2
    left, top = max(0, int(min(xs) - margin)), max(0, int(min(ys) - margin))
    right, bottom = min(width, int(max(xs) + margin) + 1), min(height, int(max(ys) + margin) + 1)
    return Box(left, top, max(1, right - left), max(1, bottom - top))
