"""The emulator that deploying is tested on: it keeps to loopback, takes our template whole, and leaves nothing."""

from __future__ import annotations

import io
import json
import os
import socket
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mangavid.aws.session import Clients, Refused
from mangavid.aws.stack import template
from tests.fakes.ministack import ACCOUNT, REGION, Ministack, ministack
from tests.stacks import CODE, made, of_type

pytestmark = pytest.mark.slow

STACK = "manga-pipeline"
HANDLER = "def handler(event, context):\n    return {'said': event['say']}\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Ministack]:
    with ministack() as running:
        yield running


@pytest.fixture
def clients(server: Ministack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.reset()
    # One try: what it answers at first is what is asked about.
    made = Clients(attempts=1)
    yield made
    for service in ("s3", "cloudformation", "lambda", "sts"):
        made[service].client.close()


def upload(clients: Clients, stack: dict[str, Any]) -> str:
    """Code for every function, and the template; returns the template's address."""
    s3 = clients["s3"]
    s3.call("create_bucket", Bucket=CODE.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for function in of_type(stack, "AWS::Lambda::Function").values():
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr(function["Handler"].rpartition(".")[0].replace(".", "/") + ".py", HANDLER)
        s3.call("put_object", Bucket=CODE.bucket, Key=function["Code"]["S3Key"], Body=packed.getvalue())
    s3.call("put_object", Bucket=CODE.bucket, Key="template.json", Body=template.text(stack).encode())
    return f"https://s3.{REGION}.amazonaws.com/{CODE.bucket}/template.json"


def create(clients: Clients, address: str) -> tuple[dict[str, Any], str]:
    """Make and execute a change set; returns its description and the stack's id when the stack has come to rest."""
    formation = clients["cloudformation"]
    change = formation.call(
        "create_change_set",
        StackName=STACK,
        ChangeSetName="first",
        ChangeSetType="CREATE",
        TemplateURL=address,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        OnStackFailure="DELETE",
    )
    described = formation.call("describe_change_set", ChangeSetName=change["Id"])
    formation.call("execute_change_set", ChangeSetName=change["Id"], RetainExceptOnCreate=True)
    until = time.monotonic() + 60
    while status(clients, change["StackId"]).endswith("_IN_PROGRESS"):
        assert time.monotonic() < until
        time.sleep(0.02)
    return described, change["StackId"]


def status(clients: Clients, stack: str) -> str:
    found: str = clients["cloudformation"].call("describe_stacks", StackName=stack)["Stacks"][0]["StackStatus"]
    return found


def members(group: int) -> list[int]:
    """The processes of a group that have not ended."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, leader = file.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(leader) == group and state not in "ZX":
            found.append(int(file.parent.name))
    return found


def listening(process: int) -> set[str]:
    """The addresses at which a process accepts connections, in the kernel's notation."""
    sockets = set()
    for file in Path(f"/proc/{process}/fd").iterdir():
        try:
            sockets.add(str(file.readlink()))
        except FileNotFoundError:
            continue
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    fields = [line.split() for line in lines]
    return {one[1].partition(":")[0] for one in fields if one[3] == "0A" and f"socket:[{one[9]}]" in sockets}


def test_it_answers_on_loopback_only(server: Ministack, clients: Clients) -> None:
    assert clients["sts"].call("get_caller_identity")["Account"] == ACCOUNT
    loopback = socket.inet_aton("127.0.0.1")[::-1].hex().upper()
    assert listening(server.process.pid) == {loopback}


def test_our_template_comes_up_whole(clients: Clients) -> None:
    stack = made()
    change, number = create(clients, upload(clients, stack))
    assert (change["Status"], change["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    assert {one["ResourceChange"]["Action"] for one in change["Changes"]} == {"Add"}
    assert status(clients, number) == "CREATE_COMPLETE"
    formation = clients["cloudformation"]
    resources = formation.call("describe_stack_resources", StackName=STACK)["StackResources"]
    assert {(one["LogicalResourceId"], one["ResourceType"]) for one in resources} == {
        (name, one["Type"]) for name, one in stack["Resources"].items()
    }
    assert {one["ResourceStatus"] for one in resources} == {"CREATE_COMPLETE"}
    assert all(one["PhysicalResourceId"] for one in resources)
    outputs = formation.call("describe_stacks", StackName=STACK)["Stacks"][0]["Outputs"]
    assert {one["OutputKey"] for one in outputs} == set(stack["Outputs"])
    # Its functions are processes that run.
    answer = clients["lambda"].call("invoke", FunctionName=f"{STACK}-fetcher", Payload=b'{"say": "hello"}')
    assert json.loads(answer["Payload"].read()) == {"said": "hello"}


def test_a_stack_that_can_not_be_made_is_gone_with_all_it_made(clients: Clients) -> None:
    broken = made()
    del broken["Resources"]["FailedAlarm"]["Properties"]["Threshold"]
    _, number = create(clients, upload(clients, broken))
    assert status(clients, number) == "DELETE_COMPLETE"
    with pytest.raises(Refused, match="ValidationError"):
        clients["cloudformation"].call("describe_stacks", StackName=STACK, expect={"ValidationError"})
    events = clients["cloudformation"].call("describe_stack_events", StackName=number)["StackEvents"]
    failed = {one["LogicalResourceId"]: one["ResourceStatusReason"] for one in events if "FAILED" in str(one)}
    assert failed == {"FailedAlarm": "Threshold is required for AWS::CloudWatch::Alarm"}
    assert [one["Name"] for one in clients["s3"].call("list_buckets")["Buckets"]] == [CODE.bucket]


def test_a_reset_forgets_stacks_and_buckets(server: Ministack, clients: Clients) -> None:
    create(clients, upload(clients, made()))
    server.reset()
    assert clients["s3"].call("list_buckets")["Buckets"] == []
    assert clients["cloudformation"].call("describe_stacks")["Stacks"] == []


def test_nothing_of_it_is_left_where_a_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ZeroDivisionError), ministack() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        clients = Clients(attempts=1)
        create(clients, upload(clients, made()))
        clients["lambda"].call("invoke", FunctionName=f"{STACK}-fetcher", Payload=b'{"say": "hello"}')
        for service in ("s3", "cloudformation", "lambda"):
            clients[service].client.close()
        assert len(members(server.process.pid)) == 2  # the server, and the process of the function
        raise ZeroDivisionError
    until = time.monotonic() + 10
    while members(server.process.pid):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not server.folder.exists()
