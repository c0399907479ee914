"""What a person sees of a deploy: the plan line by line, and what is told while it works. No text is ever obeyed."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mangavid.aws.deploy.apply import Plan, Wanted
from mangavid.aws.deploy.difference import Change, Property
from mangavid.aws.deploy.preflight import Finding
from mangavid.aws.deploy.progress import Step
from mangavid.aws.package import Package
from mangavid.cli import planview
from mangavid.cli.deployview import JsonView, LiveView, PlainView, told
from mangavid.cli.planview import Line, change_lines, finding_lines, plan_facts, plan_lines, summary
from mangavid.clock import SystemClock

HOSTILE = "\x1b[2J\x1b]0;title\x07red\u202e[bold]no[/bold]\x9b31m\nnext"
SEEN = "red[bold]no[/bold] next"


def plan(*changes: Change, **given: Any) -> Plan:
    return Plan(
        **{
            "stack": "manga-pipeline",
            "fresh": False,
            "changes": changes,
            "beside": (),
            "uploads": (),
            "restores": (),
            "taken_over": (),
            "busy": False,
            "wanted": Wanted(template={}),
            **given,
        }
    )


def change(
    action: Any, id: str = "Queue", type: str = "AWS::SQS::Queue", *properties: Property, **given: Any
) -> Change:
    return Change(action=action, id=id, type=type, properties=properties, **given)


def package(name: str, size: int) -> Package:
    return Package(name=name, file=Path("x"), key=f"code/{name}.zip", sha256="", size=size, unpacked=size)


def texts(lines: Sequence[Line] | Any) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def style(lines: Any, words: str) -> str:
    """How these words are shown."""
    return next(style for line in lines for text, style in line if words in text)


# --- the plan --------------------------------------------------------------------------------------------------------


def test_a_plan_reads_from_what_is_added_to_what_is_uploaded() -> None:
    whole = plan(
        change("change", "Queue", "AWS::SQS::Queue", Property(path="Delay", before=1, after=2)),
        change("add", "Topic", "AWS::SNS::Topic"),
        change("remove", "Rule", "AWS::Events::Rule"),
        change("replace", "Table", "AWS::DynamoDB::Table", Property(path="KeySchema", before="a", after="b")),
        beside=(Property(path="Outputs.More", before=None, after="x"),),
        taken_over=("some-bucket",),
        restores=("manga-pipeline-fetcher",),
        uploads=(package("control", 1_000_000), package("worker", 2_500_000)),
    )
    assert texts(plan_lines(whole)) == [
        "manga-pipeline 1 added, 1 changed, 1 replaced, 1 removed",
        "  + Topic  SNS Topic",
        "  ~ Queue  SQS Queue",
        "      Delay  1 → 2",
        "  ± Table  DynamoDB Table  replaced: made anew, and the one there is deleted",
        "      KeySchema  a → b",
        "  - Rule  Events Rule",
        "  ~ beside the resources",
        "      Outputs.More  – → x",
        "  ↺ some-bucket  is there from before and is taken over with all that is in it",
        "  ~ manga-pipeline-fetcher  was swapped by --fast: the template's own is put back",
        "  ↑ 2 packages to upload, 3.5 MB  control, worker",
    ]


def test_what_is_replaced_is_red_from_its_mark_to_its_end() -> None:
    (line,) = change_lines(change("replace"))
    assert [style for text, style in line if text.strip()] == ["bold red", "bold red", "dim", "bold red"]
    assert style(change_lines(change("remove")), "-") == "red"
    assert style(change_lines(change("add")), "+") == "green"


def test_the_old_value_is_red_and_the_new_one_green() -> None:
    lines = list(change_lines(change("change", "Q", "T", Property(path="P", before="old", after="new"))))
    assert (style(lines, "old"), style(lines, "new")) == ("red", "green")


def test_what_is_kept_and_what_may_be_replaced_is_said() -> None:
    assert texts(change_lines(change("replace", kept=True))) == [
        "  ± Queue  SQS Queue  replaced: made anew, and the one there stays, outside the stack"
    ]
    assert texts(change_lines(change("remove", kept=True))) == [
        "  - Queue  SQS Queue  stays as it is, outside the stack"
    ]
    assert texts(change_lines(change("change", perhaps=True))) == [
        "  ~ Queue  SQS Queue  may have to be replaced: AWS decides when it comes to it"
    ]


def test_many_that_are_added_are_told_by_type_but_all_others_one_by_one() -> None:
    added = [change("add", f"Role{n}", "AWS::IAM::Role") for n in range(12)] + [change("add")]
    removed = [change("remove", f"Old{n}") for n in range(20)]
    lines = texts(plan_lines(plan(*added, *removed, fresh=True)))
    assert lines[:4] == [
        "manga-pipeline is made: 13 added, 20 removed",
        "  +  12 IAM Role",
        "  +   1 SQS Queue",
        "    all of it: mangavid template",
    ]
    assert len(lines) == 4 + 20
    assert len(texts(plan_lines(plan(*added[1:])))) == 1 + 12


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "manga-pipeline: nothing to do, all is as it should be"),
        ({"uploads": (package("a", 1),)}, "manga-pipeline no resource changes"),
        ({"beside": (Property(path="Outputs", before=1, after=2),)}, "manga-pipeline no resource changes"),
    ],
)
def test_a_plan_without_changes_says_what_it_comes_to(given: dict[str, Any], words: str) -> None:
    assert summary(plan(**given)) == words


def test_long_values_that_differ_in_the_middle_do_not_look_the_same() -> None:
    one = Property(path="P", before="a" * 80 + "1" + "b" * 80, after="a" * 80 + "2" + "b" * 80)
    (_, line) = texts(change_lines(change("change", "Q", "T", one)))
    before, _, after = line.partition(" → ")
    assert before.strip().removeprefix("P").strip() != after


def test_only_what_is_not_well_is_told_of_checks_unless_all_is_asked_for() -> None:
    findings = [
        Finding(check="region", level="ok", what="fine"),
        Finding(check="network", level="problem", what="no way out", hint="set it"),
    ]
    assert texts(finding_lines(findings, all=False)) == ["  ✗ network: no way out", "      set it"]
    assert texts(finding_lines(findings, all=True))[0] == "  ✓ region: fine"


def test_a_plan_as_a_document_has_all_that_its_lines_have() -> None:
    whole = plan(
        change("change", "Queue", "AWS::SQS::Queue", Property(path="Delay", before=None, after=HOSTILE), perhaps=True),
        uploads=(package("control", 7),),
        restores=("a",),
        taken_over=("b",),
        busy=True,
    )
    facts = json.loads(json.dumps(plan_facts(whole, [Finding(check="c", level="note", what="w")])))
    assert facts == {
        "stack": "manga-pipeline",
        "fresh": False,
        "changes": [
            {
                "action": "change",
                "id": "Queue",
                "type": "AWS::SQS::Queue",
                "properties": [{"path": "Delay", "before": None, "after": HOSTILE}],
                "perhaps": True,
                "kept": False,
            }
        ],
        "beside": [],
        "uploads": [{"key": "code/control.zip", "bytes": 7}],
        "restores": ["a"],
        "taken_over": ["b"],
        "under_way": True,
        "checks": [{"check": "c", "level": "note", "what": "w", "hint": ""}],
    }


# --- on a terminal, and not ------------------------------------------------------------------------------------------

HOSTILE_PLAN = plan(
    change("replace", HOSTILE, HOSTILE, Property(path=HOSTILE, before=HOSTILE, after=[HOSTILE])),
    taken_over=(HOSTILE,),
    restores=(HOSTILE,),
)


@pytest.mark.parametrize("data", [True, False])
def test_without_a_terminal_there_is_no_colour_and_nothing_that_a_terminal_obeys(
    capsys: pytest.CaptureFixture[str], data: bool
) -> None:
    planview.write(list(plan_lines(HOSTILE_PLAN)), data=data)
    out, err = capsys.readouterr()
    shown, other = (out, err) if data else (err, out)
    assert other == ""
    assert SEEN in shown
    assert len(shown.splitlines()) == len(list(plan_lines(HOSTILE_PLAN)))
    assert all(line.isprintable() for line in shown.splitlines())


class Terminal:
    """A pseudo-terminal that takes the place of stderr (or stdout), and what arrives at its other end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self._far, near = pty.openpty()
        self.stream = os.fdopen(near, "w", encoding="utf-8")
        monkeypatch.setattr(sys, name, self.stream)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.delenv("NO_COLOR", raising=False)
        self._text = b""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            if select.select([self._far], [], [], 0.05)[0]:
                try:
                    self._text += os.read(self._far, 65536)
                except OSError:
                    return
            elif self._done.is_set():
                return

    def text(self) -> str:
        """All of it; the terminal is closed."""
        self.stream.flush()
        self._done.set()
        self._thread.join()
        self.stream.close()
        os.close(self._far)
        return self._text.decode()


@pytest.mark.parametrize("name", ["stdout", "stderr"])
def test_on_a_terminal_it_is_coloured_and_what_is_hostile_still_does_nothing(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    terminal = Terminal(monkeypatch, name)
    planview.write(list(plan_lines(HOSTILE_PLAN)), data=name == "stdout")
    text = terminal.text()
    assert f"\x1b[1;31m{SEEN}\x1b[0m" in text
    # Nothing but colours is left once those are taken out.
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert all(line.isprintable() for line in plain.replace("\r\n", "\n").splitlines())


# --- while it works --------------------------------------------------------------------------------------------------


def stack(name: str, status: str, detail: str = "", type: str = "AWS::SQS::Queue") -> Step:
    return Step(what="stack", name=name, status=status, type=type, detail=detail)


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (Step(what="pack", name="control", status="unchanged"), ""),
        (Step(what="upload", name="code/a.zip", status="begun", total=2_000_000), ""),
        (
            Step(what="upload", name="a/b.zip", status="done", done=10**6, total=10**7),
            "uploaded b.zip (1.0 of 10.0 MB)",
        ),
        (stack("Q", "CREATE_IN_PROGRESS"), ""),
        (stack("Q", "CREATE_COMPLETE"), "Q (SQS Queue): create complete"),
        (stack("Q", "CREATE_FAILED", "no room"), "Q: failed: no room"),
        (stack("Q", "DELETE_SKIPPED"), "Q (SQS Queue): kept"),
        (stack("s", "UPDATE_ROLLBACK_IN_PROGRESS", "because", ""), "s: update rollback in progress: because"),
        (Step(what="note", detail="look"), "note: look"),
        (Step(what="swap", name="f", status="swapped"), "f: swapped"),
    ],
)
def test_a_step_is_a_line_where_it_is_worth_one(step: Step, line: str) -> None:
    assert told(step) == line


def test_piped_it_counts_what_is_done_and_obeys_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainView() as seen:
        seen.total = 2
        for step in (
            stack("s", "UPDATE_IN_PROGRESS", "", ""),
            stack("A", "UPDATE_IN_PROGRESS"),
            stack("A", "UPDATE_COMPLETE"),
            stack("B", "UPDATE_FAILED", HOSTILE),
        ):
            seen.step(step)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "  s: update in progress",
        "  1 of 2: A (SQS Queue): update complete",
        f"  B: failed: {SEEN}",
    ]


def test_as_json_every_step_is_a_line_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonView() as seen:
        seen.step(stack("B", "UPDATE_FAILED", HOSTILE))
        seen.step(Step(what="note", detail="x"))
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["detail"], second["what"]) == (HOSTILE, "note")


def test_steps_from_many_threads_never_wait_for_who_draws_them(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, "stderr")
    view = LiveView(SystemClock().monotonic)
    view.total = 400

    def work(worker: int) -> None:
        for n in range(100):
            view.step(stack(f"R{worker}-{n}", "CREATE_IN_PROGRESS"))
            view.step(stack(f"R{worker}-{n}", "CREATE_COMPLETE"))

    def draw() -> None:
        while any(thread.is_alive() for thread in workers):
            view._live.refresh()

    workers = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(4)]
    drawing = threading.Thread(target=draw, daemon=True)
    view.__enter__()
    for thread in (*workers, drawing):
        thread.start()
    until = time.monotonic() + 30
    for thread in (*workers, drawing):
        thread.join(max(0, until - time.monotonic()))
    # Not left where they do: that would wait for them too.
    assert not drawing.is_alive(), "those that tell and the one that draws wait for each other"
    view.__exit__(None, None, None)
    text = terminal.text()
    assert text.count("create complete") == 400
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is left hidden"
