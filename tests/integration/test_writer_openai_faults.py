"""The writer that asks a model: what each fault on the wire leads to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mangavid.clock import SystemClock
from mangavid.errors import (
    AuthError,
    ConfigError,
    MangavidError,
    ScriptInvalid,
    ScriptRefused,
    WriterUnavailable,
)
from mangavid.writers.openai import probe
from tests.fakes.chat import KEY, LINE, ChatServer, FakeDesk, Fault, refused, serve
from tests.fakes.chat_world import settings, tasks, texts, write
from tests.fakes.memory import FakeClock
from tests.unit.test_writer_offline import chapter


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serve() as chat:
        yield chat


# --- faults on the wire ----------------------------------------------------------------------------------------------


UNTIL_GOOD = {
    "429 with Retry-After": refused(429, "slow down", retry_after="7"),
    "429 with Retry-After as a date": refused(429, "slow down", retry_after="Mon, 23 Nov 2026 08:00:09 GMT"),
    "429 with milliseconds": refused(429, "slow down", retry_after_ms="1500"),
    "429 with a senseless Retry-After": refused(429, "slow down", retry_after="soon"),
    "408": refused(408, "timeout"),
    "409": refused(409, "conflict"),
    "425": refused(425, "too early"),
    "500": refused(500, "oops"),
    "502 with HTML": Fault(502, b"<html><h1>Bad Gateway</h1></html>"),
    "503 without a body": Fault(503, b""),
    "504": refused(504, "upstream"),
    "529": refused(529, "overloaded"),
    "dropped without an answer": Fault(how="drop"),
    "reset": Fault(how="reset"),
    "not HTTP": Fault(how="noise"),
    "cut in the middle": Fault(how="cut"),
    "stalled before the answer": Fault(how="stall"),
    "stalled in the middle": Fault(how="stall-body"),
    "broken gzip": Fault(how="gzip"),
    "a bomb of 64 MB": Fault(how="bomb"),
    "broken chunks": Fault(how="chunks"),
    "200 with HTML": Fault(body=b"<html>Log in to the network</html>"),
    "200 with nothing": Fault(body=b""),
    "200 with half a JSON": Fault(body=b'{"choices": [{"mess'),
    "200 with a list": Fault(body=b"[]"),
    "200 nested too deep": Fault(body=b"[" * 100_000),
    "200 without choices": Fault(body=b"{}"),
    "200 with choices null": Fault(body=b'{"choices": null}'),
    "200 with the error of another": Fault(body=b'{"error": {"code": 503, "message": "no instance"}}'),
    "200 with an error of no code": Fault(body=b'{"error": "overloaded"}'),
}


@pytest.mark.parametrize("fault", UNTIL_GOOD.values(), ids=[f"{name} - asked again" for name in UNTIL_GOOD])
def test_what_passes_by_itself_is_asked_again(server: ChatServer, fault: Fault) -> None:
    server.faults.append(fault)
    clock = FakeClock()
    stalls = fault.how.startswith("stall")
    script = write(server, of=chapter([2]), clock=clock, timeout=0.5 if stalls else 20)
    assert len(server.calls) == 4 and len(clock.slept) == 1
    assert texts(script)[0].endswith(LINE.format(1))
    assert clock.slept[0] >= {"7": 7, "1500": 1.5}.get(next(iter(fault.headers.values()), ""), 0.5)


def test_an_answer_that_comes_a_byte_at_a_time_is_not_waited_for(server: ChatServer) -> None:
    class Clock(SystemClock):
        def sleep(self, seconds: float) -> None:
            pass

    server.faults.append(Fault(how="drip"))
    write(server, of=chapter([2]), clock=Clock(), timeout=1.5)
    assert len(server.calls) == 4


FOR_GOOD: dict[str, tuple[Fault, type[MangavidError], str]] = {
    "401": (refused(401, f"Incorrect key {KEY}", code="invalid_api_key"), AuthError, "does not accept the key"),
    "403": (refused(403, "not in your country"), AuthError, "not in your country"),
    "402": (refused(402, "Insufficient credits"), AuthError, "paid first"),
    "429 insufficient_quota": (refused(429, "exceeded", code="insufficient_quota"), AuthError, "paid first"),
    "429 billing limit": (refused(429, "hard limit", kind="billing_hard_limit_reached"), AuthError, "paid first"),
    "404 model": (refused(404, "no such model", code="model_not_found"), ConfigError, "writer.model"),
    "404 HTML": (Fault(404, b"<html>nginx</html>"), ConfigError, "is no such server: an HTML page"),
    "405": (Fault(405, b""), ConfigError, "writer.base_url"),
    "a redirect": (Fault(307, b"", {"Location": "https://canary.example/v1"}), ConfigError, "HTTP 307"),
    "400 of a parameter": (refused(400, "bad value", code="unsupported_value"), ConfigError, "writer.model"),
    "400 of a model that is blind": (refused(400, "This model does not support image input"), ConfigError, "pictures"),
    "404 of a router that finds no eyes": (refused(404, "No endpoints found that support image"), ConfigError, "pict"),
    "400 of a picture": (refused(400, "Invalid image data", code="invalid_image"), ScriptInvalid, "this chapter"),
    "422": (refused(422, "unprocessable"), ScriptInvalid, "this chapter"),
    "400 content_filter": (refused(400, "filtered", code="content_filter"), ScriptRefused, "refused"),
    "403 moderation": (refused(403, "flagged by moderation"), ScriptRefused, "refused"),
    "a refusal": (
        Fault(patch=lambda found: found["choices"][0]["message"].update(content=None, refusal="I can't do that.")),
        ScriptRefused,
        "I can't do that",
    ),
    "finish_reason content_filter": (
        Fault(patch=lambda found: found["choices"][0].update(finish_reason="content_filter")),
        ScriptRefused,
        "filter",
    ),
    "a refusal among parts": (
        Fault(
            patch=lambda found: found["choices"][0]["message"].update(content=[{"type": "refusal", "refusal": "No."}])
        ),
        ScriptRefused,
        "No.",
    ),
    "empty choices": (Fault(patch=lambda found: found.update(choices=[])), ScriptRefused, "no answer"),
    "429 that wants an hour": (refused(429, "later", retry_after="3600"), WriterUnavailable, "left alone for 3600 s"),
}


@pytest.mark.parametrize(
    ("fault", "error", "why"),
    FOR_GOOD.values(),
    ids=[f"{name} - {error.__name__}" for name, (_, error, _) in FOR_GOOD.items()],
)
def test_what_does_not_pass_is_told_at_once(
    server: ChatServer, fault: Fault, error: type[MangavidError], why: str
) -> None:
    server.faults.append(fault)
    clock = FakeClock()
    with pytest.raises(error) as told:
        write(server, clock=clock)
    assert why in str(told.value) and told.value.hint
    assert type(told.value) is error
    assert len(server.calls) == 1 and not clock.slept, "never asked twice"
    assert KEY not in f"{told.value!r} {told.value.hint}" and "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("fault", "why"),
    [(refused(503, "down"), "HTTP 503"), (Fault(how="drop"), "reached"), (Fault(body=b"<html>"), "writer.base_url")],
    ids=["503 for ever", "dropped for ever", "HTML for ever"],
)
def test_what_does_not_end_makes_the_writer_unavailable(server: ChatServer, fault: Fault, why: str) -> None:
    server.faults.extend([fault] * 9)
    clock = FakeClock()
    with pytest.raises(WriterUnavailable, match=why):
        write(server, clock=clock)
    assert len(server.calls) == 6
    assert clock.slept == sorted(clock.slept) and sum(clock.slept) < 60


def test_a_server_that_is_not_there_makes_the_writer_unavailable() -> None:
    with serve() as gone:
        pass
    with pytest.raises(WriterUnavailable, match="can't be reached"):
        write(gone)


def test_a_chapter_has_its_time_and_its_answers_are_kept(server: ChatServer) -> None:
    clock = FakeClock()
    clock_at_start = clock.monotonic()

    class Slow(FakeDesk):
        def progress(self, done: int, total: int) -> None:
            clock.advance(500 if done == 4 else 0)

    desk = Slow()
    server.faults.extend([Fault(), *[refused(429, "busy", retry_after="110")] * 5])
    with pytest.raises(WriterUnavailable, match="time for one chapter is over"):
        write(server, desk, clock=clock)
    asked = len(server.calls)
    assert asked == 4 and clock.monotonic() < clock_at_start + 780
    server.faults.clear()
    write(server, desk)
    assert tasks(server)[asked:] == [
        ("panels", (5, 6, 7, 8)),
        ("panels", (9, 10)),
        ("polish", ()),
        ("about", ()),
    ], "the first batch is there"


# --- probe -----------------------------------------------------------------------------------------------------------


def asked(server: ChatServer, **changes: Any) -> str:
    return probe(settings(server, **changes), lambda: KEY, FakeClock(), timeout=2)


def test_the_probe_says_whether_the_model_is_there(server: ChatServer) -> None:
    assert asked(server).endswith("has the model gpt-4.1-mini")
    assert "is not among the 2 models it lists" in asked(server, model="gone")
    server.models = ("models/gemini-9",)
    assert asked(server, model="gemini-9").endswith("has the model gemini-9")
    assert not server.calls, "it costs nothing"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (refused(401, "bad key"), AuthError),
        (refused(503, "down"), WriterUnavailable),
        (Fault(how="drop"), WriterUnavailable),
        (Fault(body=b"<html>"), WriterUnavailable),
    ],
    ids=["401", "503", "dropped", "HTML"],
)
def test_the_probe_raises_what_a_request_would(server: ChatServer, fault: Fault, error: type[MangavidError]) -> None:
    server.faults.append(fault)
    with pytest.raises(error):
        asked(server)


def test_the_probe_takes_a_server_that_lists_no_models(server: ChatServer) -> None:
    server.faults.append(Fault(404, b"nothing"))
    assert "does not list its models" in asked(server)
