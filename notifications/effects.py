"""What has to follow a committed change: doorbells, final acks, reports to sockets, edits."""

from dataclasses import dataclass, field
from typing import NamedTuple

from notifications.events import EventName
from notifications.states import Priority


@dataclass(frozen=True, slots=True)
class Ring:
    """A doorbell to publish: row `delivery_id` is due after `delay_s` seconds."""

    delivery_id: str
    priority: Priority
    delay_s: float = 0.0
    alone: bool = False  # in a task of its own (`deliver`, with Celery's retries), not in a batch


@dataclass(frozen=True, slots=True)
class FanOut:
    """A broadcast with recipients who do not have their event yet."""

    broadcast_pk: str
    priority: Priority


class Changed(NamedTuple):
    """An event whose state with its person has changed, to be reported to the person's sockets.

    `position` is that of the reference in the batch that named the event.
    """

    person_id: int
    position: int
    seq: int
    name: EventName


@dataclass(slots=True)
class Effects:
    """What has to follow a committed change. The domain returns it; the caller publishes it."""

    rings: list[Ring] = field(default_factory=list)
    finals: list[int] = field(default_factory=list)  # ids of events that have just ended
    confirmed: list[Changed] = field(default_factory=list)  # for the first time
    fan_outs: list[FanOut] = field(default_factory=list)
    broadcasts: list[str] = field(default_factory=list)  # ids of broadcasts that have just ended
    edits: list[str] = field(default_factory=list)  # deliveries whose messages are out of date
    freed: list[int] = field(default_factory=list)  # ids of events with a key: the next one may go on
    replies: bool = False  # the final ack of one of them goes to a reply stream

    def add(self, other: "Effects") -> None:
        self.rings += other.rings
        self.finals += other.finals
        self.confirmed += other.confirmed
        self.fan_outs += other.fan_outs
        self.broadcasts += other.broadcasts
        self.edits += other.edits
        self.freed += other.freed
        self.replies |= other.replies

    def __bool__(self) -> bool:
        """Tell whether anything has to be published; the gateway itself sends `confirmed`."""
        return bool(self.rings or self.finals or self.fan_outs or self.broadcasts or self.edits or self.freed)
