"""Is it what was planned? ``look`` at each segment when it is encoded, ``check`` the finished video before its commit.

PyAV: import this module inside functions. Cheap, because only a segment's keyframes are decoded, by its encoder, and
the sound is not measured again: the packets of both are what is joined.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av  # noqa: TID253 - this file exists for PyAV
import numpy as np  # noqa: TID253 - this file exists for PyAV

from mangavid import config
from mangavid.errors import RenderError
from mangavid.video.encoder import refusals
from mangavid.video.pictures import Pages, luma
from mangavid.video.sound import SILENCE_SECONDS, TOLERANCE, TRUE_PEAK, Measured
from mangavid.video.timeline import SAMPLE_RATE, Segment, Timeline

#: Longest accepted difference between picture and sound, in seconds.
DRIFT = 0.1
#: A frame whose pixels are all but black, in limited-range luma (black is 16): almost no pixel is brighter.
BLACK, BRIGHT_SHARE = 32, 0.002


def check(video: Path, timeline: Timeline, settings: config.Video, measured: Measured) -> None:
    """Raises RenderError naming what is off; ``measured`` is what ``make_soundtrack`` returned for its sound."""
    with refusals("the finished video"):
        _streams(video, timeline, settings)
    check_sound(timeline, settings, measured)


def look(file: Path, segment: Segment, pages: Pages) -> None:
    """No keyframe of a segment's file may be black, but where its panel is: RenderError."""
    with refusals(f"segment {segment.index + 1}"), av.open(str(file)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame = "NONKEY"
        for frame in container.decode(stream):
            plane = frame.planes[0]
            picture = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
            if _dark(picture[:, : plane.width]) and not _dark_panel(segment, pages):
                raise _off(f"the picture of segment {segment.index + 1} is black")


def _off(what: str) -> RenderError:
    return RenderError(f"the finished video failed its check: {what}", hint="mangavid retry renders it again")


def _streams(video: Path, timeline: Timeline, settings: config.Video) -> None:
    with av.open(str(video)) as container:
        kinds = sorted(stream.type for stream in container.streams)
        if kinds != ["audio", "video"]:
            raise _off(f"it has the streams {', '.join(kinds) or 'none'}, not one video and one audio")
        picture, sound = container.streams.video[0], container.streams.audio[0]
        context, voice = picture.codec_context, sound.codec_context
        shape = f"{context.name} {context.width}×{context.height} {context.pix_fmt}"
        wanted = f"h264 {settings.width}×{settings.height} yuv420p"
        if shape != wanted:
            raise _off(f"the picture is {shape}, not {wanted}")
        if (voice.name, voice.sample_rate, voice.channels) != ("aac", SAMPLE_RATE, 2):
            raise _off(f"the sound is {voice.name}, {voice.sample_rate} Hz, {voice.channels} channels")
        keyframe = {packet.pts: packet.is_keyframe for packet in container.demux(picture) if packet.pts is not None}
        times = sorted(keyframe)
        if len(times) != timeline.frames:
            raise _off(f"it has {len(times)} frames, planned were {timeline.frames}")
        ticks = 1 / (picture.time_base or Fraction(1)) / timeline.fps
        if any(time != n * ticks for n, time in enumerate(times)):
            raise _off("its frames are not evenly spaced")
        for segment in timeline.segments:
            if not keyframe[times[segment.first]]:
                where = segment.first / timeline.fps
                raise _off(f"there is no keyframe at {where:.1f} s, where a segment begins")
        seconds = float((sound.duration or 0) * (sound.time_base or 0))
        if abs(seconds - timeline.seconds) > DRIFT:
            raise _off(f"the sound lasts {seconds:.2f} s, the picture {timeline.seconds:.2f} s")


def _dark(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bool:
    return float((picture > BLACK).mean()) < BRIGHT_SHARE


def _dark_panel(segment: Segment, pages: Pages) -> bool:
    shown = [segment.shown, *([segment.before] if segment.before else [])]
    return any(float((luma(pages.panel(one.pieces)) > BLACK).mean()) < 0.05 for one in shown)


def check_sound(timeline: Timeline, settings: config.Video, measured: Measured) -> None:
    """The part of ``check`` that needs no file: loudness, peaks, silences."""
    _loudness(timeline, settings, measured)
    _silence(timeline, settings, measured)


def _loudness(timeline: Timeline, settings: config.Video, measured: Measured) -> None:
    if not measured.audible:
        if settings.music != "none" or any(segment.voice_key for segment in timeline.segments):
            raise _off("nothing can be heard")
        return
    if abs(measured.lufs - settings.loudness) > TOLERANCE:
        raise _off(f"its loudness is {measured.lufs:g} LUFS, wanted are {settings.loudness:g}")
    if measured.true_peak > TRUE_PEAK:
        raise _off(f"its true peak is {measured.true_peak:g} dBTP, over {TRUE_PEAK:g}")


def _silence(timeline: Timeline, settings: config.Video, measured: Measured) -> None:
    """No silence over a voice; and with our own music under everything, none at all."""
    voices = [
        (segment.voice_at / SAMPLE_RATE, (segment.voice_at + segment.voice_samples) / SAMPLE_RATE)
        for segment in timeline.segments
        if segment.voice_key
    ]
    for start, end in measured.silences:
        over_voice = max((min(end, last) - max(start, first) for first, last in voices), default=0.0)
        if over_voice > SILENCE_SECONDS or settings.music == "auto":
            raise _off(f"it is silent from {start:.1f} s to {end:.1f} s, where something should be heard")
