"""Function names to the code behind them: what AWS Lambda is to the deployed pipeline."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mangavid.errors import MangavidError, told
from mangavid.ports import Target

#: Function (without its prefix) = module of mangavid.states.
FUNCTIONS = {
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
}
PREFIX = "manga-pipeline-"

Handler = Callable[[dict[str, Any]], dict[str, Any]]


def function_handlers(target: Target) -> dict[str, Handler]:
    """Handlers by full function name; each state's module is imported when it is first called."""

    def handler(module: str) -> Handler:
        def call(event: dict[str, Any]) -> dict[str, Any]:
            try:
                result: dict[str, Any] = import_module(f"mangavid.states.{module}").handle(target, event)
            except MangavidError as problem:
                # Only class name and message get through to the state machine: the hint travels in the message.
                raise type(problem)(told(problem)) from problem
            return result

        return call

    return {PREFIX + name: handler(module) for name, module in FUNCTIONS.items()}
