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
from typing import Any, Final

import msgspec

from mangavid import keys
from mangavid.config import Config
from mangavid.states.loglines import written
from mangavid.workers.lease import Lease
from mangavid.workers.work import work

#: What lines of its log have by its phase.
WORKERS: Final = {
    "render": {"worker": "renderer", "state": "WaitForRender"},
    "upload": {"worker": "uploader", "state": "WaitForUpload"},
}


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
    job = target.jobs.get(keys.job_item(record["job_id"])) or {}
    about = {
        **WORKERS[record["phase"]],
        "job": record["job_id"],
        "epoch": record["epoch"],
        "execution": job.get("execution", ""),
        "attempt": int(job.get("sfn_retry", 0)) + 1,
    }

    def say(level: str, message: str, **fields: Any) -> None:
        """To its log file, as a machine's log tells it."""
        print(written(target.clock.now(), level, message, {**about, **fields}), file=sys.stderr, flush=True)  # noqa: T201

    say("info", "begins")
    lease = Lease(
        target,
        record["job_id"],
        record["phase"],
        record["epoch"],
        owner=record["instance"],
        notice=notice,
        on_lost=end,
        log=say,
        keep_token=True,
    )
    code = work(target, lease, log=lambda text: say("error", "a bug", where=text))
    say("info", "ends", code=code)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
