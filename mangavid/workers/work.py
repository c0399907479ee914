"""One worker's work from its lease to its answer, whatever machine it runs on."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

from mangavid.ports import Target
from mangavid.workers.lease import Lease


def work(target: Target, lease: Lease, *, log: Callable[[str], None]) -> int:
    """Render or upload as the lease says. The process's exit code: 0, or 1 after a bug, which is answered as well."""
    # numpy would start a thread a processor, for arithmetic that this program never asks of it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        if lease.phase == "render":
            from mangavid.workers.render import render

            render(target, lease, encoders=target.config.local.encoders or os.cpu_count() or 1)
        else:
            from mangavid.workers.upload import upload

            upload(target, lease)
    except Exception as bug:
        log(traceback.format_exc())
        lease.fail("RenderError" if lease.phase == "render" else "PublishError", f"{type(bug).__name__}: {bug}")
        return 1
    return 0
