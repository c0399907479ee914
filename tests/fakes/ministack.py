"""ministack, an emulator of AWS, as a server on loopback: CloudFormation with change sets, rollback and drift.

It pins a botocore of its own, so it is installed once into ``.ministack-venv`` of the checkout, from the pins beside
this file (``echo ministack==… | uv pip compile --universal --no-header --no-annotate --python-version 3.11 -``).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".ministack-venv"
PINS = Path(__file__).with_suffix(".txt")

REGION, ACCOUNT = "eu-west-1", "123456789012"

_START_SECONDS = 60
_GRACE_SECONDS = 2
#: The emulator is asked directly, whatever proxy this machine uses.
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True)
class Ministack:
    """An account with nothing in it but AWS's own (the default VPC). ``folder`` is gone when the server is."""

    url: str
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to take it for AWS. ``AWS_PROFILE`` must not be set beside it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",  # with AUTH="true": the account's root
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def reset(self) -> None:
        """Forget everything, stacks and running executions too: what a test starts from."""
        self._ask("/_ministack/reset", b"")

    def health(self) -> dict[str, Any]:
        """What it says of itself."""
        found: dict[str, Any] = json.loads(self._ask("/_ministack/health"))
        return found

    def log(self) -> str:
        """What it has written so far."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        with _opener.open(urllib.request.Request(self.url + path, data=body), timeout=30) as answer:
            found: bytes = answer.read()
            return found


@contextmanager
def ministack(**settings: str) -> Iterator[Ministack]:
    """Start it, with these variables in its environment (``AUTH="true"``: it asks IAM, and asks for capabilities)."""
    program = installed()
    with tempfile.TemporaryDirectory(prefix="ministack-", ignore_cleanup_errors=True) as name:
        server = _started(program, Path(name), settings)
        try:
            yield server
        finally:
            _end(server.process)


def installed() -> Path:
    """The program; it is installed first where it is not, or not as pinned. Two that ask at once wait in turn."""
    import uv

    pins = hashlib.sha256(PINS.read_bytes()).hexdigest()[:16]
    stamp = VENV / f"pins-{pins}"
    VENV.mkdir(exist_ok=True)
    with (VENV / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists():
            python = VENV / pins
            command = [uv.find_uv_bin(), "--quiet", "--no-progress"]
            _run([*command, "venv", "--clear", "--python", sys.executable, str(python)])
            where = ["--python", str(python / "bin" / "python"), "--compile-bytecode", "--only-binary", ":all:"]
            _run([*command, "pip", "install", "--no-deps", *where, "--requirement", str(PINS)])
            stamp.touch()
    return VENV / pins / "bin" / "ministack"


def _run(command: list[str]) -> None:
    done = subprocess.run(command, cwd=VENV, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=900)
    assert done.returncode == 0, f"{command} ended with {done.returncode}: {done.stderr.decode(errors='replace')}"


def _started(program: Path, folder: Path, settings: Mapping[str, str]) -> Ministack:
    for _ in range(5):  # the port that was free may be another's by the time the server asks for it
        port, name = _free_port(), secrets.token_hex(8)
        process = _process(program, folder, port, {**settings, "MINISTACK_EDITION": name})
        server = Ministack(f"http://127.0.0.1:{port}", process, folder)
        try:
            if _answers(server, name):
                return server
        except BaseException:
            _end(process)
            raise
        _end(process)
    raise AssertionError(f"ministack does not start: {server.log()}")


def _process(program: Path, folder: Path, port: int, settings: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """The server, with nothing of this process's environment but the path."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": REGION,
        "MINISTACK_HOST": "127.0.0.1",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "STATE_DIR": str(folder / "state"),
        "S3_DATA_DIR": str(folder / "s3"),
        "PERSIST_STATE": "0",
        "S3_PERSIST": "0",
        "LAMBDA_EXECUTOR": "local",
        "DOCKER_HOST": f"unix://{folder}/no-docker",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        **settings,
    }
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [str(program)],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _answers(server: Ministack, name: str) -> bool:
    """Wait until it does; False where its process has ended."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until:
        # Another's server may stand at the port: only ours knows the name.
        with suppress(OSError, ValueError):
            if server.health().get("edition") == name:
                return True
        if server.process.poll() is not None:
            return False
        time.sleep(0.02)
    raise AssertionError(f"ministack did not answer within {_START_SECONDS} s: {server.log()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End its whole process group: it leaves the processes that run Lambda functions behind."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)
        # It is not reaped before the group is killed: until then its number can't become another's.
        until = time.monotonic() + _GRACE_SECONDS
        while not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=30)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
