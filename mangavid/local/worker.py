"""A worker process of this machine: ``python -m mangavid.local.worker RECORD`` (started by ``local.instances``).

Its notice of being taken away is SIGTERM, or the end of the run that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType

import msgspec

from mangavid.config import Config
from mangavid.workers.lease import Lease
from mangavid.workers.work import work


def main(record_path: str) -> int:
    record = json.loads(Path(record_path).read_text(encoding="utf-8"))
    parent = os.getppid()
    told = threading.Event()

    def on_term(_number: int, _frame: FrameType | None) -> None:
        told.set()

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def notice() -> str | None:
        if told.is_set():
            return "asked to stop"
        if os.getppid() != parent or parent != record["parent"]:
            return "the run that started this worker has ended"
        return None

    def end() -> None:
        os.killpg(os.getpid(), signal.SIGKILL)

    from mangavid.local import open_target

    config = msgspec.convert(record["config"], Config)
    target = open_target(config, home=Path(record["home"]))
    lease = Lease(
        target,
        record["job_id"],
        record["phase"],
        record["epoch"],
        owner=record["instance"],
        notice=notice,
        on_lost=end,
        keep_token=True,
    )
    return work(target, lease, log=lambda text: print(text, file=sys.stderr))  # noqa: T201 - its log file


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
