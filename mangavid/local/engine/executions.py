"""``ports.Executions`` on the journal alone, for commands in another process than the one that runs the workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mangavid import asl
from mangavid.clock import SystemClock
from mangavid.local.engine.journal import MACHINE_ARN, Journal
from mangavid.ports import Clock, Execution, Item


class JournalExecutions:
    """Reads the journal, stops and redrives; what it starts or redrives waits for an Engine to run it.

    ``definition`` is what it starts; None: the pipeline's own.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock | None = None,
        definition: Mapping[str, Any] | None = None,
        *,
        machine_arn: str = MACHINE_ARN,
    ) -> None:
        self._journal = Journal(path, machine_arn=machine_arn)
        self._clock = clock or SystemClock()
        self._definition = definition

    def start(self, name: str, input: Mapping[str, Any]) -> str:
        definition = self._definition if self._definition is not None else asl.local_definition()
        return self._journal.start(name, input, definition, self._clock.now())

    def describe(self, arn: str) -> Execution:
        return self._journal.describe(arn)

    def list(self, *, status: str | None = None) -> Iterator[Execution]:
        return self._journal.list(status)

    def history(self, arn: str, *, reverse: bool = False) -> Iterator[Item]:
        return self._journal.history(arn, reverse=reverse)

    def stop(self, arn: str, *, error: str, cause: str) -> None:
        self._journal.stop(arn, error, cause, self._clock.now())

    def redrive(self, arn: str) -> None:
        self._journal.redrive(arn, self._clock.now())
