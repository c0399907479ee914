"""Make ``mangavid/publishers/youtube.v3.json``: of the description of YouTube's API only what the publisher calls.

The description is part of google-api-python-client (Apache-2.0, see NOTICE). It holds nothing but names, paths and
parameters of the methods that we use; texts, and what the bodies look like, are left out.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

OUT = Path(__file__).parent.parent / "mangavid" / "publishers" / "youtube.v3.json"
USED = {
    "captions": ("insert", "list"),
    "channels": ("list",),
    "playlistItems": ("insert", "list"),
    "thumbnails": ("set",),
    "videos": ("delete", "list", "update"),
}
HEAD = ("basePath", "baseUrl", "batchPath", "canonicalName", "id", "kind", "name", "rootUrl", "servicePath", "version")
METHOD = ("httpMethod", "id", "mediaUpload", "parameterOrder", "path", "request", "response", "supportsMediaUpload")


def pruned(document: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {name: document[name] for name in HEAD}
    schemas: set[str] = set()
    made["resources"] = {}
    for resource, methods in USED.items():
        known = document["resources"][resource]["methods"]
        made["resources"][resource] = {"methods": {name: _method(known[name], schemas) for name in methods}}
    made["schemas"] = {name: {"id": name, "type": "object"} for name in sorted(schemas)}
    return made


def _method(method: dict[str, Any], schemas: set[str]) -> dict[str, Any]:
    made = {name: method[name] for name in METHOD if name in method}
    made["parameters"] = {name: _plain(one) for name, one in method["parameters"].items()}
    schemas |= {method[side]["$ref"] for side in ("request", "response") if side in method}
    return made


def _plain(parameter: dict[str, Any]) -> dict[str, Any]:
    return {name: parameter[name] for name in ("location", "repeated", "required", "type") if name in parameter}


def installed() -> Path:
    """The whole description, where the library brings it."""
    found = find_spec("googleapiclient")
    assert found is not None and found.origin is not None
    return Path(found.origin).parent / "discovery_cache" / "documents" / "youtube.v3.json"


def text(document: dict[str, Any]) -> str:
    return json.dumps(pruned(document), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    OUT.write_text(text(json.loads(installed().read_text("utf-8"))), "utf-8")
    print(f"{OUT}: {OUT.stat().st_size} bytes")
