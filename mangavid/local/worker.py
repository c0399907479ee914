"""A worker process of this machine: ``python -m mangavid.local.worker RECORD`` (started by ``local.instances``).

Its notice of being taken away is SIGTERM, or the end of the run that started it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType

import msgspec

from mangavid.config import Config
from mangavid.workers.lease import Lease


def main(record_path: str) -> int:
    # numpy would start a thread a processor, for arithmetic that this program never asks of it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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
    try:
        if record["phase"] == "render":
            from mangavid.workers.render import render

            render(target, lease, encoders=config.local.encoders or os.cpu_count() or 1)
        else:
            from mangavid.workers.upload import upload

            upload(target, lease)
    except Exception as bug:
        traceback.print_exc()
        lease.fail("RenderError" if record["phase"] == "render" else "PublishError", f"{type(bug).__name__}: {bug}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
