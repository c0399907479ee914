"""The peer's side of the render benchmark, in its own environment: the same picture by MoviePy 2.

As tools built on MoviePy do it: image clips, resized and moved by functions of time, over a ground. It is let off the
sound and the blurring of grounds (those are files), and, but with ``--captions``, captions and crossfades too.
Usage: ``python render_moviepy.py peer.json OUT.mp4 [--captions]``.
"""

import json
import sys
from pathlib import Path

from moviepy import CompositeVideoClip, ImageClip, concatenate_videoclips, vfx

plan = json.loads(Path(sys.argv[1]).read_text())
bare = "--captions" not in sys.argv
fps = plan["fps"]


def clip(spec, tail):
    """A segment, lasting into the crossfade of the one after it."""
    x, y, w, _ = spec["place"]
    dx, dy, dw, _ = spec["step"]
    seconds = (spec["frames"] + tail) / fps
    panel = ImageClip(spec["panel"]).with_duration(seconds)
    if spec["zoom"]:
        panel = panel.resized(lambda t: (w + dw * t * fps) / spec["width"])
    else:
        panel = panel.resized(w / spec["width"])
    panel = panel.with_position(lambda t: (x + dx * t * fps, y + dy * t * fps))
    layers = [ImageClip(spec["ground"]).with_duration(seconds), panel]
    for cue in [] if bare else spec["cues"]:
        text = ImageClip(cue["picture"]).with_start(cue["first"] / fps).with_duration(cue["frames"] / fps)
        layers.append(text.with_position(tuple(cue["place"])))
    return CompositeVideoClip(layers, size=tuple(plan["size"]))


def joined(specs):
    if bare:
        return concatenate_videoclips([clip(spec, 0) for spec in specs])
    clips, first = [], 0
    for spec, after in zip(specs, [*specs[1:], {"fade": 0}], strict=True):
        made = clip(spec, after["fade"]).with_start(first / fps)
        clips.append(made.with_effects([vfx.CrossFadeIn(spec["fade"] / fps)]) if spec["fade"] else made)
        first += spec["frames"]
    return CompositeVideoClip(clips, size=tuple(plan["size"]))


quality = ["-crf", "20", "-pix_fmt", "yuv420p"]
joined(plan["clips"]).write_videofile(
    sys.argv[2], fps=fps, codec="libx264", preset="veryfast", audio=False, ffmpeg_params=quality, logger=None
)
