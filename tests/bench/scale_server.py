"""Step Functions for `scale`, as a process of its own: ``python -m tests.bench.scale_server JOURNAL RUNS``.

Answers in AWS's protocol from texts made beforehand, so that a client's time is not the server's: the executions of the
journal and of ``scale_data``, and histories in pages of 1,000 events. Prints its address.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

from mangavid.local.engine.executions import JournalExecutions
from tests.bench.scale_data import LISTED, executions
from tests.fakes.ministack import ACCOUNT, REGION

PAGE = 1000
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:manga-pipeline"
EXECUTION = MACHINE.replace(":stateMachine:", ":execution:")


class Service:
    def __init__(self, journal: Path, runs: int) -> None:
        kept = JournalExecutions(journal)
        self._listed: list[dict[str, Any]] = []
        self._pages: dict[tuple[str, bool], list[bytes]] = {}
        for one in kept.list():
            if next(kept.history(one.arn), None) is None:
                continue
            times = {"startDate": one.started.timestamp(), "stopDate": one.stopped.timestamp() if one.stopped else None}
            self._listed.append({"name": one.name, "status": one.status, **times})
            events = [{**event, "timestamp": event["timestamp"].timestamp()} for event in kept.history(one.arn)]
            for reverse in (False, True):
                self._pages[one.name, reverse] = _pages("events", events[::-1] if reverse else events)
        self._listed += executions(runs, LISTED)
        for entry in self._listed:
            entry |= {"executionArn": f"{EXECUTION}:{entry['name']}", "stateMachineArn": MACHINE}

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, bytes]:
        name = str(asked.get("executionArn", "")).rpartition(":")[2]
        if operation == "ListExecutions":
            wanted = asked.get("statusFilter")
            every = [one for one in self._listed if wanted in (None, one["status"])]
            begin, size = int(asked.get("nextToken", 0)), asked.get("maxResults") or 100
            rest = {"nextToken": str(begin + size)} if begin + size < len(every) else {}
            return 200, json.dumps({"executions": list(islice(every, begin, begin + size)), **rest}).encode()
        if operation == "DescribeExecution":
            for one in self._listed:
                if one["name"] == name:
                    return 200, json.dumps({**one, "input": "{}", "output": "{}"}).encode()
        if operation == "GetExecutionHistory":
            pages = self._pages.get((name, bool(asked.get("reverseOrder"))))
            if pages is not None:
                return 200, pages[int(asked.get("nextToken", 0))]
        return 400, json.dumps({"__type": "ExecutionDoesNotExist", "message": f"Does Not Exist: {name}"}).encode()


def _pages(name: str, entries: list[dict[str, Any]]) -> list[bytes]:
    cut = [entries[begin : begin + PAGE] for begin in range(0, len(entries), PAGE)]
    return [
        json.dumps({name: page, **({"nextToken": str(n)} if n < len(cut) else {})}).encode()
        for n, page in enumerate(cut, 1)
    ]


def main(journal: str, runs: str) -> None:
    service = Service(Path(journal), int(runs))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            operation = self.headers["X-Amz-Target"].rpartition(".")[2]
            status, data = service.answer(operation, json.loads(body))
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            return

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
