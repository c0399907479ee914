"""Named fault points: places where a test may kill, stop or fail the process, at every effect on the outside.

Off (one dictionary look-up) unless ``MANGAVID_FAULT`` is set: ``name:action[:n]`` acts at the n-th passing (default
1st) of that point, counted in this process. Actions: ``kill`` (SIGKILL to itself), ``stop`` (SIGSTOP), ``raise``.
"""

from __future__ import annotations

import os
import signal

_SPEC = os.environ.get("MANGAVID_FAULT", "")
_seen: dict[str, int] = {}


class FaultInjected(RuntimeError):
    """What the action ``raise`` raises."""


def point(name: str) -> None:
    """Pass a named point."""
    if not _SPEC:
        return
    wanted, action, nth = (*_SPEC.split(":"), "1")[:3]
    if name != wanted:
        return
    _seen[name] = _seen.get(name, 0) + 1
    if _seen[name] != int(nth):
        return
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        raise FaultInjected(name)
