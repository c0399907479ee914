"""Function names to the code behind them: what AWS Lambda is to the deployed pipeline."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from mangavid.errors import MangavidError, told
from mangavid.functions import MODULES, UNCALLED
from mangavid.ports import Target

#: Function (without its prefix) = module of mangavid.states.
FUNCTIONS = {name: module for name, module in MODULES.items() if name not in UNCALLED}
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
