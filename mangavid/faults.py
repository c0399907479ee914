"""Named fault points: places where a test may kill, stop or fail the process, at every effect on the outside.

Off (one test of a constant) unless ``MANGAVID_FAULT`` or ``MANGAVID_FAULT_LOG`` is set.

``MANGAVID_FAULT=name:action[:n]`` acts at the n-th passing (default 1st) of that point in a process. Actions: ``kill``
(SIGKILL to itself), ``stop`` (SIGSTOP), ``raise``. ``MANGAVID_FAULT_LOG=file`` is the ledger: each passing adds a line
«name detail», an action «! name»; with a ledger a fault acts once, however many processes pass the point.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

_SPEC = os.environ.get("MANGAVID_FAULT", "")
_LEDGER = os.environ.get("MANGAVID_FAULT_LOG", "")
_ON = bool(_SPEC or _LEDGER)
_seen: dict[str, int] = {}


class FaultInjected(RuntimeError):
    """What the action ``raise`` raises."""


def point(name: str, detail: str = "") -> None:
    """Pass a named point; ``detail`` says what the effect is on, for the ledger."""
    if _ON:
        _write(f"{name} {detail}".rstrip())
        _act(name)


def _act(name: str) -> None:
    wanted, action, nth = (*_SPEC.split(":"), "1", "1")[:3]
    if name != wanted:
        return
    _seen[name] = _seen.get(name, 0) + 1
    if _seen[name] != int(nth) or f"! {name}" in _lines():
        return
    _write(f"! {name}")
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        raise FaultInjected(name)


def _write(line: str) -> None:
    if _LEDGER:
        handle = os.open(_LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(handle, f"{line}\n".encode())
        os.close(handle)


def _lines() -> list[str]:
    path = Path(_LEDGER)
    return path.read_text().splitlines() if _LEDGER and path.exists() else []
