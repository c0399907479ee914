"""The peer's side of the render benchmark, in its own environment: the same picture by MoviePy 2.

As tools built on MoviePy do it: an image clip, resized and moved by functions of time, over a ground. Without captions,
crossfades and sound, which it is thereby let off. Usage: ``python render_moviepy.py peer.json OUT.mp4``.
"""

import json
import sys
from pathlib import Path

from moviepy import CompositeVideoClip, ImageClip, concatenate_videoclips

plan = json.loads(Path(sys.argv[1]).read_text())
fps = plan["fps"]


def clip(spec):
    x, y, w, _ = spec["place"]
    dx, dy, dw, _ = spec["step"]
    seconds = spec["frames"] / fps
    panel = ImageClip(spec["panel"]).with_duration(seconds)
    if spec["zoom"]:
        panel = panel.resized(lambda t: (w + dw * t * fps) / spec["width"])
    else:
        panel = panel.resized(w / spec["width"])
    panel = panel.with_position(lambda t: (x + dx * t * fps, y + dy * t * fps))
    return CompositeVideoClip([ImageClip(spec["ground"]).with_duration(seconds), panel], size=tuple(plan["size"]))


video = concatenate_videoclips([clip(spec) for spec in plan["clips"]])
quality = ["-crf", "20", "-pix_fmt", "yuv420p"]
video.write_videofile(
    sys.argv[2], fps=fps, codec="libx264", preset="veryfast", audio=False, ffmpeg_params=quality, logger=None
)
