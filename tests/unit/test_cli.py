"""The command line in this process: help, errors as words and codes, and every command on an empty home."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer

from mangavid import errors
from mangavid.cli import checks, history
from mangavid.cli.app import app, guarded, main
from mangavid.cli.menu import COMMANDS, EXAMPLES, GROUPS
from mangavid.config import Config
from mangavid.configfile import load_config, settings
from mangavid.keys import job_item
from mangavid.local import open_target
from mangavid.local.engine.tasks import Returned
from mangavid.ports import Change, Execution, Target
from mangavid.states.timeline import Visit
from mangavid.version import __version__
from tests.fakes.engine_world import FUNCTION, World

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory and home, and no settings of the person who runs the tests."""
    for name in list(os.environ):
        if name.startswith("MANGAVID_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "me" / "config"))
    monkeypatch.setenv("MANGAVID_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "home"


def target(home: Path) -> Target:
    return open_target(load_config(flags={"local.home": ("--home", str(home))}, env={}).config)


def put(home: Path, job_id: str, status: str, **fields: Any) -> None:
    base = {
        "job_id": job_id,
        "status": status,
        "title": "Đêm \x1b[31mtrăng[/b]",
        "source": "/c.cbz",
        "created_at": "2026-11-23T07:00:00+00:00",
        "updated_at": "2026-11-23T07:30:00+00:00",
        "execution": "arn:x",
    }
    target(home).jobs.change(Change(key=job_item(job_id), set=base | fields))


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*args: str) -> tuple[int, str, str]:
        code = main(args)
        out, err = capsys.readouterr()
        return code, out, err

    return run


# --- help -----------------------------------------------------------------------------------------------------------


def commands() -> dict[str, Any]:
    root: Any = typer.main.get_command(app)
    found = {}
    for name, command in root.commands.items():
        found[name] = command
        found |= {f"{name} {sub}": one for sub, one in getattr(command, "commands", {}).items()}
    return found


def test_the_help_lists_every_command_in_a_group_and_ends_with_examples(cli: Run) -> None:
    code, out, err = cli("--help")
    assert (code, err) == (0, "")
    assert {name for _, names in GROUPS for name in names} == {name for name in commands() if " " not in name}
    for name in commands():
        assert name.split()[0] in out
    assert out.index("Make videos:") < out.index("Examples:")
    assert all(example in out for example, _ in EXAMPLES)
    assert max(map(len, out.splitlines())) <= 80


def test_the_menu_says_of_each_command_what_its_own_help_says_first() -> None:
    root: Any = typer.main.get_command(app)
    assert {name: command.get_short_help_str(200) for name, command in root.commands.items()} == COMMANDS


def test_mangavid_alone_is_the_help(cli: Run) -> None:
    assert cli() == cli("--help") == cli("-h") == cli("help")
    assert cli("help", "quota", "set") == cli("quota", "set", "--help")


@pytest.mark.parametrize("name", sorted(commands()))
def test_every_command_explains_itself(cli: Run, name: str) -> None:
    code, _, err = cli(*name.split(), "--help")
    assert (code, err) == (0, "")
    assert commands()[name].help
    for param in commands()[name].params:
        assert param.help, f"{name}: {param.name} has no help"


@pytest.mark.parametrize("example", [example for example, _ in EXAMPLES])
def test_every_example_of_the_help_is_understood(example: str) -> None:
    root: Any = typer.main.get_command(app)
    _, name, *args = [*example.split(), ""][:-1] if " " in example else [example, "", ""]
    root.commands[name].make_context(name, args, resilient_parsing=False)


def test_the_version_is_the_same_by_both_ways(cli: Run) -> None:
    assert cli("-V") == cli("--version") == (0, f"mangavid {__version__}\n", "")


# --- mistakes on the command line -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "says", "hint"),
    [
        (["stauts"], "no such command 'stauts'. Did you mean 'status', 'auth'?", "mangavid --help"),
        (["zzz"], "no such command 'zzz'", "mangavid --help"),
        (["run", "--agian"], "no such option: --agian (Possible options: --again)", "mangavid run --help"),
        (["status", "a", "b"], "got unexpected extra argument(s) (b)", "mangavid status --help"),
        (["quota", "sett"], "no such command 'sett'. Did you mean 'set'", "mangavid quota --help"),
        (["quota", "set"], "missing argument 'N|default'", "mangavid quota set --help"),
        (["quota", "set", "x"], "a quota of x: it must be a whole number, or default", "mangavid quota set 3"),
        (["quota", "set", "0"], "a quota of 0: it must be from 1 to 100", "mangavid quota set 3"),
        (["quota", "set", "9" * 5000], "it must be a whole number", "mangavid quota set 3"),
        (["retry"], "which jobs?", "mangavid retry --failed"),
        (["retry", "--home", "h"], "which jobs?", "mangavid --home h retry --failed"),
        (["--verbose", "status"], "no such option: --verbose", "mangavid --help"),
        (["run", "--output"], "option '--output' requires an argument", "mangavid run --help"),
        (["retry", "x", "--failed"], "which jobs?", "mangavid retry --failed"),
        (["status", "--watch"], "--watch needs a terminal", "mangavid run --json"),
        (["--config"], "option '--config' requires an argument", "mangavid --help"),
        (["--config", "no.yaml", "status"], "--config no.yaml: there is no such file", "mangavid config example"),
        (["status", "--config", "no.yaml"], "--config no.yaml: there is no such file", "mangavid config example"),
    ],
)
def test_a_mistake_is_one_line_and_a_hint_with_exit_2(cli: Run, args: list[str], says: str, hint: str) -> None:
    code, out, err = cli(*args)
    assert (code, out) == (2, "")
    assert "--version" not in err
    first, second = err.splitlines()
    assert first.startswith("mangavid: ")
    assert says in first
    assert second.startswith("hint: ")
    assert hint in second


def test_a_chapter_without_its_command_is_told_the_command(cli: Run) -> None:
    Path("my chapter.cbz").touch()
    code, _, err = cli("my chapter.cbz")
    assert code == 2
    assert "hint: to make a video of it: mangavid run 'my chapter.cbz'" in err


# --- an empty home --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["status"], "Nothing has been made here yet. To begin: mangavid run --sample"),
        (["history"], "Nothing has run here yet. To begin: mangavid run --sample"),
        (["history", "last"], "Nothing has run here yet"),
        (["retry", "--failed"], "No job has failed"),
        (["config"], "No settings file is in use. To make one: mangavid config example > mangavid.yaml"),
    ],
)
def test_on_an_empty_home_every_command_says_so_and_what_to_type(cli: Run, args: list[str], says: str) -> None:
    code, _, err = cli(*args)
    assert code == 0
    assert says in err


@pytest.mark.parametrize(
    "args",
    [["status"], ["history"], ["quota"], ["quota", "show"], ["quota", "reset"], ["retry", "--failed"], ["config"]],
)
def test_on_an_empty_home_json_is_still_a_document(cli: Run, args: list[str]) -> None:
    code, out, _ = cli(*args, "--json")
    assert code == 0
    json.loads(out)


@pytest.mark.parametrize("args", [["status", "nope"], ["history", "nope"], ["retry", "nope"], ["history", "arn:nope"]])
def test_what_was_named_and_does_not_exist_is_exit_3(cli: Run, args: list[str]) -> None:
    code, out, err = cli(*args)
    assert (code, out) == (3, "")
    assert "nope" in err
    assert "hint: mangavid status lists" in err


def test_with_json_an_error_is_a_line_of_json_on_stderr(cli: Run) -> None:
    code, out, err = cli("status", "nope", "--json")
    assert (code, out) == (3, "")
    assert json.loads(err) == {
        "error": "SourceNotFound",
        "message": "no job or execution nope",
        "hint": "mangavid status lists them",
        "exit_code": 3,
    }
    code, _, err = cli("status", "--json", "--nope")
    assert (code, json.loads(err)["error"]) == (2, "UsageError")


def test_json_before_the_command_is_told_its_place(cli: Run) -> None:
    code, _, err = cli("--json", "status")
    document = json.loads(err)
    assert (code, document["message"]) == (2, "--json goes after the command")
    assert document["hint"] == "mangavid status --json"


# --- jobs there -----------------------------------------------------------------------------------------------------


def test_status_shows_jobs_and_what_to_do_about_those_that_failed(cli: Run, home: Path) -> None:
    put(home, "a-1", "failed", error="RenderError", cause="no \x1b[2Jframes", failed_in="WaitForRender")
    put(home, "b-2", "rendering", ckpt={"done": 3, "total": 12})
    put(home, "c-3", "awaiting_upload", not_before="2026-11-24T08:00:00+00:00")
    put(home, "d-4", "cleaned", published="/videos/d.mp4", rendered={"seconds": 94.0, "lufs": -14.1})
    put(home, "e-5", "uploaded", published="https://youtu.be/x")
    code, out, err = cli("status")
    assert code == 0
    assert "Rendering: no frames" in out
    assert "Rendering, 25 %" in out
    for word in ("failed", "ready", "waiting for quota", "done"):
        assert word in out
    for name in ("cleaned", "awaiting_upload", "uploaded", "WaitForRender", "RenderError"):
        assert name not in out
        assert name in cli("status", "--json")[1]
    assert "after 2026-11-24" in out
    assert "1 min 34 s" in out
    assert "https://youtu.be/x" in out
    assert "published  /videos/d.mp4" in cli("status", "d-4")[1]
    assert "Đêm trăng[/b]" in out
    assert "\x1b" not in out + err
    assert "To see why: mangavid status a-1" in err


@pytest.mark.parametrize(
    ("status", "fields", "onwards"),
    [
        ("failed", {"error": "E"}, "mangavid retry a-1 && mangavid run"),
        ("interrupted", {}, "To go on with it: mangavid run"),
        ("rendering", {}, "To go on with it: mangavid run"),
        ("awaiting_upload", {}, "mangavid quota"),
        ("withdrawn", {}, "mangavid takedown a-1 --undo"),
        ("cleaned", {"published": "/videos/it's.mp4"}, """open '/videos/it'"'"'s.mp4'"""),
        ("cleaned", {"published": "https://youtu.be/x"}, "To watch it: https://youtu.be/x"),
        ("cleaned", {"published": "s3://bucket/a/video.mp4"}, "aws s3 cp s3://bucket/a/video.mp4 ."),
    ],
)
def test_status_of_a_job_says_what_to_type_next(
    cli: Run, home: Path, status: str, fields: dict[str, Any], onwards: str
) -> None:
    put(home, "a-1", status, **fields)
    assert onwards in cli("status", "a-1")[2]


def test_a_job_that_a_worker_was_launched_for_again_is_shown_with_its_attempt(cli: Run, home: Path) -> None:
    put(home, "a-1", "rendering", ckpt={"done": 3, "total": 12}, sfn_retry=2)
    put(home, "b-1", "rendering", ckpt={"done": 6, "total": 12})
    put(home, "c-1", "rendered", sfn_retry=1)
    out = cli("status")[1]
    assert "Rendering, 25 %, attempt 3" in out
    assert out.count("attempt") == 1


def test_status_of_one_job_tells_all_that_is_known_of_it_but_its_token(cli: Run, home: Path) -> None:
    put(
        home,
        "a-1",
        "failed",
        error="RenderError",
        cause="why",
        token="SECRET",
        pages=7,
        panels=24,
        notes=("p5: broken",),
    )
    code, out, err = cli("status", "a-")
    assert code == 0
    assert "because    why" in out
    assert "chapter    7 pages, 24 panels" in out
    assert "note       p5: broken" in out
    assert "mangavid retry a-1" in err
    _, document, _ = cli("status", "a-1", "--json")
    assert json.loads(document)["cause"] == "why"
    assert "SECRET" not in out + document


def test_many_problems_are_one_and_a_number_in_the_table_and_a_line_each_for_the_one_job(cli: Run, home: Path) -> None:
    cause = "\n".join(f"n.yaml: page {n} is wrong" for n in range(1, 9))
    put(home, "a-1", "quarantined", error="BadSidecar", cause=cause, failed_in="FetchManga", attempts=3)
    table = cli("status")[1]
    assert "failed 3 times" in table
    assert table.splitlines()[1].endswith("Reading the pages: n.yaml: page 1 is wrong (+7 more)")
    lines = cli("status", "a-1")[1].splitlines()
    first = lines.index("because    n.yaml: page 1 is wrong")
    assert lines[first + 7] == "           n.yaml: page 8 is wrong"
    assert "failed in  Reading the pages (FetchManga)" in lines


def test_a_run_that_was_stopped_says_so_and_what_goes_on_with_it(cli: Run, home: Path) -> None:
    arn = target(home).executions.start("run-1", {})
    put(home, "a-1", "voiced", execution=arn)
    code, out, _ = cli("status")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        ["a-1", "ready"],
        [],
        ["execution", "status"],
        ["run-1", "stopped"],
    ]
    assert "RUNNING" not in out
    assert "status     stopped: mangavid run goes on with it" in cli("status", "last")[1].splitlines()
    assert "arn:" not in cli("status", "last")[1]
    assert "To go on with it: mangavid run" in cli("history")[2].splitlines()
    (home / "run.lock").write_text(str(os.getpid()))
    assert [line.split()[1] for line in cli("status")[1].splitlines() if line.startswith(("a-1", "run-1"))] == [
        "working",
        "working",
    ]
    assert "next" not in cli("status", "a-1")[1]
    assert "step       Rendering" in cli("status", "a-1")[1].splitlines()


def visit(state: str, video: int, **facts: Any) -> Visit:
    base: dict[str, Any] = {"kind": "Task", "attempts": 1, "outcome": "succeeded", "seconds": 1.0}
    return Visit(state=state, video=video, started=datetime(2026, 11, 23, tzinfo=UTC), **(base | facts))


def test_the_look_for_one_more_chapter_is_no_chapter(capsys: pytest.CaptureFixture[str]) -> None:
    found = Execution(
        arn="arn:x", name="run-1", status="SUCCEEDED", started=datetime(2026, 11, 23, tzinfo=UTC),
        stopped=datetime(2026, 11, 23, 0, 1, tzinfo=UTC),
    )  # fmt: skip
    history.tell(found, [visit("FetchManga", 1, job_id="a-1"), visit("FetchManga", 2)], working=False)
    out, err = capsys.readouterr()
    rows = [line.split("  ") for line in out.splitlines()]
    assert [row[0] for row in rows] == ["step", "a-1", "", "Reading the pages"]
    assert out.splitlines()[-1].endswith("nothing left")
    assert "attempts" not in out
    assert err.splitlines() == [
        "run-1: done in 1 min 00 s",
        "What was said meanwhile: mangavid logs --execution run-1",
    ]
    history.tell(found, [visit("FetchManga", 1, attempts=2, outcome="running")], working=True)
    out = capsys.readouterr().out
    assert "chapter 1" in out
    assert "attempts" in out
    assert out.rstrip().endswith("working")


def ran(home: Path, videos: int = 1) -> str:
    """A run of the state machine's shape, in the journal of this home."""
    definition = {
        "StartAt": "FetchManga",
        "States": {
            "FetchManga": {
                "Type": "Pass",
                "Result": {"job_id": "a-1"},
                "ResultPath": "$.job",
                "Next": "GenerateScript",
            },
            "GenerateScript": {
                "Type": "Task",
                "Resource": FUNCTION,
                "ResultPath": "$.script",
                "Next": "More",
            },
            "More": {
                "Type": "Choice",
                "Choices": [{"Variable": "$.script.n", "NumericLessThan": videos, "Next": "FetchManga"}],
                "Default": "Done",
            },
            "Done": {"Type": "Succeed"},
        },
    }
    home.mkdir()
    world = World(home, definition, lambda call: [(1, Returned({"n": len(world.tasks.calls), "said": "Đêm\x1b[2J"}))])
    return world.run({"job": {"job_id": "a-1"}}).name


def test_what_states_were_given_and_gave_is_shown_on_demand(cli: Run, home: Path) -> None:
    name = ran(home)
    assert "said" not in cli("history", name)[1]
    assert "input" not in json.loads(cli("history", name, "--json")[1])["states"][0]
    code, out, err = cli("history", name, "--data")
    assert code == 0
    lines = out.splitlines()
    first = lines.index(next(line for line in lines if line.startswith("GenerateScript  Writing the narration  a-1")))
    assert lines[first + 1] == "  input: {"
    assert '      "job_id": "a-1"' in lines
    assert '      "said": "Đêm\\u001b[2J"' in lines
    assert any(line.startswith("Done") for line in lines)
    assert err.startswith(f"{name}: done in ")
    states = json.loads(cli("history", name, "--data", "--json")[1])["states"]
    (script,) = [one for one in states if one["state"] == "GenerateScript"]
    assert script["output"]["script"] == {"n": 1, "said": "Đêm\x1b[2J"}


def test_of_a_history_one_state_can_be_chosen(cli: Run, home: Path) -> None:
    name = ran(home, videos=3)
    code, out, _ = cli("history", name, "--state", "generatescript")
    assert code == 0
    assert [line.split("  ")[0] for line in out.splitlines() if "Writing" not in line] == ["step", "a-1", "a-1", "a-1"]
    assert out.count("Writing the narration") == 3
    document = json.loads(cli("history", name, "--state", "Done", "--data", "--json")[1])
    assert [one["state"] for one in document["states"]] == ["Done"]
    assert cli("history", name, "--data", "--state", "Done")[1].startswith("Done  Done")


def test_a_state_that_there_is_not_is_refused_with_those_that_are(cli: Run) -> None:
    code, out, err = cli("history", "--state", "GenerateTT")
    assert (code, out) == (2, "")
    assert err.splitlines()[0] == "mangavid: no state GenerateTT"
    assert "did you mean GenerateTTS" in err
    assert cli("history", "--events", "--data")[0] == 2


def test_a_long_history_is_written_while_it_is_read(cli: Run, home: Path) -> None:
    name = ran(home, videos=120)
    lines = cli("history", name)[1].splitlines()
    assert lines[0].split() == ["step", "state", "began", "took", "attempts", "outcome"]
    rows = [line for line in lines if "GenerateScript" in line]
    assert len(rows) == 120
    assert {row.index("GenerateScript") for row in rows} == {lines[0].index("state")}
    assert lines[-1].split()[-1] == "done"


def test_status_of_more_jobs_than_fit_shows_the_first_and_with_all_every_one(cli: Run, home: Path) -> None:
    for number in range(130):
        put(home, f"a-{number:03}", "cleaned", updated_at=f"2026-11-23T07:{number // 60:02}:{number % 60:02}+00:00")
    _, out, err = cli("status")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [f"a-{n}" for n in range(129, 109, -1)]
    assert "The first 20 are shown" in err
    _, out, err = cli("status", "--all")
    assert [line.split()[0] for line in out.splitlines()[1:]] == [f"a-{n:03}" for n in range(129, -1, -1)]
    assert "are shown" not in err


def test_retry_puts_a_job_back_and_names_the_command_that_goes_on(cli: Run, home: Path) -> None:
    put(home, "a-1", "failed", script_key="s", pages=7)
    assert cli("retry", "a-1") == (0, "a-1  ready\n", "To go on with it: mangavid run\n")
    code, _, err = cli("retry", "a-1")
    assert (code, err.splitlines()[0]) == (3, "mangavid: a-1 has not failed: it is ready")


def test_the_quota_is_set_shown_and_set_back(cli: Run) -> None:
    assert "0 of 7 (set by mangavid quota set)" in cli("quota", "set", "7")[1]
    assert json.loads(cli("quota", "--json")[1])["limit"] == 7
    assert "0 of 3 (from the settings)" in cli("quota", "set", "default")[1]


def test_the_quota_says_what_counts_and_whose_day_it_is(cli: Run) -> None:
    _, out, err = cli("quota")
    assert "(YouTube's, Pacific time)" in out
    assert "Chapters that are named don't count" in err
    help_text = " ".join(cli("quota", "--help")[1].split())
    assert "does not count where videos are made as files" in help_text
    assert "midnight to midnight Pacific time" in help_text


def test_more_jobs_than_fit_are_told_to_be_there(cli: Run, home: Path) -> None:
    for n in range(25):
        put(home, f"j-{n}", "cleaned")
    code, out, err = cli("status")
    assert (code, out.count("j-")) == (0, 20)
    assert "mangavid status --all" in err
    assert cli("status", "--all")[1].count("j-") == 25


def test_the_home_may_be_given_before_or_after_the_command(cli: Run, tmp_path: Path) -> None:
    put(tmp_path / "other", "a-1", "cleaned")
    assert "a-1" in cli("--home", "other", "status")[1]
    assert "a-1" in cli("status", "--home", "other")[1]
    assert "a-1" in cli("--home", "nowhere", "status", "--home", "other")[1]
    assert "a-1" not in cli("status")[1]


# --- settings -------------------------------------------------------------------------------------------------------


def test_config_shows_every_setting_and_its_origin(cli: Run) -> None:
    Path("mangavid.yaml").write_text("video:\n  fps: 60\n")
    code, out, err = cli("config", "show", "--home", "x")
    assert code == 0
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()[1:]}
    assert set(rows) == {setting.key for setting in settings()}
    assert rows["video.fps"] == ["60", "mangavid.yaml:2"]
    assert rows["local.home"][1:] == ["flag", "--home"]
    assert "To change one: edit mangavid.yaml" in err
    document = json.loads(cli("config", "--json")[1])
    assert document["settings"]["video.fps"] == {"value": 60, "from": "mangavid.yaml:2"}
    assert document["settings"]["local.home"]["from"] == "env MANGAVID_HOME"


def test_a_path_with_dots_is_shown_as_the_place_it_is(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "real" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "inner")
    document = json.loads(cli("config", "--json", "--home", str(tmp_path / "no" / ".." / "h5"))[1])
    assert document["settings"]["local.home"]["value"] == str(tmp_path.resolve() / "h5")
    document = json.loads(cli("config", "--json", "--home", "link/../videos")[1])
    assert document["settings"]["local.home"]["value"] == str(tmp_path.resolve() / "real" / "videos")


def test_the_example_printed_is_a_file_of_defaults(cli: Run) -> None:
    code, out, _ = cli("config", "example")
    assert code == 0
    Path("x.yaml").write_text(out)
    assert load_config(Path("x.yaml"), env={}).config == Config()


@pytest.mark.parametrize("args", [["status"], ["history"], ["quota"], ["config"], ["retry", "--failed"], ["run"]])
def test_wrong_settings_stop_every_command_with_exit_2_and_every_problem(cli: Run, args: list[str]) -> None:
    Path("mangavid.yaml").write_text("video:\n  fps: 31\nvoice:\n  pitch: \x7fhigh\n".replace("\x7f", ""))
    code, out, err = cli(*args)
    assert (code, out) == (2, "")
    assert err.splitlines() == [
        "mangavid: 2 settings are wrong:",
        "  mangavid.yaml:2: video.fps: 31 is not one of 24, 25, 30, 48, 50, 60 (did you mean 30?)",
        "  mangavid.yaml:4: voice.pitch: 'high' is not a whole number from 0 to 99",
        "hint: mangavid config example shows every setting",
    ]


# --- what goes wrong ------------------------------------------------------------------------------------------------


def raising(problem: BaseException) -> Callable[[], int]:
    def command() -> int:
        raise problem

    return command


def test_every_error_leaves_with_the_code_of_its_class(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in errors.every_error():
        assert guarded(raising(kind("it broke")), as_json=False) == kind.exit_code
        hint = f"hint: {kind.default_hint}\n" if kind.default_hint else ""
        assert capsys.readouterr().err == f"mangavid: it broke\n{hint}"


def test_an_error_from_outside_can_give_no_orders(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(raising(errors.BadInput("\x1b[2Jx.cbz\u202e: bad\nsecond\r[/b]", hint="\x00h")), as_json=False)
    assert capsys.readouterr().err == "mangavid: x.cbz: bad\n  second\n  [/b]\nhint: h\n"


def test_ctrl_c_is_130_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(KeyboardInterrupt()), as_json=False) == 130
    assert capsys.readouterr().err.startswith("mangavid: stopped\nhint: ")


def test_a_bug_is_one_line_and_its_traceback_is_for_its_owner_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(RuntimeError("two\nlines \x1b[2J")), as_json=False) == 1
    err = capsys.readouterr().err
    assert err.startswith("mangavid: a bug: RuntimeError: two; the details are in ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    file = Path(err.strip().rpartition(" ")[2])
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "RuntimeError: two" in file.read_text()
    file.unlink()


def test_a_bug_shows_itself_to_who_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANGAVID_DEBUG", "1")
    with pytest.raises(RuntimeError):
        guarded(raising(RuntimeError("x")), as_json=False)


@pytest.mark.parametrize(
    ("problem", "error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/h/x"), "StorageFull", "/h/x: no space left on device"),
        (PermissionError(errno.EACCES, "Permission denied", "/h"), "UpstreamUnavailable", "/h: permission denied"),
        (sqlite3.OperationalError("unable to open database file"), "UpstreamUnavailable", "unable to open"),
        (sqlite3.OperationalError("database or disk is full"), "StorageFull", "disk is full"),
        (sqlite3.DatabaseError("file is not a database"), "UpstreamUnavailable", "not a database"),
    ],
)
def test_what_the_system_refuses_is_no_bug(
    capsys: pytest.CaptureFixture[str], problem: Exception, error: str, says: str
) -> None:
    assert guarded(raising(problem), as_json=True) == 6
    told = json.loads(capsys.readouterr().err)
    assert told["error"] == error
    assert says in told["message"]


def test_a_home_that_is_a_file_is_told(cli: Run) -> None:
    Path("afile").touch()
    for command in ("status", "quota", "history", "run"):
        code, out, err = cli("--home", "afile", command)
        assert (code, out) == (2, "")
        assert err.splitlines() == [
            f"mangavid: --home: {Path.cwd() / 'afile'}: this is a file, not a folder",
            "hint: name another with --home DIR",
        ]


def test_a_home_that_cannot_be_looked_at_is_told_with_what_names_another(cli: Run) -> None:
    code, _, err = cli("--home", "x" * 300, "status")
    assert code == 2
    assert err.splitlines()[0].endswith("x: file name too long")
    assert err.splitlines()[1] == "hint: name another with --home DIR"


@pytest.mark.parametrize("args", [["status"], ["history"], ["quota"], ["status", "last"], ["retry", "--failed"]])
def test_a_command_that_only_reads_makes_nothing(cli: Run, home: Path, args: list[str]) -> None:
    cli(*args)
    assert not home.exists()


# --- what is known before a run begins ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "says", "hint"),
    [
        (["-o", "a.txt"], "--output: {here}/a.txt: this is a file, not a folder", "name another with --output DIR"),
        (["-o", "a.txt/x"], "--output: {here}/a.txt: this is a file, not a folder", "name another with --output DIR"),
        (["--config", "m.yaml"], "m.yaml:2: video.music: {here}/none.mp3: there is no such file", "auto or none"),
        (
            ["ftp://x.com/a.cbz"],
            "ftp://x.com/a.cbz: only http and https addresses are read",
            "mangavid run CHAPTER.cbz",
        ),
        ([""], "a chapter's name is empty", "mangavid run CHAPTER.cbz"),
    ],
)
def test_what_can_be_known_at_once_is_told_before_the_work(
    cli: Run, home: Path, args: list[str], says: str, hint: str
) -> None:
    Path("a.txt").touch()
    Path("m.yaml").write_text("video:\n  music: none.mp3\n")
    code, out, err = cli("run", "--sample", *args)
    assert (code, out) == (2, "")
    first, second = err.splitlines()
    assert first == f"mangavid: {says.format(here=Path.cwd())}"
    assert hint in second
    assert not home.exists()


def test_an_address_of_nobody_is_told_before_the_work(cli: Run, home: Path) -> None:
    code, out, err = cli("run", "http://x.com/a.cbz")
    assert (code, out) == (3, "")
    first, second = err.splitlines()
    assert first == "mangavid: http://x.com/a.cbz is not an address that chapters are taken from"
    assert "mangadex.org/chapter" in second
    assert not home.exists()


def test_nothing_is_fetched_for_a_publisher_that_no_rights_are_declared_for(
    cli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANGAVID_PUBLISHER_KIND", "youtube")
    code, out, err = cli("run", "--sample")
    assert (code, out) == (7, "")
    assert "rights.basis is empty" in err
    assert not home.exists()


def test_a_library_that_is_not_there_is_told_once(cli: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANGAVID_SOURCE_LIBRARY", "nolib")
    code, out, err = cli("run")
    assert (code, out) == (3, "")
    assert err.splitlines()[0] == (
        f"mangavid: env MANGAVID_SOURCE_LIBRARY: source.library: {Path.cwd() / 'nolib'}: there is no such folder"
    )
    assert err.count("nolib") == 1
    assert not home.exists()


def test_a_folder_that_may_not_be_written_is_told_with_what_names_another(home: Path) -> None:
    loaded = load_config(env={"MANGAVID_HOME": str(home), "MANGAVID_PUBLISHER_FOLDER": str(home.parent / "out" / "x")})
    checks.before_run(loaded)
    (home.parent / "out").mkdir()
    with pytest.raises(
        errors.ConfigError, match=r"^env MANGAVID_PUBLISHER_FOLDER: .*/out: you may not write"
    ) as caught:
        checks.before_run(loaded, may_write=lambda folder: folder.name != "out")
    assert "--output DIR" in caught.value.hint
    with pytest.raises(errors.ConfigError, match=r"you may not write here") as caught:
        checks.before_run(loaded, may_write=lambda folder: False)
    assert "--home DIR" in caught.value.hint
