"""What becomes of events: answers of a transport into the journal, then to who waits for them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import List, Optional

from tocsin import acks
from tocsin.acks import Ack
from tocsin.journal import Journal, Row, State
from tocsin.journal.store import Change
from tocsin.telling import Teller
from tocsin.transports.base import Answer, Later, Outgoing, Replies, Transport
from tocsin.waiting import Room, Waiters

POSITION = "position"  # the note that says up to where replies were read
_UNSTORED = 10_000


class Recorder:
    """Records answers, and lets go on what waited for them."""

    def __init__(
        self,
        journal: Journal,
        transport: Transport,
        teller: Teller,
        waiters: Waiters,
        room: Room,
        clock: Callable[[], float],
    ) -> None:
        self._journal = journal
        self._transport = transport
        self._teller = teller
        self._waiters = waiters
        self._room = room
        self._clock = clock
        self._lock = threading.Lock()
        self._unstored: OrderedDict[str, Optional[Ack]] = OrderedDict()  # INFORMATIONAL ones, the last

    def answered(self, rows: Sequence[Row], answers: Sequence[Answer]) -> None:
        """Record the answers to these events. Raises: `JournalError`."""
        self._record([self._change(row, answer) for row, answer in zip(rows, answers)])

    def replied(self, replies: Replies) -> None:
        """Record acks that came on their own, and up to where they were read. Raises: `JournalError`."""
        changes: List[Change] = []
        for ack in replies.acks:
            row = self._journal.find(ack.event_id)
            if row is not None:
                changes.append(self._change(row, ack))
            else:
                self.unstored(ack)
        self._record(changes, notes=[(POSITION, replies.position)])

    def gave_up(self, rows: Sequence[Row], code: str, detail: str) -> None:
        """Record that these events end here. Raises: `JournalError`."""
        at_ms = int(self._clock() * 1000)
        self.answered(rows, [acks.refusal(row.event_id, code, detail, at_ms=at_ms) for row in rows])

    def tell_again(self) -> None:
        """Hand on the final acks that an earlier process had no time for."""
        for row in self._journal.ended():
            self._teller.tell(acks.from_text(row.ack))

    # --- INFORMATIONAL events, which are not stored -----------------------------------------------------
    def sending_unstored(self, events: Iterable[Outgoing]) -> None:
        """Remember events that are not in the journal, for their acks."""
        with self._lock:
            self._unstored.update(dict.fromkeys(event.event_id for event in events))
            while len(self._unstored) > _UNSTORED:
                self._unstored.popitem(last=False)

    def unstored(self, ack: Ack) -> None:
        """Hand on the ack of an event that is not in the journal, if it is ours."""
        with self._lock:
            known = ack.event_id in self._unstored
            if known:
                self._unstored[ack.event_id] = ack
        if known:
            self._teller.tell(ack)
            self._waiters.wake([ack.event_id])

    def final(self, event_id: str) -> Optional[Ack]:
        """Return the final ack of an event, once there is one."""
        row = self._journal.find(event_id)
        if row is not None:
            return acks.from_text(row.ack) if row.state >= State.ENDED else None
        with self._lock:
            ack = self._unstored.get(event_id)
        return ack if ack is not None and ack.final else None

    # --- one event --------------------------------------------------------------------------------------
    def _change(self, row: Row, answer: Answer) -> Change:
        now = self._clock()
        if isinstance(answer, Ack) and answer.asks_again:
            answer = Later(answer.code, acks.LATER_S)
        if isinstance(answer, Later):
            return Change(row.event_id, row.state, now + answer.after_s)
        if answer is None:
            after_s = self._transport.resend_after_s if row.state is State.WAITING else self._ask_after_s(row)
            return Change(row.event_id, row.state, now + after_s)
        state = State.ENDED if answer.final else State.ACCEPTED
        after_s = 0.0 if answer.final else self._ask_after_s(row)
        return Change(row.event_id, state, now + after_s, answer.to_text())

    def _ask_after_s(self, row: Row) -> float:
        asked = row.tries + 1 if row.state is State.ACCEPTED else 0
        steps = self._transport.ask_after_s
        return steps[min(asked, len(steps) - 1)]

    def _record(self, changes: Sequence[Change], *, notes: Sequence[tuple[str, str]] = ()) -> None:
        moved = self._journal.change(changes, notes=notes)
        for row in moved:
            self._teller.tell(acks.from_text(row.ack))
        ended = [row.event_id for row in moved if row.state is State.ENDED]
        if ended:
            self._room.give_back(len(ended))
            self._waiters.wake(ended)
