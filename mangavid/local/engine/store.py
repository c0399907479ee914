"""The journal's file: one SQLite database shared by the engine, the workers that answer tokens, and every command.

Nothing heavy is imported here: a worker loads it.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    status TEXT NOT NULL,
    started TEXT NOT NULL,
    stopped TEXT,
    input TEXT NOT NULL,
    output TEXT,
    error TEXT,
    cause TEXT,
    redrives INTEGER NOT NULL DEFAULT 0,
    definition TEXT NOT NULL,
    cursor TEXT NOT NULL,
    driver TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS events (
    arn TEXT NOT NULL,
    id INTEGER NOT NULL,
    previous INTEGER NOT NULL,
    type TEXT NOT NULL,
    at TEXT NOT NULL,
    details TEXT,
    PRIMARY KEY (arn, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tokens (
    token TEXT PRIMARY KEY,
    arn TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'answered', 'closed')),
    beats INTEGER NOT NULL DEFAULT 0,
    expired INTEGER NOT NULL DEFAULT 0,
    output TEXT,
    error TEXT,
    cause TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS executions_by_start ON executions (started);
CREATE INDEX IF NOT EXISTS executions_by_status ON executions (status, started);
CREATE INDEX IF NOT EXISTS tokens_of ON tokens (arn, status);
"""


class Store:
    """Connections to the file, one a thread. A writer waits up to 30 s for another process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._local = threading.local()

    def db(self) -> sqlite3.Connection:
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            db = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_SCHEMA)
            self._local.db = db
        return db

    def reading(self) -> sqlite3.Connection:
        """A connection to read by: where nothing was ever written it is to an empty database, and no file is made."""
        if getattr(self._local, "db", None) is not None or self.path.exists():
            return self.db()
        empty = sqlite3.connect(":memory:")
        empty.row_factory = sqlite3.Row
        empty.executescript(_SCHEMA)
        return empty

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and alone: it holds the write lock from its beginning."""
        db = self.db()
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close this thread's connection."""
        db: sqlite3.Connection | None = getattr(self._local, "db", None)
        if db is not None:
            db.close()
            self._local.db = None
