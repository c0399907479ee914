"""What killed processes leave behind in a home, cleared away when the next run begins."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from mangavid.local.instances import ProcessInstances
from mangavid.local.objects import TEMPORARY

_LOGS_KEPT = 100


def sweep(home: Path, instances: ProcessInstances) -> None:
    """Called under the run's lock. Where a worker still drains, its files are left for the next time."""
    if instances.all_alive():
        return
    instances.forget_dead()
    shutil.rmtree(instances.work, ignore_errors=True)
    for half_written in (home / "objects").rglob(f"{TEMPORARY}*"):
        half_written.unlink(missing_ok=True)
    logs = sorted((home / "logs").glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in logs[_LOGS_KEPT:]:
        with suppress(OSError):
            old.unlink()
