"""The journal survives: a driver is killed at every point it passes, and the next one ends it all the same."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mangavid.clock import SystemClock
from mangavid.errors import LeaseLost
from mangavid.local.engine.executions import JournalExecutions
from mangavid.local.engine.interpreter import Engine
from mangavid.local.engine.tokens import TokenClient
from tests.faults import engine_child

ROOT = Path(__file__).parents[2]
CHILD = Path(engine_child.__file__)
ARN = "arn:aws:states:local:000000000000:execution:manga-pipeline:one"
POINTS = ["engine.commit", "engine.committing", "engine.committed", "engine.call", "engine.called"]


def start(folder: Path, fault: str = "") -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "MANGAVID_FAULT": fault}
    return subprocess.Popen([sys.executable, str(CHILD), str(folder)], env=env, stderr=subprocess.PIPE)


def finish(child: subprocess.Popen[bytes]) -> int:
    _, told = child.communicate(timeout=60)
    assert not told, told.decode()
    return child.returncode


def ledger(folder: Path) -> list[dict[str, Any]]:
    path = folder / "ledger"
    return [json.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


@contextmanager
def worker(folder: Path) -> Iterator[None]:
    """Answers every token it hears of, once, from another process than the driver's."""
    client, over, answered = TokenClient(folder / "journal.db"), threading.Event(), set()

    def answer() -> None:
        while not over.wait(0.01):
            for call in ledger(folder):
                if call["state"] == "Work" and call["token"] not in answered:
                    answered.add(call["token"])
                    client.success(call["token"], {"status": "completed"})

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def wait_for(condition: Callable[[], bool]) -> None:
    clock = SystemClock()
    limit = clock.monotonic() + 30
    while not condition():
        assert clock.monotonic() < limit, "waited for 30 s"
        clock.sleep(0.01)


def history(folder: Path) -> list[dict[str, Any]]:
    return list(JournalExecutions(folder / "journal.db").history(ARN))


def shape(folder: Path) -> list[tuple[int, int, str]]:
    return [(event["id"], event["previousEventId"], event["type"]) for event in history(folder)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, int, str]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with worker(folder):
        assert finish(start(folder)) == 0
    return shape(folder)


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_driver_killed_at_any_passing_of_a_point_is_followed_by_one_that_ends_it(
    point: str, undisturbed: list[tuple[int, int, str]], tmp_path: Path
) -> None:
    kills = 0
    for passing in range(1, 40):
        folder = tmp_path / str(passing)
        folder.mkdir()
        with worker(folder):
            code = finish(start(folder, f"{point}:kill:{passing}"))
            if code == 0:
                break
            assert code == -signal.SIGKILL
            kills += 1
            assert finish(start(folder)) == 0
        assert shape(folder) == undisturbed
        calls = ledger(folder)
        # One call may have been under way when the process died: it is made again, as the same attempt.
        assert len(calls) - len({(call["state"], call["retry"]) for call in calls}) <= 1
        assert len({call["token"] for call in calls if call["state"] == "Work"}) == 1
    assert kills >= 3


@pytest.mark.slow
def test_killed_twice_at_every_pair_of_commits_it_still_ends_the_same(
    undisturbed: list[tuple[int, int, str]], tmp_path: Path
) -> None:
    for first, second in [(2, 1), (3, 2), (4, 1), (5, 3)]:
        folder = tmp_path / f"{first}-{second}"
        folder.mkdir()
        with worker(folder):
            assert finish(start(folder, f"engine.committed:kill:{first}")) == -signal.SIGKILL
            assert finish(start(folder, f"engine.committing:kill:{second}")) == -signal.SIGKILL
            assert finish(start(folder)) == 0
        assert shape(folder) == undisturbed


def test_a_token_stays_open_while_nobody_drives(tmp_path: Path) -> None:
    child = start(tmp_path)
    wait_for(lambda: any(call["state"] == "Work" for call in ledger(tmp_path)))
    child.kill()
    child.communicate()
    token = next(call["token"] for call in ledger(tmp_path) if call["state"] == "Work")
    client = TokenClient(tmp_path / "journal.db")
    client.heartbeat(token)
    client.success(token, {"status": "completed"})
    with pytest.raises(LeaseLost, match=r"^TaskTimedOut"):
        client.success(token, {"status": "again"})
    assert finish(start(tmp_path)) == 0
    assert JournalExecutions(tmp_path / "journal.db").describe(ARN).output["work"] == {"status": "completed"}


def test_an_interrupted_driver_leaves_it_running(tmp_path: Path) -> None:
    child = start(tmp_path)
    wait_for(lambda: any(call["state"] == "Work" for call in ledger(tmp_path)))
    child.send_signal(signal.SIGINT)
    assert finish(child) == 130
    assert JournalExecutions(tmp_path / "journal.db").describe(ARN).status == "RUNNING"
    with worker(tmp_path):
        assert finish(start(tmp_path)) == 0


def test_a_stop_from_another_process_ends_the_driver(tmp_path: Path) -> None:
    child = start(tmp_path)
    wait_for(lambda: any(call["state"] == "Work" for call in ledger(tmp_path)))
    others = JournalExecutions(tmp_path / "journal.db")
    others.stop(ARN, error="Operator", cause="enough")
    assert finish(child) == 4
    assert others.describe(ARN).status == "ABORTED"
    token = next(call["token"] for call in ledger(tmp_path) if call["state"] == "Work")
    with pytest.raises(LeaseLost):
        TokenClient(tmp_path / "journal.db").heartbeat(token)


def test_a_driver_that_slept_through_its_replacement_gives_up(tmp_path: Path) -> None:
    sleeper = start(tmp_path)
    wait_for(lambda: any(call["state"] == "Work" for call in ledger(tmp_path)))
    stop_between_transactions(sleeper, tmp_path)
    before = driver(tmp_path)
    other = start(tmp_path)
    wait_for(lambda: driver(tmp_path) != before)
    sleeper.send_signal(signal.SIGCONT)
    assert finish(sleeper) == 8
    with worker(tmp_path):
        assert finish(other) == 0
    assert Counter(kind for _, _, kind in shape(tmp_path))["TaskSucceeded"] == 1


def stop_between_transactions(child: subprocess.Popen[bytes], folder: Path) -> None:
    """One that is stopped inside a transaction would keep every other out of the journal."""
    while True:
        child.send_signal(signal.SIGSTOP)
        SystemClock().sleep(0.05)
        with contextlib.closing(sqlite3.connect(folder / "journal.db", timeout=0.2, isolation_level=None)) as db:
            try:
                db.execute("BEGIN IMMEDIATE")
                db.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                child.send_signal(signal.SIGCONT)
                SystemClock().sleep(0.02)


def driver(folder: Path) -> str:
    with contextlib.closing(sqlite3.connect(folder / "journal.db", timeout=30)) as db:
        return str(db.execute("SELECT driver FROM executions").fetchone()[0])


def test_of_many_answers_at_once_exactly_one_counts(tmp_path: Path) -> None:
    child = start(tmp_path)
    wait_for(lambda: any(call["state"] == "Work" for call in ledger(tmp_path)))
    token = next(call["token"] for call in ledger(tmp_path) if call["state"] == "Work")

    def answer(number: int) -> bool:
        try:
            TokenClient(tmp_path / "journal.db").success(token, {"status": "completed", "by": number})
        except LeaseLost:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        counted = list(pool.map(answer, range(24)))
    assert sum(counted) == 1
    assert finish(child) == 0
    assert JournalExecutions(tmp_path / "journal.db").describe(ARN).output["work"]["by"] == counted.index(True)


def test_a_handler_that_outlives_its_timeout_is_left_and_its_result_ignored(tmp_path: Path) -> None:
    release = threading.Event()

    def slow(event: dict[str, Any]) -> dict[str, Any]:
        if event["retry"] == 0:
            release.wait(30)
            return {"late": True}
        return {"late": False}

    definition = {
        "StartAt": "S",
        "States": {
            "S": {
                "Type": "Task",
                "Resource": f"{engine_child.FUNCTION}slow",
                "Parameters": {"retry.$": "$$.State.RetryCount"},
                "TimeoutSeconds": 1,
                "Retry": [{"ErrorEquals": ["States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 1}],
                "End": True,
            }
        },
    }
    engine = Engine(tmp_path / "journal.db", definition, SystemClock(), {"slow": slow})
    arn = engine.start("one", {})
    ended = engine.run(arn, on_event=lambda event: release.set() if event["id"] == 6 else None)
    assert ended.output == {"late": False}
    assert [event["type"] for event in engine.history(arn)][2:7] == [
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
        "LambdaFunctionTimedOut",
        "LambdaFunctionScheduled",
        "LambdaFunctionStarted",
    ]


def test_what_handlers_raise_and_return_has_the_shape_that_lambda_gives(tmp_path: Path) -> None:
    def handler(event: dict[str, Any]) -> Any:
        if event["do"] == "raise":
            raise ValueError("bad page")
        return {"set": {1}} if event["do"] == "unjson" else {"echo": event}

    def run(do: str, function: str = "f") -> Any:
        definition = {
            "StartAt": "S",
            "States": {
                "S": {
                    "Type": "Task",
                    "Resource": "arn:aws:states:::lambda:invoke",
                    "Parameters": {"FunctionName": f"{engine_child.FUNCTION}{function}", "Payload": {"do.$": "$.do"}},
                    "End": True,
                }
            },
        }
        engine = Engine(tmp_path / "journal.db", definition, SystemClock(), {"f": handler})
        return engine.run(engine.start(f"{do}-{function}", {"do": do}))

    assert run("return").output["Payload"] == {"echo": {"do": "return"}}
    assert {"ExecutedVersion", "StatusCode", "SdkHttpMetadata", "SdkResponseMetadata"} < run("return").output.keys()
    raised = run("raise")
    cause = json.loads(raised.cause)
    assert (raised.error, cause["errorMessage"], cause["errorType"]) == ("ValueError", "bad page", "ValueError")
    assert cause["stackTrace"]
    assert cause["requestId"]
    assert run("unjson").error == "Runtime.MarshalError"
    assert run("return", "nobody").error == "Lambda.ResourceNotFoundException"


def test_a_worker_needs_nothing_heavy_to_answer() -> None:
    code = (
        "import sys; from mangavid.local.engine.tokens import TokenClient;"
        "heavy = {'numpy', 'cv2', 'av', 'PIL', 'boto3', 'yaml', 'rich', 'typer', 'jsonpath_ng',"
        " 'mangavid.local.engine.interpreter', 'mangavid.local.engine.jsonpath'};"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
