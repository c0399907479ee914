"""The journal: executions, their events and tokens, each transition in one transaction of the file."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from sqlite3 import Connection, Row
from typing import Any

import msgspec

from mangavid import faults
from mangavid.errors import LeaseLost, Locked, SourceNotFound, UsageError
from mangavid.local.engine import events
from mangavid.local.engine.cursor import MAX_BYTES, MAX_EVENTS, Answer, Cursor, End, Facts, Transition
from mangavid.local.engine.events import Event
from mangavid.local.engine.jsontext import dumps
from mangavid.local.engine.store import Store
from mangavid.ports import Execution, Item

MACHINE_ARN = "arn:aws:states:local:000000000000:stateMachine:manga-pipeline"
ROLE_ARN = "arn:aws:iam::000000000000:role/manga-pipeline"
#: https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html, parameter name
_BAD_NAME = re.compile(r"""[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]""")


#: Rows that are read at a time: few at first.
_PIECE, _PIECES = 32, 500
_TOP = "\U0010ffff"


@dataclass(frozen=True)
class Seen:
    """What others may have changed since the last look: ``answer`` of the open token, its beats, the status."""

    status: str
    driver: str
    beats: int
    expired: bool
    answer: Answer | None


class Journal:
    """The file at ``path``, shared by processes and threads."""

    def __init__(self, path: Path, *, machine_arn: str = MACHINE_ARN, role_arn: str = ROLE_ARN) -> None:
        self._store = Store(path)
        self._machine_arn = machine_arn
        self._role_arn = role_arn

    # --- from outside ---

    def start(self, name: str, data: Mapping[str, Any], definition: Mapping[str, Any], now: datetime) -> str:
        """Record a new execution; the ARN. The same name and input again give the first one's.

        Raises UsageError: a name AWS would refuse, an input over 262,144 bytes, a name in use with another input.
        """
        if not 1 <= len(name) <= 80 or _BAD_NAME.search(name):
            raise UsageError(
                f"{name!r} can't name an execution: 1 to 80 characters, no blanks, none of <>{{}}[]?*\"#%\\^|~`$&,;:/",
                hint="letters, digits, - and _ are always fine",
            )
        text = dumps(data)
        if len(text.encode()) > MAX_BYTES:
            raise UsageError(f"the input of execution {name} has {len(text.encode())} bytes; {MAX_BYTES} are allowed")
        arn = f"{self._machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
        timeout = definition.get("TimeoutSeconds")
        cursor = Cursor(
            state=definition["StartAt"],
            input=json.loads(text),
            expires=now.timestamp() + timeout if timeout is not None else None,
        )
        with self._store.transaction() as db:
            known = db.execute("SELECT input FROM executions WHERE arn = ?", (arn,)).fetchone()
            if known:
                if json.loads(known["input"]) != json.loads(text):
                    raise UsageError(
                        f"ExecutionAlreadyExists: {name} was started with another input", hint="choose another name"
                    )
                return arn
            last = _append(db, arn, 0, [events.started(cursor.input, self._role_arn)], now)
            db.execute(
                "INSERT INTO executions (arn, name, status, started, input, definition, cursor)"
                " VALUES (?, ?, 'RUNNING', ?, ?, ?, ?)",
                (arn, name, now.isoformat(), text, json.dumps(definition), _text(cursor, last)),
            )
        return arn

    def stop(self, arn: str, error: str, cause: str, now: datetime) -> None:
        """Abort a running execution: its tokens close, and whoever drives it finds out. No effect on an ended one."""
        with self._store.transaction() as db:
            row = _row(db, arn)
            if row["status"] != "RUNNING":
                return
            cursor = _cursor(row)
            last = _append(db, arn, cursor.last, [events.aborted(error, cause)], now)
            _finish(db, arn, End("ABORTED", error=error or None, cause=cause or None), now)
            db.execute("UPDATE executions SET cursor = ? WHERE arn = ?", (_text(cursor, last), arn))
            db.execute("UPDATE tokens SET status = 'closed' WHERE arn = ?", (arn,))

    def redrive(self, arn: str, now: datetime) -> None:
        """Put an unsuccessful execution back to the state it ended in, with that state's input and fresh retries.

        Raises UsageError where it runs, succeeded, or has no room left in its history.
        """
        with self._store.transaction() as db:
            row = _row(db, arn)
            if row["status"] in ("RUNNING", "SUCCEEDED"):
                raise UsageError(f"ExecutionNotRedrivable: {row['name']} is {row['status']}")
            before = _cursor(row)
            if before.last >= MAX_EVENTS - 1:
                raise UsageError(
                    f"ExecutionNotRedrivable: {row['name']} has {before.last} events, the most there may be"
                )
            count = row["redrives"] + 1
            last = _append(db, arn, before.last, [events.redriven(count)], now)
            timeout = json.loads(row["definition"]).get("TimeoutSeconds")
            cursor = Cursor(
                state=before.state,
                input=before.input,
                entered=before.entered,
                again=before.entered > 0,
                expires=now.timestamp() + timeout if timeout is not None else None,
            )
            db.execute(
                "UPDATE executions SET status = 'RUNNING', stopped = NULL, output = NULL, error = NULL, cause = NULL,"
                " redrives = ?, cursor = ? WHERE arn = ?",
                (count, _text(cursor, last), arn),
            )

    def expire(self, token: str) -> None:
        """Let a token's heartbeat run out now. Raises LeaseLost where it is not open."""
        with self._store.transaction() as db:
            done = db.execute("UPDATE tokens SET expired = 1 WHERE token = ? AND status = 'open'", (token,))
            if done.rowcount == 0:
                raise LeaseLost("TaskTimedOut: the token is not open")

    def describe(self, arn: str) -> Execution:
        """Raises SourceNotFound."""
        return _execution(_row(self._store.reading(), arn))

    def list(self, status: str | None = None) -> Iterator[Execution]:
        """Newest first, read in pieces: a query that stays open would keep this thread's connection in the past."""
        chosen, last, size = "status = ?" if status else "? IS NULL", (_TOP, 0), _PIECE
        while True:
            rows = (
                self._store.reading()
                .execute(
                    "SELECT rowid, arn, name, status, started, stopped, input, output, error, cause FROM executions"  # noqa: S608 - two texts of ours
                    f" WHERE {chosen} AND (started, rowid) < (?, ?) ORDER BY started DESC, rowid DESC LIMIT ?",
                    (status, *last, size),
                )
                .fetchall()
            )
            yield from map(_execution, rows)
            if len(rows) < size:
                return
            last, size = (rows[-1]["started"], rows[-1]["rowid"]), _PIECES

    def history(self, arn: str, *, after: int = 0, reverse: bool = False) -> Iterator[Item]:
        """Events with an id above ``after``. Raises SourceNotFound."""
        self.describe(arn)
        return self._events(arn, after, reverse)

    def _events(self, arn: str, after: int, reverse: bool) -> Iterator[Item]:
        before, order, size = sys.maxsize, "DESC" if reverse else "ASC", _PIECE
        while True:
            rows = (
                self._store.reading()
                .execute(
                    f"SELECT * FROM events WHERE arn = ? AND id > ? AND id < ? ORDER BY id {order} LIMIT ?",  # noqa: S608 - ASC or DESC
                    (arn, after, before, size),
                )
                .fetchall()
            )
            yield from map(_event, rows)
            if len(rows) < size:
                return
            after, before = (after, rows[-1]["id"]) if reverse else (rows[-1]["id"], before)
            size = _PIECES

    def cursor(self, arn: str) -> Cursor:
        """Where an execution stands. Raises SourceNotFound."""
        return _cursor(_row(self._store.db(), arn))

    # --- for the one who drives ---

    def take(self, arn: str, driver: str) -> tuple[Cursor, Facts, dict[str, Any]]:
        """Become the driver of an execution, in the place of any before. Its cursor, facts and definition."""
        with self._store.transaction() as db:
            db.execute("UPDATE executions SET driver = ? WHERE arn = ?", (driver, arn))
            row = _row(db, arn)
            facts = Facts(
                arn=arn,
                name=row["name"],
                input=json.loads(row["input"]),
                started=datetime.fromisoformat(row["started"]),
                role=self._role_arn,
                machine_arn=self._machine_arn,
                redrives=row["redrives"],
            )
            return _cursor(row), facts, json.loads(row["definition"])

    def look(self, arn: str, token: str) -> Seen:
        """What others have done: cheap, to be polled."""
        row = (
            self._store.db()
            .execute(
                "SELECT e.status, e.driver, t.status = 'answered' AS answered, t.beats, t.expired,"
                " t.output, t.error, t.cause FROM executions e LEFT JOIN tokens t ON t.token = ? WHERE e.arn = ?",
                (token, arn),
            )
            .fetchone()
        )
        answer = Answer(row["output"], row["error"], row["cause"]) if row["answered"] else None
        return Seen(row["status"], row["driver"], row["beats"] or 0, bool(row["expired"]), answer)

    def commit(self, arn: str, driver: str, step: Transition, now: datetime) -> tuple[Cursor, bool]:
        """Make a transition durable. (Where the execution stands now, whether it still runs.)

        Raises Locked where another process has become the driver.
        """
        faults.point("engine.commit")
        with self._store.transaction() as db:
            row = db.execute("SELECT status, driver, cursor FROM executions WHERE arn = ?", (arn,)).fetchone()
            if row["driver"] != driver:
                raise Locked("another process has taken over this execution", hint="mangavid status shows how it goes")
            if row["status"] != "RUNNING":
                return _cursor(row), False
            last = _append(db, arn, _cursor(row).last, step.events, now)
            cursor = msgspec.structs.replace(step.cursor, last=last)
            db.execute("UPDATE executions SET cursor = ? WHERE arn = ?", (_text(cursor, last), arn))
            if step.closes:
                db.execute("UPDATE tokens SET status = 'closed' WHERE arn = ? AND status != 'closed'", (arn,))
            if step.opens:
                db.execute("INSERT INTO tokens (token, arn, status) VALUES (?, ?, 'open')", (step.opens, arn))
            if step.end:
                _finish(db, arn, step.end, now)
            faults.point("engine.committing")
        faults.point("engine.committed")
        return cursor, step.end is None


def _append(db: Connection, arn: str, last: int, new: list[Event], now: datetime) -> int:
    for event in new:
        details = None if event.details is None else dumps(event.details)
        previous = last if event.previous is None else event.previous
        db.execute(
            "INSERT INTO events (arn, id, previous, type, at, details) VALUES (?, ?, ?, ?, ?, ?)",
            (arn, last + 1, previous, event.type, now.isoformat(), details),
        )
        last += 1
    return last


def _finish(db: Connection, arn: str, end: End, now: datetime) -> None:
    db.execute(
        "UPDATE executions SET status = ?, stopped = ?, output = ?, error = ?, cause = ? WHERE arn = ?",
        (end.status, now.isoformat(), end.output, end.error, end.cause, arn),
    )


def _text(cursor: Cursor, last: int) -> str:
    return msgspec.json.encode(msgspec.structs.replace(cursor, last=last)).decode()


def _cursor(row: Row) -> Cursor:
    return msgspec.json.decode(row["cursor"], type=Cursor)


def _row(db: Connection, arn: str) -> Row:
    row: Row | None = db.execute("SELECT * FROM executions WHERE arn = ?", (arn,)).fetchone()
    if row is None:
        raise SourceNotFound(f"no execution {arn}", hint="mangavid status lists them")
    return row


def _execution(row: Row) -> Execution:
    return Execution(
        arn=row["arn"],
        name=row["name"],
        status=row["status"],
        started=datetime.fromisoformat(row["started"]),
        stopped=datetime.fromisoformat(row["stopped"]) if row["stopped"] else None,
        input=json.loads(row["input"]),
        output=json.loads(row["output"]) if row["output"] else None,
        error=row["error"] or "",
        cause=row["cause"] or "",
    )


def _event(row: Row) -> Item:
    made: Item = {
        "id": row["id"],
        "previousEventId": row["previous"],
        "timestamp": datetime.fromisoformat(row["at"]),
        "type": row["type"],
    }
    if row["details"] is not None:
        made[events.details_key(row["type"])] = json.loads(row["details"])
    return made
