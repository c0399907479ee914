"""``mangavid drift`` on the emulator: each kind of change by hand is found, told and put back, as far as AWS does."""

from __future__ import annotations

import http.client
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mangavid.aws.deploy import apply, fast, releases
from mangavid.aws.deploy.difference import Property
from mangavid.aws.deploy.drift import Drift, Drifts, Found
from mangavid.aws.deploy.progress import Step
from mangavid.aws.deploy.site import Site
from mangavid.aws.session import Clients
from mangavid.clock import SystemClock
from mangavid.errors import DeployFailed, SourceNotFound, UpstreamUnavailable
from tests.fakes.memory import FakeClock
from tests.fakes.ministack import ACCOUNT, REGION, Ministack, ministack
from tests.integration.test_cli import Screen
from tests.integration.test_destroy import (
    BUCKET,
    CODE,
    MACHINE,
    STACK,
    WAITS,
    Instead,
    clients,
    deployed,
    env,
    mangavid,
    packages,
)

pytestmark = pytest.mark.slow

__all__ = ["clients", "env"]


@pytest.fixture(scope="module")
def server() -> Iterator[Ministack]:
    with ministack() as running:
        yield running


def look(found: Site) -> dict[str, Drift]:
    """By id."""
    return {one.id: one for one in Drifts(found, SystemClock()).look().drifts}


def rezip(clients: Clients, function: str, text: str) -> str:
    """Give a function other code by hand; the SHA-256 of that, base64."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("other.py", text)
    answer = clients["lambda"].call("update_function_code", FunctionName=function, ZipFile=packed.getvalue())
    return str(answer["CodeSha256"])


def code_of(clients: Clients, function: str) -> str:
    return str(clients["lambda"].call("get_function_configuration", FunctionName=function)["CodeSha256"])


def definition_of(clients: Clients) -> str:
    return str(clients["stepfunctions"].call("describe_state_machine", stateMachineArn=MACHINE)["definition"])


# --- what is found ---------------------------------------------------------------------------------------------------


def test_what_was_just_deployed_is_in_sync(clients: Clients, env: dict[str, str], tmp_path: Path) -> None:
    deployed(clients, tmp_path)
    done = mangavid("drift", env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"manga-pipeline in {REGION} is as it was deployed." in done.stderr
    told = mangavid("drift", "--json", env=env)
    assert (told.returncode, json.loads(told.stdout)) == (0, {"drifts": [], "stack": STACK, "unknown": {}})


def test_settings_that_were_changed_are_told_property_by_property(
    clients: Clients, env: dict[str, str], tmp_path: Path
) -> None:
    found = deployed(clients, tmp_path)
    functions, logs, s3 = clients["lambda"], clients["logs"], clients["s3"]
    functions.call("update_function_configuration", FunctionName=f"{STACK}-fetcher", MemorySize=1024, Timeout=60)
    logs.call("put_retention_policy", logGroupName=f"/{STACK}/renderer", retentionInDays=1)
    s3.call("put_bucket_versioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    clients["dynamodb"].call("update_table", TableName=f"{STACK}-jobs", DeletionProtectionEnabled=False)
    drifts = look(found)
    assert set(drifts["FetcherFunction"].properties) == {
        Property(path="MemorySize", before=3008, after=1024),
        Property(path="Timeout", before=870, after=60),
    }
    assert (drifts["FetcherFunction"].name, drifts["FetcherFunction"].what) == (f"{STACK}-fetcher", "changed")
    assert drifts["ArtifactBucket"].properties == (
        Property(path="VersioningConfiguration.Status", before="Enabled", after="Suspended"),
    )
    assert drifts["JobsTable"].properties == (Property(path="DeletionProtectionEnabled", before=True, after=False),)
    (retention,) = drifts["RendererLogs"].properties
    assert (retention.path, retention.after) == ("RetentionInDays", 1)
    assert len(drifts) == 4
    assert {(one.fast, one.mend) for one in drifts.values()} == {(False, "revert")}
    done = mangavid("drift", env=env)
    assert done.returncode == 10
    assert "  ~ FetcherFunction  Lambda Function  manga-pipeline-fetcher" in done.stdout.splitlines()
    assert "      MemorySize  3008 → 1024" in done.stdout.splitlines()
    assert "A deploy leaves what was changed by hand as it is." in done.stderr
    assert done.stderr.rstrip().endswith("mangavid drift --revert")


def test_what_was_deleted_is_told_once(clients: Clients, env: dict[str, str], tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    clients["lambda"].call("delete_function", FunctionName=f"{STACK}-scriptgen")
    clients["logs"].call("delete_log_group", logGroupName=f"/{STACK}/uploader")
    drifts = look(found)
    assert {id: one.what for id, one in drifts.items()} == {"ScriptgenFunction": "deleted", "UploaderLogs": "deleted"}
    done = mangavid("drift", env=env)
    assert done.returncode == 10
    assert "  - ScriptgenFunction  Lambda Function  manga-pipeline-scriptgen  is not there any more" in done.stdout


def test_code_that_cloudformation_does_not_look_at_is_found(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    rezip(clients, f"{STACK}-reaper", "other = 1\n")
    drifts = look(found)
    assert list(drifts) == ["ReaperFunction"]
    (code,) = drifts["ReaperFunction"].properties
    assert code.path == "Code.S3Key"
    assert code.before.startswith("code/")
    assert code.after.startswith("other code, SHA-256 ")
    assert not drifts["ReaperFunction"].fast
    # Beside what CloudFormation tells of the same function.
    clients["lambda"].call("update_function_configuration", FunctionName=f"{STACK}-reaper", Timeout=1)
    assert [one.path for one in look(found)["ReaperFunction"].properties] == ["Timeout", "Code.S3Key"]


def test_a_definition_that_was_edited_is_told_state_by_state(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    text = definition_of(clients)
    edited = json.loads(text)
    edited["States"]["FetchManga"]["TimeoutSeconds"] = 7
    clients["stepfunctions"].call("update_state_machine", stateMachineArn=MACHINE, definition=json.dumps(edited))
    (machine,) = look(found).values()
    (property,) = machine.properties
    assert property.path.endswith("States.FetchManga.TimeoutSeconds")
    assert (property.after, machine.mend) == (7, "revert")


def test_what_lies_outside_the_stack_is_looked_at(clients: Clients, env: dict[str, str], tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    clients["cloudformation"].call("update_termination_protection", StackName=STACK, EnableTerminationProtection=False)
    gone = clients["s3"].call("list_objects_v2", Bucket=CODE, Prefix="code/worker")["Contents"][0]["Key"]
    clients["s3"].call("delete_object", Bucket=CODE, Key=gone)
    drifts = look(found)
    assert drifts[STACK].properties == (Property(path="EnableTerminationProtection", before=True, after=False),)
    assert drifts["CodeBucket"].properties == (Property(path=gone, before="there"),)
    assert {one.mend for one in drifts.values()} == {"deploy"}
    done = mangavid("drift", env=env)
    assert done.returncode == 10
    assert done.stderr.splitlines()[-1] == "The next deploy puts that right: mangavid deploy"
    # And so it does.
    made = packages(tmp_path)
    work = apply.Deploy(found, SystemClock())
    wanted = apply.Wanted(template=work._template(made), packages=made.files)
    work.apply(work.plan(wanted, settled=True))
    assert look(found) == {}


def test_without_the_bucket_for_code_every_package_is_missing(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    for one in clients["s3"].call("list_object_versions", Bucket=CODE)["Versions"]:
        clients["s3"].call("delete_object", Bucket=CODE, Key=one["Key"], VersionId=one["VersionId"])
    clients["s3"].call("delete_bucket", Bucket=CODE)
    bucket = look(found)["CodeBucket"]
    assert bucket.what == "deleted"
    assert {one.path.rpartition("-")[0] for one in bucket.properties} == {
        f"code/{one.name}" for one in packages(tmp_path).files
    }


def test_what_fast_swapped_is_told_as_ours(clients: Clients, env: dict[str, str], tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    work = apply.Deploy(found, SystemClock())
    (tmp_path / "two").mkdir()
    made = packages(tmp_path / "two", "# another\n")
    wanted = apply.Wanted(template=work._template(made), packages=made.files)
    assert work.swap(wanted).status == "swapped"
    drifts = look(found)
    assert "ReaperFunction" in drifts
    assert all(one.fast and one.mend == "deploy" for one in drifts.values())
    (code,) = drifts["ReaperFunction"].properties
    assert code.after == made.functions["reaper"].key
    done = mangavid("drift", env=env)
    assert done.returncode == 10
    assert "by mangavid deploy --fast" in done.stdout
    assert "mangavid deploy" in done.stderr.splitlines()[-1]
    # One of them was changed again by hand: that is not ours any more.
    rezip(clients, f"{STACK}-reaper", "by_hand = 1\n")
    assert not look(found)["ReaperFunction"].fast
    assert look(found)["FetcherFunction"].fast


# --- putting it back -------------------------------------------------------------------------------------------------


def test_revert_puts_back_code_definition_schedule_and_protection(
    clients: Clients, env: dict[str, str], tmp_path: Path
) -> None:
    from mangavid.aws.deploy.destroy import schedule

    found = deployed(clients, tmp_path)
    before = code_of(clients, f"{STACK}-reaper"), definition_of(clients)
    assert rezip(clients, f"{STACK}-reaper", "other = 1\n") != before[0]
    clients["stepfunctions"].call("update_state_machine", stateMachineArn=MACHINE, definition=WAITS)
    clients["cloudformation"].call("update_termination_protection", StackName=STACK, EnableTerminationProtection=False)
    schedule(found, "DISABLED")
    assert set(look(found)) == {"ReaperFunction", "StateMachine", STACK, "Schedule"}
    done = mangavid("drift", "--revert", "--yes", env=env)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "all is put back" in done.stderr
    assert (code_of(clients, f"{STACK}-reaper"), definition_of(clients)) == before
    assert schedule(found) == "ENABLED"
    assert look(found) == {}


def test_revert_puts_back_what_fast_swapped_and_forgets_it(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    before = code_of(clients, f"{STACK}-reaper")
    work = apply.Deploy(found, SystemClock())
    (tmp_path / "two").mkdir()
    made = packages(tmp_path / "two", "# another\n")
    work.swap(apply.Wanted(template=work._template(made), packages=made.files))
    drifts = Drifts(found, SystemClock())
    assert drifts.revert(drifts.look()).drifts == ()
    assert code_of(clients, f"{STACK}-reaper") == before
    assert not fast.read(work.code)


def test_it_asks_before_it_puts_anything_back(clients: Clients, env: dict[str, str], tmp_path: Path) -> None:
    deployed(clients, tmp_path)
    other = rezip(clients, f"{STACK}-reaper", "other = 1\n")
    done = mangavid("drift", "--revert", env=env, given="yes\n")
    assert done.returncode == 2
    assert "hint: mangavid drift --revert --yes" in done.stderr
    for answer, code in (("no", 130), ("yes", 0)):
        assert code_of(clients, f"{STACK}-reaper") == other
        screen = Screen("drift", "--revert", env=env, cwd=tmp_path)
        screen.until(lambda text: "Type yes: " in text)
        screen.type(f"{answer}\r".encode())
        assert screen.end() == code, screen.plain
        assert "Code.S3Key" in screen.plain
    assert code_of(clients, f"{STACK}-reaper") != other


def test_what_aws_does_not_put_back_is_told_and_is_exit_10(
    clients: Clients, env: dict[str, str], tmp_path: Path
) -> None:
    deployed(clients, tmp_path)
    # The emulator knows no change set that is held against what is there: it takes this one for one without changes.
    clients["lambda"].call("update_function_configuration", FunctionName=f"{STACK}-fetcher", MemorySize=1024)
    done = mangavid("drift", "--revert", "--yes", env=env)
    assert done.returncode == 10
    assert "      MemorySize  3008 → 1024" in done.stdout.splitlines()
    assert "AWS did not put that back." in done.stderr


CHANGE = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:changeSet/mangavid-1/1"


class Reverting:
    """CloudFormation whose change sets against drift put a function's memory back; its requests are kept."""

    def __init__(self, real: Any, functions: Any, replacement: str = "False") -> None:
        self._real = real
        self._functions = functions
        self._replacement = replacement
        self.asked: list[dict[str, Any]] = []
        self.discarded: list[str] = []
        self._executed = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def create_change_set(self, **given: Any) -> Any:
        self.asked.append(given)
        stack = self._real.describe_stacks(StackName=STACK)["Stacks"][0]["StackId"]
        return {"Id": CHANGE, "StackId": stack}

    def describe_change_set(self, **_given: Any) -> Any:
        change = {"LogicalResourceId": "FetcherFunction", "Replacement": self._replacement, "Action": "Modify"}
        return {"Status": "CREATE_COMPLETE", "Changes": [{"ResourceChange": change}]}

    def delete_change_set(self, **given: Any) -> Any:
        self.discarded.append(given["ChangeSetName"])
        return {}

    def execute_change_set(self, **_given: Any) -> Any:
        self._executed = True
        self._functions.update_function_configuration(FunctionName=f"{STACK}-fetcher", MemorySize=3008)
        return {}

    def describe_stack_events(self, **given: Any) -> Any:
        answer = self._real.describe_stack_events(**given)
        if self._executed:
            last = answer["StackEvents"][0]
            whole = {"LogicalResourceId": STACK, "PhysicalResourceId": last["StackId"], "ResourceStatusReason": ""}
            whole["ResourceType"] = "AWS::CloudFormation::Stack"
            for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"):
                answer["StackEvents"].insert(0, {**last, **whole, "EventId": status, "ResourceStatus": status})
        return answer


def test_settings_are_put_back_by_a_change_set_of_the_template_in_force_against_what_is_there(
    clients: Clients, tmp_path: Path
) -> None:
    found = deployed(clients, tmp_path)
    clients["lambda"].call("update_function_configuration", FunctionName=f"{STACK}-fetcher", MemorySize=1024)
    aws = Reverting(clients["cloudformation"].client, clients["lambda"].client)
    site = Site(
        clients=Instead(clients, cloudformation=aws), config=found.config, account=ACCOUNT, region=REGION, caller=""
    )
    drifts = Drifts(site, SystemClock())
    before = drifts.look()
    assert [one.id for one in before.drifts] == ["FetcherFunction"]
    assert drifts.revert(before).drifts == ()
    (asked,) = aws.asked
    assert (asked["DeploymentMode"], asked["ChangeSetType"]) == ("REVERT_DRIFT", "UPDATE")
    key = asked["TemplateURL"].partition(f"/{CODE}/")[2]
    in_force = clients["cloudformation"].call("get_template", StackName=STACK, TemplateStage="Original")["TemplateBody"]
    kept = json.loads(apply.Deploy(found, SystemClock()).code.get(key))
    assert kept == (json.loads(in_force) if isinstance(in_force, str) else in_force)
    assert releases.listed(apply.Deploy(found, SystemClock()).code)[0].template == key


def test_nothing_is_made_anew_to_put_a_setting_back(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    clients["lambda"].call("update_function_configuration", FunctionName=f"{STACK}-fetcher", MemorySize=1024)
    aws = Reverting(clients["cloudformation"].client, clients["lambda"].client, replacement="True")
    site = Site(
        clients=Instead(clients, cloudformation=aws), config=found.config, account=ACCOUNT, region=REGION, caller=""
    )
    drifts = Drifts(site, SystemClock())
    with pytest.raises(DeployFailed, match="delete and make anew: FetcherFunction"):
        drifts.revert(drifts.look())
    assert aws.discarded[-1] == CHANGE
    assert [one.id for one in drifts.look().drifts] == ["FetcherFunction"]


# --- AWS's own ways --------------------------------------------------------------------------------------------------


class Slow:
    """CloudFormation that takes its time to look, tells in two pages, and can't look at one resource."""

    def __init__(self, real: Any, ended: str = "DETECTION_COMPLETE") -> None:
        self._real = real
        self._ended = ended
        self.looks = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def describe_stack_drift_detection_status(self, **_given: Any) -> Any:
        self.looks += 1
        if self.looks < 4:
            return {"DetectionStatus": "DETECTION_IN_PROGRESS"}
        return {"DetectionStatus": self._ended, "DetectionStatusReason": "some could not be looked at"}

    def describe_stack_resource_drifts(self, NextToken: str = "", **_given: Any) -> Any:
        if not NextToken:
            difference = {
                "PropertyPath": "/Environment/Variables/MANGAVID",
                "ExpectedValue": "null",
                "ActualValue": "<b>",
                "DifferenceType": "ADD",
            }
            return {"StackResourceDrifts": [told("A", "MODIFIED", [difference])], "NextToken": "2"}
        return {"StackResourceDrifts": [told("B", "DELETED"), told("C", "IN_SYNC"), told("D", "UNKNOWN")]}


def told(id: str, status: str, differences: Any = ()) -> dict[str, Any]:
    return {
        "LogicalResourceId": id,
        "PhysicalResourceId": id.lower(),
        "ResourceType": "AWS::Some::Thing",
        "StackResourceDriftStatus": status,
        "PropertyDifferences": list(differences),
        "DriftStatusReason": "no right to",
    }


def test_a_detection_that_takes_long_is_waited_for_and_all_its_pages_are_read(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    slow = Slow(clients["cloudformation"].client)
    site = Site(
        clients=Instead(clients, cloudformation=slow), config=found.config, account=ACCOUNT, region=REGION, caller=""
    )
    steps: list[Step] = []
    drifts = Drifts(site, FakeClock(), steps.append).look()
    assert slow.looks == 4
    assert drifts == Found(
        stack=STACK,
        drifts=(
            Drift(
                id="A",
                type="AWS::Some::Thing",
                name="a",
                properties=(Property(path="Environment.Variables.MANGAVID", after="<b>"),),
            ),
            Drift(id="B", type="AWS::Some::Thing", name="b", what="deleted"),
        ),
        unknown={"D": "no right to"},
    )
    assert [step.status for step in steps] == ["DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"]


def test_a_stack_that_is_not_there_or_is_being_changed_is_told(
    clients: Clients, env: dict[str, str], tmp_path: Path
) -> None:
    done = mangavid("drift", env=env)
    assert done.returncode == 3
    assert f"nothing is deployed as manga-pipeline in {REGION}" in done.stderr
    found = deployed(clients, tmp_path)

    class Busy:
        def describe_stacks(self, **_given: Any) -> Any:
            return {"Stacks": [{"StackStatus": "UPDATE_IN_PROGRESS", "StackId": "arn:1", "StackName": STACK}]}

    site = Site(
        clients=Instead(clients, cloudformation=Busy()), config=found.config, account=ACCOUNT, region=REGION, caller=""
    )
    with pytest.raises(UpstreamUnavailable, match="UPDATE_IN_PROGRESS"):
        Drifts(site, SystemClock()).look()
    left = msgspec.structs.replace(found.config, aws=msgspec.structs.replace(found.config.aws, prefix="other"))
    with pytest.raises(SourceNotFound):
        Drifts(Site(clients=clients, config=left, account=ACCOUNT, region=REGION, caller=""), SystemClock()).look()


@contextmanager
def lacking(url: str, status: int, body: bytes) -> Iterator[str]:
    """What stands at ``url``, without drift detection: that is answered so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if b"Action=DetectStackDrift" in asked:
                self._answer(status, body, "text/xml")
                return
            there = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
            there.request("POST", self.path, asked, dict(self.headers))
            answer = there.getresponse()
            self._answer(answer.status, answer.read(), answer.headers["Content-Type"])
            there.close()

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b"<ErrorResponse><Error><Code>InvalidAction</Code><Message>no such</Message></Error></ErrorResponse>"),
        (500, b"<!doctype html><title>500 Internal Server Error</title>"),
    ],
    ids=["as AWS would", "as moto does"],
)
def test_an_endpoint_without_drift_detection_is_told_as_that_and_is_exit_6(
    server: Ministack, clients: Clients, env: dict[str, str], tmp_path: Path, status: int, body: bytes
) -> None:
    deployed(clients, tmp_path)
    with lacking(server.url, status, body) as url:
        done = mangavid("drift", env=env | {"AWS_ENDPOINT_URL_CLOUDFORMATION": url})
    assert done.returncode == 6, done.stderr
    assert "drift detection is not available here" in done.stderr
    assert mangavid("drift", env=env).returncode == 0
