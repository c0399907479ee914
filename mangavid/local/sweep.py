"""What killed processes leave behind in a home, cleared away when the next run begins."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from mangavid.local import SPOKEN
from mangavid.local.instances import ProcessInstances
from mangavid.local.objects import TEMPORARY

_LOGS_KEPT = 100
_SPOKEN_KEPT = 16


def sweep(home: Path, instances: ProcessInstances) -> None:
    """Called under the run's lock. Where a worker still drains, its files are left for the next time."""
    if instances.all_alive():
        return
    instances.forget_dead()
    shutil.rmtree(instances.work, ignore_errors=True)
    for half_written in (home / "objects").rglob(f"{TEMPORARY}*"):
        half_written.unlink(missing_ok=True)
    _keep_newest(home / "logs", "*.log", _LOGS_KEPT)
    # The newest are of the chapter in hand, which uses them; the others of chapters that nobody went on with.
    _keep_newest(home / SPOKEN, "*", _SPOKEN_KEPT)


def _keep_newest(folder: Path, pattern: str, count: int) -> None:
    files = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in files[count:]:
        with suppress(OSError):
            old.unlink()
