"""Segments and soundtrack joined into the finished file, without encoding anything again.

PyAV: import this module inside functions. Joined by ffmpeg's concat demuxer, segments would be off by its rounding,
more with every join; here a packet's time is its frame's number, so the last join is as exact as the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av  # noqa: TID253 - this file exists for PyAV
from av.audio.stream import AudioStream  # noqa: TID253
from av.container import InputContainer  # noqa: TID253
from av.packet import Packet  # noqa: TID253
from av.video.stream import VideoStream  # noqa: TID253

from mangavid import faults
from mangavid.errors import RenderError
from mangavid.video.encoder import TICKS, refusals, timescale
from mangavid.video.files import commit, disk
from mangavid.video.timeline import Timeline

if TYPE_CHECKING:
    #: A packet and when it is decoded, in seconds as a fraction: what compares the tracks' clocks without rounding.
    _Timed = tuple[Packet[Any], int, int]

#: A segment's index says all that joining needs: no frame of it is decoded to find out more.
_UNPROBED = {"probesize": "32", "analyzeduration": "0"}
_UNDECODED: Any = [{"skip_frame": "all"}]  # PyAV's stubs want text; it takes a dictionary a stream


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
        for packet in _by_time(_video(timeline, segments, extradata, video), _audio(sound, audio)):
            container.mux(packet)


def _by_time(*tracks: Iterator[_Timed]) -> Iterator[Packet[Any]]:
    """The packets of all tracks, each track in its own order, merged by the time they are decoded at."""
    heads = [(track, timed) for track in tracks if (timed := next(track, None))]
    while heads:
        earliest = 0
        for n in range(1, len(heads)):
            (_, one, scale), (_, least, of) = heads[n][1], heads[earliest][1]
            if one * of < least * scale:
                earliest = n
        track, (packet, _, _) = heads[earliest]
        yield packet
        if timed := next(track, None):
            heads[earliest] = (track, timed)
        else:
            del heads[earliest]


def _audio(sound: InputContainer, stream: AudioStream) -> Iterator[_Timed]:
    for packet in sound.demux(sound.streams.audio[0]):
        if packet.dts is not None and packet.time_base is not None:
            dts, base = packet.dts, packet.time_base
            packet.stream = stream
            yield packet, dts * base.numerator, base.denominator


def _video(timeline: Timeline, files: Sequence[Path], extradata: bytes | None, stream: VideoStream) -> Iterator[_Timed]:
    """All segments' packets, moved to where their segment begins."""
    clock = timescale(timeline.fps)
    tick = Fraction(1, clock)
    for segment, path in zip(timeline.segments, files, strict=True):
        what = f"segment {segment.index + 1} ({path.name})"
        with av.open(str(path), options=_UNPROBED, stream_options=_UNDECODED) as source:
            track = source.streams.video[0]
            if track.codec_context.extradata != extradata:
                raise RenderError(f"{what} was encoded with other settings than the first")
            frames = 0
            start = segment.first * TICKS
            scale = (track.time_base or tick) * clock
            for packet in source.demux(track):
                if packet.dts is None or packet.pts is None:
                    continue
                packet.pts = packet.pts * scale.numerator // scale.denominator + start
                packet.dts = packet.dts * scale.numerator // scale.denominator + start
                packet.duration = TICKS
                packet.time_base = tick
                packet.stream = stream
                frames += 1
                yield packet, packet.dts, clock
        if frames != segment.frames:
            raise RenderError(f"{what} has {frames} frames, planned were {segment.frames}")
