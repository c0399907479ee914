"""A chapter of this machine, put where the functions on AWS take it from."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from mangavid.aws.library import INBOX, narration_key
from mangavid.aws.objects import S3Objects
from mangavid.sources.local import pack
from mangavid.sources.sidecar import ReadYaml


def put(objects: S3Objects, path: Path, read_yaml: ReadYaml) -> str:
    """The key it has then: the same for the same chapter, which is uploaded once.

    Raises SourceNotFound and BadInput for what is no chapter, AuthError, UpstreamUnavailable.
    """
    with tempfile.TemporaryDirectory(prefix="mangavid-inbox-") as folder:
        packed = pack(path, Path(folder), read_yaml)
        with packed.file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256")
        digest.update(packed.narration)
        # The folder's name may be the series'.
        place = path.absolute().parent.name or "chapters"
        key = f"{INBOX}{digest.hexdigest()[:16]}/{place}/{packed.file.name}"
        if not objects.exists(key):
            # The narration first: where the chapter is, all of it is.
            if packed.narration:
                objects.put(narration_key(key), packed.narration)
            objects.put(key, packed.file)
    return key
