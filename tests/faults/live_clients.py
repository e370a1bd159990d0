"""Clients that log every event frame, lose their connection on demand, and resume where they were."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.clients import KeptOpen
from tests.kit.raw_websocket import AsyncRawSocket

_BACK_S = (0.0, 0.6)


@dataclass(slots=True)
class Seen:
    """One event frame as a client received it."""

    seq: int
    event_id: str
    at: float
    ack_by: int
    repeat: bool


@dataclass(slots=True)
class Log:
    """What one person's client received over all its connections."""

    start: int = -1  # seq of the first `ready`
    epoch: str = ""
    events: list[Seen] = field(default_factory=list)
    connections: int = 0
    recovered: int = 0
    snapshots: int = 0

    @property
    def position(self) -> int:
        return max([self.start, *(seen.seq for seen in self.events[-100:] if not seen.repeat)])

    @property
    def sequence(self) -> list[int]:
        """The seqs in the order of arrival, without the events that came back to the page."""
        return [seen.seq for seen in self.events if not seen.repeat]


class LiveClients(KeptOpen):
    """Clients that resume where they were. They keep each connection until `come_and_go`."""

    def __init__(
        self,
        port: int,
        persons: list[str],
        token: Callable[[str], str],
        *,
        seed: int,
        confirming: bool = True,
    ) -> None:
        super().__init__(port, persons, token, confirming=confirming)
        self.logs = {person: Log() for person in persons}
        self._stay_s: tuple[float, float] | None = None
        self._random = random.Random(seed)

    @property
    def seen(self) -> set[str]:
        return {seen.event_id for log in self.logs.values() for seen in list(log.events)}

    def come_and_go(self, at_least_s: float, at_most_s: float) -> None:
        """From now on every connection lasts so long, and is then cut without a close frame."""

        def begin() -> None:
            self._stay_s = (at_least_s, at_most_s)
            for raw in self._open.values():
                self._leave_later(raw)

        self._loop.call_soon_threadsafe(begin)

    def settle_down(self) -> None:
        """Cut no further connection."""
        self._stay_s = None

    def confirm(self, person: str, event_ids: list[str]) -> None:
        """Confirm what was held back."""
        self._loop.call_soon_threadsafe(lambda: self._open[person].say(type="ack", event_ids=event_ids))

    # --- inside the loop --------------------------------------------------------------------------------
    def _back_after_s(self) -> float:
        return self._random.uniform(*_BACK_S)

    def _begin(self, person: str, raw: AsyncRawSocket) -> dict[str, object]:
        log = self.logs[person]
        log.connections += 1
        if self._stay_s is not None:
            self._leave_later(raw)
        return {"resume": {"seq": log.position, "epoch": log.epoch}} if log.epoch else {}

    def _leave_later(self, raw: AsyncRawSocket) -> None:
        """Cut the connection after a while, as a lost network does."""

        def leave() -> None:
            if self._stay_s is not None:
                raw.cut()

        assert self._stay_s is not None
        self._loop.call_later(self._random.uniform(*self._stay_s), leave)

    def _take(self, person: str, frame: dict) -> bool:
        log, kind = self.logs[person], frame["type"]
        if kind == "ready":
            log.recovered += frame["recovered"]
            if not log.epoch:
                log.start, log.epoch = frame["seq"], frame["epoch"]
        elif kind == "event" and "seq" in frame:
            repeat, ack_by = frame.get("repeat", False), frame.get("ack_by", 0)
            log.events.append(Seen(frame["seq"], frame["event_id"], time.time(), ack_by, repeat))
            return True
        elif kind == "snapshot":
            log.snapshots += 1
        return False
