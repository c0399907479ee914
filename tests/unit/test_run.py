"""The local run's own decisions: exit codes, sweeping, what is to be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from mangavid import asl
from mangavid.config import Config, Local
from mangavid.errors import Locked, SourceNotFound, UsageError
from mangavid.local import home_of, open_target, videos_of
from mangavid.local.handlers import FUNCTIONS, PREFIX, function_handlers
from mangavid.local.instances import ProcessInstances
from mangavid.local.objects import FolderObjects
from mangavid.local.run import _run_lock, run
from mangavid.local.sweep import sweep
from mangavid.states.outcome import Failed, Made, exit_code

MADE = Made(job_id="j", title="t", video="v", captions="c", thumbnail="t", metadata="m", seconds=1.0)


def failed(error: str) -> Failed:
    return Failed(job_id="j", title="t", state="FetchManga", error=error, cause="", hint="")


@pytest.mark.parametrize(
    ("made", "errors", "reached", "code"),
    [
        ([MADE], [], False, 0),
        ([MADE], ["RenderError", "BadArchive"], False, 0),
        ([MADE], [], True, 0),
        ([], [], False, 0),
        ([], [], True, 5),
        ([], ["RenderError"], False, 4),
        ([], ["States.Timeout"], False, 4),
        ([], ["BadArchive"], False, 3),
        ([], ["BadArchive", "BadImage"], False, 3),
        ([], ["BadArchive", "RenderError"], False, 4),
        ([], ["AuthError"], False, 7),
        ([], ["StorageFull"], False, 6),
        ([], ["AuthError", "StorageFull"], False, 4),
    ],
)
def test_the_exit_code_tells_the_outcome(made: list[Made], errors: list[str], reached: bool, code: int) -> None:
    assert exit_code(made, [failed(error) for error in errors], reached=reached) == code


def test_every_function_of_the_state_machine_has_its_code_and_no_other() -> None:
    named = {
        state["Parameters"]["FunctionName"].rpartition(":")[2]
        for state in asl.local_definition()["States"].values()
        if state["Type"] == "Task"
    }
    assert named == {PREFIX + name for name in FUNCTIONS}
    handlers = function_handlers(open_target(Config(local=Local(home="/nowhere"))))
    assert handlers.keys() == named


def test_homes_and_video_folders_are_where_the_settings_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr("sys.platform", "linux")
    assert home_of(Config()) == tmp_path / "mangavid"
    home = home_of(Config(local=Local(home="here")))
    assert home == Path.cwd() / "here"
    assert videos_of(Config(), home) == home / "videos"


def test_opening_a_target_makes_no_file(tmp_path: Path) -> None:
    target = open_target(Config(local=Local(home=str(tmp_path / "home"))))
    assert not (tmp_path / "home").exists()
    assert target.executions is not None


def test_nothing_named_and_no_library_is_a_usage_error_that_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        run(Config(local=Local(home=str(tmp_path))), [], again=False, on_step=lambda step: None)
    assert "mangavid run" in caught.value.hint


def test_a_chapter_that_is_not_there_is_refused_before_anything_is_begun(tmp_path: Path) -> None:
    config = Config(local=Local(home=str(tmp_path / "home")))
    with pytest.raises(SourceNotFound, match=r"nowhere\.cbz"):
        run(config, [str(tmp_path / "nowhere.cbz")], again=False, on_step=lambda step: None)
    assert list(open_target(config).executions.list()) == []


def test_a_home_has_one_run_at_a_time(tmp_path: Path) -> None:
    with _run_lock(tmp_path), pytest.raises(Locked, match="process"), _run_lock(tmp_path):
        pytest.fail("two runs hold one lock")
    with _run_lock(tmp_path):
        pass


def test_what_kills_leave_is_swept_and_everything_else_stays(tmp_path: Path) -> None:
    store = FolderObjects(tmp_path / "objects")
    store.put("jobs/a/render/s.mp4", b"kept")
    (tmp_path / "objects/jobs/a/render/.put-xyz").write_bytes(b"half")
    (tmp_path / "work/mangavid-render-1").mkdir(parents=True)
    (tmp_path / "instances").mkdir()
    (tmp_path / "instances/render-a-e1.json").write_text("{}")
    (tmp_path / "instances/render-a-e1.lock").write_text("1")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/render-a-e1.log").write_text("what it said")
    sweep(tmp_path, ProcessInstances(tmp_path, Config()))
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert left == ["logs/render-a-e1.log", "objects/jobs/a/render/s.mp4"]
