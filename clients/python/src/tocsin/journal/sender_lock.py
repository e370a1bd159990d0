"""One sender for each journal file, whatever the number of processes that write to it."""

from __future__ import annotations

import sqlite3
from typing import Optional


class SenderLock:
    """Held by one process at a time, and let go by its end, however it ends.

    It is SQLite's own lock on an empty file beside the journal: it works wherever the journal works, and a
    forked child does not inherit it.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._connection: Optional[sqlite3.Connection] = None

    @property
    def held(self) -> bool:
        return self._connection is not None

    def take(self) -> bool:
        """Take it if nobody has it; return whether it is held now."""
        if self._connection is None:
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            try:
                connection.execute("BEGIN EXCLUSIVE")
                self._connection = connection
            except sqlite3.OperationalError:
                connection.close()
        return self.held

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class NoLock(SenderLock):
    """For a journal in memory, which no other process sees."""

    def __init__(self) -> None:
        super().__init__(":memory:")
