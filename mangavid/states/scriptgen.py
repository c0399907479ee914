"""GenerateScript: the narration of a chapter, a scene a panel."""

from __future__ import annotations

import msgspec

from mangavid import faults, keys, protocol
from mangavid.models import Script, decode, encode
from mangavid.ports import Target
from mangavid.products import read_chapter, read_job
from mangavid.states.crops import PanelImages
from mangavid.states.desk import JobDesk, remember
from mangavid.states.runs import Event, Result, now


def handle(target: Target, event: Event) -> Result:
    """``{"scenes"}``. Stored under the digest of its inputs right after the answer: never asked for twice."""
    job = read_job(target, event["job_id"])
    chapter = read_chapter(target.objects, job.job_id)
    told = msgspec.structs.replace(chapter, source="", version="", notes=())
    inputs = keys.digest("script", told, target.config.language, target.config.writer)
    key = keys.script(job.job_id, inputs)
    if target.objects.exists(key):
        script = decode(target.objects.get(key), Script, name=key)
    else:
        desk = JobDesk(target, chapter)
        script = target.writer().write(chapter, PanelImages(target.objects, chapter).jpeg, desk)
        target.objects.put(key, encode(script))
        faults.point("script.written", key)
    remember(target, chapter, script.story)
    target.jobs.change(
        protocol.advance(
            job.job_id,
            event["execution"],
            "scripted",
            now(target),
            script_key=key,
            scenes=len(script.scenes),
            title=script.title or chapter.title,
            writer=script.writer,
        )
    )
    return {"scenes": len(script.scenes)}
