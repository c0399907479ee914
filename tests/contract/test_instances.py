"""The contract of ports.Instances: the fake, real processes of this machine, and EC2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mangavid.config import Config
from mangavid.local.instances import ProcessInstances
from mangavid.local.jobs import SqliteJobs
from mangavid.ports import Change, Instances
from tests.fakes.aws import cloud
from tests.fakes.memory import FakeInstances


def processes(home: Path) -> ProcessInstances:
    """Workers that wait: the job they are launched for has their epoch, and no token comes."""
    jobs = SqliteJobs(home / "jobs.db")
    base = {"status": "rendering", "title": "t", "source": "s", "created_at": "1", "updated_at": "1"}
    jobs.change(Change(key="JOB#a", set={**base, "job_id": "a", "epoch": 1, "phase": "render"}))
    return ProcessInstances(home, Config())


ADAPTERS: dict[str, Callable[[Path, ExitStack], Instances]] = {
    "memory": lambda _, __: FakeInstances(),
    "processes": lambda folder, _: processes(folder),
    "ec2": lambda _, stack: stack.enter_context(cloud()).instances(),
}


@pytest.fixture(params=sorted(ADAPTERS))
def instances(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Instances]:
    with ExitStack() as stack:
        made = ADAPTERS[request.param](tmp_path, stack)
        yield made
        made.terminate("render-a-e1")


def eventually(holds: Callable[[], bool]) -> bool:
    limit = time.monotonic() + 20
    while not holds() and time.monotonic() < limit:
        time.sleep(0.02)
    return holds()


def test_an_instance_lives_from_its_launch_until_it_is_terminated(instances: Instances) -> None:
    name = instances.launch("render", "a", 1)
    assert instances.alive(name)
    instances.terminate(name)
    assert eventually(lambda: not instances.alive(name))
    instances.terminate(name)


def test_a_launch_that_is_repeated_gives_the_same_instance(instances: Instances) -> None:
    assert instances.launch("render", "a", 1) == instances.launch("render", "a", 1)
    instances.terminate(instances.launch("render", "a", 1))


def test_one_that_never_was_is_not_alive_and_terminating_it_is_no_error(instances: Instances) -> None:
    assert not instances.alive("render-none-e9")
    instances.terminate("render-none-e9")


def test_those_that_live_are_listed_with_what_they_work_on(instances: Instances) -> None:
    assert list(instances.list()) == []
    name = instances.launch("render", "a", 1)
    (found,) = instances.list()
    assert (found.instance, found.phase, found.job_id, found.epoch) == (name, "render", "a", 1)
    assert found.launched.tzinfo is not None
    instances.terminate(name)
    assert eventually(lambda: not list(instances.list()))


# --- processes ---


def test_an_instance_is_seen_alive_by_another_process_and_by_no_pid_that_is_used_again(tmp_path: Path) -> None:
    mine = processes(tmp_path)
    name = mine.launch("render", "a", 1)
    other = ProcessInstances(tmp_path, Config())
    assert other.alive(name)
    assert other.all_alive() == [name]
    other.terminate(name)
    assert eventually(lambda: not other.alive(name))
    # The lock file still names a process id; that some process has it means nothing.
    (tmp_path / "instances" / f"{name}.lock").write_text(str(os.getpid()))
    assert not other.alive(name)
    other.terminate(name)
    mine.terminate(name)


def test_a_worker_that_is_told_to_drain_ends(tmp_path: Path) -> None:
    instances = processes(tmp_path)
    name = instances.launch("render", "a", 1)
    assert eventually(lambda: "lease_owner" in (SqliteJobs(tmp_path / "jobs.db").get("JOB#a") or {}))
    instances.drain(name)
    assert eventually(lambda: not instances.alive(name))


def test_a_worker_ends_when_the_run_that_started_it_is_killed(tmp_path: Path) -> None:
    processes(tmp_path)
    script = (
        "import sys, time; from pathlib import Path; from mangavid.config import Config\n"
        "from mangavid.local.instances import ProcessInstances\n"
        "print(ProcessInstances(Path(sys.argv[1]), Config()).launch('render', 'a', 1), flush=True); time.sleep(60)"
    )
    run = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    name = run.stdout.readline().strip()
    watching = ProcessInstances(tmp_path, Config())
    assert eventually(lambda: "lease_owner" in (SqliteJobs(tmp_path / "jobs.db").get("JOB#a") or {}))
    assert watching.alive(name)
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    assert eventually(lambda: not watching.alive(name))


def test_a_record_says_what_an_instance_works_on(tmp_path: Path) -> None:
    instances = processes(tmp_path)
    name = instances.launch("render", "a", 1)
    record = json.loads((tmp_path / "instances" / f"{name}.json").read_text())
    assert (record["phase"], record["job_id"], record["epoch"]) == ("render", "a", 1)
    instances.terminate(name)
