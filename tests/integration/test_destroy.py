"""``mangavid destroy`` on the emulator: what is gone, what stays, killed at each step, and how it asks."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mangavid.aws.deploy import apply, site
from mangavid.aws.deploy.destroy import Content, Destroy, Gone, There, is_final, schedule
from mangavid.aws.deploy.progress import Step
from mangavid.aws.deploy.site import Site
from mangavid.aws.names import PREFIX_TAG, ROLE_TAG
from mangavid.aws.package import Packages
from mangavid.aws.package.build import Package
from mangavid.aws.package.groups import GROUPS
from mangavid.aws.session import Clients, Refused, Service
from mangavid.clock import SystemClock
from mangavid.config import Aws, Config
from mangavid.errors import AuthError, ConfigError, DeployFailed, Interrupted, UpstreamUnavailable
from tests.fakes.memory import FakeClock
from tests.fakes.ministack import ACCOUNT, REGION, Ministack, ministack
from tests.integration.test_cli import ROOT, Screen

pytestmark = pytest.mark.slow

STACK = "manga-pipeline"
BUCKET, CODE = (f"{STACK}-{what}-{ACCOUNT}-{REGION}" for what in ("artifacts", "code"))
TABLE = f"{STACK}-jobs"
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{STACK}"
HANDLER = "def handler(event, context):\n    return {}\n"
#: A state machine that waits: so that there are executions that run.
WAITS = json.dumps({"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}})
VIDEO = "jobs/one-1/final/0123/e1/video.mp4"
#: In the order they are passed.
POINTS = (
    "settled",
    "unscheduled",
    "stopped",
    "ended",
    "page",
    "emptied",
    "begun",
    "deleted",
    "code",
    "videos",
    "unprotected",
    "table",
    "secrets",
)


@pytest.fixture(scope="module")
def server() -> Iterator[Ministack]:
    with ministack() as running:
        yield running


@pytest.fixture
def clients(server: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    """An empty account; this process's variables are those of a process that takes it for AWS."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MANGAVID_"))]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.reset()
    made = Clients(attempts=2)
    yield made
    close(made)


def close(clients: Clients) -> None:
    for service in clients._services.values():
        service.client.close()


@pytest.fixture
def env(server: Ministack, clients: Clients, tmp_path: Path) -> dict[str, str]:
    """For ``mangavid`` as a process, with no settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MANGAVID_", "AWS_"))}
    return (
        kept
        | server.environment
        | {
            "HOME": str(tmp_path / "me"),
            "XDG_CONFIG_HOME": str(tmp_path / "me"),
            "MANGAVID_AWS_REGION": REGION,
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm-256color",
            "COLUMNS": "100",
        }
    )


def packages(folder: Path, text: str = HANDLER) -> Packages:
    """One zip for each group, with this text for each of its functions."""
    made = {}
    for group in GROUPS:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for number, handler in enumerate(sorted({"main", *group.functions})):
                archive.writestr(zipfile.ZipInfo(f"{handler}_{number}.py"), text)
        file = folder / f"{group.name}.zip"
        file.write_bytes(packed.getvalue())
        sha256 = hashlib.sha256(packed.getvalue()).hexdigest()
        made[group.name] = Package(
            name=group.name,
            file=file,
            key=f"code/{group.name}-{sha256}.zip",
            sha256=sha256,
            size=file.stat().st_size,
            unpacked=100,
        )
    functions = {function: made[group.name] for group in GROUPS for function in group.functions}
    return Packages(functions=functions, worker=made["worker"])


def place(clients: Clients, **aws: Any) -> Site:
    """The site of a channel with these settings, in the emulator's network."""
    return site.find(Config(aws=msgspec.convert({"region": REGION, **aws}, Aws)), clients)


def deployed(clients: Clients, folder: Path, **aws: Any) -> Site:
    """A channel that is deployed as ``mangavid deploy`` does it."""
    found = place(clients, **aws)
    work = apply.Deploy(found, SystemClock())
    made = packages(folder)
    wanted = apply.Wanted(template=work._template(made), packages=made.files)
    assert work.apply(work.plan(wanted, settled=True)).status == "created"
    return found


def used(clients: Clients, found: Site, runs: int = 2) -> None:
    """Fill it as months of work do: runs, machines, objects with earlier versions, a video, half an upload, secrets."""
    names = found.names
    states, s3 = clients["stepfunctions"], clients["s3"]
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{names.machine}"
    states.call("update_state_machine", stateMachineArn=machine, definition=WAITS)
    for number in range(1, runs + 1):
        states.call("start_execution", stateMachineArn=machine, name=f"scheduled-{number}", input="{}")
    launch(clients, {PREFIX_TAG: names.prefix, ROLE_TAG: "renderer"})
    launch(clients, {PREFIX_TAG: names.prefix, ROLE_TAG: "uploader"})
    for key in ("jobs/one-1/pages/a.png", "jobs/one-1/pages/a.png", "jobs/two-2/render/b.mp4", "library/Frieren/1.cbz"):
        s3.call("put_object", Bucket=found.artifacts, Key=key, Body=b"x" * 100)
    s3.call("delete_object", Bucket=found.artifacts, Key="jobs/two-2/render/b.mp4")
    for key in (VIDEO, VIDEO.replace("video.mp4", "captions.srt"), VIDEO.replace("e1", "e2")):
        s3.call("put_object", Bucket=found.artifacts, Key=key, Body=b"v" * 1000)
    s3.call("create_multipart_upload", Bucket=found.artifacts, Key="jobs/two-2/final/0/e1/video.mp4")
    clients["dynamodb"].call("put_item", TableName=names.table, Item={"pk": {"S": "JOB#one-1"}})
    for name in ("openai-api-key", "youtube-token"):
        clients["ssm"].call("put_parameter", Name=f"/{names.prefix}/{name}", Value="secret", Type="SecureString")


def launch(clients: Clients, tags: Mapping[str, str]) -> str:
    answer = clients["ec2"].call(
        "run_instances",
        ImageId="ami-0123456789abcdef0",
        InstanceType="c7g.large",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
        ],
    )
    return str(answer["Instances"][0]["InstanceId"])


# --- the emulator's own state, asked directly ------------------------------------------------------------------------


def buckets(clients: Clients) -> set[str]:
    return {one["Name"] for one in clients["s3"].call("list_buckets")["Buckets"]}


def versions(clients: Clients, bucket: str) -> list[str]:
    """The key of each version and delete marker."""
    found = clients["s3"].client.get_paginator("list_object_versions").paginate(Bucket=bucket)
    return sorted(one["Key"] for page in found for what in ("Versions", "DeleteMarkers") for one in page.get(what, ()))


def uploads(clients: Clients, bucket: str) -> list[str]:
    return [one["Key"] for one in clients["s3"].call("list_multipart_uploads", Bucket=bucket).get("Uploads", ())]


def machines(clients: Clients) -> dict[str, str]:
    """State of each instance."""
    answer = clients["ec2"].call("describe_instances")
    return {one["InstanceId"]: one["State"]["Name"] for each in answer["Reservations"] for one in each["Instances"]}


def running(clients: Clients, machine: str = MACHINE) -> list[str]:
    try:
        answer = clients["stepfunctions"].call(
            "list_executions",
            expect=("StateMachineDoesNotExist",),
            stateMachineArn=machine,
            statusFilter="RUNNING",
        )
    except Refused:
        return []
    return [one["name"] for one in answer["executions"]]


def stack(clients: Clients, name: str = STACK) -> str:
    """The stack's status; empty where there is none."""
    try:
        answer = clients["cloudformation"].call("describe_stacks", expect=("ValidationError",), StackName=name)
    except Refused:
        return ""
    return str(answer["Stacks"][0]["StackStatus"])


def tables(clients: Clients) -> list[str]:
    return list(clients["dynamodb"].call("list_tables")["TableNames"])


def secrets(clients: Clients) -> set[str]:
    return {one["Name"] for one in clients["ssm"].call("describe_parameters")["Parameters"]}


def functions(clients: Clients) -> set[str]:
    return {one["FunctionName"] for one in clients["lambda"].call("list_functions")["Functions"]}


def only_data_is_left(clients: Clients) -> None:
    assert stack(clients) == ""
    assert functions(clients) == set()
    assert running(clients) == []
    assert set(machines(clients).values()) <= {"terminated", "shutting-down"}
    assert buckets(clients) == {BUCKET}
    assert set(versions(clients, BUCKET)) == {
        VIDEO,
        VIDEO.replace("video.mp4", "captions.srt"),
        VIDEO.replace("e1", "e2"),
    }
    assert uploads(clients, BUCKET) == []
    assert tables(clients) == [TABLE]
    assert secrets(clients) == {f"/{STACK}/openai-api-key", f"/{STACK}/youtube-token"}
    assert clients["s3"].call("get_object", Bucket=BUCKET, Key=VIDEO)["Body"].read() == b"v" * 1000
    assert clients["dynamodb"].call("scan", TableName=TABLE)["Count"] == 1


def nothing_is_left(clients: Clients) -> None:
    assert stack(clients) == ""
    assert functions(clients) == set()
    assert running(clients) == []
    assert set(machines(clients).values()) <= {"terminated", "shutting-down"}
    assert (buckets(clients), tables(clients), secrets(clients)) == (set(), [], set())


# --- what goes and what stays ----------------------------------------------------------------------------------------


def test_it_takes_away_all_but_videos_table_and_secrets(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    steps: list[Step] = []
    there = Destroy(found, SystemClock()).look()
    assert (there.status, there.executions, len(there.machines)) == ("CREATE_COMPLETE", 2, 2)
    assert there.artifacts is not None
    assert there.artifacts.passing == Content(objects=5, bytes=400)  # the marker has no bytes
    assert there.artifacts.library == Content(objects=1, bytes=100)
    assert (there.artifacts.final, there.artifacts.videos) == (Content(objects=3, bytes=3000), 1)
    assert there.artifacts.uploads == 1
    assert there.secrets == ("openai-api-key", "youtube-token")
    assert there.code is not None
    assert len(running(clients)) == 2, "looking stops nothing"
    gone = Destroy(found, SystemClock(), steps.append).destroy(data=False)
    only_data_is_left(clients)
    assert (gone.status, gone.executions, gone.machines, gone.secrets) == ("destroyed", 2, 2, 0)
    assert gone.objects == 5 + there.code.passing.objects
    assert not gone.left.work(data=False)
    assert gone.left.work(data=True)
    kept = {step.name for step in steps if step.status == "DELETE_SKIPPED"}
    assert kept == {"JobsTable", "ArtifactBucket", "ArtifactBucketPolicy"}


def test_the_order_is_schedule_runs_machines_objects_stack_code(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    steps: list[Step] = []
    Destroy(found, SystemClock(), steps.append).destroy(data=True)
    done = [step.name for step in steps if step.what == "delete" and step.status == "done"]
    stacked = [place for place, step in enumerate(steps) if step.what == "stack"]
    told = {step.name: place for place, step in enumerate(steps) if step.what == "delete" and step.status == "done"}
    instances = sorted(machines(clients))
    assert done[:3] == [f"{STACK}-run", "scheduled-1", "scheduled-2"] or done[:3] == [
        f"{STACK}-run",
        "scheduled-2",
        "scheduled-1",
    ]
    assert sorted(done[3:5]) == instances
    assert done[5] == BUCKET
    assert max(told[name] for name in instances) < stacked[0]
    assert stacked[-1] < told[CODE] < told[BUCKET] < told[TABLE] < told[f"/{STACK}/openai-api-key"]


def test_with_data_nothing_at_all_is_left_and_a_second_time_there_is_nothing_to_do(
    clients: Clients, tmp_path: Path
) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    gone = Destroy(found, SystemClock()).destroy(data=True)
    nothing_is_left(clients)
    assert gone.left == There(stack=STACK)
    assert gone.secrets == 2
    again = Destroy(found, SystemClock())
    assert not again.look().work(data=True)
    assert again.destroy(data=True) == Gone(status="destroyed", stack=STACK, left=There(stack=STACK))


def test_what_an_earlier_destroy_left_is_deleted_when_its_data_is_to_go(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    Destroy(found, SystemClock()).destroy(data=False)
    only_data_is_left(clients)
    Destroy(found, SystemClock()).destroy(data=True)
    nothing_is_left(clients)


def test_what_stays_is_taken_over_by_the_next_deploy(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    # Without runs: each that is stopped has the reaper called, and the emulator makes its log group anew for it, though
    # its role may not.
    used(clients, found, runs=0)
    Destroy(found, SystemClock()).destroy(data=False)
    deployed(clients, tmp_path)
    assert schedule(found) == "ENABLED"
    assert clients["dynamodb"].call("scan", TableName=TABLE)["Count"] == 1
    assert VIDEO in versions(clients, BUCKET)


def test_what_is_another_channel_s_or_no_channel_s_is_left_alone(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    other = deployed(clients, tmp_path, prefix="manga-pipeline-2")
    used(clients, found)
    used(clients, other)
    strangers = {
        launch(clients, {}),
        launch(clients, {PREFIX_TAG: STACK}),
        launch(clients, {ROLE_TAG: "renderer"}),
        launch(clients, {PREFIX_TAG: STACK, ROLE_TAG: "bastion"}),
        *(id for id in Destroy(other, SystemClock()).look().machines),
    }
    clients["s3"].call("create_bucket", Bucket="somebody", CreateBucketConfiguration={"LocationConstraint": REGION})
    clients["s3"].call("put_object", Bucket="somebody", Key="jobs/one-1/pages/a.png", Body=b"x")
    before = Destroy(other, SystemClock()).look()
    Destroy(found, SystemClock()).destroy(data=True)
    assert Destroy(other, SystemClock()).look() == before
    assert (before.status, before.executions, len(before.machines)) == ("CREATE_COMPLETE", 2, 2)
    assert schedule(other) == "ENABLED"
    assert {machines(clients)[id] for id in strangers} == {"running"}
    assert versions(clients, "somebody") == ["jobs/one-1/pages/a.png"]
    assert secrets(clients) == {"/manga-pipeline-2/openai-api-key", "/manga-pipeline-2/youtube-token"}


def test_thousands_of_versions_of_few_and_of_many_keys_are_all_deleted(clients: Clients, tmp_path: Path) -> None:
    found = place(clients)
    s3 = clients["s3"]
    s3.call("create_bucket", Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.call("put_bucket_versioning", Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    for number in range(1300):
        s3.call("put_object", Bucket=BUCKET, Key="jobs/one-1/render/same.mp4", Body=b"x")
        if number < 900:
            s3.call("put_object", Bucket=BUCKET, Key=f"jobs/one-1/pages/{number}.png", Body=b"x")
    s3.call("put_object", Bucket=BUCKET, Key=VIDEO, Body=b"v")
    assert len(versions(clients, BUCKET)) == 2201
    gone = Destroy(found, SystemClock()).destroy(data=False)
    assert gone.objects == 2200
    assert versions(clients, BUCKET) == [VIDEO]
    Destroy(found, SystemClock()).destroy(data=True)
    assert buckets(clients) == set()


@pytest.mark.parametrize(
    ("key", "final"),
    [
        (VIDEO, True),
        ("jobs/one-1/final/x", True),
        ("jobs/one-1/final", False),
        ("jobs/one-1/pages/final/x", False),
        ("jobs/final/x", False),
        ("library/jobs/final/1.cbz", False),
        ("other/one-1/final/x", False),
    ],
)
def test_only_what_lies_in_a_job_s_own_final_folder_is_of_a_finished_video(key: str, final: bool) -> None:
    assert is_final(key) is final


# --- killed and failed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", POINTS)
def test_killed_after_any_step_it_is_run_again_to_the_same_end(
    clients: Clients, env: dict[str, str], tmp_path: Path, point: str
) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    killed = mangavid("destroy", "--delete-data", "--yes", env=env | {"MANGAVID_FAULT": f"destroy.{point}:kill"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    if POINTS.index(point) < POINTS.index("begun"):
        assert stack(clients) == "CREATE_COMPLETE"
    if POINTS.index(point) < POINTS.index("code"):
        assert CODE in buckets(clients), "the code goes last"
    if point != "secrets":
        assert buckets(clients) | set(tables(clients)) | secrets(clients)
    again = mangavid("destroy", "--delete-data", "--yes", env=env)
    assert again.returncode == 0, again.stderr
    nothing_is_left(clients)


@pytest.mark.parametrize("point", ["ended", "begun"])
def test_killed_without_data_it_is_run_again_and_keeps_what_stays(
    clients: Clients, env: dict[str, str], tmp_path: Path, point: str
) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    killed = mangavid("destroy", "--yes", env=env | {"MANGAVID_FAULT": f"destroy.{point}:kill"})
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert mangavid("destroy", "--yes", env=env).returncode == 0
    only_data_is_left(clients)


class Instead(Clients):
    """Clients of which some services are others."""

    def __init__(self, real: Clients, **others: Any) -> None:
        super().__init__()
        self._real = real
        self._others = others

    def __getitem__(self, name: str) -> Service:
        other = self._others.get(name)
        return Service(name, lambda: other) if other is not None else self._real[name]


class Stubborn:
    """CloudFormation that can't delete a stack the first time it is asked, as AWS where a resource is in use."""

    def __init__(self, real: Any, reason: str) -> None:
        self._real = real
        self._reason = reason
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def delete_stack(self, **given: Any) -> Any:
        self.asked += 1
        return self._real.delete_stack(**given) if self.asked > 1 else {}

    def describe_stacks(self, **given: Any) -> Any:
        answer = self._real.describe_stacks(**given)
        if self.asked == 1:
            answer["Stacks"][0]["StackStatus"] = "DELETE_FAILED"
        return answer

    def describe_stack_events(self, **given: Any) -> Any:
        answer = self._real.describe_stack_events(**given)
        if self.asked == 1:
            answer["StackEvents"][:0] = reversed(
                [
                    event("1", STACK, "AWS::CloudFormation::Stack", "DELETE_IN_PROGRESS", ""),
                    event("2", "WorkerSecurityGroup", "AWS::EC2::SecurityGroup", "DELETE_FAILED", self._reason),
                    event("3", "ReaperRole", "AWS::IAM::Role", "DELETE_FAILED", "Resource deletion cancelled"),
                    event(
                        "4",
                        STACK,
                        "AWS::CloudFormation::Stack",
                        "DELETE_FAILED",
                        "The following resource(s) failed to delete: [WorkerSecurityGroup, ReaperRole].",
                    ),
                ]
            )
        return answer


def event(id: str, resource: str, type: str, status: str, reason: str) -> dict[str, str]:
    own = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/0"
    return {
        "EventId": id,
        "StackId": own,
        "PhysicalResourceId": own if resource == STACK else "sg-0123",
        "LogicalResourceId": resource,
        "ResourceType": type,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("resource sg-0123 has a dependent object", DeployFailed),
        ("User is not authorized to perform: ec2:DeleteSecurityGroup", AuthError),
    ],
)
def test_a_stack_that_is_not_deleted_is_told_with_its_first_cause_and_tried_again(
    clients: Clients, tmp_path: Path, reason: str, kind: type[Exception]
) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    stubborn = Stubborn(clients["cloudformation"].client, reason)
    failing = Site(
        clients=Instead(clients, cloudformation=stubborn),
        config=found.config,
        account=ACCOUNT,
        region=REGION,
        caller=found.caller,
    )
    steps: list[Step] = []
    with pytest.raises(kind) as told:
        Destroy(failing, SystemClock(), steps.append).destroy(data=True)
    assert f"WorkerSecurityGroup (AWS::EC2::SecurityGroup): {reason}" in str(told.value)
    assert "cancelled" not in str(told.value)
    assert CODE in buckets(clients)
    assert TABLE in tables(clients)
    assert any("the schedule is off" in step.detail for step in steps if step.what == "note")
    Destroy(failing, SystemClock()).destroy(data=True)
    assert stubborn.asked == 2
    nothing_is_left(clients)


def test_a_stack_that_was_only_proposed_is_taken_away_too(clients: Clients, tmp_path: Path) -> None:
    found = place(clients)
    work = apply.Deploy(found, SystemClock())
    made = packages(tmp_path)
    work.code.ensure()
    work.code.upload(made.files, lambda _step: None)
    assert work.stack.propose(work._put(work._template(made)), create=True, importing=False)
    assert stack(clients) == "REVIEW_IN_PROGRESS"
    Destroy(found, SystemClock()).destroy(data=False)
    assert (stack(clients), buckets(clients)) == ("", set())


class Endless(Stubborn):
    """CloudFormation whose deletion goes on and on."""

    def describe_stacks(self, **given: Any) -> Any:
        answer = self._real.describe_stacks(**given)
        if self.asked == 1:
            answer["Stacks"][0]["StackStatus"] = "DELETE_IN_PROGRESS"
        return answer


class Impatient(FakeClock):
    """Ctrl-C at the first pause."""

    def sleep(self, seconds: float) -> None:
        raise KeyboardInterrupt


def test_ctrl_c_while_the_stack_is_deleted_says_what_goes_on_with_it(clients: Clients, tmp_path: Path) -> None:
    found = deployed(clients, tmp_path)
    endless = Site(
        clients=Instead(clients, cloudformation=Endless(clients["cloudformation"].client, "")),
        config=found.config,
        account=ACCOUNT,
        region=REGION,
        caller="",
    )
    with pytest.raises(Interrupted, match="AWS goes on with what was begun") as told:
        Destroy(endless, Impatient()).destroy(data=False)
    assert told.value.hint == "mangavid destroy goes on with it"
    assert CODE in buckets(clients)


class Refusing:
    """S3 that does not delete one object."""

    def __init__(self, real: Any, code: str) -> None:
        self._real = real
        self._code = code

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def delete_objects(self, **given: Any) -> Any:
        first, *rest = given["Delete"]["Objects"]
        if rest:
            self._real.delete_objects(**given | {"Delete": {"Objects": rest, "Quiet": True}})
        return {"Errors": [{**first, "Code": self._code, "Message": "no"}]}


@pytest.mark.parametrize(("code", "kind"), [("AccessDenied", AuthError), ("InternalError", UpstreamUnavailable)])
def test_an_object_that_is_not_deleted_ends_it_before_the_stack_is_touched(
    clients: Clients, tmp_path: Path, code: str, kind: type[Exception]
) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    failing = Site(
        clients=Instead(clients, s3=Refusing(clients["s3"].client, code)),
        config=found.config,
        account=ACCOUNT,
        region=REGION,
        caller=found.caller,
    )
    with pytest.raises(kind, match=f"jobs/one-1/pages/a.png is not deleted: {code}"):
        Destroy(failing, SystemClock()).destroy(data=False)
    assert stack(clients) == "CREATE_COMPLETE"
    Destroy(found, SystemClock()).destroy(data=False)
    only_data_is_left(clients)


class Immortal:
    """EC2 whose machines stay as they are."""

    def __init__(self, state: str) -> None:
        self._state = state
        self.ended: list[str] = []

    def describe_instances(self, **_given: Any) -> Any:
        return {"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": self._state}}]}]}

    def terminate_instances(self, InstanceIds: list[str]) -> Any:
        self.ended += InstanceIds
        return {}


def test_a_machine_that_does_not_end_keeps_the_stack_and_one_that_shuts_down_long_does_not(
    clients: Clients, tmp_path: Path
) -> None:
    found = deployed(clients, tmp_path)
    for state, kept in (("running", True), ("shutting-down", False)):
        immortal = Immortal(state)
        failing = Site(
            clients=Instead(clients, ec2=immortal), config=found.config, account=ACCOUNT, region=REGION, caller=""
        )
        steps: list[Step] = []
        clock = FakeClock()
        if kept:
            with pytest.raises(UpstreamUnavailable, match="machines do not end: i-1"):
                Destroy(failing, clock, steps.append).destroy(data=False)
            assert set(immortal.ended) == {"i-1"}
            assert stack(clients) == "CREATE_COMPLETE"
        else:
            Destroy(failing, clock, steps.append).destroy(data=False)
            assert immortal.ended == []
            assert any("still shutting down: i-1" in step.detail for step in steps)
            assert stack(clients) == ""


class Foreign:
    """S3 that says a bucket is another account's."""

    def head_bucket(self, **_given: Any) -> Any:
        from botocore.exceptions import ClientError

        raise ClientError({"Error": {"Code": "403", "Message": "Forbidden"}}, "HeadBucket")


def test_a_bucket_of_somebody_else_s_ends_it_before_anything_is_done(clients: Clients) -> None:
    found = Site(clients=Instead(clients, s3=Foreign()), config=Config(), account=ACCOUNT, region=REGION, caller="")
    with pytest.raises(ConfigError, match="belongs to another account"):
        Destroy(found, SystemClock()).look()


# --- the command -----------------------------------------------------------------------------------------------------


def mangavid(*args: str, env: Mapping[str, str], given: str = "") -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "mangavid", *args],
        env=dict(env),
        cwd=ROOT,
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Traceback" not in done.stderr
    return done


def test_it_says_what_goes_and_what_stays_and_what_that_costs(
    clients: Clients, env: dict[str, str], tmp_path: Path
) -> None:
    used(clients, deployed(clients, tmp_path))
    done = mangavid("destroy", "--yes", env=env)
    assert done.returncode == 0, done.stderr
    for words in (
        "- the stack manga-pipeline",
        "- 2 runs",
        "- 2 machines",
        "- 5 objects and earlier versions",
        "among them 1 object of its library/",
        "= 1 finished video, 0.0 MB  kept",
        "= the jobs table",
        "= 2 secrets",
        "manga-pipeline is destroyed.",
        "The bucket itself deletes each video 365 days after it was made.",
        "less than 0.01 USD a month",
    ):
        assert words in done.stderr, words
    assert "mangavid destroy --delete-data" in done.stderr.splitlines()[-1]
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["kept"] * 3
    again = mangavid("destroy", env=env)
    assert again.returncode == 0, again.stderr
    assert f"manga-pipeline: there is nothing to destroy in {REGION}, account {ACCOUNT}." in again.stderr
    assert again.stdout == done.stdout
    only_data_is_left(clients)
    last = mangavid("destroy", "--delete-data", "--yes", env=env)
    assert (last.returncode, last.stdout) == (0, "")
    assert last.stderr.splitlines()[-1] == "To make it anew: mangavid deploy"
    nothing_is_left(clients)


def test_as_json_it_tells_each_step_and_what_is_left(clients: Clients, env: dict[str, str], tmp_path: Path) -> None:
    used(clients, deployed(clients, tmp_path))
    done = mangavid("destroy", "--yes", "--json", env=env)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["status"], told["executions"], told["machines"]) == ("destroyed", 2, 2)
    assert told["left"]["artifacts"]["videos"] == 1
    assert 0 < told["usd_a_month"] < 0.01 or told["usd_a_month"] == 0
    steps = [json.loads(line) for line in done.stderr.splitlines()]
    assert {"delete", "stack"} <= {step["what"] for step in steps}
    nothing = json.loads(mangavid("destroy", "--json", env=env).stdout)
    assert nothing["status"] == "nothing"


def test_without_a_terminal_and_without_yes_nothing_is_touched(
    clients: Clients, env: dict[str, str], tmp_path: Path
) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    before = Destroy(found, SystemClock()).look()
    for args, hint in (
        ([], "mangavid destroy --yes"),
        (["--delete-data"], "mangavid destroy --delete-data --yes"),
        (["--delete-data", "--json"], "mangavid destroy --delete-data --yes"),
    ):
        done = mangavid("destroy", *args, env=env, given="yes\nyes\n")
        assert done.returncode == 2
        assert hint in done.stderr
    assert Destroy(found, SystemClock()).look() == before
    assert schedule(found) == "ENABLED"


def test_data_is_asked_about_for_itself_with_the_count_of_videos(
    clients: Clients, env: dict[str, str], tmp_path: Path
) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    before = Destroy(found, SystemClock()).look()
    for answers in (["no"], ["yes", "no"], ["yes", ""]):
        screen = answered(answers, "destroy", "--delete-data", env=env, cwd=tmp_path)
        assert screen.end() == 130, screen.plain
        assert "nothing was destroyed" in screen.plain
    assert Destroy(found, SystemClock()).look() == before
    screen = answered(["yes", "yes"], "destroy", "--delete-data", env=env, cwd=tmp_path)
    assert screen.end() == 0, screen.plain
    assert f"Destroy {STACK} in {REGION}, account {ACCOUNT}? Type yes:" in screen.plain
    assert "Delete 1 finished video, the jobs table and 2 secrets of manga-pipeline" in screen.plain
    nothing_is_left(clients)


def test_where_only_data_is_left_only_that_is_asked_about(
    clients: Clients, env: dict[str, str], tmp_path: Path
) -> None:
    found = deployed(clients, tmp_path)
    used(clients, found)
    Destroy(found, SystemClock()).destroy(data=False)
    screen = answered(["yes"], "destroy", "--delete-data", env=env, cwd=tmp_path)
    assert screen.end() == 0, screen.plain
    assert screen.plain.count("Type yes:") == 1
    nothing_is_left(clients)


def answered(answers: list[str], *args: str, env: Mapping[str, str], cwd: Path) -> Screen:
    screen = Screen(*args, env=env, cwd=cwd)
    for number, answer in enumerate(answers, start=1):
        screen.until(lambda text, number=number: text.count("Type yes: ") == number)  # type: ignore[misc]
        screen.type(f"{answer}\r".encode())
    return screen
