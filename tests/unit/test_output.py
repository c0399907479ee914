"""What leaves for the terminal obeys nobody outside."""

from __future__ import annotations

import io
import json
import re
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mangavid.cli import output

HOSTILE = [
    "\x1b[2J\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07rest",
    "\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31mred",
    "\x9d0;t\x9crest",
    "\x1bPq#0\x1b\\sixel",
    "\u202eevil\u202c",
    "a\u200bb\u200dc\ufeff",
    "[/b]",
    "[link=file:///x]y[/link]",
    "[bold red]x",
    ":skull:",
    "a\r\nb\x00c\x7f",
    "\ud800",
    "\U000e0041",
    "\x1b",
    "\x1b[",
    "Đêm trăng 月夜 👩‍👩‍👧",
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def streams(*, terminal: bool = False) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    before = sys.stdout, sys.stderr
    out, err = (Terminal() if terminal else io.StringIO()), io.StringIO()
    sys.stdout, sys.stderr = out, err
    try:
        yield out, err
    finally:
        sys.stdout, sys.stderr = before


def harmless(text: str, *, lines: int | None = None) -> bool:
    assert lines is None or text.count("\n") == lines
    return all(char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in text)


@settings(max_examples=2_000, deadline=None)
@given(st.one_of(st.text(), st.text(st.sampled_from("\x1b\x9b[]()0;m\x07\\\u202e\u2066\u200b\n\r\t/bx:\x7f\x00 "))))
@example("[/b]")
@example("\x1b]8;;x\x1b\\")
def test_no_text_reaches_a_terminal_as_a_command(text: str) -> None:
    with streams() as (out, err):
        output.write(text)
        output.say(text)
    assert harmless(out.getvalue(), lines=1)
    assert harmless(err.getvalue(), lines=1)
    document = output.dumps({"title": text, text: 1})
    assert document.isascii()
    assert harmless(document)
    assert json.loads(document)["title" if text != "title" else text] in (text, 1)


COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40), st.text(max_size=10), st.booleans())
def test_no_text_in_a_table_is_a_command_or_markup(text: str, heading: str, terminal: bool) -> None:
    with streams(terminal=terminal) as (out, _):
        output.write_table(["title", heading], [[text, "failed"], [(heading, "red"), text]], folds=["title"])
    assert harmless(COLOURS.sub("", out.getvalue()) if terminal else out.getvalue())


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_known_attacks_come_out_as_plain_text(text: str, terminal: bool) -> None:
    with streams(terminal=terminal) as (out, _):
        output.write_table(["title"], [[text]])
    assert harmless(COLOURS.sub("", out.getvalue()), lines=2)


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for colours in (True, False):
        if not colours:
            monkeypatch.setenv("NO_COLOR", "1")
        with streams(terminal=True) as (out, _):
            output.write_table(["status"], [[("failed", "red")]])
        assert ("\x1b[31m" in out.getvalue()) is colours


def test_escape_sequences_go_whole_and_words_stay() -> None:
    assert output.safe("\x1b[2J\x1b[31mred\x1b[0m") == "red"
    assert output.safe("\x1b]8;;file:///etc/passwd\x1b\\link\x1b]8;;\x1b\\") == "link"
    assert output.safe("[/b] :skull: [link=x]") == "[/b] :skull: [link=x]"
    assert output.safe("Đêm trăng, chương 3 – 月夜") == "Đêm trăng, chương 3 – 月夜"
    assert output.safe("a\tb\nc") == "a b c"


def test_markup_is_shown_and_not_obeyed_in_a_table() -> None:
    with streams() as (out, _):
        output.write_table(["title"], [["[bold]x[/bold] :skull:"]])
    assert out.getvalue() == "title\n[bold]x[/bold] :skull:\n"


def test_a_piped_table_is_neither_cut_nor_wrapped_nor_padded() -> None:
    with streams() as (out, _):
        output.write_table(["a", "b"], [["x" * 300, "y"], ["z", "w" * 300]])
    assert out.getvalue().splitlines() == ["a" + " " * 301 + "b", "x" * 300 + "  y", "z" + " " * 301 + "w" * 300]


def test_wide_and_combining_characters_keep_a_piped_table_in_line() -> None:
    with streams() as (out, _):
        output.write_table(["a", "b"], [["月夜", "x"], ["e\u0323\u0302m", "y"], ["abcd", "z"]])
    assert out.getvalue() == "a     b\n月夜  x\ne\u0323\u0302m    y\nabcd  z\n"


JOBS = (["job", "status", "title", "changed"], [["dem-trang-1", ("failed", "red"), "Đêm trăng", "2026-11-23 08:00"]])


def on_screen(width: int) -> list[str]:
    from rich.console import Console

    screen = Console(file=io.StringIO(), width=width)
    with screen.capture() as captured:
        screen.print(output.fitted(*JOBS, width, folds=["title"], spare=["changed", "title"]))
    return [line.rstrip() for line in captured.get().splitlines()]


def test_a_table_gives_up_its_spare_columns_before_it_is_stacked() -> None:
    assert on_screen(80)[0].split() == ["job", "status", "title", "changed"]
    assert on_screen(40)[0].split() == ["job", "status", "title"]
    assert on_screen(25) == ["job          status", "dem-trang-1  failed"]
    assert on_screen(18) == ["dem-trang-1", "  failed  Đêm", "  trăng", "  2026-11-23 08:00"]


def test_the_cells_of_a_stacked_row_are_in_the_order_of_their_worth() -> None:
    from rich.console import Console

    screen = Console(file=io.StringIO(), width=30)
    with screen.capture() as captured:
        screen.print(output.fitted(["job", "changed", "status"], [["j" * 40, "now", "done"]], 30, spare=["changed"]))
    assert captured.get().splitlines()[-1].rstrip() == "  done  now"


def many(rows: int, last: str = "") -> Iterator[list[output.Cell]]:
    """Rows like a history's; the last one has this text."""
    for n in range(rows):
        yield [f"step {n % 10}", ("done", "green"), "Đêm trăng trên phố cổ" if n < rows - 1 else last, ""]


LONG = ["step", "outcome", "title", "attempts"]


def test_of_many_rows_the_first_are_written_before_the_last_are_known() -> None:
    with streams() as (out, _):

        def rows() -> Iterator[list[output.Cell]]:
            yield from many(500)
            assert out.getvalue().count("\n") > 300
            yield ["the end", "", "", "2"]

        output.write_table(LONG, rows(), rare=["attempts"], widest={"step": "x" * 20})
    lines = out.getvalue().splitlines()
    assert lines[0] == f"step{' ' * 18}outcome  title                  attempts"
    assert {line.index("Đêm") for line in lines[1:] if "Đêm" in line} == {31}
    assert lines[-1].split() == ["the", "end", "2"]


def test_a_rare_column_of_a_few_rows_is_there_only_where_something_is_in_it() -> None:
    for rows in ([["a", ""], ["b", ""]], [["a", ""], ["b", "2"]]):
        with streams() as (out, _):
            output.write_table(["step", "attempts"], rows, rare=["attempts"])
        assert ("attempts" in out.getvalue()) == ("2" in out.getvalue())


@pytest.mark.parametrize("width", [30, 50, 80, 200])
def test_many_rows_on_a_terminal_are_laid_out_like_few(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(width))
    screens = []
    for count in (101, 100):
        with streams(terminal=True) as (out, _):
            output.write_table(LONG, list(many(101))[:count], folds=["title"], spare=["attempts"])
        screens.append([line.rstrip() for line in out.getvalue().splitlines()])
    plain = [[re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in screen] for screen in screens]
    assert plain[0][: len(plain[1])] == plain[1]
    assert max(map(len, plain[0])) <= width
    assert any("\x1b[32mdone\x1b[0m" in line for line in screens[0])


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_in_many_rows_is_a_command_or_markup(text: str, terminal: bool) -> None:
    with streams(terminal=terminal) as (out, _):
        output.write_table(LONG, many(120, last=text), folds=["title"])
    assert harmless(re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()) if terminal else out.getvalue())


def test_a_document_for_a_person_keeps_its_letters_and_obeys_nobody() -> None:
    with streams() as (out, _):
        output.write_document("  input: ", {"title": "Đêm \x1b[2J\u202etrăng", "n": 1})
    assert out.getvalue().splitlines() == [
        "  input: {",
        '    "title": "Đêm \\u001b[2Jtrăng",',
        '    "n": 1',
        "  }",
    ]


def test_json_is_sorted_and_the_same_however_it_was_put_together() -> None:
    when = datetime(2026, 11, 23, 8, tzinfo=UTC)
    value = {"b": frozenset({"z", "a"}), "a": when}
    assert output.dumps(value, indent=None) == '{"a": "2026-11-23T08:00:00+00:00", "b": ["a", "z"]}'
    assert output.dumps("\x7f\x9b\u202e") == '"\\u007f\\u009b\\u202e"'


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (9.96, "10 s"), (12.4, "12 s"), (59.7, "1 min 00 s"), (60, "1 min 00 s"), (185.2, "3 min 05 s"),
     (3599.7, "1 h 00 min"), (8040, "2 h 14 min"), (100_000, "27 h 46 min")],
)  # fmt: skip
def test_a_duration_is_said_as_a_person_says_it(seconds: float, words: str) -> None:
    assert output.duration(seconds) == words


def test_a_moment_that_is_no_time_stays_as_it_is() -> None:
    assert output.moment("yesterday") == "yesterday"
    assert len(output.moment("2026-11-23T08:00:00+00:00")) == len("2026-11-23 08:00:00")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(-5, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (7199, "1 h ago"), (86_400 * 40, "40 d ago")],
)
def test_an_age_has_one_unit(seconds: int, said: str) -> None:
    now = datetime(2026, 11, 23, 15, 4, tzinfo=UTC)
    assert output.ago(now - timedelta(seconds=seconds), now) == said
    assert output.ago((now - timedelta(seconds=seconds)).isoformat(), now) == said
    assert output.ago("no time", now) == "no time"
