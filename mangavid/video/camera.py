"""How the camera moves over a panel.

A motion says where the whole panel lies in the frame, so nothing beyond the panel can come into view. Panels near the
frame's shape are zoomed slowly; tall ones are panned down and wide ones along the reading direction. Pans move by a
whole number of pixels a frame, and their scale is chosen so that they arrive at the far end exactly when time is up:
nothing is resampled between frames, which makes them perfectly smooth and cheap for x264 (a pan of a broken number of
pixels costs it twice the time and seven times the bits).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from mangavid.config import Video
from mangavid.models import Direction, Struct

#: A panel is enlarged at most this much: a tiny one stays small in the middle rather than turn to mush.
MAX_ENLARGE = 4.0
#: A panel's height over its width, in units of the frame's: from TALL on it may be panned, from TALLER on it always is.
TALL, TALLER = 1.9, 3.0
WIDE = 1.35
#: How much of the frame a panned panel takes across its motion, where time allows.
TALL_WIDTH, WIDE_HEIGHT = 0.58, 0.86
#: Pans in frame heights a second: what reads comfortably, and what very long panels may take.
GENTLE, FAST = 0.16, 0.36
#: Zooms: share of the frame filled at the closest, growth a second, and most growth.
FILL, ZOOM_RATE, ZOOM_MOST = 0.97, 0.014, 0.10


class Place(NamedTuple):
    """Where the panel's edges lie in the frame, in pixels (fractions for zooms): left, top, width, height."""

    x: float
    y: float
    w: float
    h: float


class Motion(Struct, frozen=True):
    """Where the panel lies at frame 0 (x, y, w, h) and what each frame adds, up to and with frame ``frames``.

    All whole numbers for ``pan``, with even x, w or y, h across its direction.
    """

    kind: Literal["zoom", "pan"]
    frames: int
    x: float
    y: float
    w: float
    h: float
    dx: float = 0.0
    dy: float = 0.0
    dw: float = 0.0
    dh: float = 0.0

    def place(self, frame: int) -> Place:
        return Place(
            self.x + self.dx * frame, self.y + self.dy * frame, self.w + self.dw * frame, self.h + self.dh * frame
        )


def choose(
    width: int, height: int, *, index: int, frames: int, direction: Direction, video: Video, page: bool = False
) -> Motion:
    """The motion for a panel of ``width`` × ``height`` pixels that is in view for ``frames`` frames.

    Depends on nothing else, so the same panel always moves the same way. Panels that could be zoomed or panned are
    alternately one and the other, by ``index``; so are zooms in and out. A whole ``page`` that stands in for its panels
    is always panned where it is tall: seen all at once, its lettering would be too small to read.
    """
    tallness = (height / video.height) / (width / video.width)
    if tallness >= TALLER or (tallness >= TALL and (page or index % 2)):
        pan = _pan_down(width, height, frames, video, hurry=tallness >= TALLER)
    elif tallness <= 1 / WIDE:
        pan = _pan_across(width, height, frames, video, leftward=direction == "rtl")
    else:
        pan = None
    return pan or _zoom(width, height, frames, video, inward=index % 2 == 0)


def _speeds(wanted: float, video: Video, *, hurry: bool) -> range:
    """Whole pixels a frame to try: the wanted speed within what is comfortable, then slower ones."""
    most = max(1, round((FAST if hurry else GENTLE) * video.height / video.fps))
    return range(min(max(1, round(wanted)), most), 0, -1)


def _pan_down(width: int, height: int, frames: int, video: Video, *, hurry: bool) -> Motion | None:
    wanted = (TALL_WIDTH * video.width / width * height - video.height) / frames
    for speed in _speeds(wanted, video, hurry=hurry):
        scaled = video.height + speed * frames
        scale = scaled / height
        across = max(2, 2 * round(scale * width / 2))
        if scale <= MAX_ENLARGE and across <= video.width:
            return Motion(
                kind="pan", frames=frames, x=_centred(video.width, across), y=0, w=across, h=scaled, dy=-speed
            )
    return None


def _pan_across(width: int, height: int, frames: int, video: Video, *, leftward: bool) -> Motion | None:
    wanted = (WIDE_HEIGHT * video.height / height * width - video.width) / frames
    for speed in _speeds(wanted, video, hurry=True):
        scaled = video.width + speed * frames
        scale = scaled / width
        down = max(2, 2 * round(scale * height / 2))
        if scale <= MAX_ENLARGE and down <= video.height:
            y = _centred(video.height, down)
            if leftward:
                return Motion(kind="pan", frames=frames, x=video.width - scaled, y=y, w=scaled, h=down, dx=speed)
            return Motion(kind="pan", frames=frames, x=0, y=y, w=scaled, h=down, dx=-speed)
    return None


def _centred(room: int, size: int) -> int:
    """An even offset, so that chroma samples stay aligned with luma."""
    return (room - size) // 4 * 2


def _zoom(width: int, height: int, frames: int, video: Video, *, inward: bool) -> Motion:
    near = min(FILL * video.width / width, FILL * video.height / height, MAX_ENLARGE)
    far = near / (1 + min(ZOOM_MOST, ZOOM_RATE * frames / video.fps))
    start, end = (far, near) if inward else (near, far)
    step = (end - start) / frames
    return Motion(
        kind="zoom",
        frames=frames,
        x=(video.width - width * start) / 2,
        y=(video.height - height * start) / 2,
        w=width * start,
        h=height * start,
        dx=-width * step / 2,
        dy=-height * step / 2,
        dw=width * step,
        dh=height * step,
    )
