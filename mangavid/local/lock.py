"""Whether a run is at work in a home, as far as another command can tell without taking its lock."""

from __future__ import annotations

import os
from pathlib import Path

LOCK_FILE = "run.lock"
"""Locked by the run at work (``mangavid.local.run``), which writes its process id into it."""


def at_work(home: Path) -> bool:
    """Whether the process that last ran here still lives. Taking the lock to see could turn away a run that begins."""
    try:
        os.kill(int((home / LOCK_FILE).read_text("ascii")), 0)
    except (OSError, ValueError, OverflowError) as why:
        return isinstance(why, PermissionError)  # somebody else's process
    return True
