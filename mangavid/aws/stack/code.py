"""Where the code of functions and machines lies: what the template is given besides the settings."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from mangavid.aws.package.groups import GROUPS
from mangavid.aws.stack.parts import Json, Value, logical, ref


class CodeKeys(msgspec.Struct, frozen=True, kw_only=True):
    """``functions``: function, without the channel's prefix, to the key of its zip in ``bucket``.

    ``bundle`` is the key of the machines' zip, ``bundle_sha256`` what it must hash to before anything in it runs.
    """

    bucket: Value
    functions: Mapping[str, Value]
    bundle: Value
    bundle_sha256: Value
    #: Parameters of the template that the values above refer to.
    parameters: Mapping[str, Json] = {}


def asked() -> CodeKeys:
    """Keys as parameters of the template, for whoever deploys it by other means than mangavid."""
    parameters = {"CodeBucket": _text("Bucket that the packages were uploaded to", r"[a-z0-9.-]{3,63}")}
    functions: dict[str, Value] = {}
    for group in GROUPS:
        name = f"{logical(group.name)}Package"
        if group.functions:
            parameters[name] = _text(f"Key of the zip for {', '.join(group.functions)}", r"\S{1,1024}")
            functions |= {function: ref(name) for function in group.functions}
        else:
            parameters[name] = _text("Key of the zip that renderers and uploaders run", r"\S{1,1024}")
            parameters[f"{name}Sha256"] = _text("SHA-256 of that zip, in hexadecimal", "[0-9a-f]{64}")
    return CodeKeys(
        bucket=ref("CodeBucket"),
        functions=functions,
        bundle=ref("WorkerPackage"),
        bundle_sha256=ref("WorkerPackageSha256"),
        parameters=parameters,
    )


def _text(description: str, pattern: str) -> Json:
    return {"Type": "String", "Description": description, "AllowedPattern": pattern}
