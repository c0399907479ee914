"""The frames of a segment: a panel in motion over its own blurred likeness, crossfade, captions.

OpenCV: import this module inside functions. Frames are drawn into buffers that are reused: one frame is whole only
until the next is asked for. Grey panels never touch chroma.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2  # noqa: TID253 - this file exists for pixels
import numpy as np  # noqa: TID253 - this file exists for pixels

from mangavid import config
from mangavid.video import lettering, pictures
from mangavid.video.camera import Motion, Place
from mangavid.video.pictures import NEUTRAL, Pages, Pixels
from mangavid.video.timeline import Segment, Shown

#: The picture a zoom is sampled from is this much larger than its largest view: at 1.0 its softness would pulse.
OVERSAMPLE = 1.5
#: A panel whose size is this near to that is sampled as it is: a second resampling would only soften it.
CLOSE_ENOUGH = (0.8, 1.4)
NOWHERE = (0, 0, 0, 0)


class Canvas:
    """A yuv420p frame as one buffer of ``height * 3 / 2`` rows, and its three planes as views into it."""

    def __init__(self, width: int, height: int) -> None:
        self.buffer: Pixels = np.full((height * 3 // 2, width), NEUTRAL, np.uint8)
        flat, luma, chroma = self.buffer.reshape(-1), width * height, width * height // 4
        self.y: Pixels = flat[:luma].reshape(height, width)
        self.u: Pixels = flat[luma : luma + chroma].reshape(height // 2, width // 2)
        self.v: Pixels = flat[luma + chroma :].reshape(height // 2, width // 2)

    def planes(self, *, colour: bool) -> tuple[Pixels, ...]:
        return (self.y, self.u, self.v) if colour else (self.y,)


def draw(segment: Segment, settings: config.Video, pages: Pages) -> Iterator[Pixels]:
    """Yield the segment's frames as yuv420p buffers, BT.709 limited range.

    Raises RenderError where a page can't be used.
    """
    current = Drawing(segment.shown, settings, pages)
    canvas = Canvas(settings.width, settings.height)
    captions = _Captions(segment, settings, canvas)
    if segment.before is not None:
        earlier = Drawing(segment.before, settings, pages)
        colour = current.colour or earlier.colour
        captions.colour = colour
        under, over = Canvas(settings.width, settings.height), Canvas(settings.width, settings.height)
        for frame in range(segment.fade):
            earlier.draw(under, segment.before_from + frame)
            current.draw(over, frame)
            share = (frame + 1) * 256 // (segment.fade + 1)
            for a, b, out in zip(
                under.planes(colour=colour), over.planes(colour=colour), canvas.planes(colour=colour), strict=True
            ):
                _mix(a, b, share, out)
            yield from captions.over(frame)
        current.restart()
    canvas.u[:], canvas.v[:] = NEUTRAL, NEUTRAL
    captions.colour = current.colour
    for frame in range(segment.fade, segment.frames):
        current.draw(canvas, frame)
        yield from captions.over(frame)


def _mix(a: Pixels, b: Pixels, share: int, out: Pixels) -> None:
    """``out`` = a + (b - a) * share / 256, in integers: the same on every processor."""
    for top in range(0, a.shape[0], 64):  # in bands: the 16-bit intermediates stay in the cache
        rows = slice(top, top + 64)
        total = a[rows] * np.uint16(256 - share)
        total += b[rows] * np.uint16(share)
        total += np.uint16(128)
        total >>= 8
        out[rows] = total


class Drawing:
    """One panel made ready for its motion, drawn into one canvas at a time."""

    def __init__(self, shown: Shown, settings: config.Video, pages: Pages) -> None:
        panel = pictures.without_false_colour(pages.panel(shown.pieces))
        self.colour = panel.ndim == 3
        ground = pictures.planes(pictures.backdrop(panel, settings.width, settings.height))
        pan = shown.motion.kind == "pan"
        self._source = _Pan(panel, shown.motion) if pan else _Zoom(panel, shown.motion, ground)
        self._ground = ground
        self._fresh = True

    def restart(self) -> None:
        """The next frame goes into another canvas: what lies behind the panel has to be drawn again too."""
        self._fresh = True

    def draw(self, canvas: Canvas, frame: int) -> None:
        if self._fresh:
            for plane, ground in zip(canvas.planes(colour=True), self._ground, strict=True):
                plane[:] = NEUTRAL if ground is None else ground
            self._source.restart()
            self._fresh = False
        self._source.draw(canvas.planes(colour=self.colour), frame)


class _Pan:
    """Copies rows and columns out of the panel at its final size."""

    def __init__(self, panel: Pixels, motion: Motion) -> None:
        self._motion = motion
        scaled = pictures.resample(panel, int(motion.w), int(motion.h))
        self._luma = pictures.luma(scaled)
        self._chroma: list[tuple[Pixels, Pixels]] = []
        if scaled.ndim == 3:
            # A chroma sample covers two pixels each way: moved by an odd number of pixels, they are other samples.
            for shift in (0, 1):
                part = scaled[shift:] if motion.dy else scaled[:, shift:]
                self._chroma.append(pictures.chroma(part[: part.shape[0] // 2 * 2, : part.shape[1] // 2 * 2]))

    def restart(self) -> None:
        """Every frame is drawn whole: nothing to forget."""

    def draw(self, planes: tuple[Pixels, ...], frame: int) -> None:
        place = self._motion.place(frame)
        height, width = planes[0].shape
        left, top = int(place.x), int(place.y)
        x0, x1 = max(0, left), min(width, left + int(place.w))
        y0, y1 = max(0, top), min(height, top + int(place.h))
        from_x, from_y = x0 - left, y0 - top
        planes[0][y0:y1, x0:x1] = self._luma[from_y : from_y + y1 - y0, from_x : from_x + x1 - x0]
        if len(planes) > 1:
            shift = (from_x | from_y) & 1
            rows, columns = (y1 - y0) // 2, (x1 - x0) // 2
            down, across = (from_y - shift) // 2 if from_y else 0, (from_x - shift) // 2 if from_x else 0
            for plane, source in zip(planes[1:], self._chroma[shift], strict=True):
                part = source[down : down + rows, across : across + columns]
                plane[y0 // 2 : y0 // 2 + rows, x0 // 2 : x0 // 2 + columns] = part


class _Zoom:
    """Samples the panel anew for every frame, at any fraction of a pixel."""

    def __init__(self, panel: Pixels, motion: Motion, ground: pictures.Planes) -> None:
        self._motion = motion
        largest = max(motion.place(0), motion.place(motion.frames), key=lambda place: place.w)
        source = pictures.planes(_source_size(panel, largest))
        self._layers = [
            _Layer(plane, behind)
            for plane, behind in zip(source, ground, strict=True)
            if plane is not None and behind is not None
        ]

    def restart(self) -> None:
        for layer in self._layers:
            layer.last = NOWHERE

    def draw(self, planes: tuple[Pixels, ...], frame: int) -> None:
        place = self._motion.place(frame)
        for n, (plane, layer) in enumerate(zip(planes, self._layers, strict=True)):
            layer.draw(plane, Place(*(edge / 2 for edge in place)) if n else place)


def _source_size(panel: Pixels, largest: Place) -> Pixels:
    height, width = panel.shape[:2]
    least, most = CLOSE_ENOUGH
    even = panel.ndim == 2 or (width % 2 == 0 and height % 2 == 0)
    if even and least <= width / (largest.w * OVERSAMPLE) <= most:
        return panel
    wide, high = (max(2, 2 * round(side * OVERSAMPLE / 2)) for side in (largest.w, largest.h))
    return pictures.resample(panel, wide, high)


class _Layer:
    """One plane of a zoom: its source, what lies behind it, and where it was drawn last."""

    def __init__(self, source: Pixels, ground: Pixels) -> None:
        self._source = source
        self._ground = ground
        self.last = NOWHERE

    def draw(self, plane: Pixels, place: Place) -> None:
        height, width = plane.shape
        right, bottom = place.x + place.w, place.y + place.h
        x0, x1 = max(0, math.floor(place.x)), min(width, math.ceil(right))
        y0, y1 = max(0, math.floor(place.y)), min(height, math.ceil(bottom))
        self._restore(plane, x0, x1, y0, y1)
        # A pixel's centre x + 0.5 in the frame is (x + 0.5 - place.x) / zoom in the source, whose centres are at 0.5.
        zoom_x, zoom_y = place.w / self._source.shape[1], place.h / self._source.shape[0]
        matrix = np.array(
            [
                [1 / zoom_x, 0, (0.5 + x0 - place.x) / zoom_x - 0.5],
                [0, 1 / zoom_y, (0.5 + y0 - place.y) / zoom_y - 0.5],
            ]
        )
        cv2.warpAffine(
            self._source,
            matrix,
            (x1 - x0, y1 - y0),
            dst=plane[y0:y1, x0:x1],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        # The panel covers its outermost pixels in part: without this its edges would move in whole pixels.
        self._soften(plane, (slice(y0, y1), x0), x0 + 1 - place.x)
        self._soften(plane, (slice(y0, y1), x1 - 1), right - (x1 - 1))
        self._soften(plane, (y0, slice(x0, x1)), y0 + 1 - place.y)
        self._soften(plane, (y1 - 1, slice(x0, x1)), bottom - (y1 - 1))
        self.last = (x0, x1, y0, y1)

    def _restore(self, plane: Pixels, x0: int, x1: int, y0: int, y1: int) -> None:
        """Draw the ground again where the panel was and no longer is."""
        a0, a1, b0, b1 = self.last
        for rows, columns in (
            (slice(b0, y0), slice(a0, a1)),
            (slice(y1, b1), slice(a0, a1)),
            (slice(b0, b1), slice(a0, x0)),
            (slice(b0, b1), slice(x1, a1)),
        ):
            if rows.start < rows.stop and columns.start < columns.stop:
                plane[rows, columns] = self._ground[rows, columns]

    def _soften(self, plane: Pixels, line: tuple[slice | int, slice | int], cover: float) -> None:
        share = round(cover * 256)
        if share < 256:
            mixed = plane[line] * np.uint16(share) + self._ground[line] * np.uint16(256 - share)
            plane[line] = (mixed + np.uint16(128)) >> 8


class _Captions:
    """Lays the cue of a frame over the canvas, and takes it off again once the frame was used."""

    def __init__(self, segment: Segment, settings: config.Video, canvas: Canvas) -> None:
        self._cues = segment.cues if settings.captions else ()
        self._canvas = canvas
        self._patch: tuple[int, lettering.Patch] | None = None
        self.colour = False

    def over(self, frame: int) -> Iterator[Pixels]:
        """Yield the canvas's buffer with the frame's cue on it."""
        number = next((n for n, cue in enumerate(self._cues) if cue.first <= frame < cue.first + cue.frames), None)
        if number is None:
            yield self._canvas.buffer
            return
        if self._patch is None or self._patch[0] != number:
            height, width = self._canvas.y.shape
            self._patch = number, lettering.caption(self._cues[number].lines, width, height)
        patch = self._patch[1]
        kept: list[tuple[Pixels, Pixels]] = []
        for n, plane in enumerate(self._canvas.planes(colour=self.colour)):
            half = 2 if n else 1
            keep, add = (patch.keep_chroma, patch.add_chroma) if n else (patch.keep, patch.add)
            top, left = patch.y // half, patch.x // half
            spot = plane[top : top + keep.shape[0], left : left + keep.shape[1]]
            kept.append((spot, spot.copy()))
            total = spot * keep
            total += add
            total += np.uint16(128)
            total >>= 8
            spot[:] = total
        yield self._canvas.buffer
        for spot, before in kept:
            spot[:] = before
