"""For the tests of producers: `fake()` takes every event, sends nothing, and answers as you say."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Callable, Dict, List, Optional

from tocsin import acks, publisher
from tocsin.acks import Ack
from tocsin.engine import Engine, Written
from tocsin.events import Event
from tocsin.journal import Journal
from tocsin.journal.store import MEMORY
from tocsin.telling import OnAck
from tocsin.transports.base import Answer, Options, Outgoing, Transport

Answering = Callable[[Event], Ack]


def delivered(event: Event, *, via: str = "WEB", evidence: str = "CLIENT") -> Ack:
    """Answer as for an event that reached the person."""
    now_ms = int(time.time() * 1000)
    return Ack(event.event_id, acks.DELIVERED, final=True, delivered_via=via, evidence=evidence, at=now_ms)


def queued(event: Event) -> Ack:
    """Answer as for an event that is on its way; its final ack never comes."""
    return Ack(event.event_id, acks.QUEUED, at=int(time.time() * 1000))


def failed(code: str, detail: str = "") -> Answering:
    """Answer as for an event that ended undelivered: `failed("no_channel")`."""
    return lambda event: Ack(
        event.event_id, acks.ACK_ERROR, final=True, code=code, detail=detail, at=int(time.time() * 1000)
    )


class Fake:
    """What was published while it was in place: `events`, the first first."""

    def __init__(self, answer: Answering) -> None:
        self.answer = answer
        self.events: List[Event] = []
        self.acks: Dict[str, Ack] = {}
        self._engine = _Taking(self)

    def of_type(self, event_type: str) -> List[Event]:
        """Return the events of one type."""
        return [event for event in self.events if event.event_type == event_type]

    def clear(self) -> None:
        """Forget what was published so far."""
        self.events.clear()
        self.acks.clear()

    def _for(self, on_ack: Optional[OnAck]) -> Engine:
        self._engine.on_ack = on_ack
        return self._engine


class _NoTransport(Transport):
    def send(self, events: Sequence[Outgoing]) -> Sequence[Answer]:
        return [None] * len(events)

    def close(self) -> None:
        """Nothing is open."""


class _Taking(Engine):
    """An engine without threads: an event is answered as it is put."""

    def __init__(self, fake: Fake) -> None:
        super().__init__(Journal(MEMORY), _NoTransport("fake:", Options()))
        self._fake = fake
        self.on_ack: Optional[OnAck] = None

    def put(self, written: Sequence[Written], *, timeout_s: float) -> None:
        for one in written:
            if one.event.event_id in self._fake.acks:
                continue
            self._fake.events.append(one.event)
            ack = self._fake.acks[one.event.event_id] = self._fake.answer(one.event)
            if self.on_ack is not None:
                self.on_ack(ack)

    def final(self, event_id: str) -> Optional[Ack]:
        ack = self._fake.acks.get(event_id)
        return ack if ack is not None and ack.final else None


@contextmanager
def fake(answer: Answering = delivered) -> Iterator[Fake]:
    """Let every publisher, also one that exists already, publish to a `Fake` while the block runs.

    Events are checked as always. No journal is opened and nothing is sent.
    """
    made = Fake(answer)
    before, publisher._stand_in = publisher._stand_in, made._for
    try:
        yield made
    finally:
        publisher._stand_in = before
        made._engine.journal.close()
