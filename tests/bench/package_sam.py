"""The peer of `package`: aws-lambda-builders as SAM calls it, then zips as SAM makes them. Run in .bench-venv.

``python package_sam.py ORDER``: a JSON file with ``work`` (a folder) and ``functions``: folders with a handler and a
requirements.txt. Needs uv on the path.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from pathlib import Path

from aws_lambda_builders.builder import LambdaBuilder


def build(source: Path, work: Path) -> None:
    artifacts, scratch = work / "artifacts" / source.name, work / "scratch" / source.name
    artifacts.mkdir(parents=True)
    scratch.mkdir(parents=True)
    LambdaBuilder(language="python", dependency_manager="uv", application_framework=None).build(
        str(source),
        str(artifacts),
        str(scratch),
        str(source / "requirements.txt"),
        runtime="python3.13",
        architecture="arm64",
    )
    with zipfile.ZipFile(work / f"{source.name}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for folder, _, names in os.walk(artifacts):
            for name in names:
                path = Path(folder, name)
                archive.write(path, path.relative_to(artifacts))


if __name__ == "__main__":
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for one in order["functions"]:
        build(Path(one), Path(order["work"]))
