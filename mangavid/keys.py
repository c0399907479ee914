"""Every key of the object store and of the jobs table. Nothing else builds one.

Objects of a job::

    jobs/<job_id>/pages/<sha256>.<ext>        a page, content-addressed
    jobs/<job_id>/pages/manifest.json         Chapter; written last, so its presence means the fetch is complete
    jobs/<job_id>/pages/downloads/<name>      a page as a source on the network gave it
    jobs/<job_id>/script/<inputs>.json        Script
    jobs/<job_id>/script/answers/<inputs>.json  what a model answered, with its cost
    jobs/<job_id>/audio/<inputs>.wav          one scene's speech
    jobs/<job_id>/audio/<inputs>.scene.json   SpokenScene; written after the WAV, so its presence means it is spoken
    jobs/<job_id>/audio/<inputs>.json         Speech
    jobs/<job_id>/render/<segment key>.<sha256>.mp4  one segment: the checkpoint; its name tells whether it is whole
    jobs/<job_id>/render/<inputs>.m4a         the soundtrack; <inputs>.sound.json, written after it, what was measured
    jobs/<job_id>/final/<inputs>/e<epoch>/…   video.mp4, captions.srt, thumbnail.jpg, metadata.json

``pages script audio render`` are temporary (Cleanup deletes them, it can't touch ``final``).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

import msgspec

TEMPORARY = ("pages", "script", "audio", "render")
#: The files of a finished video, by kind, with the endings they have everywhere.
FILES = {"video": ".mp4", "captions": ".srt", "thumbnail": ".jpg", "metadata": ".json"}
JOB_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")


def digest(*parts: object) -> str:
    """A 16-hex key of anything msgspec can write: the address of a product made from these inputs."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()[:16]


def slug(text: str, limit: int) -> str:
    """Lower-case ASCII words joined by ``-``; «Đêm trăng» → ``dem-trang``. May be empty."""
    plain = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:limit].rstrip("-")


def job_id(source: str, title: str, chapter: str, language: str) -> str:
    """``[a-z0-9-]{1,64}`` from what names a chapter: readable, and the same however often it is made."""
    words = slug(f"{title} {chapter}".strip(), 50)
    tail = digest(source, title, chapter, language)[:10]
    return f"{words}-{tail}" if words else tail


def is_address(ref: str) -> bool:
    """Whether what a chapter is named by is an address on the network, and no path."""
    return ref.lower().startswith(("http://", "https://"))


def page(job: str, sha256: str, ext: str) -> str:
    return f"jobs/{job}/pages/{sha256}.{ext}"


def manifest(job: str) -> str:
    return f"jobs/{job}/pages/manifest.json"


def script(job: str, inputs: str) -> str:
    return f"jobs/{job}/script/{inputs}.json"


def answer(job: str, inputs: str) -> str:
    return f"jobs/{job}/script/answers/{slug(inputs, 80)}.json"


def download(job: str, name: str) -> str:
    """A file as a source on the network gave it: not asked for again after a kill."""
    return f"jobs/{job}/pages/downloads/{digest(name)}"


def scene_audio(job: str, inputs: str) -> str:
    return f"jobs/{job}/audio/{inputs}.wav"


def spoken_scene(job: str, inputs: str) -> str:
    return f"jobs/{job}/audio/{inputs}.scene.json"


def speech(job: str, inputs: str) -> str:
    return f"jobs/{job}/audio/{inputs}.json"


def segment(job: str, inputs: str, sha256: str) -> str:
    return f"jobs/{job}/render/{inputs}.{sha256}.mp4"


def read_segment(key: str) -> tuple[str, str] | None:
    """Inputs and SHA-256 in a segment's key; None for any other key."""
    inputs, *more = key.rpartition("/")[2].split(".")
    return (inputs, more[0]) if len(more) == 2 and more[1] == "mp4" else None


def soundtrack(job: str, inputs: str) -> str:
    return f"jobs/{job}/render/{inputs}.m4a"


def soundtrack_facts(job: str, inputs: str) -> str:
    return f"jobs/{job}/render/{inputs}.sound.json"


def final(job: str, inputs: str, epoch: int, name: str) -> str:
    return f"jobs/{job}/final/{inputs}/e{epoch}/{name}"


def temporary_prefixes(job: str) -> tuple[str, ...]:
    return tuple(f"jobs/{job}/{part}/" for part in TEMPORARY)


# --- jobs table -----------------------------------------------------------------------------------------------------


def job_item(job: str) -> str:
    return f"JOB#{job}"


def run_item(execution: str) -> str:
    return f"RUN#{execution}"


def quota_item(day: str) -> str:
    return f"QUOTA#{day}"


def story_item(series: str, language: str) -> str:
    """What the chapters of a series told, by their numbers."""
    return f"STORY#{slug(series, 50)}-{digest(series, language)[:10]}"


def allowance_item(day: str, name: str) -> str:
    """What was taken from a provider on a day (UTC)."""
    return f"QUOTA#{day}#{name}"


LOCK = "LOCK#pipeline"
