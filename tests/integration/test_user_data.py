"""The user data of a machine, run as a machine runs it: against moto's S3 and a metadata service, both on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mangavid.aws.jobs import table_definition
from mangavid.aws.package import zips
from mangavid.aws.package.build import build_groups
from mangavid.aws.package.groups import GROUPS, System
from mangavid.aws.userdata import LIMIT, user_data
from tests.fakes.machines import python_for_all, python_version
from tests.fakes.metadata import Metadata, Store, credentials, served
from tests.fakes.motoserver import moto_server

WORKER = """
import os, pathlib, subprocess, sys
print("the worker runs", sys.argv, flush=True)
print("uid", os.getuid(), "alone", os.getpgrp() == os.getpid())
print("told", os.environ["MANGAVID_TABLE"], os.environ["AWS_DEFAULT_REGION"])
pathlib.Path(os.environ["TMPDIR"], "made").write_text("by the worker")
print("program", subprocess.check_output(["./tool/program"], text=True).strip(), flush=True)
"""


class Machine:
    """A machine's disk, its ``shutdown``, and what it is told to do."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.metadata = Metadata()
        self.log = folder / "user-data.log"
        self.calls = folder / "shutdown.calls"
        programs = folder / "bin"
        programs.mkdir()
        shutdown = programs / "shutdown"
        shutdown.write_text(f'#!/bin/sh\necho "$@" >> {self.calls}\n')
        shutdown.chmod(0o755)
        self.environment = {"PATH": f"{programs}:/usr/bin:/bin", "http_proxy": "http://127.0.0.1:9"}
        self.package = self.packed(WORKER)

    def packed(self, worker: str) -> Path:
        source = self.folder / "source"
        source.mkdir(exist_ok=True)
        (source / "main.py").write_text(worker)
        (source / "program").write_text("#!/bin/sh\necho ran\n")
        (source / "program").chmod(0o755)
        file = self.folder / "package.zip"
        file.unlink(missing_ok=True)
        entries = {"ec2/renderer/main.py": source / "main.py", "tool/program": source / "program"}
        zips.write(file, entries, programs=True)
        return file

    def head(self, **changes: object) -> dict[str, object]:
        return {
            "region": "eu-west-1",
            "bucket": "the-bucket",
            "key": "code/worker 1.zip",
            "sha256": zips.sha256(self.package),
            "worker": "renderer",
            "environment": {"MANGAVID_TABLE": "the-table"},
            "log": str(self.log),
            "folder": str(self.folder / "opt" / "mangavid"),
            "pause": 0,
            **changes,
        }

    def run(self, store: Store | str, **changes: object) -> str:
        """Boot once; returns the log."""
        where = store if isinstance(store, str) else self.stack.enter_context(served(store))
        imds = self.stack.enter_context(served(self.metadata))
        return self.boot(user_data(self.head(**{"s3": f"{where}/the-bucket", "imds": imds, **changes})))

    def boot(self, script: str) -> str:
        file = self.folder / "part-001"
        file.write_text(script, encoding="utf-8")
        done = subprocess.run(
            [python_for_all(), "-I", str(file)],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr + (self.log.read_text() if self.log.exists() else "")

    @property
    def off(self) -> list[str]:
        """How ``shutdown`` was called."""
        return self.calls.read_text().splitlines()


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        Path(name).chmod(0o755)  # the worker is another user
        yield Machine(Path(name), stack)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """moto's S3, with the bucket."""
    with moto_server() as url:
        place = {"LocationConstraint": "eu-west-1"}
        client(url, "s3").create_bucket(Bucket="the-bucket", CreateBucketConfiguration=place)
        yield url


def client(url: str, service: str) -> Any:
    import boto3

    keys = {"aws_access_key_id": "KEY", "aws_secret_access_key": "secret"}
    return boto3.client(service, region_name="eu-west-1", endpoint_url=url, **keys)


def upload(url: str, data: bytes) -> None:
    client(url, "s3").put_object(Bucket="the-bucket", Key="code/worker 1.zip", Body=data)


def test_the_right_package_runs_and_the_machine_powers_off(machine: Machine, s3: str) -> None:
    upload(s3, machine.package.read_bytes())
    log = machine.run(s3)
    assert "the worker runs" in log
    assert "told the-table eu-west-1" in log
    assert "program ran" in log
    assert "ec2.renderer.main ended with 0" in log
    assert machine.off == ["-P +270", "-P now"]


def test_the_worker_is_not_root_and_has_a_room_of_its_own(machine: Machine) -> None:
    log = machine.run(Store([(200, machine.package.read_bytes())]))
    uid = 65534 if os.getuid() == 0 else os.getuid()
    assert f"uid {uid} alone True" in log
    assert (machine.folder / "opt/mangavid/room/made").stat().st_uid == uid
    assert (machine.folder / "opt/mangavid/code").stat().st_uid == os.getuid()
    # What it may not write beside its code it compiles once all the same.
    assert list((machine.folder / "opt/mangavid/room/bytecode").rglob("*.pyc"))


def test_a_package_with_one_flipped_byte_is_refused(machine: Machine, s3: str) -> None:
    data = bytearray(machine.package.read_bytes())
    data[len(data) // 2] ^= 1
    upload(s3, bytes(data))
    log = machine.run(s3)
    assert "refused: code/worker 1.zip has the SHA-256" in log
    assert "the worker runs" not in log
    assert machine.off == ["-P +270", "-P now"]


def test_a_key_that_is_not_there_ends_the_machine(machine: Machine, s3: str) -> None:
    log = machine.run(s3, key="code/none.zip")
    assert "HTTP Error 404" in log
    assert machine.off == ["-P +270", "-P now"]


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_store_that_only_refuses_ends_the_machine(machine: Machine, status: int) -> None:
    store = Store([(status, b"<Error/>")])
    log = machine.run(store)
    assert f"HTTP Error {status}" in log
    assert len(store.requests) == 5
    assert machine.off == ["-P +270", "-P now"]


def test_a_download_that_breaks_off_is_begun_again(machine: Machine) -> None:
    whole = machine.package.read_bytes()
    log = machine.run(Store([(200, whole[: len(whole) // 2]), (500, b""), (200, whole)]))
    assert "refused" in log
    assert "the worker runs" in log


def test_a_connection_that_closes_before_the_promised_end_is_refused(machine: Machine) -> None:
    log = machine.run(Store([(200, machine.package.read_bytes()[:-10])], promise=10))
    assert "the worker runs" not in log
    assert machine.off == ["-P +270", "-P now"]


def test_a_store_that_sends_a_byte_now_and_then_is_not_waited_for(machine: Machine) -> None:
    log = machine.run(Store([(200, machine.package.read_bytes())], drip=0.05), fetch_seconds=0.2)
    assert log.count("the download takes too long") >= 5
    assert machine.off == ["-P +270", "-P now"]


def test_expired_credentials_are_asked_for_again(machine: Machine) -> None:
    store = Store([(400, b"<Error><Code>ExpiredToken</Code></Error>"), (200, machine.package.read_bytes())])
    log = machine.run(store)
    assert [headers["x-amz-security-token"] for _, headers in store.requests] == ["session/1", "session/2"]
    assert "the worker runs" in log


def test_credentials_that_come_late_are_waited_for(machine: Machine) -> None:
    machine.metadata.role = lambda asked: (404, b"") if asked < 3 else (200, credentials(asked))
    assert "the worker runs" in machine.run(Store([(200, machine.package.read_bytes())]))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((200, credentials(1, "AssumeRoleUnauthorizedAccess")), "no credentials: AssumeRoleUnauthorizedAccess"),
        ((404, b""), "HTTP Error 404"),
        ((200, b"<html>"), "JSONDecodeError"),
    ],
)
def test_without_credentials_nothing_is_asked_of_the_store(
    machine: Machine, answer: tuple[int, bytes], told: str
) -> None:
    machine.metadata.role = lambda _asked: answer
    store = Store([(200, machine.package.read_bytes())])
    assert told in machine.run(store)
    assert not store.requests
    assert machine.off == ["-P +270", "-P now"]


def test_without_a_metadata_service_the_machine_powers_off(machine: Machine) -> None:
    log = machine.run(Store([(200, b"")]), imds="http://127.0.0.1:9")
    assert "Connection refused" in log
    assert machine.off == ["-P +270", "-P now"]


def test_the_request_is_signed_as_amazon_s_own_library_signs_it(machine: Machine) -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    store = Store([(200, machine.package.read_bytes())])
    machine.run(store)
    ((path, sent),) = store.requests
    assert path == "/the-bucket/code/worker%201.zip"
    signer = S3SigV4Auth(Credentials("KEY1", "the/secret", "session/1"), "s3", "eu-west-1")
    names = sent["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    assert set(names) >= {"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"}
    request = AWSRequest("GET", f"http://{sent['host']}{path}", headers={name: sent[name] for name in names})
    request.context["timestamp"] = sent["x-amz-date"]
    text = signer.string_to_sign(request, signer.canonical_request(request))
    assert sent["authorization"].endswith(f"Signature={signer.signature(text, request)}")
    assert f"Credential=KEY1/{sent['x-amz-date'][:8]}/eu-west-1/s3/aws4_request" in sent["authorization"]


def test_a_worker_over_its_time_is_ended_with_its_children(machine: Machine) -> None:
    machine.package = machine.packed(
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print('child', child.pid, flush=True)\n"
        "child.wait()\n"
    )
    log = machine.run(Store([(200, machine.package.read_bytes())]), seconds=1)
    assert "TimeoutExpired" in log
    child = Path("/proc", log.split("child ")[1].split()[0], "stat")
    # Nobody may have waited for it yet, but it does not run any more.
    assert not child.exists() or child.read_text().split()[2] == "Z"
    assert machine.off == ["-P +270", "-P now"]


def test_a_worker_that_fails_ends_the_machine(machine: Machine) -> None:
    machine.package = machine.packed("raise SystemExit(3)")
    assert "ended with 3" in machine.run(Store([(200, machine.package.read_bytes())]))
    assert machine.off == ["-P +270", "-P now"]


@pytest.mark.parametrize("changes", [{"log": "/proc/none/log"}, {"folder": "/proc/none"}, {"environment": None}])
def test_a_head_that_can_not_be_followed_ends_the_machine(machine: Machine, changes: dict[str, object]) -> None:
    log = machine.run(Store([(200, machine.package.read_bytes())]), **changes)
    assert "Error" in log
    assert "the worker runs" not in log
    assert machine.off == ["-P +270", "-P now"]


def test_a_head_that_is_no_json_ends_the_machine(machine: Machine) -> None:
    script = user_data(machine.head()).replace('HEAD = \'{"region"', "HEAD = '{")
    assert "JSONDecodeError" in machine.boot(script)
    assert machine.off == ["-P +270", "-P now"]


@pytest.mark.slow
def test_the_real_package_starts_a_worker_that_calls_aws(
    machine: Machine, s3: str, request: pytest.FixtureRequest
) -> None:
    version = python_version()
    system = System() if version == sysconfig.get_python_version() else System(python=version)
    group = replace(next(one for one in GROUPS if one.name == "worker"), system=system)
    cache = Path(request.config.cache.mkdir("packages")) / "here"
    machine.package = build_groups([group], cache, machine.folder / "out")["worker"].file
    upload(s3, machine.package.read_bytes())
    client(s3, "dynamodb").create_table(**table_definition("the-table"))
    client(s3, "logs").create_log_group(logGroupName="/manga-pipeline/renderer")
    machine.metadata.about = {
        "instance-id": "i-1",
        "tags/instance/mangavid:job": "a-job",
        "tags/instance/mangavid:epoch": "3",
        "tags/instance/mangavid:role": "renderer",
    }
    imds = machine.stack.enter_context(served(machine.metadata))
    told = {"MANGAVID_TABLE": "the-table", "MANGAVID_BUCKET": "the-bucket"}
    told |= {"AWS_ENDPOINT_URL": s3, "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds}
    log = machine.run(s3, imds=imds, environment=told)
    # There is no such job in the table: this machine is not wanted, and leaves.
    lines = [line for line in log.splitlines() if line.startswith("{")]
    begins, lost, ends = (json.loads(line) for line in lines)
    assert (begins["message"], begins["job"], begins["epoch"], begins["instance"]) == ("begins", "a-job", 3, "i-1")
    assert "another worker" in lost["message"]
    assert (ends["message"], ends["code"]) == ("ends", 0)
    shipped = client(s3, "logs").get_log_events(
        logGroupName="/manga-pipeline/renderer", logStreamName="a-job/e3/i-1", startFromHead=True
    )
    assert [event["message"] for event in shipped["events"]] == lines
    assert "ec2.renderer.main ended with 0" in log
    assert machine.off == ["-P +270", "-P now"]


def test_the_script_is_small_and_data_stays_data(machine: Machine) -> None:
    usual = {name: value for name, value in machine.head().items() if name not in {"log", "folder", "pause"}}
    usual |= {"key": f"code/worker-{'0' * 64}.zip", "bucket": "b" * 63}
    assert len(user_data(usual).encode()) <= 6 * 1024
    assert "${" not in user_data(usual)
    hostile = "'; import os; os.abort() # \\' \" \n \u2028 {}"
    found: dict[str, object] = {}
    exec(next(line for line in user_data({**usual, "key": hostile}).splitlines() if line.startswith("HEAD = ")), found)
    assert json.loads(str(found["HEAD"]))["key"] == hostile
    with pytest.raises(ValueError, match="EC2 takes"):
        user_data({**usual, "more": "x" * LIMIT})
    with pytest.raises(ValueError, match="lacks key, sha256"):
        user_data({name: value for name, value in usual.items() if name not in {"key", "sha256"}})
