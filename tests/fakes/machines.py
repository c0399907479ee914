"""EC2's hands: what an emulator of EC2 only writes down is done here, with processes for machines.

Each instance that carries our tags is booted: the user data of its launch template is run as a machine runs it, with a
metadata service of its own that knows its id, its tags and its role, and a ``shutdown`` that only says so. Where the
script has ended, or was killed, the instance is terminated; where the instance is terminated, its processes are killed.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from mangavid.aws.instances import EPOCH_TAG, JOB_TAG
from mangavid.aws.names import PREFIX_TAG, ROLE_TAG
from tests.fakes.metadata import Metadata, served
from tests.fakes.ministack import REGION

_LOOK_SECONDS = 0.1
_HEAD = re.compile(r"^HEAD = (.*)$", re.MULTILINE)


def python_for_all() -> str:
    """A Python that a machine's worker, which is another user, may start too: one below a home folder may be shut."""
    places = [Path(sys.executable).resolve(), *(Path(folder, "python3") for folder in ("/usr/local/bin", "/usr/bin"))]
    for place in places:
        if place.exists() and all(folder.stat().st_mode & stat.S_IXOTH for folder in place.resolve().parents):
            return str(place)
    raise AssertionError(f"no Python that every user may start among {places}")


def python_version() -> str:
    """Its version, as wheels are chosen by it."""
    command = [python_for_all(), "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
    return subprocess.check_output(command, text=True).strip()


class Machine:
    """One instance, booted. All its processes work in its folder: by that they are found."""

    def __init__(self, instance: str, tags: Mapping[str, str], folder: Path) -> None:
        self.instance = instance
        self.tags = dict(tags)
        self.folder = folder
        self.log_file = folder / "user-data.log"
        #: EC2 takes its time: the instance is told as terminated, and goes on.
        self.lingers = False
        self.metadata = Metadata(
            about={"instance-id": instance, **{f"tags/instance/{key}": value for key, value in tags.items()}}
        )
        self.process: subprocess.Popen[bytes] | None = None
        self._serving = ExitStack()

    @property
    def role(self) -> str:
        return self.tags[ROLE_TAG]

    @property
    def epoch(self) -> int:
        return int(self.tags[EPOCH_TAG])

    @property
    def job(self) -> str:
        return self.tags[JOB_TAG]

    def boot(self, script: str, told: Mapping[str, Any]) -> None:
        """``told``: what the script's head says besides, ``environment`` among it."""
        self.folder.mkdir()
        self.folder.chmod(0o755)  # the worker is another user
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "shutdown").write_text(f'#!/bin/sh\necho "$@" >> "{self.folder}/shutdown.calls"\n')
        (programs / "shutdown").chmod(0o755)
        imds = self._serving.enter_context(served(self.metadata))
        file = self.folder / "part-001"
        file.write_text(self._on_loopback(script, imds, told), encoding="utf-8")
        with (self.folder / "console").open("ab") as console:
            self.process = subprocess.Popen(
                [python_for_all(), "-I", str(file)],
                env={"PATH": f"{programs}:/usr/bin:/bin"},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
            )

    def _on_loopback(self, script: str, imds: str, told: Mapping[str, Any]) -> str:
        """The script with the addresses and places of this machine in its head; the rest of it as it is."""
        found = _HEAD.search(script)
        assert found, "no user data of ours"
        head = json.loads(ast.literal_eval(found[1]))
        environment = {**head["environment"], **told["environment"], "AWS_EC2_METADATA_SERVICE_ENDPOINT": imds}
        places = {"imds": imds, "log": str(self.log_file), "folder": str(self.folder / "opt"), "pause": 0}
        head |= {**places, "s3": f"{told['s3']}/{head['bucket']}", "environment": environment}
        return f"{script[: found.start()]}HEAD = {json.dumps(head)!r}{script[found.end() :]}"

    # --- what happens to machines ---

    def notice(self) -> None:
        """EC2 says that it will take the machine away in two minutes."""
        told = {"action": "terminate", "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 120))}
        self.metadata.about["spot/instance-action"] = json.dumps(told)

    def kill(self) -> None:
        """The power is cut: ``kill -9`` to all its processes."""
        while found := self.processes():
            self._signal(found, signal.SIGKILL)
            if self.process is not None:
                self.process.poll()
            time.sleep(0.005)
        if self.process is not None:
            self.process.wait(30)

    def freeze(self) -> None:
        """All of it stands still."""
        while [one for one in self.processes() if _state(one) != "T"]:
            self._signal(self.processes(), signal.SIGSTOP)
            time.sleep(0.005)

    def thaw(self) -> None:
        self._signal(self.processes(), signal.SIGCONT)

    def end(self) -> None:
        """Kill it and take down what was built around it; what it said is kept."""
        self.kill()
        self._serving.close()
        shutil.rmtree(self.folder / "opt", ignore_errors=True)

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def off_power(self) -> bool:
        """Nothing of it is left: its script ends a moment before what the script started, where all are killed."""
        return not self.runs and not self.processes()

    def processes(self) -> list[int]:
        """Those that have not ended."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with suppress(OSError):
                    if (entry / "cwd").readlink().is_relative_to(self.folder) and _state(int(entry.name)) not in "ZX":
                        found.append(int(entry.name))
        return found

    def _signal(self, processes: list[int], number: signal.Signals) -> None:
        for one in processes:
            with suppress(ProcessLookupError):
                os.kill(one, number)

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    @property
    def said(self) -> list[dict[str, Any]]:
        """The worker's own lines."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    @property
    def off(self) -> list[str]:
        """How ``shutdown`` was called."""
        calls = self.folder / "shutdown.calls"
        return calls.read_text().splitlines() if calls.exists() else []


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


class Hands:
    """``machines``: all that were ever booted, in their order."""

    def __init__(self, url: str, folder: Path, environment: Mapping[str, str]) -> None:
        import boto3
        from botocore.config import Config

        self._folder = folder
        self._told = {"s3": url, "environment": {"AWS_ENDPOINT_URL": url, **environment}}
        self._ec2 = boto3.client(
            "ec2",
            region_name=REGION,
            endpoint_url=url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 3}),
        )
        self.machines: list[Machine] = []
        self._stopping = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="ec2")

    def __enter__(self) -> Hands:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
        for machine in self.machines:
            machine.end()
        self._ec2.close()

    def instances(self) -> dict[str, str]:
        """What EC2 says of all instances: their states."""
        return {one["InstanceId"]: one["State"]["Name"] for one in self._described()}

    @property
    def alive(self) -> list[Machine]:
        return [one for one in self.machines if not one.off_power]

    def machines_of(self, job: str) -> list[Machine]:
        return [one for one in self.machines if one.job == job]

    def wait_for(self, wanted: Callable[[Machine], object], seconds: float = 60) -> Machine:
        """The first machine of which this is true, once there is one."""
        until = time.monotonic() + seconds
        while True:
            if self._failed is not None:
                raise self._failed
            for machine in list(self.machines):
                if wanted(machine):
                    return machine
            assert time.monotonic() < until, [(one.tags, one.log) for one in self.machines]
            time.sleep(0.02)

    def _work(self) -> None:
        try:
            while not self._stopping.wait(_LOOK_SECONDS):
                self._look()
        except BaseException as problem:
            self._failed = problem
            raise

    def _look(self) -> None:
        known = {one.instance: one for one in self.machines}
        for one in self._described():
            machine, alive = known.get(one["InstanceId"]), one["State"]["Name"] in ("pending", "running")
            if machine is None:
                if alive:
                    self._boot(one)
            elif alive and not machine.runs:
                machine.end()
                self._ec2.terminate_instances(InstanceIds=[machine.instance])
            elif not alive and not machine.off_power and not machine.lingers:
                machine.end()

    def _described(self) -> list[dict[str, Any]]:
        answer = self._ec2.describe_instances(Filters=[{"Name": "tag-key", "Values": [ROLE_TAG]}])
        return [one for reservation in answer["Reservations"] for one in reservation["Instances"]]

    def _boot(self, instance: Mapping[str, Any]) -> None:
        tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
        template = f"{tags[PREFIX_TAG]}-{tags[ROLE_TAG]}"
        answer = self._ec2.describe_launch_template_versions(LaunchTemplateName=template, Versions=["$Latest"])
        data = answer["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        machine = Machine(instance["InstanceId"], tags, self._folder / instance["InstanceId"])
        self.machines.append(machine)  # first, so that what a boot leaves half-made is taken down as well
        machine.boot(base64.b64decode(data["UserData"]).decode(), self._told)


@contextmanager
def hands(url: str, folder: Path, **environment: str) -> Iterator[Hands]:
    """Work for the EC2 at this address. ``folder``: the machines' disks. ``environment``: more for their workers."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    with Hands(url, folder, environment) as working:
        yield working
