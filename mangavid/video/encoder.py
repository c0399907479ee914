"""One segment as a file: frames drawn and encoded in one process, without a copy between.

PyAV: import this module inside functions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av  # noqa: TID253 - this file exists for PyAV
import numpy as np  # noqa: TID253 - this file exists for PyAV
from av.video.frame import VideoFrame  # noqa: TID253 - this file exists for PyAV
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc  # noqa: TID253

from mangavid import config, faults
from mangavid.errors import RenderError
from mangavid.video import frames
from mangavid.video.files import commit, disk
from mangavid.video.pictures import Pages, Pixels
from mangavid.video.timeline import X264_PARAMS, X264_PRESET, Segment

#: Ticks of a track's clock a frame. The movie's own clock must hold it too, or joins would be off by its rounding.
TICKS = 512


def timescale(fps: int) -> int:
    return fps * TICKS


def encode_segment(
    segment: Segment, settings: config.Video, pages: Pages, out: Path, on_frame: Callable[[int], None]
) -> None:
    """Render ``segment`` to ``out``: video only, closed GOPs, the same bytes every time.

    ``out`` appears whole or not at all. ``on_frame`` is told how many frames are done. Raises RenderError, StorageFull.
    """
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with disk(out), refusals(f"segment {segment.index + 1}"):
            _encode(segment, settings, pages, part, on_frame)
            faults.point("segment.encoded", segment.key)
            commit(part, out)
            faults.point("segment.committed")
    finally:
        part.unlink(missing_ok=True)


def _encode(
    segment: Segment, settings: config.Video, pages: Pages, part: Path, on_frame: Callable[[int], None]
) -> None:
    options = {"movie_timescale": str(timescale(settings.fps)), "fflags": "+bitexact"}
    with av.open(str(part), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=settings.fps)
        stream.width, stream.height, stream.pix_fmt = settings.width, settings.height, "yuv420p"
        stream.options = {
            "preset": X264_PRESET,
            "crf": str(settings.crf),
            "x264-params": X264_PARAMS,
        }
        context = stream.codec_context
        # One thread: x264's output depends on the number, and segments keep all processors busy anyway.
        context.thread_count = 1
        context.gop_size = 10 * settings.fps
        context.time_base = Fraction(1, settings.fps)
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        done = 0
        for buffer in frames.draw(segment, settings, pages):
            frame = _frame(buffer, settings)
            frame.pts, frame.time_base = done, context.time_base
            container.mux(stream.encode(frame))
            done += 1
            on_frame(done)
        container.mux(stream.encode(None))
    if done != segment.frames:
        raise RenderError(f"segment {segment.index + 1} came out with {done} frames of {segment.frames}")


def _frame(buffer: Pixels, settings: config.Video) -> VideoFrame:
    """The buffer as a frame: shared, as x264 copies it on sending; PyAV shares only heights divisible by four."""
    if settings.height % 4 == 0:
        return VideoFrame.from_numpy_buffer(buffer, format="yuv420p")
    frame = VideoFrame(settings.width, settings.height, "yuv420p")
    flat, at = buffer.reshape(-1), 0
    for plane in frame.planes:
        size = plane.width * plane.height
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        rows[:, : plane.width] = flat[at : at + size].reshape(plane.height, plane.width)
        at += size
    return frame


@contextmanager
def refusals(what: str) -> Iterator[None]:
    """What FFmpeg's libraries refuse (other than the disk's errors), as RenderError."""
    try:
        yield
    except av.FFmpegError as problem:
        if isinstance(problem, OSError):
            raise
        raise RenderError(f"{what} could not be made: {problem.strerror or problem}") from problem
