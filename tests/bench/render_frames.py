"""Writes one segment's frames raw: ``python -m tests.bench.render_frames WORKLOAD NUMBER OUT``; none past the last."""

from __future__ import annotations

import sys
from pathlib import Path

from mangavid import config, models
from mangavid.video import frames, pictures, timeline


def main(workload: Path, number: int, out: Path) -> None:
    settings = config.Video()
    chapter = models.decode((workload / "chapter.json").read_bytes(), models.Chapter, name="chapter.json")
    script = models.decode((workload / "script.json").read_bytes(), models.Script, name="script.json")
    speech = models.decode((workload / "speech.json").read_bytes(), models.Speech, name="speech.json")
    plan = timeline.plan(chapter, script, speech, settings)
    if number >= len(plan.segments):
        return
    pages = pictures.Pages({page.index: workload / page.key for page in chapter.pages})
    with out.open("wb") as file:
        for buffer in frames.draw(plan.segments[number], settings, pages):
            file.write(buffer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
