"""What the parent and its encoder processes say to each other: one JSON document a line."""

from __future__ import annotations

from mangavid import config
from mangavid.models import Struct
from mangavid.video.timeline import Segment


class Task(Struct, frozen=True):
    """Parent to encoder: render a segment. ``pages`` are files by page index; ``out`` is where to put it."""

    segment: Segment
    settings: config.Video
    pages: dict[int, str]
    out: str


class Answer(Struct, frozen=True):
    """Encoder to parent: ``frames`` done so far, or the end (``done``), or an ``error`` by class name."""

    frames: int = 0
    done: bool = False
    error: str = ""
    message: str = ""
    hint: str = ""
