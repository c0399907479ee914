"""What is put on AWS: one zip for each group of functions, and one for the machines that work on a job.

Inside a function's zip the libraries and ``mangavid`` stand at the root, its handler in ``lambdas/<folder>/handler.py``:
``HANDLERS`` names the string that Lambda is given. A worker's zip has the same shape, with ``ec2/`` for ``lambdas/``.
"""

from __future__ import annotations

from typing import Final

#: Function, without the channel's prefix, to the folder of its handler in ``lambdas/``.
FOLDERS: Final = {
    "check-quota": "check_quota",
    "fetcher": "fetcher",
    "scriptgen": "scriptgen",
    "ttsgen": "ttsgen",
    "start-renderer": "start_renderer",
    "renderer-callback": "renderer_callback",
    "start-uploader": "start_uploader",
    "uploader-callback": "uploader_callback",
    "cleanup": "cleanup",
    "increment-counter": "increment_counter",
    "handle-error": "handle_error",
    "reaper": "reaper",
}

#: Function, without the channel's prefix, to its handler as Lambda names it.
HANDLERS: Final = {function: f"lambdas.{folder}.handler.handler" for function, folder in FOLDERS.items()}

#: What the functions run on, as Lambda names it. The libraries' wheels are those of this system.
RUNTIME: Final = "python3.13"
ARCHITECTURE: Final = "arm64"
