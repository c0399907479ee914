"""The user data of a machine: ``ec2/user_data.py`` with what this machine is to do written into its head."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from mangavid.resources import bundled

#: What EC2 takes, before it is encoded.
LIMIT: Final = 16_384
_HEAD: Final = '\nHEAD = "{}"\n'
_NEEDED: Final = frozenset({"region", "bucket", "key", "sha256", "worker", "environment"})


def user_data(head: Mapping[str, object]) -> str:
    """The script for a machine, as text (EC2 wants it in base64).

    ``head``: ``region``, ``bucket`` and ``key`` of the worker's package and its ``sha256``; ``worker`` (``renderer`` or
    ``uploader``: the package's ``ec2/<worker>/main.py`` is run); ``environment``, the variables that the worker is
    given besides the region's. Anyone who may describe the machine can read all of it: no secret belongs there. The
    script has no ``${``, so that values may be references of CloudFormation's Sub.
    """
    if missing := _NEEDED - head.keys():
        raise ValueError(f"user data lacks {', '.join(sorted(missing))}")
    script = bundled("ec2/user_data.py").read_text(encoding="utf-8")
    before, _, after = script.partition(_HEAD)
    text = f"{before}\nHEAD = {json.dumps(head, separators=(',', ':'))!r}\n{after}"
    if len(text.encode()) > LIMIT:
        raise ValueError(f"user data has {len(text.encode())} bytes, EC2 takes {LIMIT}")
    return text
