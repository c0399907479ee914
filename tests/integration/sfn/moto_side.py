"""Plays scenarios on moto's Step Functions, many at once: moto keeps real time.

Lambda invocations go to a server of ours (AWS_ENDPOINT_URL_LAMBDA); back-offs are not slept through.
"""

from __future__ import annotations

import json
import threading
import types
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto import mock_aws

from mangavid.clock import SystemClock
from tests.integration.sfn.behaviour import Answers, Dies, Fails, Gives, Hangs, Raises, Scenario, View
from tests.integration.sfn.ours import view

#: More would make moto miss heartbeats on a busy machine.
_AT_ONCE = 24
ROLE = "arn:aws:iam::123456789012:role/role"


class Functions:
    """All scenarios' functions behind one Lambda endpoint. A function's name there is «scenario--function»."""

    def __init__(self, scenarios: list[Scenario]) -> None:
        self._scenarios = {scenario.name: scenario for scenario in scenarios}
        self._calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._clock = SystemClock()
        self.refused: list[str] = []
        self.over = threading.Event()

    def invoke(self, name: str, event: Any) -> tuple[Any, bool]:
        """(payload, whether it is an error)."""
        scenario, _, function = name.partition("--")
        with self._lock:
            call = self._calls[name]
            self._calls[name] += 1
        act = self._scenarios[scenario].act(function, call)
        match act:
            case Gives(value):
                return value, False
            case Raises(error, message):
                return {"errorMessage": message, "errorType": error}, True
            case Hangs():
                self.over.wait(120)
            case Answers() | Fails():
                threading.Thread(target=self._work, args=(act, event["token"]), daemon=True).start()
            case Dies():
                pass
        return None, False

    def _work(self, act: Answers | Fails, token: str) -> None:
        client = boto3.client("stepfunctions", "us-east-1", config=Config(retries={"total_max_attempts": 1}))
        self._clock.sleep(0.4)
        if isinstance(act, Fails):
            self._say(lambda: client.send_task_failure(taskToken=token, error=act.error, cause=act.cause))
            return
        for _ in range(act.beats):
            self._say(lambda: client.send_task_heartbeat(taskToken=token))
            self._clock.sleep(0.4)
        self._say(lambda: client.send_task_success(taskToken=token, output=json.dumps(act.value)))

    def _say(self, answer: Callable[[], object]) -> None:
        """moto looks for a token in every execution, and trips over one that is just starting: say it again."""
        for _ in range(50):
            try:
                answer()
                return
            except AttributeError:
                self._clock.sleep(0.05)
            except ClientError as problem:
                self.refused.append(str(problem))
                return


@contextmanager
def endpoint(functions: Functions) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            name = unquote(self.path.split("/functions/")[1].split("/")[0]).rpartition(":")[2]
            payload, failed = functions.invoke(name, json.loads(body or b"null"))
            data = json.dumps(payload).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("X-Amz-Executed-Version", "$LATEST")
            if failed:
                self.send_header("X-Amz-Function-Error", "Unhandled")
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def play(scenarios: list[Scenario], monkeypatch: pytest.MonkeyPatch) -> dict[str, View]:
    """What moto makes of each scenario, by name."""
    functions = Functions(scenarios)
    clock = SystemClock()
    with endpoint(functions) as url:
        for name, value in {
            "AWS_ENDPOINT_URL_LAMBDA": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(
            "moto.stepfunctions.parser.asl.component.common.retry.retrier_decl.time",
            types.SimpleNamespace(sleep=lambda seconds: clock.sleep(0.01)),
        )
        with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
            client = boto3.client("stepfunctions", "us-east-1", config=Config(max_pool_connections=32))
            arns: dict[str, str] = {}
            refused: dict[str, View] = {}
            todo, running = list(scenarios), dict[str, str]()
            limit = clock.monotonic() + 170
            while todo or running:
                assert clock.monotonic() < limit, f"moto did not end {sorted(running)}"
                while todo and len(running) < _AT_ONCE:
                    scenario = todo.pop(0)
                    try:
                        running[scenario.name] = arns[scenario.name] = _start(client, scenario)
                    except ClientError as problem:
                        refused[scenario.name] = View("REFUSED", None, "", str(problem), [], [], [], stopped=False)
                for name in list(running):
                    if client.describe_execution(executionArn=running[name])["status"] != "RUNNING":
                        del running[name]
                clock.sleep(0.05)
            with ThreadPoolExecutor(4) as pool:
                views = dict(zip(arns, pool.map(lambda arn: _view(client, arn), arns.values()), strict=True))
            # Calls that hang are let go while moto still listens for what they say.
            functions.over.set()
            clock.sleep(1.0)
    return views | refused


def _start(client: Any, scenario: Scenario) -> str:
    text = json.dumps(scenario.definition)
    for function in scenario.acts:
        text = text.replace(f':function:{function}"', f':function:{scenario.name}--{function}"')
    machine = client.create_state_machine(name=scenario.name, definition=text, roleArn=ROLE)["stateMachineArn"]
    return str(
        client.start_execution(stateMachineArn=machine, name=scenario.name, input=json.dumps(scenario.input))[
            "executionArn"
        ]
    )


def _view(client: Any, arn: str) -> View:
    ended = client.describe_execution(executionArn=arn)
    history = client.get_execution_history(executionArn=arn)["events"]
    return view(
        ended["status"],
        ended.get("output"),
        ended.get("error", ""),
        ended.get("cause", ""),
        history,
        stopped="stopDate" in ended,
    )
