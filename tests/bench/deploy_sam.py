"""The peer of `deploy`: a project for SAM CLI, made of the stack that mangavid deployed.

``python deploy_sam.py FOLDER NAME``, with ``AWS_*`` of the account: the template comes out under the other name, and
with a folder of code for each group of functions in place of a zip in a bucket.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

from mangavid.aws.package.groups import GROUPS
from mangavid.aws.session import Clients
from mangavid.aws.stack.functions import SIZES
from mangavid.aws.stack.parts import logical
from mangavid.config import Config
from mangavid.resources import bundled


def main(folder: Path, name: str) -> None:
    prefix = Config().aws.prefix
    found = Clients()["cloudformation"].call("get_template", StackName=prefix, TemplateStage="Original")["TemplateBody"]
    text = found if isinstance(found, str) else json.dumps(found)
    template = json.loads(text.replace(prefix, name))
    folders = {function: group.name for group in GROUPS for function in group.functions}
    for function in SIZES:
        resource = template["Resources"][f"{logical(function)}Function"]
        resource["Properties"]["Code"] = f"{folders[function]}/"
        resource["Metadata"] = {"BuildMethod": "python-uv"}  # alike: else what is alike is built once for each
    package = Path(__file__).resolve().parents[2] / "mangavid"
    for group in GROUPS:
        if not group.functions:
            continue
        for one in ("mangavid", *group.own):
            shutil.copytree(
                bundled(one, package=package), folder / group.name / one, ignore=shutil.ignore_patterns("__pycache__")
            )
        pins = re.findall(r"^([\w.-]+==[^\\\n]+)", group.lock.read_text(encoding="utf-8"), re.MULTILINE)
        (folder / group.name / "requirements.txt").write_text("\n".join([*pins, ""]), encoding="utf-8")
    (folder / "template.json").write_text(json.dumps(template, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
