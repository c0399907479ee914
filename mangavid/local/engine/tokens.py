"""Task tokens: made for every attempt, answered once, from any process that can open the journal."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

from mangavid import faults
from mangavid.errors import BadInput, LeaseLost
from mangavid.local.engine.store import Store

_FORM = re.compile(r"mv1\.[0-9a-f]{64}")
#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html and …SendTaskFailure
MAX_OUTPUT = 262_144
MAX_ERROR, MAX_CAUSE = 256, 32_768


def new_token(random: Random) -> str:
    """256 random bits, so that a token is the capability it is on AWS."""
    return f"mv1.{random.getrandbits(256):064x}"


class TokenClient:
    """``ports.Callbacks`` on the journal at ``path``, for worker processes and threads.

    An answer is durable when the call returns; the engine takes it up by itself. LeaseLost's message begins with what
    AWS would have raised: InvalidToken (malformed), TaskDoesNotExist (unknown here), TaskTimedOut (answered, timed
    out, or its execution has ended).
    """

    def __init__(self, path: Path) -> None:
        self._store = Store(path)

    def success(self, token: str, output: Mapping[str, Any]) -> None:
        """Raises BadInput where the output is over 262,144 bytes of JSON."""
        text = json.dumps(output, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) > MAX_OUTPUT:
            raise BadInput(
                f"the output of a task may have {MAX_OUTPUT} bytes of JSON, not {len(text.encode())}",
                hint="store it under a key and send the key",
            )
        self._answer(token, output=text, error=None, cause=None)

    def failure(self, token: str, error: str, cause: str) -> None:
        """An empty error or cause is sent as none. Over-long ones are cut to what AWS takes."""
        self._answer(token, output=None, error=error[:MAX_ERROR] or None, cause=cause[:MAX_CAUSE] or None)

    def heartbeat(self, token: str) -> None:
        with self._store.transaction() as db:
            _check(db, token)
            db.execute("UPDATE tokens SET beats = beats + 1 WHERE token = ?", (token,))

    def _answer(self, token: str, *, output: str | None, error: str | None, cause: str | None) -> None:
        faults.point("token.answer")
        with self._store.transaction() as db:
            _check(db, token)
            db.execute(
                "UPDATE tokens SET status = 'answered', output = ?, error = ?, cause = ? WHERE token = ?",
                (output, error, cause, token),
            )
        faults.point("token.answered")


def _check(db: sqlite3.Connection, token: str) -> None:
    if not _FORM.fullmatch(token):
        raise LeaseLost("InvalidToken: Invalid token")
    row = db.execute("SELECT status FROM tokens WHERE token = ?", (token,)).fetchone()
    if row is None:
        raise LeaseLost("TaskDoesNotExist: no task was ever given this token")
    if row["status"] != "open":
        raise LeaseLost("TaskTimedOut: Task Timed Out: 'Provided task does not exist anymore'")
