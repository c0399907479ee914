"""The functions of the pipeline: their names on AWS without the channel's prefix, and the modules they stand for."""

from __future__ import annotations

from typing import Final

#: Function → the folder of its handler in ``lambdas/``, which is also the name of its module in ``mangavid.states``.
MODULES: Final = {
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
#: No state of the state machine calls these.
UNCALLED: Final = frozenset({"reaper"})
