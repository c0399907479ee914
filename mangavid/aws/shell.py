"""Around every function: decode the event, call its state, encode the result; log what happened as lines of JSON.

What is logged is chosen field by field, so that a token or an answer of a service never is.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from mangavid import keys
from mangavid.clock import SystemClock
from mangavid.errors import BadInput, MangavidError, told
from mangavid.ports import Clock, Target
from mangavid.states.loglines import measured, written

Handle = Callable[[Target, dict[str, Any]], dict[str, Any]]
Handler = Callable[[Any, Any], dict[str, Any]]

_CACHE = Path(tempfile.gettempdir()) / "mangavid-objects"
_TEXTS = ("run", "execution", "job_id", "token")


def function(
    name: str,
    state: str,
    handle: Handle,
    *,
    open_target: Callable[[], Target] | None = None,
    clock: Clock | None = None,
    out: TextIO | None = None,
) -> Handler:
    """The handler of a function. The target is opened once, at the first event: a failure to do so is told like any.

    Of an error of ours the class name and message with its hint get through to the state machine.
    """
    opened: list[Target] = []
    time = clock or SystemClock()
    log = Log(time, out)

    def handler(event: Any, context: Any) -> dict[str, Any]:
        about = {"function": name, "state": state, "request": getattr(context, "aws_request_id", "")}
        begun = time.monotonic()

        def values(failed: int) -> dict[str, Any]:
            channel = opened[0].config.aws.prefix if opened else ""
            seconds = round(time.monotonic() - begun, 3)
            return measured(time.now(), channel, {"function": name}, seconds=seconds, failed=failed)

        try:
            checked = decode(event)
            about |= _about(checked)
            log.line("info", "begins", **about)
            # What earlier events fetched: nothing is kept from one to the next on a disk this small.
            shutil.rmtree(_CACHE, ignore_errors=True)
            if not opened:
                opened.append((open_target or _open)())
            result = handle(opened[0], checked)
        except MangavidError as problem:
            log.line("error", str(problem), error=type(problem).__name__, **{**about, **values(failed=1)})
            raise type(problem)(told(problem)) from problem
        except Exception as bug:
            where = "".join(traceback.format_tb(bug.__traceback__))
            log.line("error", "a bug", error=type(bug).__name__, where=where, **{**about, **values(failed=1)})
            raise
        # The event that looks for a chapter has none yet.
        about["job"] = about["job"] or str(result.get("job_id", ""))
        log.line("info", "ends", result=result, **{**about, **values(failed=0)})
        return result

    return handler


def decode(event: Any) -> dict[str, Any]:
    """The event as the states take it. Raises BadInput for what the state machine never sends."""
    if not isinstance(event, dict):
        raise BadInput("the event is no JSON object", hint="this function is called by the state machine")
    for field in _TEXTS:
        if not isinstance(event.get(field, ""), str):
            raise BadInput(f"the event's {field} is no text")
    job_id = event.get("job_id", "")
    if job_id and not keys.JOB_ID.fullmatch(job_id):
        raise BadInput(f"{job_id[:80]!r} is no job id")
    return event


def _about(event: Mapping[str, Any]) -> dict[str, Any]:
    # HandleError has the job in the state that failed.
    failed = event.get("state")
    job = failed.get("job") if isinstance(failed, dict) else None
    job_id = event.get("job_id") or (job.get("job_id", "") if isinstance(job, dict) else "")
    retry = event.get("retry", 0)
    return {
        "execution": event.get("execution", ""),
        "job": job_id,
        "attempt": retry + 1 if isinstance(retry, int) else 1,
    }


def _open() -> Target:
    from mangavid.aws import environment, target_of

    return target_of(environment.read(os.environ), cache=_CACHE)


class Log:
    """Lines of JSON, each with its time, level and message, to ``out`` (standard output). Threads may share one."""

    def __init__(self, clock: Clock, out: TextIO | None = None) -> None:
        self._clock = clock
        self._out = out
        self._lock = threading.Lock()
        #: Given every line as well, with its time.
        self.also: Callable[[datetime, str], None] = lambda _when, _line: None

    def alone(self) -> Log:
        """To the same output, and nowhere else."""
        other = Log(self._clock, self._out)
        other._lock = self._lock
        return other

    def line(self, level: str, message: str, **fields: Any) -> None:
        """See ``states.loglines.written``."""
        now = self._clock.now()
        text = written(now, level, message, fields)
        out = self._out or sys.stdout
        with self._lock:
            out.write(text + "\n")
            out.flush()
        self.also(now, text)
