"""Step Functions as AWS keeps its tokens, for what is deployed on ministack: an endpoint of its own on loopback.

ministack's own never lets a heartbeat run out, gives every attempt the same token, and does not see a function that
fails while it hands out a token. Here the deployed definition is run by the engine, and the deployed functions are
called where they are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from mangavid.aws.names import Names
from mangavid.clock import SystemClock
from mangavid.functions import MODULES
from mangavid.local.engine.executions import JournalExecutions
from mangavid.local.engine.interpreter import Engine
from mangavid.local.engine.tasks import LambdaTasks
from tests.fakes.ministack import ACCOUNT, REGION
from tests.fakes.stepfunctions import StepFunctions

NAMES = Names()
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{NAMES.machine}"


class LaterClock(SystemClock):
    """Real time, and as much later as it is told."""

    def __init__(self) -> None:
        self._more = timedelta()

    def now(self) -> datetime:
        return super().now() + self._more

    def later(self, seconds: float) -> None:
        self._more += timedelta(seconds=seconds)


class StateMachines(StepFunctions):
    """``upstream``: the address of the ministack that definition and functions are deployed on."""

    def __init__(self, journal: Path) -> None:
        self.time = LaterClock()
        super().__init__(journal, self.time, machine=MACHINE)
        self.url = self.upstream = ""
        self._running: list[threading.Thread] = []
        self._stopping = threading.Event()

    def later(self, seconds: float) -> None:
        """So much time passes for the service: heartbeats and timeouts run out, retries fall due."""
        self.time.later(seconds)

    def _start(self, name: str, data: dict[str, Any]) -> dict[str, Any]:
        definition = self._deployed()
        self._executions = JournalExecutions(self._journal, self.time, definition, machine_arn=MACHINE)
        answer = super()._start(name, data)
        self._drive(answer["executionArn"], definition)
        return answer

    def _redrive(self, arn: str) -> None:
        super()._redrive(arn)
        self._drive(arn, self._deployed())

    def _deployed(self) -> dict[str, Any]:
        with self._client("stepfunctions") as states:
            found: dict[str, Any] = json.loads(states.describe_state_machine(stateMachineArn=MACHINE)["definition"])
            return found

    def _drive(self, arn: str, definition: dict[str, Any]) -> None:
        functions = map(NAMES.function, MODULES)
        tasks = LambdaTasks({function: partial(self._invoke, function) for function in functions})
        engine = Engine(self._journal, definition, self.time, tasks, machine_arn=MACHINE)
        run = partial(engine.run, arn, should_stop=self._stopping.is_set)
        self._running.append(threading.Thread(target=run, name=arn))
        self._running[-1].start()

    def _invoke(self, function: str, event: dict[str, Any]) -> Any:
        with self._client("lambda") as functions:
            answer = functions.invoke(FunctionName=function, Payload=json.dumps(event).encode())
            with answer["Payload"] as stream:
                payload = json.loads(stream.read())
        if answer.get("FunctionError"):
            # Step Functions goes by the class's name.
            raise type(str(payload["errorType"]), (Exception,), {})(payload["errorMessage"])
        return payload

    @contextmanager
    def _client(self, service: str) -> Iterator[Any]:
        import boto3
        from botocore.config import Config

        client = boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.upstream,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=900),
        )
        try:
            yield client
        finally:
            client.close()

    def close(self) -> None:
        """Leave executions where they are."""
        self._stopping.set()
        for thread in self._running:
            thread.join()


@contextmanager
def state_machines(journal: Path) -> Iterator[StateMachines]:
    """Serve it: its ``url`` is for ``AWS_ENDPOINT_URL_SFN``."""
    service = StateMachines(journal)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = service.respond(self.headers["X-Amz-Target"], body)
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # clients keep their connections open

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield service
        finally:
            service.close()
            server.shutdown()
            thread.join()
