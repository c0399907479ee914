"""Starting child processes next to threads, out of reach of Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from typing import Any


def start(argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
    """Popen with SIGINT, SIGTERM and SIGHUP blocked in the child: they reach the whole process group, and it is for
    the parent to decide what they mean. A child that handles them itself unblocks them.
    """
    if not hasattr(signal, "pthread_sigmask"):
        return subprocess.Popen(argv, **options)
    # The mask is inherited through fork and exec; this thread's own comes back before any signal can be missed.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    try:
        return subprocess.Popen(argv, **options)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def python_environment() -> dict[str, str]:
    """The environment for a Python child that imports what this process can, however it came to its path."""
    path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)  # noqa: PTH109 - '' means just this
    return {**os.environ, "PYTHONPATH": path}
