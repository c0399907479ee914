"""The template before the public checkers: cfn-lint, and checkov in an environment of its own.

checkov pins its libraries to releases of other years, so it is installed once into ``.checkov-venv`` of the checkout.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import pytest

from mangavid.aws.stack import template
from mangavid.aws.stack.code import asked
from mangavid.config import Aws, Config
from tests.stacks import CODE, made

ROOT = Path(__file__).resolve().parents[2]
CHECKOV = ROOT / ".checkov-venv"
VERSION = "3.3.30"

Json = dict[str, Any]

pytestmark = pytest.mark.slow

EVERYTHING = Aws(
    vpc="vpc-0123abcd",
    subnets="subnet-0123abcd, subnet-4567cdef",
    image="ami-0123abcd",
    on_demand_fallback=True,
    alarm_email="me@example.org",
    monthly_budget=20,
    reserved_concurrency=True,
)
CASES = {
    "as it is printed": lambda: template.make(Config(), asked()),
    "as it is deployed": lambda: made(),
    "with every setting": lambda: template.make(Config(aws=EVERYTHING), CODE),
}


def write(folder: Path, stack: Json) -> Path:
    path = folder / "template.json"
    path.write_text(template.text(stack), encoding="utf-8")
    return path


# --- cfn-lint -------------------------------------------------------------------------------------------------------


def lint(folder: Path, stack: Json) -> list[str]:
    tool = Path(sys.executable).with_name("cfn-lint")
    options = ["--format", "json", "--regions", "us-east-1", "ap-southeast-1", "--include-checks", "I"]
    command = [str(tool), *options, "--", str(write(folder, stack))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    findings = [f"{one['Rule']['Id']} {one['Message']}" for one in json.loads(done.stdout)]
    assert bool(findings) == bool(done.returncode), done.stderr
    return findings


@pytest.mark.parametrize("case", CASES)
def test_cfn_lint_has_no_finding(tmp_path: Path, case: str) -> None:
    assert lint(tmp_path, CASES[case]()) == []


def test_cfn_lint_would_tell(tmp_path: Path) -> None:
    broken = made()
    broken["Resources"]["Schedule"]["Properties"]["FlexibleTimeWindow"]["Mode"] = "SOMETIMES"
    broken["Resources"]["JobsTable"]["Properties"]["Surprise"] = True
    assert len(lint(tmp_path, broken)) == 2


# --- checkov --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def checkov() -> Path:
    tool = CHECKOV / "bin" / "checkov"
    stamp = CHECKOV / f"checkov-{VERSION}"
    if not stamp.exists():
        venv.create(CHECKOV, with_pip=False, clear=True)
        pip = [sys.executable, "-m", "pip", "--python", str(CHECKOV / "bin" / "python"), "install", "-q"]
        subprocess.run([*pip, f"checkov=={VERSION}"], check=True, capture_output=True, timeout=900)
        stamp.touch()
    return tool


def check(checkov: Path, folder: Path, stack: Json) -> dict[str, list[Json]]:
    """What failed, passed and was skipped, offline."""
    environment = {**os.environ, "BC_SKIP_MAPPING": "TRUE", "LOG_LEVEL": "ERROR"}
    options = ["--framework", "cloudformation", "secrets", "--skip-download", "--output", "json", "--soft-fail"]
    command = [str(checkov), "--file", str(write(folder, stack)), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300, env=environment, cwd=folder)
    reports = json.loads(done.stdout)
    found: dict[str, list[Json]] = {"failed": [], "passed": [], "skipped": []}
    for report in reports if isinstance(reports, list) else [reports]:
        for kind, checks in found.items():
            checks += report.get("results", {}).get(f"{kind}_checks", [])
    return found


def told(checks: list[Json]) -> set[str]:
    return {f"{one['check_id']} {one['resource']}: {one['check_name']}" for one in checks}


@pytest.mark.parametrize("case", CASES)
def test_checkov_finds_nothing_but_what_is_skipped_for_a_reason(checkov: Path, tmp_path: Path, case: str) -> None:
    found = check(checkov, tmp_path, CASES[case]())
    assert told(found["failed"]) == set()
    assert len(found["passed"]) > 200
    assert len({one["check_id"] for one in found["skipped"]}) <= 6
    assert all(len(one["check_result"]["suppress_comment"]) > 30 for one in found["skipped"])


def test_nothing_is_skipped_that_would_have_passed(checkov: Path, tmp_path: Path) -> None:
    stack = made()
    skipped = {
        (skip["id"], name)
        for name, one in stack["Resources"].items()
        for skip in one.get("Metadata", {}).get("checkov", {}).get("skip", [])
    }
    bare = copy.deepcopy(stack)
    for one in bare["Resources"].values():
        one.pop("Metadata", None)
    failed = {(one["check_id"], one["resource"].rpartition(".")[2]) for one in check(checkov, tmp_path, bare)["failed"]}
    assert failed == skipped


def test_checkov_would_tell_of_a_secret_and_an_open_bucket(checkov: Path, tmp_path: Path) -> None:
    broken = made()
    variables = broken["Resources"]["FetcherFunction"]["Properties"]["Environment"]["Variables"]
    variables["AWS_SECRET_ACCESS_KEY"] = "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"
    del broken["Resources"]["ArtifactBucket"]["Properties"]["PublicAccessBlockConfiguration"]
    failed = {one["check_id"] for one in check(checkov, tmp_path, broken)["failed"]}
    assert {"CKV_AWS_53", "CKV_AWS_54", "CKV_AWS_55", "CKV_AWS_56"} <= failed
    assert failed & {"CKV_AWS_45", "CKV_SECRET_2", "CKV_SECRET_6"}
