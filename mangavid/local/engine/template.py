"""Payload templates (Parameters, ResultSelector) and single paths, evaluated against a document and the context."""

from __future__ import annotations

from random import Random
from typing import Any

from mangavid.local.engine import intrinsics, jsonpath
from mangavid.local.engine.jsontext import dumps


class StateError(Exception):
    """A state fails with an ASL error. ``placed``: AWS begins the cause by naming the state and its entering event."""

    def __init__(self, error: str | None, cause: str | None = None, *, placed: bool = False) -> None:
        super().__init__(error, cause)
        self.error = error
        self.cause = cause
        self.placed = placed


def runtime_error(cause: str) -> StateError:
    """``States.Runtime``: no Retry or Catch sees it."""
    return StateError("States.Runtime", cause, placed=True)


class Scope:
    """What paths are read from: the document of the moment (``$``) and the context object (``$$``)."""

    def __init__(self, document: Any, context: dict[str, Any], random: Random) -> None:
        self.document = document
        self.context = context
        self.random = random

    def on(self, document: Any) -> Scope:
        return Scope(document, self.context, self.random)

    def read(self, path: str) -> Any:
        """Raises jsonpath.NotFound."""
        if path.startswith("$$"):
            return jsonpath.read(path[1:], self.context)
        return jsonpath.read(path, self.document)

    def filtered(self, path: str | None) -> Any:
        """The document through an InputPath or OutputPath; None gives an empty object."""
        if path is None:
            return {}
        try:
            return self.read(path)
        except jsonpath.NotFound as problem:
            raise runtime_error(f"Invalid path '{path}' : {problem}") from None

    def expression(self, text: str, field: str) -> Any:
        """The value of a path or intrinsic call that stands in the field named."""
        if text.startswith("$"):
            try:
                return self.read(text)
            except jsonpath.NotFound:
                shown = dumps(self.context if text.startswith("$$") else self.document)
                raise runtime_error(
                    f"The JSONPath '{text}' specified for the field '{field}' could not be found in the input '{shown}'"
                ) from None
        call = intrinsics.parse(text)
        try:
            return intrinsics.evaluate(call, self.read, self.random)
        except intrinsics.PathMissing as missing:
            shown = dumps(self.context if missing.path.startswith("$$") else self.document)
            raise runtime_error(
                f"The function '{text}' had the following error: The JsonPath argument for the field "
                f"'{missing.path}' could not be found in the input '{shown}'"
            ) from None
        except intrinsics.Failed as problem:
            raise StateError(
                "States.IntrinsicFailure", f"The function '{text}' had the following error: {problem}", placed=True
            ) from None

    def payload(self, template: Any) -> Any:
        """A template with every ``name.$`` replaced by the value of what it holds."""
        if isinstance(template, list):
            return [self.payload(item) for item in template]
        if not isinstance(template, dict):
            return template
        made = {}
        for key, value in template.items():
            if key.endswith(".$"):
                made[key[:-2]] = self.expression(value, key)
            else:
                made[key] = self.payload(value)
        return made
