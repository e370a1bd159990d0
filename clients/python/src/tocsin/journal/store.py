"""The rows of the journal. Every change is one transaction; a kill of the process loses none of them."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Dict, List, Optional, Tuple

from tocsin.errors import Conflict, JournalError
from tocsin.events import without_timestamp
from tocsin.journal.schema import opened
from tocsin.journal.sender_lock import NoLock, SenderLock
from tocsin.journal.syncing import Syncing

log = logging.getLogger("tocsin")

MEMORY = ":memory:"
_CHECKPOINT_BYTES = 8 * 1024 * 1024
_KEPT_S = 3600.0  # a final ack, for `wait_final` and `tocsin status`
_COLUMNS = "id, event_id, body, ordering_key, expires_at, state, tries, ack"


class State(IntEnum):
    WAITING = 0  # not known to be accepted
    ACCEPTED = 1  # QUEUED: its final ack is to come
    ENDED = 2  # its final ack is here, and `on_ack` has not had it
    TOLD = 3  # nothing is left to do; kept for an hour


@dataclass(frozen=True)
class Entry:
    """An event to write."""

    event_id: str
    body: str
    ordering_key: str = ""
    expires_at: int = 0
    has_timestamp: bool = True  # given by the producer


@dataclass(frozen=True)
class Row:
    """An event as it stands in the journal."""

    id: int
    event_id: str
    body: str
    ordering_key: str
    expires_at: int
    state: State
    tries: int
    ack: str


@dataclass(frozen=True)
class Change:
    """What has become of an event."""

    event_id: str
    state: State
    next_at: float
    ack: str = ""
    tried: bool = True


class Journal:
    """Events from `add` to their final ack. All threads of a process share one connection.

    Guarantee: what `add` returned for survives a kill of the process; what `wait` returned for survives the
    loss of power too. All other changes may be lost with the power, and an event is then sent once more.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.in_memory = path == MEMORY
        self._lock = threading.Lock()
        self._connection = opened(path)
        self._checkpoints = None if self.in_memory else opened(path)
        self._syncing = None if self.in_memory else Syncing(f"{path}-wal")
        self.sender_lock = NoLock() if self.in_memory else SenderLock(f"{path}-sender")

    # --- writing ----------------------------------------------------------------------------------------
    def add(self, entries: Sequence[Entry], *, now: float) -> int:
        """Write events; return the number to `wait` for. One that is here already is not written again.

        Raises: `Conflict` if one is here with other content, `JournalError`. Nothing is written then.
        """
        with self._changing() as connection:
            for entry in entries:
                written = connection.execute(
                    "INSERT INTO events (event_id, body, ordering_key, expires_at, state, tries, next_at)"
                    " VALUES (?, ?, ?, ?, 0, 0, ?) ON CONFLICT DO NOTHING",
                    (entry.event_id, entry.body, entry.ordering_key, entry.expires_at, now),
                )
                if not written.rowcount:
                    _compare(connection, entry)
        return self._syncing.wrote() if self._syncing is not None else 0

    def wait(self, number: int) -> None:
        """Return once it is on the disk. Raises: `JournalError`."""
        if self._syncing is not None:
            try:
                self._syncing.wait(number)
            except OSError as error:
                raise JournalError(
                    f"The journal {self.path} cannot be brought to the disk: {error}"
                ) from error

    def change(self, changes: Iterable[Change], *, notes: Iterable[Tuple[str, str]] = ()) -> List[Row]:
        """Record what has become of events; return those that have changed their state, as they stand now.

        An event never goes back: what ended stays so.
        """
        moved: List[Row] = []
        with self._changing() as connection:
            for change in changes:
                before = _row(connection, change.event_id)
                if before is None or before.state >= State.ENDED or before.state > change.state:
                    continue
                connection.execute(
                    "UPDATE events SET state = ?, next_at = ?, ack = ?, tries = ? WHERE id = ?",
                    (
                        change.state,
                        change.next_at,
                        change.ack or before.ack,
                        _tries(before, change),
                        before.id,
                    ),
                )
                if before.state != change.state:
                    moved += filter(None, [_row(connection, change.event_id)])
            connection.executemany("INSERT OR REPLACE INTO notes VALUES (?, ?)", list(notes))
        return moved

    def told(self, event_ids: Sequence[str], *, now: float) -> None:
        """Note that `on_ack` has had the final acks of these events."""
        with self._changing() as connection:
            connection.executemany(
                "UPDATE events SET state = 3, next_at = ? WHERE event_id = ? AND state = 2",
                [(now, event_id) for event_id in event_ids],
            )

    def tidy(self, *, now: float) -> None:
        """Remove what ended an hour ago, and copy the log back into the file where it has grown."""
        with self._changing() as connection:
            connection.execute("DELETE FROM events WHERE state = 3 AND next_at < ?", (now - _KEPT_S,))
        if self._checkpoints is None:
            return
        try:
            grown = os.stat(f"{self.path}-wal").st_size > _CHECKPOINT_BYTES
        except FileNotFoundError:  # what is here is sent; what is published now survives no crash
            log.critical("journal_removed: %s is gone from its folder; restart the producer", self.path)
            return
        if grown:
            self._checkpoints.execute("PRAGMA wal_checkpoint(PASSIVE)")  # nobody waits for it

    # --- reading ----------------------------------------------------------------------------------------
    def waiting(self, *, now: float, limit: int) -> List[Row]:
        """Return the events to send, in order; of each ordering key only the oldest that is not accepted."""
        sql = (
            f"SELECT {_COLUMNS} FROM (SELECT * FROM events WHERE state = 0 AND ordering_key = ''"
            " AND next_at <= :now ORDER BY id LIMIT :limit)"
            f" UNION ALL SELECT {_COLUMNS} FROM events WHERE next_at <= :now AND id IN ("
            "SELECT min(id) FROM events WHERE state = 0 AND ordering_key <> '' GROUP BY ordering_key)"
            " ORDER BY id LIMIT :limit"
        )
        return self._rows(sql, {"now": now, "limit": limit})

    def to_ask(self, *, now: float, limit: int) -> List[Row]:
        """Return the accepted events whose end is to be asked for."""
        sql = f"SELECT {_COLUMNS} FROM events WHERE state = 1 AND next_at <= ? ORDER BY next_at LIMIT ?"
        return self._rows(sql, (now, limit))

    def expired(self, *, waiting_ms: float, accepted_ms: float, limit: int = 500) -> List[Row]:
        """Return the events whose `expires_at` is before these times."""
        sql = (
            f"SELECT {_COLUMNS} FROM events WHERE state < 2 AND expires_at > 0"
            " AND expires_at < CASE state WHEN 0 THEN ? ELSE ? END LIMIT ?"
        )
        return self._rows(sql, (waiting_ms, accepted_ms, limit))

    def ended(self, *, limit: int = 500) -> List[Row]:
        """Return the events whose final ack `on_ack` has not had."""
        sql = f"SELECT {_COLUMNS} FROM events WHERE state = 2 ORDER BY next_at LIMIT ?"
        return self._rows(sql, (limit,))

    def latest(self, *, limit: int) -> List[Row]:
        """Return the events that were written last, the newest first."""
        return self._rows(f"SELECT {_COLUMNS} FROM events ORDER BY id DESC LIMIT ?", (limit,))

    def find(self, event_id: str) -> Optional[Row]:
        with self._lock:
            return _row(self._connection, event_id)

    def next_at(self, *, after: float) -> Optional[float]:
        """Return when the next event is due, if any is to come."""
        sql = "SELECT min(next_at) FROM events WHERE state = ? AND next_at > ?"
        found = [self._one(sql, (state, after)) for state in (State.WAITING, State.ACCEPTED)]
        return min((float(moment) for moment in found if moment is not None), default=None)

    def counts(self) -> Dict[State, int]:
        with self._lock:
            found = self._connection.execute("SELECT state, count(*) FROM events GROUP BY state").fetchall()
        return {State(state): count for state, count in found}

    def open_count(self) -> int:
        """Return how many events have no final ack."""
        conditions = ("state = 0 AND ordering_key = ''", "state = 0 AND ordering_key <> ''", "state = 1")
        return sum(int(self._one(f"SELECT count(*) FROM events WHERE {one}")) for one in conditions)

    def note(self, name: str) -> str:
        return str(self._one("SELECT value FROM notes WHERE name = ?", (name,)) or "")

    def close(self) -> None:
        if self._syncing is not None:
            self._syncing.close()
        self.sender_lock.release()
        for connection in filter(None, (self._checkpoints, self._connection)):
            connection.close()

    # --- the connection ---------------------------------------------------------------------------------
    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """Give the connection, in a transaction. Raises: `JournalError`."""
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise JournalError(f"The journal {self.path} cannot be written: {error}") from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _rows(self, sql: str, values: Any) -> List[Row]:
        with self._lock:
            return [_as_row(found) for found in self._connection.execute(sql, values).fetchall()]

    def _one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        with self._lock:
            found = self._connection.execute(sql, values).fetchone()
        return None if found is None else found[0]


def _row(connection: sqlite3.Connection, event_id: str) -> Optional[Row]:
    found = connection.execute(f"SELECT {_COLUMNS} FROM events WHERE event_id = ?", (event_id,)).fetchone()
    return None if found is None else _as_row(found)


def _as_row(found: Sequence[Any]) -> Row:
    identifier, event_id, body, ordering_key, expires_at, state, tries, ack = found
    return Row(identifier, event_id, body, ordering_key, expires_at, State(state), tries, ack)


def _tries(before: Row, change: Change) -> int:
    """Count the tries to have it accepted, and then those to learn its end."""
    return 0 if before.state != change.state else before.tries + change.tried


def _compare(connection: sqlite3.Connection, entry: Entry) -> None:
    """Raise `Conflict` unless the event that is here is the same; a time that we filled in may differ."""
    before = _row(connection, entry.event_id)
    if before is None or before.body == entry.body:
        return
    if entry.has_timestamp or without_timestamp(before.body) != without_timestamp(entry.body):
        detail = f"{entry.event_id} is in the journal with other content; use a new id for it."
        raise Conflict("conflict", detail, "event_id")
