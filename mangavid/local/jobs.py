"""The jobs table in SQLite: WAL, synchronous FULL, shared by the run, its workers and every other command.

Loaded by ``status --json``, so nothing heavy is imported here.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mangavid import faults
from mangavid.errors import ConditionFailed
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

    def _rows(self, query: str, *values: str) -> list[Any]:
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
        marks = ", ".join("?" * len(status))
        chosen = f"status IN ({marks})" if status else "status IS NOT NULL"
        rows = self._rows(
            f"SELECT body FROM items WHERE key >= 'JOB#' AND key < 'JOB$' AND {chosen} ORDER BY sort DESC, key",  # noqa: S608 - question marks only
            *status,
        )
        return (_load(body) for (body,) in rows)

    def runs(self) -> Iterator[Item]:
        rows = self._rows("SELECT body FROM items WHERE key >= 'RUN#' AND key < 'RUN$' ORDER BY sort DESC, key DESC")
        return (_load(body) for (body,) in rows)


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
        left = frozenset(new.get(field, ())) - frozenset(members)
        # As in DynamoDB, an empty set is no attribute.
        new.pop(field, None)
        if left:
            new[field] = left
    for field, amount in change.plus.items():
        new[field] = new.get(field, 0) + amount
    return new


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
