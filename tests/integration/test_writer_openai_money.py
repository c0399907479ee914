"""The writer that asks a model: what is paid, what is kept, and that nothing is paid for twice."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mangavid.errors import (
    OverBudget,
    ScriptRefused,
)
from tests.fakes.chat import Call, ChatServer, FakeDesk, Fault, Killed, serve
from tests.fakes.chat_world import TEN, jpeg, write, writer
from tests.unit.test_writer_offline import chapter


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve() as chat:
        yield chat


# --- money -----------------------------------------------------------------------------------------------------------


def test_what_was_allowed_before_a_request_covers_what_it_cost(server: ChatServer) -> None:
    desk = FakeDesk()
    write(server, desk)
    assert len(desk.allowed) == 5
    assert all(allowed >= spent for allowed, spent in zip(desk.allowed, desk.spent.values(), strict=True))


def test_nothing_is_asked_beyond_the_budget(server: ChatServer) -> None:
    with pytest.raises(OverBudget):
        write(server, FakeDesk(most=100))
    assert not server.calls


def test_an_answer_that_was_lost_on_its_way_counts_in_the_budget(server: ChatServer) -> None:
    server.faults.append(Fault(how="cut"))
    desk = FakeDesk()
    script = write(server, desk, of=chapter([2]))
    lost = [micros for key, micros in desk.spent.items() if key.startswith("lost-")]
    assert lost == [desk.allowed[0]]
    assert script.micros == sum(desk.spent.values()) - lost[0]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", range(1, 8))
def test_a_run_that_is_killed_at_an_answer_pays_for_none_twice(server: ChatServer, nth: int, moment: str) -> None:
    """Seven answers: two bad ones among them, the second a repair of the first."""

    def choose(call: Call) -> Fault | None:
        if call.panels != (5, 6, 7, 8):
            return None
        shown = call.body["messages"][2]["content"] if call.repair else ""
        return {"": Fault(content="I see a boy."), "I see a boy.": Fault(content="{}")}.get(shown)

    server.choose = choose
    whole = FakeDesk()
    expected = writer(server).write(TEN, jpeg, whole)
    assert len(server.calls) == 7
    server.calls.clear()
    desk = FakeDesk()
    setattr(desk, "die_at" if moment == "before" else "die_after", nth)
    with pytest.raises(Killed):
        writer(server).write(TEN, jpeg, desk)
    assert len(server.calls) == nth
    script = writer(server).write(TEN, jpeg, desk)
    asked = [json.dumps(call.body) for call in server.calls]
    assert len(asked) == 7 + (moment == "before"), "an answer that was kept is never asked for again"
    assert max(asked.count(body) for body in asked) <= 2
    assert script == expected and desk.spent == whole.spent


def test_a_refusal_that_is_kept_is_not_asked_for_again(server: ChatServer) -> None:
    server.faults.append(Fault(patch=lambda found: found.update(choices=[])))
    desk = FakeDesk()
    for _ in range(2):
        with pytest.raises(ScriptRefused):
            write(server, desk)
    assert len(server.calls) == 1


def test_another_model_or_another_picture_is_another_answer(server: ChatServer) -> None:
    desk = FakeDesk()
    write(server, desk, of=chapter([2]))
    write(server, desk, of=chapter([2]))
    assert len(server.calls) == 3, "all is kept"
    write(server, desk, of=chapter([2]), model="other")
    assert len(server.calls) == 6
    writer(server).write(chapter([2]), lambda panel: jpeg(panel + 7), desk)
    assert len(server.calls) == 7, "its lines are the same, and so are the polish and the names"


def test_a_kept_answer_that_can_not_be_read_is_asked_for_again(server: ChatServer) -> None:
    desk = FakeDesk()
    write(server, desk, of=chapter([2]))
    desk.answers = dict.fromkeys(desk.answers, b"\xff{")
    write(server, desk, of=chapter([2]))
    assert len(server.calls) == 6
