"""The pipeline deployed on ministack with packages for this machine, its instances real processes: AWS in small."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from mangavid import keys
from mangavid.aws.deploy.apply import Deploy
from mangavid.aws.deploy.site import Site, find
from mangavid.aws.jobs import DynamoJobs
from mangavid.aws.package.build import Packages, build_groups
from mangavid.aws.package.groups import GROUPS, System
from mangavid.aws.session import Clients
from mangavid.clock import SystemClock
from mangavid.config import Config
from tests.fakes.machines import Hands, hands, python_version
from tests.fakes.ministack import Ministack, ministack

_SERVICES = ("cloudformation", "dynamodb", "ec2", "iam", "lambda", "logs", "s3", "stepfunctions", "sts")


@dataclass
class Deployed:
    """A stack that stands. ``environment`` is what a person's shell has."""

    clock: ClassVar = SystemClock()
    server: Ministack
    site: Site
    hands: Hands
    environment: dict[str, str]
    #: Effects of the machines' workers, a line each: ``mangavid.faults``.
    ledger: Path

    # --- what a person types ---

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "mangavid", *arguments]

    def cli(self, *arguments: str, timeout: float = 180) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def json(self, *arguments: str) -> Any:
        done = self.cli(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @contextmanager
    def started(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The command at work; it is ended with the block."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                process.kill()

    # --- what is on AWS ---

    def put(self, chapter: Path, key: str) -> None:
        """A folder as a chapter of the library: ``library/<key>``."""
        with tempfile.TemporaryFile() as file:
            with zipfile.ZipFile(file, "w") as archive:
                for one in sorted(chapter.iterdir()):
                    archive.write(one, one.name)
            file.seek(0)
            self._s3("put_object", Key=f"library/{key}", Body=file.read())

    def objects(self, prefix: str = "") -> list[str]:
        pages = self.site.clients["s3"].pages(
            "list_objects_v2",
            "Contents",
            ask="ContinuationToken",
            told="NextContinuationToken",
            Bucket=self.site.artifacts,
            Prefix=prefix,
        )
        return [one["Key"] for one in pages]

    def versions(self, key: str) -> list[str]:
        """Every content the object ever had."""
        told = self._s3("list_object_versions", Prefix=key)
        return [one["VersionId"] for one in told.get("Versions", ()) if one["Key"] == key]

    def fetch(self, key: str) -> bytes:
        with self._s3("get_object", Key=key)["Body"] as body:
            data: bytes = body.read()
            return data

    def _s3(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return self.site.clients["s3"].call(operation, Bucket=self.site.artifacts, **parameters)

    @property
    def jobs(self) -> DynamoJobs:
        return DynamoJobs(self.site.clients["dynamodb"], self.site.names.table, self.clock)

    def job(self, job_id: str) -> Mapping[str, Any]:
        return self.jobs.get(keys.job_item(job_id)) or {}

    def invoke(self, function: str) -> Any:
        """Call a function as its schedule does."""
        name = self.site.names.function(function)
        with self.site.clients["lambda"].call("invoke", FunctionName=name, Payload=b"{}")["Payload"] as answer:
            return json.loads(answer.read())

    def logged(self, worker: str, stream: str) -> list[str]:
        """The lines of a machine's stream."""
        group = self.site.names.log_group(worker)
        told = self.site.clients["logs"].call(
            "get_log_events", logGroupName=group, logStreamName=stream, startFromHead=True
        )
        return [event["message"] for event in told["events"]]

    def settled(self, seconds: float = 30) -> None:
        """Wait until no machine runs, and EC2 says so: a worker answers a moment before its machine is off."""
        until = time.monotonic() + seconds
        while self.hands.alive or set(self.hands.instances().values()) - {"terminated"}:
            assert time.monotonic() < until, self.hands.instances()
            time.sleep(0.05)

    def effects(self, name: str) -> list[str]:
        """Each effect of that name, by what it was on, in their order."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [line.partition(" ")[2] for line in lines if line.partition(" ")[0] == name]

    def troubles(self) -> str:
        """For a test that failed: what functions and machines said."""
        groups = [(one.instance, one.tags, one.log) for one in self.hands.machines]
        return "\n".join(f"--- {name} {tags}\n{log}" for name, tags, log in groups) + self.server.log()[-4000:]


@contextmanager
def deployed(
    config: Config,
    cache: Path,
    *,
    change: Callable[[dict[str, Any]], None] = lambda _template: None,
    **variables: str,
) -> Iterator[Deployed]:
    """Deploy on an empty account, and let machines run. ``cache``: libraries, kept between runs of the tests.

    ``change`` has the template before it is deployed. ``variables`` are told to everybody: server, functions, machines
    and who types.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="deployed-", ignore_cleanup_errors=True)))
        folder.chmod(0o755)  # machines' workers are another user
        ledger = folder / "ledger"
        ledger.touch()
        ledger.chmod(0o666)
        server = stack.enter_context(ministack(**variables))
        environment = server.environment | variables
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        clients = Clients()
        stack.callback(_close, clients)
        site = find(config, clients)
        work = Deploy(site, SystemClock())
        wanted = work.wanted_of(_packages(cache, folder / "packages"))
        change(wanted.template)
        outcome = work.apply(work.plan(wanted, settled=True))
        assert outcome.status == "created"
        told = {"MANGAVID_FAULT_LOG": str(ledger), **variables}
        working = stack.enter_context(hands(server.url, folder / "machines", **told))
        yield Deployed(server, site, working, _shell(environment, folder), ledger)


def _shell(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MANGAVID_"))}
    places = {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "data")}
    return {**kept, **environment, **places, "MANGAVID_TARGET": "aws"}


def _packages(cache: Path, out: Path) -> Packages:
    """For this machine's own system: functions for the Python of the tests, the worker for that of the machines."""
    version = python_version()
    worker = System() if version == sysconfig.get_python_version() else System(python=version)
    groups = [dataclasses.replace(one, system=worker if one.name == "worker" else System()) for one in GROUPS]
    made = build_groups(groups, cache, out)
    functions = {function: made[group.name] for group in GROUPS for function in group.functions}
    return Packages(functions=functions, worker=made["worker"])


def _close(clients: Clients) -> None:
    for name in _SERVICES:
        clients[name].client.close()
