"""What every test may count on, however the suite was started."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

# A shell starts what it puts into the background with Ctrl-C ignored, and programs hand that on to those they start:
# then a test that sends SIGINT would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# `make test` calls this environment's Python by its path: the command that the tests expect hints to name is beside it.
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
