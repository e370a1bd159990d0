"""The receiver: one thread that reads the acks which a transport brings on its own."""

from __future__ import annotations

import logging
import threading

from tocsin.errors import JournalError, TransportError
from tocsin.journal import Journal
from tocsin.recording import POSITION, Recorder
from tocsin.transports.base import Transport

log = logging.getLogger("tocsin")

_PAUSE_S = 0.5
_WAIT_S = 1.0


class Receiver:
    """Keeps acks in the journal, and only then acknowledges them."""

    def __init__(self, journal: Journal, transport: Transport, recorder: Recorder) -> None:
        self._journal = journal
        self._transport = transport
        self._recorder = recorder
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tocsin-receive", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def step(self) -> None:
        """Read once. Raises: `TransportError`, `JournalError`."""
        position = self._journal.note(POSITION)
        replies = self._transport.receive(position, wait_s=_WAIT_S)
        if replies.acks or replies.position != position:
            self._recorder.replied(replies)
            self._transport.received(replies)

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._journal.sender_lock.held:
                self._stopping.wait(_PAUSE_S / 5)
                continue
            try:
                self.step()
            except (TransportError, JournalError) as error:
                log.debug("not_received: %s", error)
                self._stopping.wait(_PAUSE_S)
            except Exception:
                log.exception("receive_failed")
                self._stopping.wait(_PAUSE_S)
