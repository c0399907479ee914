"""The plan of a video, in whole frames and samples: what is seen, heard and read when.

A segment is one scene. It begins where the crossfade from the panel before begins; its voice begins in the middle of
that crossfade, when its own picture becomes the stronger one, so that sight and sound change together. The quiet
between two voices is then exactly ``pause`` (at least half a crossfade, so that a voice never runs into the next
segment). 48,000 samples a second divide evenly by every frame rate on offer, so nothing can drift.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from functools import cache

from mangavid import config, keys
from mangavid.errors import RenderError
from mangavid.models import Chapter, Panel, Piece, Scene, Script, Speech, SpokenScene, Struct
from mangavid.video import camera, captions

SAMPLE_RATE = 48_000
#: Raise it when the same plan would be drawn or encoded differently: old segments are then not reused.
RENDER_VERSION = 1
#: The last panel stays this long after its pause, for the music to end on.
END_HOLD = 1.0

#: x264 on top of preset veryfast: 0.6 of its time on drawn pages for one VMAF point on zooms (none on pans) and as many
#: bytes. The short lookahead is worth most; with it, four B-frames look better than three or five.
X264_PRESET = "veryfast"
X264_PARAMS = "me=dia:subme=1:partitions=i8x8,i4x4:weightp=0:scenecut=0:open-gop=0:b-adapt=0:bframes=4:rc-lookahead=5"


class Shown(Struct, frozen=True):
    """A panel in motion. ``hashes`` are its pages' sha256, piece by piece; the size is that of its stacked pieces."""

    panel: int
    pieces: tuple[Piece, ...]
    hashes: tuple[str, ...]
    width: int
    height: int
    motion: camera.Motion


class Segment(Struct, frozen=True):
    """One scene of the video, encoded on its own.

    On its first ``fade`` frames the panel before it is still seen, at the frames of its own motion from ``before_from``
    on. ``voice_key`` is the scene's WAV (empty: none), heard from sample ``voice_at`` of the video on.
    """

    key: str
    index: int
    scene: int
    first: int
    frames: int
    shown: Shown
    cues: tuple[captions.Cue, ...]
    fade: int = 0
    before: Shown | None = None
    before_from: int = 0
    voice_key: str = ""
    voice_at: int = 0
    voice_samples: int = 0


class Timeline(Struct, frozen=True):
    """The whole video. ``frames`` and ``samples`` last equally long."""

    job_id: str
    title: str
    fps: int
    segments: tuple[Segment, ...]

    @property
    def frames(self) -> int:
        return sum(segment.frames for segment in self.segments)

    @property
    def samples(self) -> int:
        return self.frames * SAMPLE_RATE // self.fps

    @property
    def seconds(self) -> float:
        return self.frames / self.fps


def plan(chapter: Chapter, script: Script, speech: Speech, settings: config.Video) -> Timeline:
    """The timeline of a narrated chapter. Raises RenderError where script, speech and chapter don't fit together."""
    if not script.scenes:
        raise RenderError(f"nothing to show: the script of {chapter.title} has no scenes")
    if speech.sample_rate != SAMPLE_RATE:
        raise RenderError(f"speech.json has {speech.sample_rate} samples a second, {SAMPLE_RATE} are needed")
    spoken = {scene.index: scene for scene in speech.scenes}
    per_frame = SAMPLE_RATE // settings.fps
    usual_fade = round(settings.crossfade * settings.fps)
    lead = usual_fade // 2
    quiet = max(math.ceil(settings.pause * settings.fps), lead)
    encoding = _encoding(settings)

    segments: list[Segment] = []
    first = 0
    for index, scene in enumerate(script.scenes):
        said = _spoken(spoken, scene)
        groups = captions.group(said.words, _drawable())
        least = settings.min_panel if said.samples else max(settings.min_panel, scene.min_seconds)
        frames = max(
            math.ceil(least * settings.fps),
            math.ceil(said.samples / per_frame) + quiet,
            lead + len(groups),
        )
        if index == len(script.scenes) - 1:
            frames += round(END_HOLD * settings.fps)
        shown = _shown(chapter, scene, index, frames + usual_fade, settings)
        before = segments[-1] if segments else None
        fade = min(usual_fade, frames // 2) if before else 0
        cues = captions.place(groups, at=lead, until=frames, fps=settings.fps)
        segments.append(
            Segment(
                index=index,
                scene=scene.index,
                first=first,
                frames=frames,
                shown=shown,
                cues=cues,
                fade=fade,
                before=before.shown if before and fade else None,
                before_from=before.frames if before and fade else 0,
                voice_key=said.key,
                voice_at=(first + lead) * per_frame if said.key else 0,
                voice_samples=said.samples if said.key else 0,
                key=keys.digest(
                    encoding,
                    _picture(shown),
                    (_picture(before.shown), before.frames, fade) if before and fade else None,
                    frames,
                    cues if settings.captions else None,
                ),
            )
        )
        first += frames
    return Timeline(
        job_id=chapter.job_id, title=script.title or chapter.title, fps=settings.fps, segments=tuple(segments)
    )


def _spoken(spoken: dict[int, SpokenScene], scene: Scene) -> SpokenScene:
    said = spoken.get(scene.index)
    if said is None:
        if scene.text.strip():
            raise RenderError(f"scene {scene.index + 1} has a text but no speech")
        return SpokenScene(index=scene.index, key="", sha256="", samples=0, words=())
    if bool(said.key) != (said.samples > 0):
        raise RenderError(f"scene {scene.index + 1}: its speech has {said.samples} samples and the key {said.key!r}")
    return said


def _shown(chapter: Chapter, scene: Scene, index: int, frames: int, settings: config.Video) -> Shown:
    if not 0 <= scene.panel < len(chapter.panels):
        raise RenderError(f"scene {scene.index + 1} wants panel {scene.panel + 1} of {len(chapter.panels)}")
    panel: Panel = chapter.panels[scene.panel]
    pages = {page.index: page for page in chapter.pages}
    for piece in panel.pieces:
        page = pages.get(piece.page)
        box = piece.box
        if page is None:
            raise RenderError(f"panel {panel.index + 1} is on page {piece.page + 1}, which the chapter does not have")
        inside = box.x >= 0 and box.y >= 0 and box.right <= page.width and box.bottom <= page.height
        if not inside or box.w < 1 or box.h < 1:
            raise RenderError(
                f"panel {panel.index + 1} lies outside its page {page.name}: {box.w}×{box.h} at {box.x}, {box.y}"
                f" of {page.width}×{page.height}"
            )
    width, height = max(piece.box.w for piece in panel.pieces), sum(piece.box.h for piece in panel.pieces)
    return Shown(
        panel=panel.index,
        pieces=panel.pieces,
        hashes=tuple(pages[piece.page].sha256 for piece in panel.pieces),
        width=width,
        height=height,
        motion=camera.choose(
            width,
            height,
            index=index,
            frames=frames,
            direction=chapter.direction,
            video=settings,
            page=panel.confidence == 0,
        ),
    )


def _picture(shown: Shown) -> tuple[object, ...]:
    """What decides how a panel is drawn: not the page's number, which shifts when one is added in front."""
    return (*zip(shown.hashes, (piece.box for piece in shown.pieces), strict=True), shown.motion)


def _encoding(settings: config.Video) -> tuple[object, ...]:
    return (
        RENDER_VERSION,
        (settings.width, settings.height, settings.fps, settings.crf, settings.captions),
        (X264_PRESET, X264_PARAMS),
        versions(),
    )


@cache
def versions() -> dict[str, str]:
    """What the bytes of a segment depend on beside its plan: the libraries that draw and encode it, and the font."""
    import av
    import cv2
    import numpy
    import PIL

    from mangavid.video import lettering

    return {
        "av": av.__version__,
        "libavcodec": ".".join(map(str, av.library_versions["libavcodec"])),
        "cv2": cv2.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "font": hashlib.sha256(lettering.FONT.read_bytes()).hexdigest()[:16],
    }


def _drawable() -> Callable[[str], bool]:
    from mangavid.video import lettering

    return lettering.drawable
