"""The publisher: what an application imports."""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Callable, List, Optional, Type

from tocsin.acks import Ack
from tocsin.engine import Engine, Status, Written
from tocsin.events import Event
from tocsin.journal import Journal
from tocsin.options import DEFAULT_JOURNAL, PathOrNone, Target, target
from tocsin.telling import OnAck
from tocsin.transports import transport_for
from tocsin.verbs import Verbs

_stand_in: Optional[Callable[[Optional[OnAck]], Engine]] = None  # `tocsin.testing.fake` sets it
_inherited: List[Engine] = []  # of a parent process: never used and never closed here


class Taken:
    """One event that is in the journal, or was sent if it is INFORMATIONAL."""

    def __init__(self, event: Event, engine: Engine) -> None:
        self.event = event
        self._engine = engine

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.event_id}>"

    @property
    def event_id(self) -> str:
        return self.event.event_id

    @property
    def final(self) -> Optional[Ack]:
        """The final ack, once it is here."""
        return self._engine.final(self.event_id)


class Published(Taken):
    """One event that was taken."""

    def wait_final(self, timeout: float = 30.0) -> Ack:
        """Return the final ack. Raises: `NotFinal` after so many seconds; the event goes on."""
        return self._engine.wait_final(self.event_id, timeout)


class EventPublisher(Verbs[Published]):
    """Publishes events to Tocsin, through a journal that survives a crash.

    Guarantee: an event that `publish` returned for is sent, again and again under the same id, until its
    final ack or its expiry, whatever is killed: this process, the machine, Tocsin. INFORMATIONAL events are
    sent once. Threads may share a publisher, and processes a journal; one of them sends.

    `url`: `https://…` with `key`, or `redis://…` with `source`. `journal`: a file in a folder that lasts, or
    None to keep events in memory alone. `on_ack` is called with every ack, in a thread of its own, by the
    process that sends; it has each final ack at least once. `wait_for_disk=False` returns once the kernel
    has the event: it survives this process, but not a loss of power within the next milliseconds. With
    `max_events` waiting, `publish` waits for up to `block_s` seconds, and then raises `JournalFull`.
    What is not given is read from TOCSIN_URL, TOCSIN_KEY, TOCSIN_SOURCE and TOCSIN_JOURNAL.

    Raises: ValueError, `JournalError`.
    """

    def __init__(
        self,
        url: str = "",
        *,
        key: str = "",
        source: str = "",
        journal: PathOrNone = DEFAULT_JOURNAL,
        on_ack: Optional[OnAck] = None,
        wait_for_disk: bool = True,
        max_events: int = 100_000,
        block_s: float = 30.0,
        timeout_s: float = 30.0,
    ) -> None:
        self._on_ack = on_ack
        self._wait_for_disk = wait_for_disk
        self._max_events = max_events
        self._block_s = block_s
        self._starting = threading.Lock()
        self._own: Optional[Engine] = None
        self._target: Optional[Target] = None
        self._asked = (url, key, source, journal, timeout_s)
        if _stand_in is None:
            self._target = self._read_target()
            self._engine()
        atexit.register(self.close, 2.0)

    def _read_target(self) -> Target:
        url, key, source, journal, timeout_s = self._asked
        return target(url, key=key, source=source, journal=journal, timeout_s=timeout_s)

    def _engine(self) -> Engine:
        """Return the engine of this process: after a fork the child starts one of its own."""
        if _stand_in is not None:
            return _stand_in(self._on_ack)
        if self._own is not None and self._own.forked:
            _inherited.append(self._own)
            self._own, self._starting = None, threading.Lock()
        with self._starting:
            if self._own is None:
                self._own = self._started(self._target or self._read_target())
            return self._own

    def _started(self, where: Target) -> Engine:
        transport = transport_for(where.url, where.options)
        engine = Engine(
            Journal(where.journal),
            transport,
            on_ack=self._on_ack,
            max_events=self._max_events,
            wait_for_disk=self._wait_for_disk,
        )
        return engine.start()

    # --- publishing -------------------------------------------------------------------------------------
    def publish(self, event: Event) -> Published:
        """Publish one event; return once it is in the journal.

        Raises: `InvalidEvent`, `Conflict`, `JournalFull`, `JournalError`, `Closed`. Nothing is taken then.
        """
        return self.publish_many([event])[0]

    def publish_many(self, many: Sequence[Event]) -> List[Published]:
        """Publish events, all or none, with one wait for the disk. Raises as `publish`."""
        written = [write(event) for event in many]
        engine = self._engine()
        engine.put(written, timeout_s=self._block_s)
        return [Published(one.event, engine) for one in written]

    def after_commit(self, using: Optional[str] = None) -> AfterCommit:
        """Return a publisher for use inside a Django transaction: each event goes out once it has committed.

        Nothing goes out if it rolls back. Outside a transaction events go out at once.
        """
        return AfterCommit(self, using)

    # --- what becomes of them ---------------------------------------------------------------------------
    def wait_final(self, event_id: str, timeout: float = 30.0) -> Ack:
        """Return the final ack of an event of this journal. Raises: `NotFinal`."""
        return self._engine().wait_final(event_id, timeout)

    def flush(self, timeout: float = 30.0) -> bool:
        """Wait until every event has its final ack; return whether that is so."""
        return self._engine().flush(timeout)

    def status(self) -> Status:
        """Return how many events wait, and why."""
        return self._engine().status()

    # --- the end ----------------------------------------------------------------------------------------
    def close(self, timeout: float = 5.0) -> int:
        """Send what waits, for up to so many seconds, and end; return how many have no final ack.

        They stay in the journal, and the next publisher with this journal goes on with them.
        """
        atexit.unregister(self.close)
        engine, forked = self._own, self._own is not None and self._own.forked
        return engine.close(timeout) if engine is not None and not forked else 0

    def __enter__(self) -> EventPublisher:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()


class AfterCommit(Verbs[str]):
    """Publishes when the current transaction has committed. `publish` returns the event's id."""

    def __init__(self, publisher: EventPublisher, using: Optional[str]) -> None:
        self._publisher = publisher
        self._using = using

    def publish(self, event: Event) -> str:
        """Publish after the commit. Raises: `InvalidEvent`, at once."""
        from django.db import transaction

        written = write(event)
        transaction.on_commit(lambda: self._publish(written), using=self._using)
        return written.event.event_id

    def _publish(self, written: Written) -> None:
        publisher = self._publisher
        publisher._engine().put([written], timeout_s=publisher._block_s)


def write(event: Event) -> Written:
    """Give an event its id and time, and check it. Raises: `InvalidEvent`."""
    filled = event.filled(now_ms=int(time.time() * 1000))
    # A given id without a time is the same event when it is published again: the journal's time counts.
    given = bool(event.timestamp) or not event.event_id
    return Written(filled, filled.to_text(), has_timestamp=given)
