"""Calling the producer's `on_ack`, in a thread of its own: it may take its time."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import List, Optional

from tocsin.acks import Ack
from tocsin.errors import JournalError
from tocsin.journal import Journal

log = logging.getLogger("tocsin")

OnAck = Callable[[Ack], object]
_TOGETHER = 500


class Teller:
    """Hands acks on. Guarantee: `on_ack` has each stored event's final ack at least once."""

    def __init__(self, journal: Journal, on_ack: Optional[OnAck]) -> None:
        self._journal = journal
        self._on_ack = on_ack
        self._acks: queue.SimpleQueue[Optional[Ack]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tocsin-acks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def tell(self, ack: Ack) -> None:
        self._acks.put(ack)

    def stop(self) -> None:
        """Hand on what is here already, and end."""
        self._acks.put(None)
        self._thread.join()

    def _run(self) -> None:
        stopping = False
        while not stopping:
            acks: List[Ack] = []
            waiting = True
            while waiting and len(acks) < _TOGETHER:
                ack = self._acks.get()
                stopping = ack is None
                if ack is not None:
                    acks.append(ack)
                waiting = not stopping and not self._acks.empty()
            self._hand_on(acks)

    def _hand_on(self, acks: List[Ack]) -> None:
        for ack in acks:
            self._call(ack)
        finals = [ack.event_id for ack in acks if ack.final]
        if finals:
            try:
                self._journal.told(finals, now=time.time())
            except JournalError:
                log.warning("acks_told_again", exc_info=True)

    def _call(self, ack: Ack) -> None:
        if self._on_ack is not None:
            try:
                self._on_ack(ack)
            except Exception:  # the producer's own code: the others' acks must not wait for it
                log.exception("on_ack_failed", extra={"event_id": ack.event_id})
