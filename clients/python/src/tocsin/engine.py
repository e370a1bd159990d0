"""What runs behind a publisher in one process: the journal, the transport, and their threads."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Dict, Optional

from tocsin import events
from tocsin.acks import Ack
from tocsin.errors import Closed, NotFinal
from tocsin.events import Event, to_ms
from tocsin.journal import Entry, Journal, State
from tocsin.receiving import Receiver
from tocsin.recording import Recorder
from tocsin.sending import ERROR, Sender
from tocsin.telling import OnAck, Teller
from tocsin.transports.base import Outgoing, Transport
from tocsin.waiting import LOOK_EVERY_S, Room, Waiters

log = logging.getLogger("tocsin")


@dataclass(frozen=True)
class Written:
    """An event with its id, and its JSON."""

    event: Event
    body: str
    has_timestamp: bool

    @property
    def stored(self) -> bool:
        return self.event.priority != events.INFORMATIONAL

    def to_entry(self) -> Entry:
        event = self.event
        expires_at = to_ms(event.expires_at, "expires_at")
        return Entry(event.event_id, self.body, event.ordering_key, expires_at, self.has_timestamp)


@dataclass(frozen=True)
class Status:
    """How the journal stands. `error` says why nothing goes; empty while all goes."""

    waiting: int  # not known to be accepted
    accepted: int  # their final acks are to come
    error: str


class Engine:
    """Takes events in, and sees to it that each has its final ack."""

    def __init__(
        self,
        journal: Journal,
        transport: Transport,
        *,
        on_ack: Optional[OnAck] = None,
        max_events: int = 100_000,
        wait_for_disk: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._pid = os.getpid()
        self.journal = journal
        self.transport = transport
        self._clock = clock
        self._wait_for_disk = wait_for_disk
        self._closing = threading.Lock()
        self.closed = False
        self.waiters = Waiters()
        self._room = Room(max_events, journal.open_count)
        self._teller = Teller(journal, on_ack)
        self._recorder = Recorder(journal, transport, self._teller, self.waiters, self._room, clock)
        self._sender = Sender(journal, transport, self._recorder, clock)
        self._receiver = Receiver(journal, transport, self._recorder)

    @property
    def forked(self) -> bool:
        """Whether this is a copy in a forked child: its threads are not here."""
        return self._pid != os.getpid()

    def start(self) -> Engine:
        self._teller.start()
        self._sender.start()
        if self.transport.receives:
            self._receiver.start()
        return self

    def put(self, written: Sequence[Written], *, timeout_s: float) -> None:
        """Write events to the journal, or queue those that are not stored.

        Raises: `JournalFull`, `Conflict`, `JournalError`, `Closed`; nothing is taken then.
        """
        if self.closed:
            raise Closed("The publisher is closed.")
        entries = [one.to_entry() for one in written if one.stored]
        if entries:
            self._write(entries, timeout_s)
        if unstored := [Outgoing(one.event.event_id, one.body) for one in written if not one.stored]:
            self._sender.send_once(unstored)

    def _write(self, entries: Sequence[Entry], timeout_s: float) -> None:
        self._room.take(len(entries), timeout_s=timeout_s)
        try:
            number = self.journal.add(entries, now=self._clock())
        except BaseException:
            self._room.give_back(len(entries))
            raise
        self._sender.wake()  # it may go out while it goes to the disk
        if self._wait_for_disk:
            self.journal.wait(number)

    def final(self, event_id: str) -> Optional[Ack]:
        """Return the final ack of an event, if it is here."""
        return self._recorder.final(event_id)

    def wait_final(self, event_id: str, timeout_s: float) -> Ack:
        """Return the final ack of an event once it is here. Raises: `NotFinal`, `Closed`."""
        deadline = time.monotonic() + timeout_s
        came = threading.Event()
        self.waiters.add(event_id, came.set)
        try:
            while (ack := self.final(event_id)) is None:
                left_s = deadline - time.monotonic()
                if self.closed or left_s <= 0:
                    raise self.not_final(event_id)
                came.wait(min(left_s, LOOK_EVERY_S))
                came.clear()
            return ack
        finally:
            self.waiters.remove(event_id, came.set)

    def not_final(self, event_id: str) -> Exception:
        """Return what to raise where no final ack has come."""
        if self.closed:
            return Closed("The publisher was closed before the final ack.")
        error = self.status().error
        return NotFinal(f"{event_id} has no final ack yet{f' ({error})' if error else ''}; it goes on.")

    def flush(self, timeout_s: float) -> bool:
        """Wait until no event of the journal is without a final ack; return whether that is so."""
        deadline = time.monotonic() + timeout_s
        while self.journal.open_count():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def status(self) -> Status:
        counts: Dict[State, int] = self.journal.counts()
        return Status(counts.get(State.WAITING, 0), counts.get(State.ACCEPTED, 0), self.journal.note(ERROR))

    def close(self, timeout_s: float) -> int:
        """Send what waits, for so long, and end; return how many events have no final ack."""
        with self._closing:
            if self.closed:
                return 0
            self.closed = True
            self._sender.drain(timeout_s)
            self.transport.close()
            self._sender.join()
            self._receiver.stop()
            self._teller.stop()
            left = self.journal.open_count()
            if left and self.journal.in_memory:
                log.warning("events_forgotten: %d had no final ack, and there is no journal", left)
            self.journal.close()
            return left
