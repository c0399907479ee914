"""Servers on loopback that a fresh machine talks to: its metadata service, and an object store with faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, bytes]


@dataclass
class Metadata:
    """The metadata service, version 2 only. ``role`` is what it says of the role's credentials at each asking."""

    role: Callable[[int], Answer] = lambda asked: (200, credentials(asked))
    asked: int = 0
    #: What else there is below ``meta-data/``.
    about: dict[str, str] = field(default_factory=dict)

    def answer(self, method: str, path: str, headers: Any) -> Answer:
        if method == "PUT" and path == "/latest/api/token":
            lives = headers.get("X-aws-ec2-metadata-token-ttl-seconds")
            return (200, b"the-session") if lives else (400, b"")
        if headers.get("X-aws-ec2-metadata-token") != "the-session":
            return 401, b""
        if path == "/latest/meta-data/iam/security-credentials/":
            return 200, b"worker-role"
        if path == "/latest/meta-data/iam/security-credentials/worker-role":
            self.asked += 1
            return self.role(self.asked)
        known = self.about.get(path.removeprefix("/latest/meta-data/"))
        return (404, b"") if known is None else (200, known.encode())


def credentials(asked: int, code: str = "Success") -> bytes:
    """What EC2 says of a role: a new key at each asking."""
    found = {"Code": code, "AccessKeyId": f"KEY{asked}", "SecretAccessKey": "the/secret", "Token": f"session/{asked}"}
    found |= {"Type": "AWS-HMAC", "Expiration": "2099-01-01T00:00:00Z"}
    return json.dumps(found).encode()


@dataclass
class Store:
    """An object store that answers every GET alike. ``answers`` go one a request, the last for ever.

    ``promise`` is added to the length it announces; ``drip`` sends a byte at a time that many seconds apart.
    """

    answers: list[Answer]
    promise: int = 0
    drip: float = 0.0
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def answer(self, _method: str, path: str, headers: Any) -> Answer:
        self.requests.append((path, {name.lower(): value for name, value in headers.items()}))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def served(fake: Metadata | Store) -> Iterator[str]:
    """The fake's address while it is served."""
    stopping = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = fake.answer(self.command, self.path, self.headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) + getattr(fake, "promise", 0)))
            self.end_headers()
            drip = getattr(fake, "drip", 0.0)
            try:
                for one in [body[at : at + 1] for at in range(len(body))] if drip else [body]:
                    self.wfile.write(one)
                    if drip and stopping.wait(drip):
                        return
            except OSError:
                return  # the reader has gone

        do_PUT = do_GET

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            stopping.set()
            server.shutdown()
            thread.join()
