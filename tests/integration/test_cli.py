"""The command line as a process: streams, exit codes, what it loads, a terminal, Ctrl-C."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from mangavid.local.lock import LOCK_FILE, at_work

ROOT = Path(__file__).parents[2]
HEAVY = {
    *(
        "aiohttp",
        "asyncio",
        "av",
        "boto3",
        "botocore",
        "cv2",
        "edge_tts",
        "ffmpeg",
        "google",
        "googleapiclient",
        "httpx",
    ),
    *("imageio_ffmpeg", "multiprocessing", "natsort", "numpy", "openai", "PIL", "pydantic", "requests", "rich", "ssl"),
    "yaml",
}

#: Runs a command line in a fresh interpreter and tells which modules it has loaded.
PROBE = """
import sys
from mangavid.__main__ import main
sys.argv = ["mangavid", *sys.argv[1:]]
code = main()
print("\\nLOADED", *sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(code)
"""


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MANGAVID_")}
    return kept | {
        "HOME": str(tmp_path / "me"),
        "XDG_CONFIG_HOME": str(tmp_path / "me"),
        "MANGAVID_HOME": str(tmp_path / "home"),
        "MANGAVID_VIDEO_WIDTH": "320",
        "MANGAVID_VIDEO_HEIGHT": "240",
        "MANGAVID_VIDEO_FPS": "24",
        "MANGAVID_VIDEO_MUSIC": "none",
        "MANGAVID_WRITER_OCR": "false",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "COLUMNS": "100",
    }


@pytest.fixture
def chapter(tmp_path: Path) -> Path:
    """Some pages of two panels each."""
    folder = tmp_path / "Đêm trăng 1"
    folder.mkdir()
    for number in range(1, 5):
        page = Image.new("RGB", (400, 600), "white")
        draw = ImageDraw.Draw(page)
        draw.rectangle((20, 20, 380, 280), fill=(90, 120, 50 * number), outline="black", width=4)
        draw.rectangle((20, 320, 380, 580), fill=(200, 80, 50 * number), outline="black", width=4)
        page.save(folder / f"{number:02}.png")
    return folder


def mangavid(*args: str | Path, env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mangavid", *map(str, args)],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        stdin=subprocess.DEVNULL,
    )


def loaded(*args: str, env: Mapping[str, str], cwd: Path) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *args], env=env, cwd=cwd, capture_output=True, text=True, check=True
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


# --- what is loaded -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ("--version",),
        ("--help",),
        ("run", "--help"),
        ("status", "--json"),
        ("status",),
        ("history", "--json"),
        ("quota", "--json"),
        ("config", "--json"),
        ("retry", "--failed", "--json"),
    ],
)
def test_a_command_that_reads_loads_nothing_heavy(tmp_path: Path, env: dict[str, str], args: tuple[str, ...]) -> None:
    assert loaded(*args, env=env, cwd=tmp_path) & HEAVY == set()


def test_yaml_is_loaded_only_where_there_is_a_file_to_read(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "mangavid.yaml").write_text("video:\n  crf: 21\n")
    assert loaded("status", "--json", env=env, cwd=tmp_path) & HEAVY == {"yaml"}


def test_the_version_needs_no_command_line_library(tmp_path: Path, env: dict[str, str]) -> None:
    assert not loaded("--version", env=env, cwd=tmp_path) & {"typer", "msgspec", "mangavid.cli", "inspect"}


# --- streams and codes ----------------------------------------------------------------------------------------------


def test_data_goes_to_stdout_and_all_else_to_stderr(tmp_path: Path, env: dict[str, str]) -> None:
    done = mangavid("status", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("Nothing has been made here yet.")
    done = mangavid("status", "--json", env=env, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"executions": [], "jobs": []}


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("rnu",), 2, "Did you mean 'run'?"),
        (("run", "--nope"), 2, "no such option: --nope"),
        (("run",), 2, "nothing to make"),
        (("run", "missing.cbz"), 3, "missing.cbz"),
        (("status", "nope"), 3, "no job or execution nope"),
        (("--config", "bad.yaml", "run"), 2, "bad.yaml:2: 'a' is given twice"),
        (("--config", "huge.yaml", "run"), 2, "huge.yaml:1: this is nested deeper"),
        (("--config", "tag.yaml", "status"), 2, "tag.yaml:1: the tag"),
    ],
)
def test_what_is_wrong_is_a_line_and_a_code_and_never_a_traceback(
    tmp_path: Path, env: dict[str, str], args: tuple[str, ...], code: int, says: str
) -> None:
    (tmp_path / "bad.yaml").write_text("a: 1\na: 2\n")
    (tmp_path / "huge.yaml").write_text("[" * 100_000)
    (tmp_path / "tag.yaml").write_text("x: !!python/object/apply:os.system ['touch pwned']\n")
    done = mangavid(*args, env=env, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("mangavid: ")
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "pwned").exists()


def test_a_chapter_that_cannot_be_read_fails_with_why_and_exit_3(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "broken.cbz").write_bytes(b"PK\x03\x04 this is no archive")
    done = mangavid("run", "broken.cbz", env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert re.search(r"^failed: broken: Reading the pages: broken.cbz is not a whole ZIP", done.stderr, re.MULTILINE)
    assert re.search(r"^To see more of it: .*mangavid status [a-z0-9-]+$", done.stderr, re.MULTILINE)
    assert "mangavid retry" not in done.stderr, "trying again would meet the same archive"
    assert "Traceback" not in done.stderr


def test_a_second_run_in_the_same_home_is_turned_away_with_exit_8(
    tmp_path: Path, env: dict[str, str], chapter: Path
) -> None:
    (tmp_path / "home").mkdir()
    with (tmp_path / "home" / LOCK_FILE).open("w") as held:
        held.write(str(os.getpid()))
        held.flush()
        fcntl.flock(held, fcntl.LOCK_EX)
        assert at_work(tmp_path / "home")
        done = mangavid("run", chapter, env=env, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (8, "")
    assert f"mangavid: a run is at work in {tmp_path / 'home'} (process {os.getpid()})" in done.stderr
    assert "mangavid status --watch" in done.stderr


@pytest.mark.parametrize("written", ["", "x", "-", "999999999", "9" * 40])
def test_without_a_living_process_nothing_is_at_work(tmp_path: Path, written: str) -> None:
    assert not at_work(tmp_path)
    (tmp_path / LOCK_FILE).write_text(written)
    assert not at_work(tmp_path)


def test_a_reader_that_has_read_enough_is_no_error(tmp_path: Path, env: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mangavid", "config", "example"],
        env=env,
        cwd=tmp_path,
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_terminal_that_knows_ascii_only_still_gets_its_words(tmp_path: Path, env: dict[str, str]) -> None:
    ascii_only = env | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = mangavid("run", "Đêm.cbz", env=ascii_only, cwd=tmp_path)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.isascii()


# --- runs -----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_in_a_pipe_prints_the_path_of_its_video_and_the_rest_is_on_stderr(
    tmp_path: Path, env: dict[str, str], chapter: Path
) -> None:
    done = mangavid("run", chapter, "--output", "videos", env=env, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (video,) = done.stdout.splitlines()
    assert Path(video).is_file()
    assert Path(video).is_relative_to(tmp_path / "videos")
    assert re.search(r"^  Rendering: done in ", done.stderr, re.MULTILINE)
    assert "mangavid history last" in done.stderr
    assert "\x1b" not in done.stderr

    again = mangavid("run", chapter, "--output", "videos", env=env, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert "--again" in again.stderr

    told = mangavid("run", chapter, "--output", "videos", "--json", env=env, cwd=tmp_path)
    document = json.loads(told.stdout)
    assert [made["existed"] for made in document["made"]] == [True]
    assert all(json.loads(line) for line in told.stderr.splitlines())

    status = json.loads(mangavid("status", "--json", env=env, cwd=tmp_path).stdout)
    (job,) = status["jobs"]
    assert job["status"] == "cleaned"
    history = mangavid("history", "last", env=env, cwd=tmp_path)
    assert re.search(r"^  Rendering .* done$", history.stdout, re.MULTILINE)
    assert re.search(r"^run-\S+: done in ", history.stderr)
    assert "chapter 2" not in history.stdout
    raw = json.loads(mangavid("history", "--events", "--json", env=env, cwd=tmp_path).stdout)
    assert raw[0]["type"] == "ExecutionStarted"
    assert raw[-1]["type"] == "ExecutionSucceeded"


@pytest.mark.slow
def test_who_stops_reading_the_progress_does_not_stop_the_run(
    tmp_path: Path, env: dict[str, str], chapter: Path
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "mangavid", "run", chapter],
        env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=writing, check=False, timeout=300,
    )  # fmt: skip
    os.close(writing)
    assert done.returncode == 0
    assert Path(done.stdout.decode().strip()).is_file()


class Screen:
    """A command on a pseudo-terminal of 100 columns."""

    def __init__(self, *args: str | Path, env: Mapping[str, str], cwd: Path) -> None:
        self.text = ""
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.chdir(cwd)
            os.execve(sys.executable, [sys.executable, "-m", "mangavid", *map(str, args)], dict(env))

    def until(self, seen: Callable[[str], bool], seconds: float = 120.0) -> None:
        """Read until the text satisfies ``seen`` or the command ends."""
        deadline = time.monotonic() + seconds
        while not seen(self.text):
            assert time.monotonic() < deadline, self.text
            if select.select([self._fd], [], [], 0.2)[0]:
                try:
                    data = os.read(self._fd, 65536)
                except OSError:  # the other end is closed: the command has ended
                    return
                self.text += data.decode("utf-8", "replace")

    def type(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def end(self) -> int:
        """The exit code."""
        self.until(lambda _: False)
        _, status = os.waitpid(self.pid, 0)
        os.close(self._fd)
        return os.waitstatus_to_exitcode(status)

    @property
    def plain(self) -> str:
        return re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", self.text)


@pytest.mark.slow
def test_ctrl_c_stops_a_run_in_order_and_the_next_run_goes_on(
    tmp_path: Path, env: dict[str, str], chapter: Path
) -> None:
    screen = Screen("run", chapter, env=env, cwd=tmp_path)
    screen.until(lambda text: "Rendering" in text)
    screen.type(b"\x03")
    assert screen.end() == 130
    assert "mangavid: stopped" in screen.plain
    assert "mangavid run goes on where this stopped" in screen.plain
    assert "Traceback" not in screen.plain
    assert screen.text.rindex("\x1b[?25h") > screen.text.rindex("\x1b[?25l"), "the cursor is left hidden"

    status = mangavid("status", env=env, cwd=tmp_path)
    assert "mangavid run goes on with it" in status.stdout

    onwards = mangavid("run", env=env, cwd=tmp_path)
    assert onwards.returncode == 0, onwards.stderr
    assert Path(onwards.stdout.strip()).is_file()


@pytest.mark.slow
def test_a_run_whose_worker_died_with_it_goes_on_without_waiting_for_the_dead(
    tmp_path: Path, env: dict[str, str], chapter: Path
) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "mangavid", "run", chapter, "--json"], env=env, cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert run.stderr is not None
    for line in run.stderr:
        step = json.loads(line)
        if (step["what"], step["state"]) == ("entered", "WaitForRender"):
            break
    (lock,) = (tmp_path / "home" / "instances").glob("render-*.lock")
    for pid in (run.pid, int(lock.read_text())):
        os.kill(pid, signal.SIGKILL)
    run.communicate()
    # A worker that can't be seen to be dead would be waited for 300 seconds.
    onwards = subprocess.run(
        [sys.executable, "-m", "mangavid", "run", "--json"], env=env, cwd=tmp_path, capture_output=True, timeout=150
    )
    assert onwards.returncode == 0, onwards.stderr
    assert len(json.loads(onwards.stdout)["made"]) == 1
    first = json.loads(onwards.stderr.splitlines()[0])
    assert (first["what"], first["state"], first["title"][:9]) == ("entered", "WaitForRender", "Đêm trăng")


@pytest.mark.slow
def test_on_a_terminal_a_run_ends_with_every_file_named(tmp_path: Path, env: dict[str, str], chapter: Path) -> None:
    screen = Screen("run", chapter, env=env, cwd=tmp_path)
    assert screen.end() == 0, screen.plain
    for words in (
        "✓ Reading the pages",
        "✓ Speaking",
        "✓ Rendering",
        "video ",
        "captions ",
        "thumbnail ",
        "metadata ",
        "To watch it:",
    ):
        assert words in screen.plain
    one = Screen("status", env=env, cwd=tmp_path)
    assert one.end() == 0
    assert "done" in one.plain


def test_a_terminal_without_colours_gets_none(tmp_path: Path, env: dict[str, str]) -> None:
    screen = Screen("config", env=env | {"NO_COLOR": "1"}, cwd=tmp_path)
    assert screen.end() == 0
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", screen.text)


def test_ctrl_c_while_a_command_waits_is_130_in_a_sentence(tmp_path: Path, env: dict[str, str]) -> None:
    waits = (
        "import signal, sys\n"
        "from mangavid.cli.app import guarded\n"
        "sys.exit(guarded(lambda: print('ready', flush=True) or signal.pause() or 0, as_json=False))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", waits], env=env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.startswith("mangavid: stopped\n")
