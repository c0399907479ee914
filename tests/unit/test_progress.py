"""How a run looks: on a terminal, in a pipe, for a script."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from mangavid.cli import progress, run
from mangavid.cli.progress import LiveView, Pace, PlainView, view
from mangavid.ports import Step
from mangavid.states.outcome import Failed, Made, Outcome


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Stopwatch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def streams(*, terminal: bool = False) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    before = sys.stdout, sys.stderr
    kind = Terminal if terminal else io.StringIO
    out, err = kind(), kind()
    sys.stdout, sys.stderr = out, err
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr = before


def step(what: Any, state: str, **facts: Any) -> Step:
    return Step(what=what, execution="run-1", state=state, **facts)


CHAPTER: dict[str, Any] = {"job_id": "dem-trang-3-ab12", "title": "Đêm trăng, chương 3"}
A_RUN = [
    step("entered", "CheckQuota"),
    step("succeeded", "CheckQuota", seconds=0.01),
    step("entered", "FetchManga"),
    step("note", "FetchManga", detail="page 05.png is left out", **CHAPTER),
    step("succeeded", "FetchManga", seconds=1.2, **CHAPTER),
    step("entered", "GenerateTTS", **CHAPTER),
    step("retry", "GenerateTTS", error="TtsUnavailable", detail="no answer", seconds=60.0, **CHAPTER),
    step("entered", "GenerateTTS", **CHAPTER),
    step("succeeded", "GenerateTTS", seconds=41.0, **CHAPTER),
    step("entered", "WaitForRender", **CHAPTER),
    *[step("progress", "WaitForRender", done=n, total=64, unit="segment", **CHAPTER) for n in range(1, 65)],
    step("succeeded", "WaitForRender", seconds=125.0, **CHAPTER),
    step("entered", "WaitForUpload", **CHAPTER),
    step("failed", "WaitForUpload", error="PublishError", detail="\x1b[2Jread-only [/b]", **CHAPTER),
]


def shown(steps: Sequence[Step], *, as_json: bool = False) -> str:
    with streams() as (out, err):
        with view(as_json=as_json, monotonic=Stopwatch()) as seen:
            for one in steps:
                seen.step(one)
        assert out.getvalue() == ""
        return err.getvalue()


def test_in_a_pipe_a_run_is_plain_lines_without_times_of_day() -> None:
    assert shown(A_RUN).splitlines() == [
        "Đêm trăng, chương 3",
        "  note: page 05.png is left out",
        "  Reading the pages: done in 1.2 s",
        "  Speaking: no answer; again in 1 min 00 s",
        "  Speaking: done in 41 s",
        "  Rendering: 16 of 64 segments, 25 %",
        "  Rendering: 32 of 64 segments, 50 %",
        "  Rendering: 48 of 64 segments, 75 %",
        "  Rendering: done in 2 min 05 s",
        "  Publishing: failed",
    ]


def test_for_a_script_every_step_is_a_line_of_json() -> None:
    lines = [json.loads(line) for line in shown(A_RUN, as_json=True).splitlines()]
    assert len(lines) == len(A_RUN)
    assert [line["what"] for line in lines] == [one.what for one in A_RUN]
    assert lines[-1]["error"] == "PublishError"


def test_a_state_that_is_not_waited_for_shows_only_where_it_goes_wrong() -> None:
    assert shown([step("entered", "StartRenderer"), step("succeeded", "StartRenderer", seconds=9.0)]) == ""
    retried = step("retry", "StartRenderer", error="SpotCapacity", seconds=30.0)
    assert shown([retried]) == "  Starting to render: No machine could be had to work on; again in 30 s\n"


def test_an_attempt_that_is_told_when_it_is_followed_has_no_wait_left() -> None:
    again = step("retry", "WaitForRender", error="SpotInterrupted", detail="the machine goes", **CHAPTER)
    assert "  Rendering: the machine goes; again now\n" in shown([again])


def test_a_failure_of_which_the_end_says_nothing_is_told_at_once_and_short() -> None:
    failed = step("failed", "Cleanup", error="UpstreamUnavailable", detail="a" * 200 + "\nb\nand 4 more problems")
    assert shown([failed]) == f"  Tidying up: failed: {'a' * 99}… (+5 more)\n"


def test_a_look_for_a_next_chapter_that_finds_none_is_no_line() -> None:
    assert shown([step("entered", "FetchManga"), step("succeeded", "FetchManga", seconds=0.1)]) == ""


def test_progress_starts_anew_when_a_state_is_tried_again() -> None:
    half = step("progress", "WaitForRender", done=2, total=4, unit="segment", **CHAPTER)
    entered = step("entered", "WaitForRender", **CHAPTER)
    failed = step("retry", "WaitForRender", error="SpotInterrupted", **CHAPTER)
    assert shown([entered, half, half, entered, half]).count("2 of 4 segments, 50 %") == 2
    assert shown([entered, half, failed, half]).count("2 of 4 segments, 50 %") == 2


def test_on_a_terminal_finished_states_stay_and_the_live_line_goes() -> None:
    with streams(terminal=True) as (_, err):
        with view(as_json=False, monotonic=Stopwatch()) as seen:
            assert isinstance(seen, LiveView)
            for one in A_RUN:
                seen.step(one)
        text = err.getvalue()
    plain = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", text)
    for words in ("Đêm trăng", "• page 05.png is left out", "↻ Speaking: no answer", "✗ Publishing: failed"):
        assert words in plain
    assert re.search(r"✓ Rendering +2 min 05 s", plain)
    assert "\x1b[2J" not in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again at the end"


def live_line(*steps: Step, later: float = 0.0, between: float = 0.0) -> str:
    """The live line after these steps, ``between`` seconds apart, looked at ``later`` seconds after the last."""
    from rich.console import Console

    watch = Stopwatch()
    with streams(terminal=True) as (_, _err):
        seen = LiveView(watch)
        for one in steps:
            seen.step(one)
            watch.now += between
        watch.now += later - between
        screen = Console(file=io.StringIO(), width=110)
        with screen.capture() as captured:
            screen.print(seen._line())
    return captured.get().strip()


def test_the_live_line_tells_what_is_done_and_how_long_it_will_take() -> None:
    entered = step("entered", "WaitForRender", **CHAPTER)
    work = [step("progress", "WaitForRender", done=n, total=10, unit="segment", **CHAPTER) for n in range(5)]
    line = live_line(entered, *work, between=3.0)
    assert "40 %" in line
    assert "4 of 10 segments, 18 s left" in line
    assert "4 of 10 segments, 16 s left" in live_line(entered, *work, between=3.0, later=2.0)
    assert live_line(entered, later=7.0).endswith("7.0 s")


def test_the_live_line_counts_down_to_the_next_try() -> None:
    failed = step("retry", "FetchManga", error="SourceUnavailable", seconds=60.0)
    assert live_line(failed, later=15.0).endswith("again in 45 s")
    assert live_line(failed, later=72.0).endswith("  12 s")
    assert live_line(failed, step("entered", "FetchManga"), later=2.0).endswith("2.0 s")


def test_nothing_lives_between_the_states_that_are_waited_for() -> None:
    assert live_line(step("entered", "CheckQuota")) == ""
    assert live_line(step("entered", "FetchManga"), step("succeeded", "FetchManga", seconds=1.0)) == ""


def test_a_pace_promises_nothing_before_something_was_done_or_after_the_end() -> None:
    pace = Pace(30, 0.0)
    pace.update(30, 64, 5.0)
    assert pace.left(5.0) is None
    pace.update(31, 64, 10.0)
    assert pace.left(10.0) == pytest.approx(330.0)
    assert pace.left(10_000.0) == 0.0
    pace.update(64, 64, 20.0)
    assert pace.left(20.0) is None


def test_one_of_one_is_no_plural() -> None:
    assert progress.of(step("progress", "FetchManga", done=1, total=1, unit="page")) == "1 of 1 page"
    assert progress.of(step("progress", "FetchManga", done=1, total=2, unit="pages")) == "1 of 2 pages"


def test_a_pipe_gets_the_plain_view() -> None:
    with streams():
        assert isinstance(view(as_json=False, monotonic=Stopwatch()), PlainView)


# --- the end --------------------------------------------------------------------------------------------------------

MADE = Made(
    job_id="dem-trang-3-ab12",
    title="Đêm trăng",
    video="/v/đêm trăng.mp4",
    captions="/v/đêm trăng.srt",
    thumbnail="/v/đêm trăng.jpg",
    metadata="/v/đêm trăng.json",
    seconds=125.0,
)
FAILED = Failed(
    job_id="x-1", title="Chương 4", state="WaitForRender", error="RenderError", cause="no frames\x1b[2J", hint="look"
)


def outcome(**facts: Any) -> Outcome:
    base: dict[str, Any] = {
        "execution": "run-1",
        "status": "SUCCEEDED",
        "made": (),
        "failed": (),
        "skipped": (),
        "quota_reached": False,
        "exit_code": 0,
    }
    return Outcome(**(base | facts))


def end(what: Outcome, *, terminal: bool = False, as_json: bool = False) -> tuple[str, str]:
    with streams(terminal=terminal) as (out, err):
        run.tell(what, as_json=as_json)
        return out.getvalue(), err.getvalue()


def test_in_a_pipe_stdout_is_the_paths_of_the_videos_and_nothing_else() -> None:
    out, err = end(outcome(made=(MADE, MADE)))
    assert out == "/v/đêm trăng.mp4\n/v/đêm trăng.mp4\n"
    assert "'/v/đêm trăng.mp4'" in err
    assert "mangavid history last" in err


def test_on_a_terminal_every_file_is_named_with_what_it_is() -> None:
    out, _ = end(outcome(made=(MADE,)), terminal=True)
    assert out.split("\n") == [
        "",
        "Đêm trăng (2 min 05 s)",
        "  video      /v/đêm trăng.mp4",
        "  captions   /v/đêm trăng.srt",
        "  thumbnail  /v/đêm trăng.jpg",
        "  metadata   /v/đêm trăng.json",
        "",
    ]


def test_for_a_script_the_outcome_is_one_document() -> None:
    out, err = end(outcome(made=(MADE,), failed=(FAILED,)), as_json=True)
    document = json.loads(out)
    assert document["made"][0]["video"] == MADE.video
    assert document["failed"][0]["error"] == "RenderError"
    assert err == ""


def test_a_failure_is_told_with_its_state_cause_hint_and_the_next_command() -> None:
    out, err = end(outcome(failed=(FAILED,), exit_code=4))
    assert out == ""
    assert err.splitlines() == [
        "failed: Chương 4: Rendering: no frames",
        "hint: look",
        "To see more of it: mangavid status x-1",
        "To try again: mangavid retry --failed && mangavid run",
    ]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({}, "There is no chapter left to make"),
        ({"quota_reached": True, "exit_code": 5}, "mangavid quota"),
        ({"made": (Made(job_id="a", title="t", video="v", captions="c", thumbnail="t", metadata="m", seconds=1.0,
                        existed=True),)}, "--again"),
    ],
)  # fmt: skip
def test_where_nothing_was_made_the_end_says_why_and_what_to_type(facts: dict[str, Any], words: str) -> None:
    _, err = end(outcome(**facts))
    assert words in err
