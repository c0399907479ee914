"""The jobs table in SQLite: WAL, synchronous FULL, shared by the run, its workers and every other command.

Loaded by ``status --json``, so nothing heavy is imported here.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from heapq import merge
from pathlib import Path
from typing import Any

from mangavid import faults
from mangavid.errors import ConditionFailed
from mangavid.keys import job_item
from mangavid.ports import Change, Clause, Item

_SCHEMA = """
CREATE TABLE IF NOT EXISTS items (
    key TEXT PRIMARY KEY,
    status TEXT,
    sort TEXT NOT NULL DEFAULT '',
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_status ON items (status, sort);
"""


#: Rows that are read at a time: a screenful at first.
_PIECE, _PIECES = 32, 500
_TOP = "\U0010ffff"


class SqliteJobs:
    """``ports.Jobs``. One connection a thread; a writer waits up to 30 s for another process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()

    def _db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self._path, timeout=30.0, isolation_level=None)
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_SCHEMA)
            self._local.db = db
        return db

    def _rows(self, query: str, *values: str | int | None) -> list[Any]:
        """What a query finds; nothing, without making a file, where nothing was ever written."""
        if getattr(self._local, "db", None) is None and not self._path.exists():
            return []
        return self._db().execute(query, values).fetchall()

    def get(self, key: str) -> Item | None:
        rows = self._rows("SELECT body FROM items WHERE key = ?", key)
        return _load(rows[0][0]) if rows else None

    def change(self, *changes: Change) -> list[Item]:
        db = self._db()
        after: list[Item] = []
        db.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                before = self.get(change.key)
                if not holds(change.when, before):
                    raise ConditionFailed(f"{change.key} is not as expected", current=before)
                item = applied(change, before)
                db.execute(
                    "INSERT OR REPLACE INTO items (key, status, sort, body) VALUES (?, ?, ?, ?)",
                    (change.key, item.get("status"), _sort(item), _dump(item)),
                )
                after.append(item)
            faults.point("jobs.commit")
            db.execute("COMMIT")
        except BaseException:
            # SQLite has rolled back by itself where the disk is full.
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        faults.point("jobs.committed")
        return after

    def by_status(self, *status: str) -> Iterator[Item]:
        chosen = status or [row[0] for row in self._rows("SELECT DISTINCT status FROM items WHERE status IS NOT NULL")]
        lists = [self._newest_first("JOB#", one) for one in dict.fromkeys(chosen)]
        return (_load(body) for _, _, body in merge(*lists, key=lambda row: row[0], reverse=True))

    def named(self, beginning: str) -> Iterator[str]:
        rows = self._rows(
            "SELECT key FROM items WHERE key >= ? AND key < ? AND status IS NOT NULL",
            job_item(beginning),
            job_item(beginning) + _TOP,
        )
        return (key.removeprefix(job_item("")) for (key,) in rows)

    def runs(self) -> Iterator[Item]:
        return (_load(body) for _, _, body in self._newest_first("RUN#"))

    def _newest_first(self, kind: str, status: str | None = None) -> Iterator[tuple[str, str, str]]:
        """Sort, key and body of items, read in pieces.

        No query stays open meanwhile: it would keep this thread's connection in the past.
        """
        size, last, beyond = _PIECE, _TOP, ""
        chosen = "status = ?" if status else "? IS NULL"
        while True:
            rows = self._rows(
                f"SELECT sort, key, body FROM items WHERE {chosen} AND sort <= ? AND (sort < ? OR key > ?)"  # noqa: S608 - two texts of ours
                " AND key >= ? AND key < ? ORDER BY sort DESC, key LIMIT ?",
                *(status, last, last, beyond, kind, kind[:-1] + "$", size),
            )
            yield from rows
            if len(rows) < size:
                return
            (last, beyond, _), size = rows[-1], _PIECES


def _sort(item: Item) -> str:
    return str(item.get("updated_at") or item.get("started_at") or "")


def holds(when: Any, item: Item | None) -> bool:
    """Whether every group has a clause that is true of the item (None: a missing item)."""
    return all(any(_true(clause, item) for clause in group) for group in when)


def _true(clause: Clause, item: Item | None) -> bool:
    have = item is not None and clause.field in item
    if clause.op == "absent":
        return not have
    if item is None or not have:
        return False
    value = item[clause.field]
    match clause.op:
        case "present":
            return True
        case "eq":
            return bool(value == clause.value)
        case "ne":
            return bool(value != clause.value)
        case "lt":
            return bool(value < clause.value)
        case "in":
            return bool(value in clause.value)
        case "size_lt":
            return bool(len(value) < clause.value)
        case "contains":
            return bool(clause.value in value)
        case "not_contains":
            return bool(clause.value not in value)


def applied(change: Change, item: Item | None) -> Item:
    """The item after the change; the one before is left as it is."""
    new: Item = {**(item or {}), **change.set, "key": change.key}
    for field in change.remove:
        new.pop(field, None)
    for field, members in change.add.items():
        new[field] = frozenset(new.get(field, ())) | frozenset(members)
    for field, members in change.discard.items():
        new[field] = frozenset(new.get(field, ())) - frozenset(members)
    for field, amount in change.plus.items():
        new[field] = new.get(field, 0) + amount
    # As in DynamoDB, an empty set is no attribute.
    return {field: value for field, value in new.items() if value != frozenset()}


def _dump(item: Item) -> str:
    return json.dumps(item, default=_set, ensure_ascii=False, sort_keys=True)


def _set(value: object) -> dict[str, list[str]]:
    if isinstance(value, frozenset | set):
        return {"$set": sorted(value)}
    raise TypeError(f"{type(value).__name__} can't be stored in the jobs table")


def _load(body: str) -> Item:
    def restore(found: dict[str, Any]) -> Any:
        return frozenset(found["$set"]) if found.keys() == {"$set"} else found

    item: Item = json.loads(body, object_hook=restore)
    return item
