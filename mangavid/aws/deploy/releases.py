"""What stood there when, and who put it there: a file for each release in the bucket for code, newest first.

A release is a template that was put in force. Templates and packages stay, so each release can be put in force again.
"""

from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final

import msgspec

from mangavid import faults
from mangavid.aws.deploy.code import CodeBucket, encoded
from mangavid.aws.stack import template as stack
from mangavid.aws.stack.parts import Json
from mangavid.errors import SourceNotFound, UsageError

_FOLDER: Final = "releases"
_AT_ONCE = 8


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """``commit``: of mangavid, ``+`` where it was changed since, or its version. ``template``: a key in the bucket."""

    id: str
    time: str
    commit: str
    who: str
    template: str
    #: The release that was gone back to; empty for a deploy.
    again: str = ""


def template_key(text: str) -> str:
    return f"templates/{hashlib.sha256(text.encode()).hexdigest()}.json"


def record(code: CodeBucket, template: Json, *, now: datetime, commit: str, who: str, again: str = "") -> Release:
    """Keep that a template is in force from now on. ``who`` is an ARN."""
    text = stack.text(template)
    key = template_key(text)
    code.put_once(key, text.encode())
    time = now.astimezone(UTC)
    release = Release(
        id=f"{time:%Y%m%d-%H%M%S}-{key[10:16]}",
        time=time.isoformat(timespec="seconds"),
        commit=commit,
        who=who.rpartition(":")[2],
        template=key,
        again=again,
    )
    code.put(f"{_FOLDER}/{release.id}.json", encoded(release))
    faults.point("deploy.recorded")
    return release


def listed(code: CodeBucket, *, most: int = 20) -> list[Release]:
    """Newest first."""
    keys = sorted(code.keys(_FOLDER), reverse=True)[:most]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return [msgspec.json.decode(data, type=Release) for data in pool.map(code.get, keys)]


def find(code: CodeBucket, wanted: str) -> Release:
    """The release of this id, or the one whose id begins or ends so. Raises UsageError."""
    every = [key.removeprefix(f"{_FOLDER}/").removesuffix(".json") for key in code.keys(_FOLDER)]
    fitting = [id for id in every if id == wanted] or [
        id for id in every if id.startswith(wanted) or id.endswith(wanted)
    ]
    if len(fitting) != 1:
        problem = "is no release" if not fitting else f"could be {', '.join(sorted(fitting)[:4])}"
        raise UsageError(f"{wanted!r} {problem}", hint="mangavid rollback lists them")
    return msgspec.json.decode(code.get(f"{_FOLDER}/{fitting[0]}.json"), type=Release)


def template_of(code: CodeBucket, release: Release) -> Json:
    """Raises SourceNotFound where it was deleted."""
    try:
        found: Json = json.loads(code.get(release.template))
    except SourceNotFound:
        raise SourceNotFound(
            f"the template of release {release.id} is no longer in the bucket {code.name}",
            hint="mangavid rollback lists the others",
        ) from None
    return found
