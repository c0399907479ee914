"""The product's side of the render benchmark: ``python -m tests.bench.render_ours WORKLOAD OUT``. All files, all on."""

from __future__ import annotations

import sys
from pathlib import Path

from mangavid import config, models
from mangavid.video import captions, check, metadata, mux, pool, sound, thumbnail, timeline


def main(workload: Path, out: Path) -> None:
    settings = config.Video()
    chapter = models.decode((workload / "chapter.json").read_bytes(), models.Chapter, name="chapter.json")
    script = models.decode((workload / "script.json").read_bytes(), models.Script, name="script.json")
    speech = models.decode((workload / "speech.json").read_bytes(), models.Speech, name="speech.json")
    page_files = {page.index: workload / page.key for page in chapter.pages}
    with pool.Encoders() as encoders:
        plan = timeline.plan(chapter, script, speech, settings)
        jobs = [pool.Job(segment, out / f"{segment.key}.mp4") for segment in plan.segments]
        encoders.run(jobs, settings=settings, page_files=page_files, on_segment=lambda job: None)
    voices = {segment.scene: workload / segment.voice_key for segment in plan.segments}
    measured = sound.make_soundtrack(plan, voices, settings, out / "sound.m4a")
    mux.mux(plan, [job.out for job in jobs], out / "sound.m4a", out / "video.mp4")
    check.check(out / "video.mp4", plan, settings, measured, page_files)
    (out / "captions.srt").write_text(captions.srt(plan), "utf-8")
    (out / "thumbnail.jpg").write_bytes(thumbnail.make_thumbnail(chapter, plan.title, page_files))
    document = metadata.make_metadata(chapter, script, plan, measured, voice=speech.voice, files={"video": "video.mp4"})
    (out / "metadata.json").write_bytes(models.encode(document))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
