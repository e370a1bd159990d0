"""The journal's tables, and opening its file."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from tocsin.errors import JournalError

VERSION = 1
BUSY_S = 10.0

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    ordering_key TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    state INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    next_at REAL NOT NULL,
    ack TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS waiting ON events (id, next_at) WHERE state = 0 AND ordering_key = '';
CREATE INDEX IF NOT EXISTS waiting_by_key ON events (ordering_key, id)
    WHERE state = 0 AND ordering_key <> '';
CREATE INDEX IF NOT EXISTS accepted ON events (next_at) WHERE state = 1;
CREATE INDEX IF NOT EXISTS expiring ON events (expires_at) WHERE state < 2 AND expires_at > 0;
CREATE INDEX IF NOT EXISTS ended ON events (next_at) WHERE state >= 2;
CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


def opened(path: str) -> sqlite3.Connection:
    """Open the journal, and create what it needs. Raises: `JournalError`."""
    try:
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # payloads are nobody else's business
        connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        _prepare(connection, path)
    except (OSError, sqlite3.Error) as error:
        raise JournalError(
            f"The journal {path} cannot be used: {error}. Give journal=… a file in a folder that may be"
            " written and lasts, or journal=None to do without what survives a crash."
        ) from error
    return connection


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Write ahead: `Syncing` brings commits to the disk, and `Journal.tidy` copies them back."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > VERSION:
        raise sqlite3.DatabaseError("it is that of a newer tocsin-client")
    connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} PRAGMA user_version = {VERSION}; COMMIT;")
    if path != ":memory:":
        _sync_folder(path)


def _sync_folder(path: str) -> None:
    """Bring the names of the new files to the disk, where folders can be opened."""
    if os.name == "posix":
        folder = os.open(str(Path(path).resolve().parent), os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
