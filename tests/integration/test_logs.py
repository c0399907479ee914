"""``mangavid logs`` as a process: over moto's CloudWatch, over one that throttles or hangs, and on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mangavid.aws.jobs import DynamoJobs, table_definition
from mangavid.aws.logs import Shipping
from mangavid.aws.session import Clients
from mangavid.clock import SystemClock
from mangavid.keys import job_item
from mangavid.ports import Change
from tests.fakes.aws import credentials
from tests.fakes.motoserver import moto_server
from tests.faults.chapters import Home, draw_chapter
from tests.integration.test_cli import HEAVY, ROOT, Screen, loaded

REGION = "eu-west-1"
ACCOUNT = "123456789012"
FETCHER, SCRIPTGEN = "/aws/lambda/manga-pipeline-fetcher", "/aws/lambda/manga-pipeline-scriptgen"
RENDERER = "/manga-pipeline/renderer"
JOB = "dem-trang-0123456789"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with moto_server() as url:
        yield url


def environment(url: str, folder: Path) -> dict[str, str]:
    """For the pipeline on AWS at ``url``, without any settings of the person who runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MANGAVID_", "AWS_"))}
    return kept | {
        "HOME": str(folder / "me"),
        "XDG_CONFIG_HOME": str(folder / "me"),
        "MANGAVID_TARGET": "aws",
        "MANGAVID_AWS_REGION": REGION,
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "PYTHONPATH": str(ROOT),
        "TERM": "xterm-256color",
        "COLUMNS": "100",
        "TZ": "UTC",
    }


@pytest.fixture
def env(server: str, tmp_path: Path) -> dict[str, str]:
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"), timeout=30).close()
    return environment(server, tmp_path)


@pytest.fixture
def clients(server: str, env: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    with credentials():
        yield Clients(REGION)


class Put:
    """Lines into log groups, which are made, as Lambda and machines put them."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._made: set[tuple[str, str]] = set()

    def __call__(self, group: str, seconds_ago: float, message: str | dict[str, Any], stream: str = "s") -> None:
        logs = self._clients["logs"]
        if not any(made == group for made, _ in self._made):
            logs.call("create_log_group", logGroupName=group)
        if (group, stream) not in self._made:
            logs.call("create_log_stream", logGroupName=group, logStreamName=stream)
        self._made.add((group, stream))
        text = message if isinstance(message, str) else json.dumps(message)
        at = int((time.time() - seconds_ago) * 1000)
        event = {"timestamp": at, "message": text}
        logs.call("put_log_events", logGroupName=group, logStreamName=stream, logEvents=[event])


def arguments(*args: str) -> list[str]:
    return [sys.executable, "-m", "mangavid", "logs", *args]


def logs(*args: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(arguments(*args), env=dict(env), capture_output=True, text=True, timeout=120, check=False)


class Following:
    """``mangavid logs --follow`` as a process; ``lines`` and ``said`` fill while it runs."""

    def __init__(self, *args: str, env: Mapping[str, str], command: list[str] | None = None) -> None:
        self.lines: list[str] = []
        self.said: list[str] = []
        self._process = subprocess.Popen(
            command or arguments("--follow", *args),
            env=dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [
            threading.Thread(target=lambda: self.lines.extend(iter(self._process.stdout.readline, ""))),  # type: ignore[union-attr]
            threading.Thread(target=lambda: self.said.extend(iter(self._process.stderr.readline, ""))),  # type: ignore[union-attr]
        ]
        for reader in self._readers:
            reader.start()

    def until(self, seen: Callable[[], bool], seconds: float = 60) -> None:
        limit = time.monotonic() + seconds
        while not seen():
            assert time.monotonic() < limit and self._process.poll() is None, (self.lines, self.said)
            time.sleep(0.05)

    def interrupt(self) -> tuple[int, float]:
        """Its exit code, and the seconds that it took to leave."""
        began = time.monotonic()
        self._process.send_signal(signal.SIGINT)
        try:
            code = self._process.wait(30)
        finally:
            self._process.kill()
            for reader in self._readers:
                reader.join()
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                stream.close()
        return code, time.monotonic() - began


def waits(following: Following) -> bool:
    return "Waiting for what comes: Ctrl-C ends this." in "".join(following.said)


# --- AWS ------------------------------------------------------------------------------------------------------------


def test_functions_and_machines_are_one_stream(env: dict[str, str], clients: Clients) -> None:
    put = Put(clients)
    put(SCRIPTGEN, 40, {"level": "info", "message": "begins", "function": "scriptgen", "state": "GenerateScript"})
    put(FETCHER, 50, {"level": "info", "message": "ends", "function": "fetcher", "state": "FetchManga", "seconds": 1.5})
    put(FETCHER, 45, {"type": "platform.report", "record": {"requestId": "r", "status": "success"}})
    put(
        RENDERER,
        30,
        {"level": "error", "message": "a\x1b[2Jbug", "where": "one\n  two\x1b]0;x\x07", "job": JOB},
        "a/e1/i",
    )
    put(RENDERER, 7200, {"level": "error", "message": "of long ago"}, "a/e1/i")
    done = logs(env=env)
    assert done.returncode == 0, done.stderr
    lines = [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  ", "", line) for line in done.stdout.splitlines()]
    assert lines == [
        "fetcher            info     ends  state=FetchManga seconds=1.5",
        "scriptgen          info     begins  state=GenerateScript",
        f"renderer           error    abug  job={JOB}",
        "    one",
        "      two",
    ]
    assert done.stderr == f"To see more of what failed: mangavid status {JOB}\n"
    parsed = [json.loads(line) for line in logs("--json", "--errors", "--since", "3h", env=env).stdout.splitlines()]
    assert [line["message"] for line in parsed] == ["of long ago", "a\x1b[2Jbug"]
    assert "Lambda: report" in logs("--all", "--state", "", env=env).stdout


def test_a_jobs_lines_are_found_by_how_its_id_begins_and_a_runs_by_its_name(
    env: dict[str, str], clients: Clients
) -> None:
    put = Put(clients)
    clients["dynamodb"].call("create_table", **table_definition("manga-pipeline-jobs"))
    machine = clients["stepfunctions"].call(
        "create_state_machine",
        name="manga-pipeline",
        definition=json.dumps({"StartAt": "A", "States": {"A": {"Type": "Succeed"}}}),
        roleArn=f"arn:aws:iam::{ACCOUNT}:role/any",
    )["stateMachineArn"]
    arn = clients["stepfunctions"].call("start_execution", stateMachineArn=machine, name="run-7", input="{}")[
        "executionArn"
    ]
    now = SystemClock().now().isoformat()
    fields = {"job_id": JOB, "status": "rendering", "title": "x", "created_at": now, "updated_at": now}
    DynamoJobs(clients["dynamodb"], "manga-pipeline-jobs", SystemClock()).change(Change(key=job_item(JOB), set=fields))

    put(FETCHER, 9, {"level": "info", "message": "fetched", "execution": arn})
    put(SCRIPTGEN, 8, {"level": "info", "message": "written", "execution": arn, "job": JOB})
    put(SCRIPTGEN, 7, {"level": "info", "message": "of another", "execution": f"{arn}1", "job": f"{JOB}1"})
    put(RENDERER, 6, {"level": "info", "message": "rendered", "execution": arn, "job": JOB}, f"{JOB}/e1/i-1")

    def messages(*args: str) -> list[str]:
        done = logs(*args, "--json", env=env)
        assert done.returncode == 0, done.stderr
        return [json.loads(line)["message"] for line in done.stdout.splitlines()]

    for name in (JOB, "dem-trang", "last"):
        assert messages("--job", name) == ["written", "rendered"]
    for name in ("run-7", "last", arn, "n-7"):
        assert messages("--execution", name) == ["fetched", "written", "rendered"]
    assert messages("--execution", "last", "--job", "last", "--state", "FetchManga") == []
    assert "State by state: mangavid history run-7" in logs("--execution", "last", env=env).stderr
    missing = logs("--job", "nobody", "--follow", env=env)
    assert (missing.returncode, missing.stdout) == (3, "")


def test_where_nothing_is_deployed_it_is_said(env: dict[str, str]) -> None:
    done = logs(env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"there is no log group of manga-pipeline in {REGION} (to make them: mangavid deploy)." in done.stderr
    assert "What ran: mangavid status" in done.stderr


def test_followed_lines_appear_as_they_come_until_ctrl_c(env: dict[str, str], clients: Clients) -> None:
    put = Put(clients)
    put(FETCHER, 60, {"level": "info", "message": "one"})
    following = Following("--json", env=env)
    following.until(lambda: waits(following))
    assert [json.loads(line)["message"] for line in following.lines] == ["one"]
    put(FETCHER, 0, {"level": "info", "message": "two"})
    following.until(lambda: len(following.lines) == 2)
    # As a machine ships its lines, a group that was not there before; one of them late.
    clients["logs"].call("create_log_group", logGroupName=RENDERER)
    shipping = Shipping(clients["logs"], RENDERER, "a/e1/i-1", lambda *_: None, every=0.2)
    now = SystemClock().now()
    shipping.add(now, json.dumps({"level": "info", "message": "three"}))
    following.until(lambda: len(following.lines) == 3)
    put(FETCHER, 30, {"level": "info", "message": "late"})
    following.until(lambda: len(following.lines) == 4)
    shipping.close()
    time.sleep(5)  # a round more: nothing is told again
    code, seconds = following.interrupt()
    assert (code, seconds < 5) == (0, True)
    assert [json.loads(line)["message"] for line in following.lines] == ["one", "two", "three", "late"]
    assert following.said[-1] == "Stopped following after 4 lines; what runs goes on. How it stands: mangavid status\n"
    assert len(following.said) == 2


def test_on_a_terminal_errors_are_red_and_nothing_else_gives_orders(
    env: dict[str, str], clients: Clients, tmp_path: Path
) -> None:
    put = Put(clients)
    put(RENDERER, 9, {"level": "error", "message": "\x1b[2J[bold]no[/bold] " + "word " * 60, "where": "\x9b31mx"})
    screen = Screen("logs", env=env, cwd=tmp_path)
    assert screen.end() == 0
    assert "\x1b[31m" in screen.text and "\x1b[2J" not in screen.text and "\x9b" not in screen.text
    assert f"error    [bold]no[/bold] {'word ' * 60}".rstrip() in screen.plain, "it is wrapped"
    coloured = Screen("logs", env=env | {"NO_COLOR": "1"}, cwd=tmp_path)
    assert coloured.end() == 0
    assert "\x1b[31m" not in coloured.text


class Cloud(BaseHTTPRequestHandler):
    """STS, and a CloudWatch Logs that answers as the test says."""

    answer: Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "X-Amz-Target" not in self.headers:
            told = f"<Arn>arn:aws:iam::{ACCOUNT}:user/me</Arn><Account>{ACCOUNT}</Account><UserId>me</UserId>"
            result = f"<GetCallerIdentityResult>{told}</GetCallerIdentityResult>"
            data = f"<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>".encode()
            self._send(200, data, "text/xml")
            return
        status, answer = type(self).answer(json.loads(body))
        self._send(status, json.dumps(answer).encode(), "application/x-amz-json-1.1")

    def _send(self, status: int, data: bytes, kind: str) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass  # who asked has left

    def log_message(self, *_: object) -> None: ...


@contextmanager
def cloud(answer: Callable[[dict[str, Any]], tuple[int, dict[str, Any]]]) -> Iterator[str]:
    handler = type("Handler", (Cloud,), {"answer": staticmethod(answer)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def test_what_is_throttled_is_asked_again(tmp_path: Path) -> None:
    lock, asked = threading.Lock(), dict[str, int]()

    def answer(request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        group = request["logGroupName"]
        with lock:
            asked[group] = asked.get(group, 0) + 1
            if asked[group] <= 2 and group in (FETCHER, RENDERER):
                return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
        event = {"timestamp": int(time.time() * 1000) - 9, "message": group, "eventId": "1", "logStreamName": "s"}
        return 200, {"events": [event]}

    with cloud(answer) as url:
        done = logs("--json", env=environment(url, tmp_path))
    assert done.returncode == 0, done.stderr
    assert len({json.loads(line)["message"] for line in done.stdout.splitlines()}) == 14
    assert (asked[FETCHER], asked[SCRIPTGEN]) == (3, 1)


def test_who_may_not_read_logs_is_told(tmp_path: Path) -> None:
    with cloud(lambda _: (400, {"__type": "AccessDeniedException", "message": "not you"})) as url:
        done = logs("--follow", env=environment(url, tmp_path))
    assert (done.returncode, done.stdout) == (7, "")
    assert "logs filter_log_events: AccessDeniedException: not you" in done.stderr


def test_ctrl_c_ends_it_at_once_though_cloudwatch_does_not_answer(tmp_path: Path) -> None:
    came, over = threading.Event(), threading.Event()

    def answer(_: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        came.set()
        over.wait(60)
        return 200, {}

    with cloud(answer) as url:
        following = Following(env=environment(url, tmp_path))
        following.until(came.is_set)
        code, seconds = following.interrupt()
        over.set()
    assert code == 0, following.said
    assert seconds < 5
    assert following.said[-1].startswith("Stopped following after 0 lines")


# --- this machine ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("args", [("logs",), ("logs", "--json"), ("logs", "--help")])
def test_reading_the_log_of_this_machine_loads_nothing_heavy(tmp_path: Path, args: tuple[str, ...]) -> None:
    env = environment("http://127.0.0.1:9", tmp_path) | {"MANGAVID_TARGET": "local", "MANGAVID_HOME": str(tmp_path)}
    assert loaded(*args, env=env, cwd=tmp_path) & HEAVY == set()


@pytest.mark.slow
def test_a_run_here_is_told_with_the_same_words_as_on_aws(tmp_path: Path) -> None:
    chapter = draw_chapter(tmp_path / "Bản đêm")
    home = Home(tmp_path / "home", chapter)
    following = Following(env=home.environment(), command=home.command("logs", "--follow", "--json"))
    following.until(lambda: waits(following))
    done = home.run(str(chapter))
    assert done.returncode == 0, done.stderr
    following.until(lambda: any('"increment-counter"' in line and '"ends"' in line for line in following.lines))
    code, _ = following.interrupt()
    assert code == 0

    def read(*args: str) -> list[dict[str, Any]]:
        told = subprocess.run(
            home.command("logs", "--json", *args), env=home.environment(), capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in told.stdout.splitlines()]

    every = read("--execution", "last")
    assert [(line["source"], line["message"]) for line in every] == [
        (source, message)
        for source in (
            *("check-quota", "fetcher", "scriptgen", "ttsgen", "start-renderer", "renderer-callback", "renderer"),
            *("start-uploader", "uploader-callback", "uploader", "cleanup", "increment-counter"),
        )
        for message in ("begins", "ends")
    ]
    assert [line["at"] for line in every] == sorted(line["at"] for line in every)
    assert read() == read("--since", "10m") == every
    key = lambda line: json.dumps(line, sort_keys=True)  # noqa: E731
    assert sorted(map(json.loads, following.lines), key=key) == sorted(every, key=key)
    job = every[-1]["job"]
    of_job = read("--job", job[:10])
    assert of_job == [line for line in every if line["job"] == job] == read("--job", "last")
    assert {line["source"] for line in of_job} >= {"renderer", "uploader", "ttsgen"}
    assert [line["source"] for line in read("--state", "waitforrender", "--job", "last")] == [
        *["renderer-callback"] * 2,
        *["renderer"] * 2,
    ]
    assert {line["execution"] for line in every} == {every[0]["execution"]}
    assert read("--errors") == []


@pytest.mark.slow
def test_a_run_here_that_fails_is_told_as_an_error(tmp_path: Path) -> None:
    chapter = draw_chapter(tmp_path / "Bản đêm")
    (chapter / "narration.json").write_text("{", encoding="utf-8")
    home = Home(tmp_path / "home", chapter)
    assert home.run(str(chapter)).returncode == 3
    told = subprocess.run(
        home.command("logs", "--errors", "--execution", "last"), env=home.environment(), capture_output=True, text=True
    )
    assert told.returncode == 0
    assert " error    " in told.stdout
    assert "error=BadSidecar" in told.stdout
