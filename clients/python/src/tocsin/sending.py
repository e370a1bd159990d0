"""The sender: one thread that brings what waits in the journal to the service, in order."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Deque, List

from tocsin import acks
from tocsin.errors import JournalError, Refused, TransportError
from tocsin.journal import Journal, Row
from tocsin.recording import Recorder
from tocsin.transports.base import Answer, Later, Outgoing, Transport

log = logging.getLogger("tocsin")

ERROR = "error"  # the note that says why nothing goes; empty while all goes
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
_ANOTHER_SENDS_S = 0.5
_HOUSEKEEPING_S = 5.0
_IDLE_S = 60.0
_LOOK_EVERY_S = 0.25  # another process may have written
_UNSTORED_MOST = 1_000
_EXPIRED_AFTER_S = 60.0  # whether the service took an event is asked so long beyond its expiry
_UNANSWERED_AFTER_S = 3600.0  # and its final ack so long


class Sender:
    """Sends, asks for the ends of what was accepted, and gives up what has expired.

    Guarantee: at least once, in the order of the journal; the service knows an event by its id.
    """

    def __init__(
        self, journal: Journal, transport: Transport, recorder: Recorder, clock: Callable[[], float]
    ) -> None:
        self._journal = journal
        self._transport = transport
        self._recorder = recorder
        self._clock = clock
        self._unstored: Deque[Outgoing] = deque()
        self._wake = threading.Event()
        self._stop = self._drain = False
        self._failures = 0
        self._tidy_at = 0.0
        self._error = ""
        self._thread = threading.Thread(target=self._run, name="tocsin-send", daemon=True)

    # --- used by other threads --------------------------------------------------------------------------
    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        self._wake.set()

    def send_once(self, events: Sequence[Outgoing]) -> None:
        """Take events that are not stored; those for which there is no room end at once."""
        self._recorder.sending_unstored(events)
        room = max(_UNSTORED_MOST - len(self._unstored), 0)
        self._unstored.extend(events[:room])
        self._not_sent(events[room:], "too many wait to be sent")
        self._wake.set()

    def drain(self, timeout_s: float) -> None:
        """Send what waits and end; stop after `timeout_s`, or where nothing can be sent."""
        self._drain = True
        self._wake.set()
        self._thread.join(timeout_s)
        self._stop = True
        self._wake.set()

    def join(self) -> None:
        self._thread.join()

    # --- the thread -------------------------------------------------------------------------------------
    def _run(self) -> None:
        while not self._stop:
            pause_s = self._safe_step()
            if self._drain and pause_s and (not self._failures or not self._journal.in_memory):
                return
            if pause_s and self._failures:
                self._sleep(pause_s)
            elif pause_s:
                self._wake.wait(pause_s)
            self._wake.clear()

    def _safe_step(self) -> float:
        """Do one step; return how long there is nothing to do."""
        try:
            pause_s = self.step()
            self._failures = 0
            return pause_s
        except TransportError as error:
            return self._failed(error.code, str(error), error, error.retry_after_s)
        except JournalError as error:
            return self._failed("journal", str(error), error)
        except Exception as error:
            log.exception("send_failed")
            return self._failed("internal", repr(error), error)

    def step(self) -> float:
        """Send one batch of each kind that is due; return how long nothing is. Raises: `TransportError`."""
        if not self._leads():
            return _ANOTHER_SENDS_S
        now = self._clock()
        if now >= self._tidy_at:
            self._tidy_at = now + _HOUSEKEEPING_S
            self._tidy(now)
        sent = self._send_unstored()
        limit = self._transport.batch_events
        sent += self._send(self._journal.waiting(now=now, limit=limit))
        sent += self._send(self._journal.to_ask(now=now, limit=limit))
        if sent:
            return 0.0
        next_at = self._journal.next_at(after=now)
        idle_s = _IDLE_S if self._journal.in_memory else _LOOK_EVERY_S
        return min(max(next_at - now, 0.001), idle_s) if next_at is not None else idle_s

    def _leads(self) -> bool:
        lock = self._journal.sender_lock
        if lock.held:
            return True
        if lock.take():
            self._recorder.tell_again()
        return lock.held

    def _send(self, rows: Sequence[Row]) -> int:
        batch = self._fitting(rows)
        if batch:
            answers = self._transport.send([Outgoing(row.event_id, row.body) for row in batch])
            self._note_error("")
            self._recorder.answered(batch, answers)
        return len(batch)

    def _fitting(self, rows: Sequence[Row]) -> List[Row]:
        """Return the rows from the first that fit into one batch."""
        batch: List[Row] = []
        size = 0
        for row in rows:
            size += len(row.body.encode()) + 1
            if batch and size > self._transport.batch_bytes:
                break
            batch.append(row)
        return batch

    def _send_unstored(self) -> int:
        """Send INFORMATIONAL events once: who was to see them now does not need them later."""
        events = [self._unstored.popleft() for _ in range(min(len(self._unstored), 100))]
        if not events:
            return 0
        try:
            answers: Sequence[Answer] = self._transport.send(events)
        except TransportError as error:
            self._not_sent(events, str(error))
            raise
        for event, answer in zip(events, answers):
            if isinstance(answer, Later):
                self._not_sent([event], answer.code)
            elif answer is not None:
                self._recorder.unstored(answer)
        return len(events)

    def _not_sent(self, events: Sequence[Outgoing], why: str) -> None:
        for event in events:
            at_ms = int(self._clock() * 1000)
            self._recorder.unstored(acks.refusal(event.event_id, "not_sent", why, at_ms=at_ms))

    def _tidy(self, now: float) -> None:
        """Give up what has expired, and remove what has long ended."""
        waiting_ms, accepted_ms = ((now - grace) * 1000 for grace in (_EXPIRED_AFTER_S, _UNANSWERED_AFTER_S))
        if rows := self._journal.expired(waiting_ms=waiting_ms, accepted_ms=accepted_ms):
            detail = "It expired, and the service has not said what became of it."
            self._recorder.gave_up(rows, "expired", detail)
        self._journal.tidy(now=now)

    # --- trouble ----------------------------------------------------------------------------------------
    def _failed(self, code: str, detail: str, error: Exception, retry_after_s: float = 0.0) -> float:
        """Note it, and return how long to wait: as asked, else longer each time."""
        self._failures += 1
        self._note_error(detail)
        first = self._failures == 1
        level = logging.ERROR if isinstance(error, Refused) else logging.WARNING
        log.log(level if first else logging.DEBUG, "not_sent: %s", detail, extra={"code": code})
        longest: float = min(FIRST_PAUSE_S * 2 ** min(self._failures - 1, 10), LONGEST_PAUSE_S)
        return max(retry_after_s, longest * random.uniform(0.5, 1.0))

    def _sleep(self, pause_s: float) -> None:
        """Let the pause pass: new events do not shorten it, the end does."""
        until, draining = time.monotonic() + pause_s, self._drain
        while not self._stop and self._drain == draining and (left_s := until - time.monotonic()) > 0:
            self._wake.wait(left_s)
            self._wake.clear()

    def _note_error(self, text: str) -> None:
        if text == self._error:
            return
        self._error = text
        try:
            self._journal.change([], notes=[(ERROR, text)])
        except JournalError:
            log.warning("journal_not_written", exc_info=True)
