"""What an event is, before and after it is stored: plain values that every step passes on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from notifications.states import AckStatus, Channel, EventState, Evidence, Priority, Verdict

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChannelChoice:
    """One entry of a producer's ordered channel list."""

    channel: Channel
    only_if_active: bool = False

    def to_json(self) -> JsonObject:
        return {"channel": int(self.channel), "only_if_active": self.only_if_active}


@dataclass(frozen=True, slots=True)
class SourceGrant:
    """The authenticated producer and what it may do, as the edge found it."""

    id: int
    name: str
    event_types: frozenset[str] = frozenset()  # empty: every type
    max_priority: Priority = Priority.CRITICAL
    topic_prefixes: tuple[str, ...] = ()  # empty: no topic


@dataclass(frozen=True, slots=True)
class Envelope:
    """One validated event on its way in.

    `timestamp_ms`, `expires_at_ms` are Unix milliseconds; `digest` is 32 bytes over the content and is
    the same for the same event on every ingress.
    """

    source: SourceGrant
    event_id: str
    user_id: str
    event_type: str
    timestamp_ms: int
    priority: Priority
    payload: JsonObject
    digest: bytes
    channels: tuple[ChannelChoice, ...] = ()
    topic: str = ""
    schema_version: int = 0
    expires_at_ms: int = 0
    collapse_key: str = ""
    ordering_key: str = ""
    version: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    correlation_id: str = ""
    ack_timeout_ms: int = 0
    raw: bytes = b""
    reply_to: str = ""  # where the final ack goes beside GET: "" or "stream"


@dataclass(frozen=True, slots=True)
class Step:
    channel: Channel
    destination_id: int | None = None

    def to_json(self) -> JsonObject:
        return {"channel": int(self.channel), "destination_id": self.destination_id}


@dataclass(frozen=True, slots=True)
class Decision:
    """One line of the trace: a channel was chosen, or skipped for `reason`."""

    channel: Channel
    verdict: Verdict
    reason: str
    destination_id: int | None = None

    def to_json(self) -> JsonObject:
        return {
            "channel": int(self.channel),
            "verdict": self.verdict,
            "reason": self.reason,
            "destination_id": self.destination_id,
        }


@dataclass(frozen=True, slots=True)
class Plan:
    steps: tuple[Step, ...] = ()
    trace: tuple[Decision, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Address:
    """A person's destination as routing sees it: what it is, never where it is."""

    id: int
    channel: Channel
    verified: bool = True
    disabled_reason: str = ""
    active: bool = False  # the person used it within the last minutes


@dataclass(frozen=True, slots=True)
class Preference:
    event_type: str  # "": every type
    channel: Channel
    position: int = 0
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Recipient:
    id: int
    external_id: str
    time_zone: str = "UTC"
    addresses: tuple[Address, ...] = ()
    preferences: tuple[Preference, ...] = ()


Request = TypeVar("Request")


@dataclass(frozen=True, slots=True)
class Planned(Generic[Request]):
    """What was to be routed (an envelope on its way in), with its recipient and the plan for them."""

    request: Request
    recipient: Recipient
    online: bool
    plan: Plan


@dataclass(frozen=True, slots=True)
class ChannelOutcome:
    channel: Channel
    state: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ack:
    """What a producer is told. `status` is never left to a default; after a `final` ack no other follows."""

    event_id: str
    status: AckStatus
    final: bool
    at: datetime
    code: str = ""
    detail: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)  # of an event to a topic: persons, or processes
    field: str = ""
    seq: int = 0
    duplicate: bool = False
    delivered_via: Channel | None = None
    evidence: Evidence = Evidence.NONE
    outcomes: tuple[ChannelOutcome, ...] = ()
    state: EventState | None = None
    event_pk: int = 0
    broadcast_pk: str = ""  # instead of event_pk, for an event to a topic

    @property
    def pk(self) -> int | str:
        """The id of what the database has of it; 0: nothing, and nobody may ask for its end."""
        return self.event_pk or self.broadcast_pk or 0


def rejected_ack(event_id: str, code: str, detail: str, at: datetime, *, field: str = "") -> Ack:
    """Return the final ack of an event that was not accepted, and of which nothing is sent."""
    return Ack(event_id, AckStatus.ACK_ERROR, final=True, at=at, code=code, detail=detail, field=field)


@dataclass(frozen=True, slots=True)
class Ring:
    """A doorbell to be rung: row `delivery_id` is due, after `delay_s` seconds."""

    delivery_id: str
    priority: Priority
    delay_s: float = 0.0
    alone: bool = False  # by `deliver`, with Celery's retries, and not in a batch


@dataclass(frozen=True, slots=True)
class FanOut:
    """The next persons of a broadcast are to be told."""

    broadcast_pk: str
    priority: Priority


@dataclass(slots=True)
class Effects:
    """What a committed change asks for next. The domain returns it; the caller rings and tells."""

    rings: list[Ring] = field(default_factory=list)
    finals: list[int] = field(default_factory=list)  # ids of events that have just ended
    # (person id, event id) of what a client has just confirmed first: the person's other sockets are told
    confirmed: list[tuple[int, str]] = field(default_factory=list)
    fan_outs: list[FanOut] = field(default_factory=list)
    broadcasts: list[str] = field(default_factory=list)  # ids of broadcasts that have just ended
    replies: bool = False  # the end of one of them is to be told on a reply stream

    def add(self, other: "Effects") -> None:
        self.rings += other.rings
        self.finals += other.finals
        self.confirmed += other.confirmed
        self.fan_outs += other.fan_outs
        self.broadcasts += other.broadcasts
        self.replies |= other.replies

    def __bool__(self) -> bool:
        """Whether there is anything to ring or to announce; `confirmed` is told by who confirmed."""
        return bool(self.rings or self.finals or self.fan_outs or self.broadcasts)
