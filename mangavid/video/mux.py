"""Segments and soundtrack joined into the finished file, without encoding anything again.

PyAV: import this module inside functions. Joined by ffmpeg's concat demuxer, segments would be off by its rounding,
more with every join; here a packet's time is its frame's number, so the last join is as exact as the first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av  # noqa: TID253 - this file exists for PyAV
from av.packet import Packet  # noqa: TID253
from av.video.stream import VideoStream  # noqa: TID253

from mangavid import faults
from mangavid.errors import RenderError
from mangavid.video.encoder import TICKS, refusals, timescale
from mangavid.video.files import commit, disk
from mangavid.video.timeline import Timeline


def mux(timeline: Timeline, segments: Sequence[Path], soundtrack: Path, out: Path) -> None:
    """Write the video to ``out``: one H.264 track, one AAC track, index first, title set, the same bytes every time.

    ``segments`` are the files of ``timeline.segments``, in order. Raises RenderError where one does not fit its plan
    (and is to be rendered again), StorageFull.
    """
    part = out.with_name(f".{out.name}.part")
    try:
        with disk(out), refusals("the video"):
            _join(timeline, segments, soundtrack, part)
            faults.point("video.muxed")
            commit(part, out)
            faults.point("video.committed")
    finally:
        part.unlink(missing_ok=True)


def _join(timeline: Timeline, segments: Sequence[Path], soundtrack: Path, part: Path) -> None:
    if len(segments) != len(timeline.segments):
        raise RenderError(f"{len(segments)} segment files for {len(timeline.segments)} segments")
    options = {
        "movflags": "+faststart",
        "movie_timescale": str(timescale(timeline.fps)),
        "fflags": "+bitexact",
    }
    with av.open(str(part), "w", format="mp4", options=options) as container, av.open(str(soundtrack)) as sound:
        container.metadata["title"] = timeline.title
        with av.open(str(segments[0])) as first:
            video = container.add_stream_from_template(first.streams.video[0])
            extradata = first.streams.video[0].codec_context.extradata
        video.time_base = Fraction(1, timescale(timeline.fps))
        audio = container.add_stream_from_template(sound.streams.audio[0])
        for packet in heapq.merge(
            _video(timeline, segments, extradata, video),
            (packet for packet in sound.demux(sound.streams.audio[0]) if packet.dts is not None),
            key=_seconds,
        ):
            if packet.stream.type == "audio":
                packet.stream = audio
            container.mux(packet)


def _seconds(packet: Packet[Any]) -> Fraction:
    assert packet.dts is not None and packet.time_base is not None
    return packet.dts * packet.time_base


def _video(
    timeline: Timeline, files: Sequence[Path], extradata: bytes | None, stream: VideoStream
) -> Iterator[Packet[Any]]:
    """All segments' packets, moved to where their segment begins."""
    for segment, path in zip(timeline.segments, files, strict=True):
        what = f"segment {segment.index + 1} ({path.name})"
        with av.open(str(path)) as source:
            track = source.streams.video[0]
            if track.codec_context.extradata != extradata:
                raise RenderError(f"{what} was encoded with other settings than the first")
            frames = 0
            for packet in source.demux(track):
                if packet.dts is None or packet.pts is None or packet.time_base is None:
                    continue
                scale = packet.time_base * timescale(timeline.fps)
                packet.pts = int(packet.pts * scale) + segment.first * TICKS
                packet.dts = int(packet.dts * scale) + segment.first * TICKS
                packet.duration = TICKS
                packet.time_base = Fraction(1, timescale(timeline.fps))
                packet.stream = stream
                frames += 1
                yield packet
        if frames != segment.frames:
            raise RenderError(f"{what} has {frames} frames, planned were {segment.frames}")
