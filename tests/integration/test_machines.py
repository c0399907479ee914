"""The processes that stand for EC2's machines: they boot, end and are ended as instances are, and none is left."""

from __future__ import annotations

import base64
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from mangavid.aws.package import zips
from mangavid.aws.userdata import user_data
from tests.fakes.machines import Hands, hands
from tests.fakes.ministack import REGION, Ministack, ministack

pytestmark = pytest.mark.slow

BUCKET = "the-bucket"
#: Says who it is by its metadata; it and its child then go on until a file tells them to end.
WORKER = """
import pathlib, subprocess, sys, time
from urllib.request import Request, build_opener
import os
base = os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT"] + "/latest/"
def ask(path, method="GET", **headers):
    return build_opener().open(Request(base + path, headers=headers, method=method)).read().decode()
ttl = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
session = {"X-aws-ec2-metadata-token": ask("api/token", "PUT", **ttl)}
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
names = [ask("meta-data/" + name, **session) for name in ("instance-id", "tags/instance/mangavid:job")]
print("works", *names, os.environ["AWS_ENDPOINT_URL"], os.environ["MORE"], flush=True)
room = pathlib.Path(os.environ["TMPDIR"])
while not (room / "end").exists():
    time.sleep(0.02)
    (room / "beats").write_text(str(time.monotonic()))
child.kill()
child.wait()
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Ministack]:
    with ministack() as running:
        yield running


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # the worker is another user
        yield Path(name)


@contextmanager
def client(server: Ministack, service: str) -> Iterator[Any]:
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    made = boto3.client(service, region_name=REGION, endpoint_url=server.url, **keys)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def working(server: Ministack, folder: Path) -> Iterator[Hands]:
    server.reset()
    prepare(server, folder)
    with hands(server.url, folder / "machines", MORE="more") as made:
        yield made


def prepare(server: Ministack, folder: Path) -> None:
    (folder / "main.py").write_text(WORKER)
    package = folder / "package.zip"
    zips.write(package, {"ec2/renderer/main.py": folder / "main.py"}, programs=False)
    head = {"region": REGION, "bucket": BUCKET, "key": "code/w.zip", "sha256": zips.sha256(package)}
    script = user_data({**head, "worker": "renderer", "environment": {}})
    with client(server, "s3") as s3, client(server, "ec2") as ec2:
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=BUCKET, Key="code/w.zip", Body=package.read_bytes())
        data = {"ImageId": "ami-03cf127a", "UserData": base64.b64encode(script.encode()).decode()}
        ec2.create_launch_template(LaunchTemplateName="a-channel-renderer", LaunchTemplateData=data)


def launch(server: Ministack) -> str:
    tags = {"mangavid:role": "renderer", "mangavid:prefix": "a-channel", "mangavid:job": "a-job", "mangavid:epoch": "3"}
    with client(server, "ec2") as ec2:
        answer = ec2.create_fleet(
            Type="instant",
            TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
            LaunchTemplateConfigs=[
                {"LaunchTemplateSpecification": {"LaunchTemplateName": "a-channel-renderer", "Version": "1"}}
            ],
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            ],
        )
        return str(answer["Instances"][0]["InstanceIds"][0])


def until(true: Callable[[], object], seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_an_instance_boots_works_and_is_terminated_when_it_powers_off(server: Ministack, working: Hands) -> None:
    instance = launch(server)
    machine = working.wait_for(lambda one: "works" in one.log)
    assert f"works {instance} a-job {server.url} more" in machine.log
    assert (machine.role, machine.job, machine.epoch, machine.off) == ("renderer", "a-job", 3, ["-P +270"])
    assert len(machine.processes()) == 3, "the script, the worker and its child"
    assert working.instances() == {instance: "running"}
    (machine.folder / "opt/room/end").touch()
    until(lambda: working.instances() == {instance: "terminated"})
    assert machine.off == ["-P +270", "-P now"]
    assert not machine.processes()


def test_a_machine_that_is_killed_is_an_instance_that_is_gone(server: Ministack, working: Hands) -> None:
    instance = launch(server)
    machine = working.wait_for(lambda one: "works" in one.log)
    machine.kill()
    assert not machine.processes()
    until(lambda: working.instances() == {instance: "terminated"})
    assert machine.off == ["-P +270"]


def test_an_instance_that_is_terminated_is_a_machine_that_is_gone(server: Ministack, working: Hands) -> None:
    instance = launch(server)
    machine = working.wait_for(lambda one: "works" in one.log)
    with client(server, "ec2") as ec2:
        ec2.terminate_instances(InstanceIds=[instance])
    until(lambda: not machine.processes())
    assert "works" in machine.log, "what it said is kept"


def test_a_machine_that_stands_still_does_nothing_and_goes_on(server: Ministack, working: Hands) -> None:
    instance = launch(server)
    machine = working.wait_for(lambda one: "works" in one.log)
    beats = machine.folder / "opt/room/beats"
    until(beats.exists)
    machine.freeze()
    stood = beats.read_text()
    time.sleep(0.3)
    assert beats.read_text() == stood
    assert working.instances() == {instance: "running"}
    machine.thaw()
    until(lambda: beats.read_text() not in ("", stood))


def test_no_machine_is_left_where_a_test_fails(server: Ministack, folder: Path) -> None:
    server.reset()
    prepare(server, folder)
    with pytest.raises(ZeroDivisionError), hands(server.url, folder / "machines", MORE="more") as working:
        for _ in range(2):
            launch(server)
        machine = working.wait_for(lambda one: "works" in one.log)
        machine.freeze()
        found = [process for one in working.machines for process in one.processes()]
        raise ZeroDivisionError
    assert len(found) >= 4
    assert not [process for one in working.machines for process in one.processes()]
    assert os.getpid() not in found
