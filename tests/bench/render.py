"""Rendering against MoviePy 2 drawing the same picture, and against x264 alone on the same frames.

60 s of 12 panels in 1080p30 with everything on: captions, crossfades, music, loudness, muxing, the final check.
The floor is ffmpeg encoding the very frames (raw, from memory) with x264 veryfast at the same CRF and one thread, and
nothing else: what a renderer would cost that drew in no time. MoviePy is let off the sound in any case.

  --quick     20 s, 4 panels
  --captions  have MoviePy draw captions and crossfades too, of which it is let off else
  --turns N   how often each is measured (default 3)
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import venv
from pathlib import Path

from tests.bench import measure
from tests.bench.measure import ROOT, Cost

PEER = ("moviepy==2.2.1", "imageio-ffmpeg==0.8.1")
CPU_GOAL, WALL_GOAL, MEMORY_GOAL, FLOOR_GOAL = 7.0, 10.0, 0.5, 1.15


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench render", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 s instead of 60")
    parser.add_argument("--turns", type=int, default=3, help="how often each is measured")
    parser.add_argument("--captions", action="store_true", help="captions and crossfades by MoviePy too")
    options = parser.parse_args(arguments)
    peer = peer_python()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=_memory()) as folder:
        work = Path(folder)
        workload = work / "workload"
        measure.run([sys.executable, "-m", "tests.bench.render_workload", workload, 4 if options.quick else 12])

        def ours() -> Cost:
            out = work / "ours"
            out.mkdir()
            cost = measure.run([sys.executable, "-m", "tests.bench.render_ours", workload, out])
            shutil.rmtree(out)
            return cost

        def moviepy() -> Cost:
            script = Path(__file__).with_name("render_moviepy.py")
            more = ["--captions"] if options.captions else []
            return measure.run([peer, script, workload / "peer.json", work / "peer.mp4", *more])

        costs = measure.in_turn(
            {"mangavid": ours, "MoviePy": moviepy, "floor": lambda: floor(workload, work)}, options.turns
        )
    print(_report(costs))
    return 0 if all(row[-1] == "yes" for row in _goals(costs)) else 1


def floor(workload: Path, work: Path) -> Cost:
    """x264 on every segment's frames in turn; drawing them into memory beforehand is not counted."""
    from mangavid.video import ffmpeg

    raw, total = work / "frames.yuv", Cost(0.0, 0.0, 0.0)
    colours = [word for key in ("range", "space", "primaries", "trc") for word in (_COLOUR[key], _VALUE[key])]
    number = 0
    while True:
        measure.run([sys.executable, "-m", "tests.bench.render_frames", workload, str(number), raw])
        if not raw.exists():
            return total
        argv = [ffmpeg.binary(), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "1920x1080"]
        # Tagged on both sides: else ffmpeg converts the colours, which costs a quarter more.
        argv += ["-r", "30", *colours, "-i", str(raw), "-c:v", "libx264", "-preset", "veryfast", "-crf", "20"]
        total += measure.run([*argv, "-threads", "1", *colours, str(work / "floor.mp4")])
        raw.unlink()
        number += 1


_COLOUR = {"range": "-color_range", "space": "-colorspace", "primaries": "-color_primaries", "trc": "-color_trc"}
_VALUE = {"range": "tv", "space": "bt709", "primaries": "bt709", "trc": "bt709"}


def peer_python() -> Path:
    """The interpreter of the peer's environment, made where it is missing (MoviePy's pins don't go with ours)."""
    folder = ROOT / ".bench-venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "peers.txt"
    if not stamp.exists() or stamp.read_text() != "\n".join(PEER):
        print(f"making {folder.name} with {', '.join(PEER)} …", file=sys.stderr)
        venv.create(folder, with_pip=True, clear=True)
        measure.run([python, "-m", "pip", "install", "--quiet", *PEER])
        stamp.write_text("\n".join(PEER))
    return python


def _memory() -> str | None:
    """A folder in memory where there is one, so that no disk is measured."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def _goals(costs: dict[str, list[Cost]]) -> list[tuple[str, str, str, str]]:
    ours, peer, bare = costs["mangavid"], costs["MoviePy"], costs["floor"]
    cpu, wall = measure.ratio(ours, peer, "cpu"), measure.ratio(ours, peer, "wall")
    memory, over = 1 / measure.ratio(ours, peer, "peak"), 1 / measure.ratio(ours, bare, "cpu")
    return [
        measure.goal("CPU, times less than MoviePy", cpu, "x", cpu >= CPU_GOAL, f">= {CPU_GOAL:g}"),
        measure.goal("wall, times less than MoviePy", wall, "x", wall >= WALL_GOAL, f">= {WALL_GOAL:g}"),
        measure.goal("peak memory, of MoviePy's", memory, "x", memory <= MEMORY_GOAL, f"<= {MEMORY_GOAL:g}"),
        measure.goal("CPU, of the x264 floor", over, "x", over <= FLOOR_GOAL, f"<= {FLOOR_GOAL:g}"),
    ]


def _report(costs: dict[str, list[Cost]]) -> str:
    rows = [
        (name, *(f"{measure.median(taken, field):.1f}" for field in Cost._fields), str(len(taken)))
        for name, taken in costs.items()
    ]
    absolute = measure.table(("render", "CPU s", "wall s", "peak MiB", "runs"), rows)
    return absolute + "\n\n" + measure.table(("ratio (median of turns)", "is", "goal", "met"), _goals(costs))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
