"""The contract of ports.Callbacks: the fake, tokens in the journal of this machine, and Step Functions."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mangavid.aws.callbacks import TaskCallbacks
from mangavid.errors import LeaseLost
from mangavid.local.engine.store import Store
from mangavid.local.engine.tokens import TokenClient
from mangavid.ports import Callbacks
from tests.fakes.aws import CLIENTS, credentials
from tests.fakes.memory import FakeCallbacks, FakeClock
from tests.fakes.stepfunctions import StepFunctions, serving

OPEN = "mv1." + "a" * 64
UNKNOWN = "mv1." + "b" * 64


def journal(folder: Path) -> TokenClient:
    store = Store(folder / "journal.db")
    with store.transaction() as db:
        db.execute("INSERT INTO tokens (token, arn, status) VALUES (?, 'arn', 'open')", (OPEN,))
    return TokenClient(folder / "journal.db")


def step_functions(folder: Path, stack: ExitStack) -> TaskCallbacks:
    journal(folder)
    stack.enter_context(credentials())
    stack.enter_context(serving(CLIENTS, StepFunctions(folder / "journal.db", FakeClock()).answer))
    return TaskCallbacks(CLIENTS["stepfunctions"])


ADAPTERS: dict[str, Callable[[Path, ExitStack], Callbacks]] = {
    "memory": lambda _, __: FakeCallbacks(OPEN),
    "journal": lambda folder, _: journal(folder),
    "step-functions": step_functions,
}


@pytest.fixture(params=sorted(ADAPTERS))
def callbacks(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callbacks]:
    with ExitStack() as stack:
        yield ADAPTERS[request.param](tmp_path, stack)


def every(callbacks: Callbacks, token: str) -> list[Callable[[], None]]:
    return [
        lambda: callbacks.heartbeat(token),
        lambda: callbacks.success(token, {"job_id": "a"}),
        lambda: callbacks.failure(token, "RenderError", "why"),
    ]


def test_an_open_token_beats_as_often_as_it_likes(callbacks: Callbacks) -> None:
    for _ in range(3):
        callbacks.heartbeat(OPEN)


@pytest.mark.parametrize("first", [1, 2], ids=["success", "failure"])
def test_an_answered_token_is_lost_to_every_further_call(first: int, callbacks: Callbacks) -> None:
    every(callbacks, OPEN)[first]()
    for call in every(callbacks, OPEN):
        with pytest.raises(LeaseLost):
            call()


@pytest.mark.parametrize("token", [UNKNOWN, "", "nonsense", "mv1." + "a" * 63, OPEN + "0", "x" * 5000])
def test_an_unknown_or_malformed_token_is_lost(token: str, callbacks: Callbacks) -> None:
    for call in every(callbacks, token):
        with pytest.raises(LeaseLost):
            call()


def test_an_answer_in_the_journal_is_there_for_another_connection(tmp_path: Path) -> None:
    journal(tmp_path).success(OPEN, {"tên": "Đêm trăng"})
    db = sqlite3.connect(tmp_path / "journal.db")
    row = db.execute("SELECT status, output FROM tokens").fetchone()
    db.close()
    assert row == ("answered", '{"tên":"Đêm trăng"}')
