"""Values that the steps of the pipeline pass on: an event, its plan, its ack."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, NamedTuple, TypeVar

from notifications.states import AckStatus, Channel, EventState, Evidence, HoldReason, Priority, Verdict
from notifications.wishes import (
    NO_POLICY,
    NO_PREFERENCES,
    NO_WISHES,
    Policy,
    Preference,
    RuleSet,
    Wishes,
)
from notifications.words import Words
from users.people.values import EVERYBODY, Details, PeopleRule

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
    """The authenticated producer and its permissions, as read by the gateway."""

    id: int
    name: str
    event_types: frozenset[str] = frozenset()  # empty: every type
    max_priority: Priority = Priority.CRITICAL
    topic_prefixes: tuple[str, ...] = ()  # empty: no topic
    link_hosts: tuple[str, ...] = ()  # empty: no links
    people: PeopleRule = EVERYBODY  # whom it may address
    may_create_people: bool = False
    may_vouch: bool = False  # for the addresses of a recipient
    events_per_day: int = 0  # 0: no limit
    open_events: int = 0  # at the same time; 0: no limit
    callback: bool = False  # final acks go to a callback of it
    test: bool = False  # its events are simulated


class EventName(NamedTuple):
    """An event as everybody may name it: ids are unique per source only."""

    source: str
    event_id: str


class EventSeq(NamedTuple):
    """An event as its person may name it. Another `epoch` is another sequence."""

    seq: int
    epoch: str


# How a client names an event. An id alone, from older clients, names the event of the only source that has
# used this id for the person; it names none if several have.
EventRef = EventName | EventSeq | str


class Content(NamedTuple):
    """The part of an event that a message shows: the input of `render` and `event_frame`.

    A named tuple because one is created for every frame, and a frozen dataclass takes three times as long.
    """

    event_id: str
    event_type: str
    priority: Priority
    timestamp_ms: int
    payload: Mapping[str, Any]
    time_zone: str  # an IANA name: the times in the message are the recipient's
    topic: str = ""
    seq: int = 0  # 0: the event is not stored
    source: str = ""
    locale: str = "en"  # the recipient's; any text, with fallbacks (`users.locales`)
    words: Words | None = None  # the producer's own, if the event has some beside its payload
    link_hosts: tuple[str, ...] = ()  # where links of the source may lead
    pierces: HoldReason | None = None  # the message says so
    silent: bool = False  # a page shows it in the inbox alone


@dataclass(frozen=True, slots=True)
class Envelope:
    """One validated event, before it is stored.

    `timestamp_ms` and `expires_at_ms` are Unix milliseconds. `digest` is a 32-byte hash of the content,
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
    default_expiry: bool = False  # `expires_at_ms` is not the producer's: of an event to a topic
    collapse_key: str = ""
    ordering_key: str = ""
    version: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)
    correlation_id: str = ""
    ack_timeout_ms: int = 0
    words: Words | None = None
    raw: bytes = b""
    recipient: Details | None = None  # who `user_id` is, to create or complete the person just in time
    reply_to: str = ""  # where the final ack goes besides GET: "", "stream" or "callback"

    @property
    def deadline_ms(self) -> int:
        """When the producer wants it to expire, even if it is held; 0: it did not say."""
        return 0 if self.default_expiry else self.expires_at_ms

    @property
    def name(self) -> str:
        """The name under which the event is counted once, however often it comes."""
        return f"{self.source.id}/{self.event_id}"

    def content(self, time_zone: str, locale: str, seq: int = 0) -> Content:
        """Return the content of a message to a recipient with this time zone and locale."""
        return Content(
            self.event_id,
            self.event_type,
            self.priority,
            self.timestamp_ms,
            self.payload,
            time_zone,
            self.topic,
            seq,
            self.source.name,
            locale,
            self.words,
            self.source.link_hosts,
        )


class PlanStep(NamedTuple):
    """A channel to try; not before `hold_until`, if the person's wishes hold it back."""

    channel: Channel
    destination_id: int | None = None
    hold_until: datetime | None = None
    hold_reason: HoldReason | None = None

    def to_json(self) -> JsonObject:
        step: JsonObject = {"channel": int(self.channel), "destination_id": self.destination_id}
        if self.hold_until is not None:
            step |= {"hold_until": self.hold_until.isoformat(), "hold_reason": self.hold_reason}
        return step


class Decision(NamedTuple):
    """One line of the trace: a channel was chosen, or skipped for `reason`, or is held until a time.

    A named tuple as `PlanStep` is: each event has several, and compares them.
    """

    channel: Channel
    verdict: Verdict
    reason: str
    destination_id: int | None = None
    until: datetime | None = None  # when it goes on, if that is known

    def to_json(self) -> JsonObject:
        line: JsonObject = {
            "channel": int(self.channel),
            "verdict": self.verdict,
            "reason": self.reason,
            "destination_id": self.destination_id,
        }
        if self.until is not None:
            line["until"] = self.until.isoformat()
        return line


class Plan(NamedTuple):
    steps: tuple[PlanStep, ...] = ()
    trace: tuple[Decision, ...] = ()
    silent: bool = False  # open pages show it in the inbox alone
    pierces: HoldReason | None = None  # what it does not heed, because it is CRITICAL


@dataclass(frozen=True, slots=True)
class Address:
    """A recipient's destination as routing sees it: its kind and state, never the address itself."""

    id: int
    channel: Channel
    verified: bool = True
    disabled_reason: str = ""
    active: bool = False  # the recipient used it within the last minutes


class OpenDigest(NamedTuple):
    """What waits on a destination to be sent together at `due_at`: the events of one type."""

    destination_id: int
    event_type: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Recipient:
    id: int
    external_id: str
    time_zone: str = "UTC"
    locale: str = "en"
    addresses: tuple[Address, ...] = ()
    preferences: RuleSet[Preference] = NO_PREFERENCES
    wishes: Wishes = NO_WISHES
    policy: Policy = NO_POLICY  # the operator's, the same for everybody
    open_digests: tuple[OpenDigest, ...] = ()


Request = TypeVar("Request")


@dataclass(frozen=True, slots=True)
class Planned(Generic[Request]):
    """A request that was routed (an envelope before it is stored), with its recipient and plan."""

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
    """The answer to a producer. `status` has no default, so that every place chooses it.

    `status`: QUEUED, DELIVERED or ACK_ERROR. `final`: no other ack will follow.
    """

    event_id: str
    status: AckStatus
    final: bool
    at: datetime
    code: str = ""
    detail: str = ""
    counts: Mapping[str, int] = field(
        default_factory=dict
    )  # of an event to a topic: recipients, or gateway processes
    field: str = ""
    seq: int = 0
    duplicate: bool = False
    delivered_via: Channel | None = None
    evidence: Evidence = Evidence.NONE
    outcomes: tuple[ChannelOutcome, ...] = ()
    simulated: bool = False  # of a test key: nothing was sent
    superseded_by: str = ""  # the id of the newer event that has taken its place
    state: EventState | None = None
    event_pk: int = 0
    broadcast_pk: str = ""  # instead of event_pk, for an event to a topic

    @property
    def pk(self) -> int | str:
        """The id of the stored event or broadcast; 0 if nothing is stored and no final ack follows."""
        return self.event_pk or self.broadcast_pk or 0


def rejected_ack(event_id: str, code: str, detail: str, at: datetime, *, field: str = "") -> Ack:
    """Return the final ack of an event that was not accepted. Nothing of it is sent."""
    return Ack(event_id, AckStatus.ACK_ERROR, final=True, at=at, code=code, detail=detail, field=field)
