"""The writer that asks a model, against a server on loopback: how a chapter is told, and what servers may lack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mangavid import config
from mangavid.errors import (
    AuthError,
    ScriptInvalid,
)
from mangavid.models import Narration, Sidecar, Story
from mangavid.writers.openai import OpenAIWriter
from tests.fakes.chat import KEY, LINE, ChatServer, FakeDesk, Fault, data, refused, serve
from tests.fakes.chat_world import TEN, jpeg, settings, tasks, texts, write, writer
from tests.fakes.memory import FakeClock
from tests.unit.test_writer_offline import chapter


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve() as chat:
        yield chat


# --- a chapter without trouble ---------------------------------------------------------------------------------------


def test_a_chapter_is_told_in_batches_polished_and_named(server: ChatServer) -> None:
    desk = FakeDesk()
    script = write(server, desk)
    assert tasks(server) == [
        ("panels", (1, 2, 3, 4)),
        ("panels", (5, 6, 7, 8)),
        ("panels", (9, 10)),
        ("polish", ()),
        ("about", ()),
    ]
    assert [call.pictures for call in server.calls] == [4, 4, 2, 0, 0], "only the first pass sees pictures"
    assert texts(script)[1:9] == [LINE.format(n) for n in range(2, 10)]
    assert texts(script)[0].startswith("Điều gì đang chờ") and texts(script)[0].endswith(LINE.format(1))
    assert texts(script)[-1].endswith("hẹn gặp lại ở chương sau.")
    assert script.title == "One Piece – Chương 12: Cánh cổng cũ"
    assert script.writer == "openai"
    assert script.story == Story(summary="Cậu bé đã đi đến khung 10.", names=("Minh: cậu bé",))
    assert (script.tokens, script.micros) == (5 * 1100, 5 * (400 + 160))
    assert sum(desk.spent.values()) == script.micros
    assert desk.told == [(4, 10), (8, 10), (10, 10)]


def test_story_names_and_last_lines_go_from_batch_to_batch(server: ChatServer) -> None:
    write(server)
    carried = data(server.calls[1])
    assert carried["story so far"] == "Cậu bé đã đi đến khung 4."
    assert carried["names so far"] == ["Minh: cậu bé"]
    assert carried["last lines"] == [LINE.format(n) for n in (2, 3, 4)]


def test_the_chapter_before_is_recalled_behind_the_hook(server: ChatServer) -> None:
    desk = FakeDesk(Story(summary="Cậu bé tìm chìa khóa.", names=("Lan: bạn của cậu",)))
    script = write(server, desk)
    assert data(server.calls[0])["chapter before"] == "Cậu bé tìm chìa khóa."
    assert data(server.calls[0])["names so far"] == ["Lan: bạn của cậu"]
    assert "kia? Lần trước, cậu bé" in texts(script)[0]
    assert "Lan: bạn của cậu" in script.story.names


def test_a_sidecar_with_words_wins_and_nobody_is_asked(server: ChatServer) -> None:
    side = Sidecar(narration=(Narration(page=1, text="Tự viết."),), title="Tên riêng")
    script = write(server, of=chapter([1], sidecar=side))
    assert (texts(script), script.title, script.writer) == (["Tự viết."], "Tên riêng", "sidecar")
    assert not server.calls


def test_a_sidecar_with_nothing_but_a_title_gives_the_title(server: ChatServer) -> None:
    script = write(server, of=chapter([1], sidecar=Sidecar(narration=(), title="Tên riêng")))
    assert (script.title, script.writer) == ("Tên riêng", "openai")


def test_without_a_second_pass_the_lines_are_as_told(server: ChatServer) -> None:
    write(server, refine=False)
    assert [call.task for call in server.calls] == ["panels"] * 3 + ["about"]


def test_a_second_pass_that_fails_costs_only_the_polish(server: ChatServer) -> None:
    server.change = lambda task, answer: {"lines": []} if task == "polish" else answer
    script = write(server)
    assert texts(script)[1] == LINE.format(2)
    assert [call.task for call in server.calls].count("polish") == 3


def test_names_move_forward_in_no_second_pass(server: ChatServer) -> None:
    def change(task: str, answer: dict[str, Any]) -> dict[str, Any]:
        for line in answer.get("panels", []) + answer.get("lines", []):
            if line["panel"] == 6 or task == "polish":
                line["text"] = line["text"].replace("người bạn", "bạn Minh").replace("Cậu bé", "Chàng trai")
        return answer

    server.change = change
    script = write(server)
    assert ["Minh" in text for text in texts(script)] == [False] * 5 + [True] * 5


def test_a_chapter_that_can_not_be_named_is_named_after_itself(server: ChatServer) -> None:
    server.change = lambda task, answer: [] if task == "about" else answer
    script = write(server)
    assert script.title == "One Piece – Chương 12" and script.description and script.tags


def test_a_silent_cover_still_has_the_hook(server: ChatServer) -> None:
    def change(task: str, answer: dict[str, Any]) -> dict[str, Any]:
        if answer.get("panels", [{}])[0].get("panel") == 1:
            answer["panels"][0]["kind"] = "cover"
        return answer

    server.change = change
    assert texts(write(server))[0] == "Điều gì đang chờ cậu bé ở phía sau cánh cổng cũ kia?"


def test_the_next_pictures_are_made_while_the_model_answers(server: ChatServer) -> None:
    made: list[int] = []
    at_answer: list[int] = []

    def image(panel: int) -> bytes:
        made.append(panel)
        return jpeg(panel)

    def change(task: str, answer: dict[str, Any]) -> dict[str, Any]:
        for _ in range(200):
            if len(made) > 4 or server.over.wait(0.01):
                break
        at_answer.append(len(made))
        return answer

    server.change = change
    writer(server).write(TEN, image, FakeDesk())
    assert at_answer[0] > 4, "made before the first answer was there"
    assert made == list(range(10))


# --- servers that differ ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("formats", "lost"), [(("json_object", "text"), 1), (("text",), 2)])
def test_a_server_without_schemas_is_asked_more_simply_from_then_on(
    server: ChatServer, formats: tuple[str, ...], lost: int
) -> None:
    server.formats = formats
    one = writer(server)
    one.write(TEN, jpeg, FakeDesk())
    assert len(server.calls) == 5 + lost
    one.write(chapter([1]), jpeg, FakeDesk())
    assert len(server.calls) == 5 + lost + 3, "remembered for the next chapter"


def test_a_server_that_knows_only_the_new_limit_is_asked_with_it(server: ChatServer) -> None:
    server.room = ("max_completion_tokens",)
    write(server)
    assert len(server.calls) == 6
    assert "max_completion_tokens" in server.calls[-1].body and "max_tokens" not in server.calls[-1].body


def test_the_first_request_carries_a_strict_schema(server: ChatServer) -> None:
    write(server)
    wanted = server.calls[0].body["response_format"]["json_schema"]
    assert wanted["strict"] is True
    assert wanted["schema"]["required"] == ["panels", "hook", "story", "names"]
    assert wanted["schema"]["additionalProperties"] is False
    assert "tools" not in server.calls[0].body


@pytest.mark.parametrize(
    "patch",
    [
        lambda found: found.pop("usage"),
        lambda found: found.update(usage=None),
        lambda found: found.update(usage={"prompt_tokens": -5, "completion_tokens": "many"}),
        lambda found: found.update(usage={"prompt_tokens": 10**30, "completion_tokens": True}),
    ],
    ids=["missing", "null", "senseless", "beyond all bounds"],
)
def test_usage_that_is_not_told_is_estimated_upward(server: ChatServer, patch: Callable[[Any], Any]) -> None:
    server.faults.append(Fault(patch=patch))
    desk = FakeDesk()
    write(server, desk, of=chapter([2]))
    first = next(iter(desk.spent.values()))
    assert 560 < first < 10_000 and first <= desk.allowed[0]


@pytest.mark.parametrize(
    "patch",
    [
        lambda found: found["choices"][0].pop("finish_reason"),
        lambda found: found["choices"][0].pop("index"),
        lambda found: [found.pop(name) for name in ("id", "object", "model")] and None,
        lambda found: found["choices"][0]["message"].update(
            content=[{"type": "text", "text": found["choices"][0]["message"]["content"]}]
        ),
        lambda found: found["choices"][0]["message"].update(tool_calls=[{"function": {"name": "rm"}}], extra=1),
    ],
    ids=["no finish_reason", "no index", "no id", "content in parts", "tool calls nobody asked for"],
)
def test_an_answer_may_lack_what_others_have(server: ChatServer, patch: Callable[[Any], Any]) -> None:
    server.faults.append(Fault(patch=patch))
    write(server, of=chapter([2]))
    assert len(server.calls) == 3


def no_key() -> str:
    raise AuthError("no key is set")


def test_a_server_of_ones_own_needs_no_key(server: ChatServer) -> None:
    server.key = ""
    OpenAIWriter(settings(server), no_key, clock=FakeClock(), language="vi").write(TEN, jpeg, FakeDesk())
    assert {call.key for call in server.calls} == {"Bearer none"}


def test_a_server_behind_https_needs_one() -> None:
    of = config.Writer(base_url="https://canary.example/v1")
    with pytest.raises(AuthError, match="no key is set"):
        OpenAIWriter(of, no_key, clock=FakeClock(), language="vi").write(TEN, jpeg, FakeDesk())


@pytest.mark.parametrize("key", ["", " ", "sk a", "sk-\nX", "sk-é"])
def test_a_key_that_is_none_is_told_without_showing_it(server: ChatServer, key: str) -> None:
    with pytest.raises(AuthError, match="is no key") as told:
        write(server, key=key)
    assert not server.calls and (not key.strip() or key not in str(told.value))


def test_a_key_with_a_line_break_at_its_end_is_taken(server: ChatServer) -> None:
    write(server, key=f"{KEY}\n")
    assert len(server.calls) == 5


# --- answers that are too long, or bad -------------------------------------------------------------------------------


def test_an_answer_that_is_cut_short_is_asked_for_in_two_parts(server: ChatServer) -> None:
    server.most_panels = 2
    script = write(server)
    told = [call.panels for call in server.calls if call.task == "panels"]
    assert told == [(1, 2, 3, 4), (1, 2), (3, 4), (5, 6, 7, 8), (5, 6), (7, 8), (9, 10)]
    assert [LINE.format(n) in texts(script)[n - 1] for n in range(1, 11)] == [True] * 10
    assert script.micros == 560 * len(server.calls), "also what was cut short is paid"


def test_a_single_panel_that_is_cut_short_is_given_up(server: ChatServer) -> None:
    server.most_panels = 0
    with pytest.raises(ScriptInvalid, match="panel 1 "):
        write(server)
    assert [call.panels for call in server.calls] == [(1, 2, 3, 4), (1, 2), (1,)]


@pytest.mark.parametrize(
    "fault",
    [refused(413, "too large"), refused(400, "maximum context length is 4096 tokens", code="context_length_exceeded")],
    ids=["413", "context_length_exceeded"],
)
def test_a_request_that_is_too_large_is_made_in_two_parts(server: ChatServer, fault: Fault) -> None:
    server.faults.append(fault)
    write(server)
    assert [call.panels for call in server.calls][:3] == [(1, 2, 3, 4), (1, 2), (3, 4)]


def test_a_model_that_thinks_is_given_more_room_once(server: ChatServer) -> None:
    def thought(found: dict[str, Any]) -> None:
        found["choices"][0].update(finish_reason="length", message={"content": ""})
        found["usage"] |= {"completion_tokens": 1500, "completion_tokens_details": {"reasoning_tokens": 1500}}

    server.faults.append(Fault(patch=thought))
    write(server)
    assert [call.panels for call in server.calls][:2] == [(1, 2, 3, 4)] * 2
    assert server.calls[1].body["max_tokens"] - server.calls[0].body["max_tokens"] == 12_000


def test_a_bad_answer_is_repaired_and_both_are_paid(server: ChatServer) -> None:
    server.faults.append(Fault(content="I see a boy."))
    desk = FakeDesk()
    script = write(server, desk, of=chapter([2]))
    assert [call.repair for call in server.calls] == [False, True, False, False]
    assert script.micros == sum(desk.spent.values()) == 4 * 560


def test_two_repairs_are_all_there_are(server: ChatServer) -> None:
    server.faults.extend([Fault(content="I see a boy.")] * 9)
    with pytest.raises(ScriptInvalid, match="can't be used"):
        write(server)
    assert len(server.calls) == 3
