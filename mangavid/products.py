"""Reading a job and its stored documents, and the digests that name what is made from them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mangavid import keys
from mangavid.config import Config
from mangavid.errors import BadInput, SourceNotFound
from mangavid.models import Chapter, Job, Script, Speech, decode, job_of
from mangavid.ports import Found, Objects, Target


def read_job(target: Target, job_id: str) -> Job:
    """Raises SourceNotFound where there is none."""
    item = target.jobs.get(keys.job_item(job_id))
    if item is None:
        raise SourceNotFound(f"no job {job_id}", hint="mangavid status lists the jobs")
    return job_of(item)


def job_of_found(found: Found) -> str:
    """The job of a chapter: the same however often it is found."""
    return keys.job_id(found.identity, found.series or found.title, found.number, found.language)


def read_chapter(objects: Objects, job_id: str) -> Chapter:
    key = keys.manifest(job_id)
    return decode(objects.get(key), Chapter, name=key)


def read_script(objects: Objects, job: Job) -> Script:
    return decode(objects.get(job.script_key), Script, name=job.script_key)


def read_speech(objects: Objects, job: Job) -> Speech:
    return decode(objects.get(job.speech_key), Speech, name=job.speech_key)


def fetch_whole(objects: Objects, key: str, sha256: str) -> Path:
    """A local file with the object's content, which is what it was when it was stored.

    Raises BadInput where it is not (a disk that fails, a file written over by hand), SourceNotFound where it is gone.
    """
    path = objects.fetch(key)
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() == sha256:
            return path
    raise BadInput(f"{key} was damaged after it was stored", hint="remake the chapter with --again")


def is_whole(objects: Objects, key: str, sha256: str) -> bool:
    """Whether an object is there, and as it was stored."""
    try:
        fetch_whole(objects, key, sha256)
    except BadInput:
        return False
    return True


def delete_temporary(objects: Objects, job_id: str) -> int:
    """Delete all of a job but its final files; returns how many objects there were."""
    return sum(
        objects.delete([product.key for product in objects.list(prefix)]) for prefix in keys.temporary_prefixes(job_id)
    )


def render_inputs(job: Job, config: Config) -> str:
    """The digest of all a video is made from: its script and speech (by their keys) and the picture's settings."""
    return keys.digest("video", job.script_key, job.speech_key, config.video)
