"""The states of events and deliveries, their transitions, and the other closed sets of values.

Every other module takes them from here; `store` is the only writer.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum


class Priority(IntEnum):
    """The delivery guarantee of an event. The numbers are those of the wire."""

    INFORMATIONAL = 0  # live sessions only, at most once, never stored
    NORMAL = 1  # live session, else the first usable channel; bounded retries; expires
    CRITICAL = 2  # confirmed, or escalated from channel to channel, or a dead letter


class Channel(IntEnum):
    """A way to reach a person. The numbers are those of the wire."""

    ACTIVE_SESSION = 0  # whatever is live now; resolved by `route`, never stored in a delivery
    WEB = 1
    TELEGRAM = 2
    EMAIL = 3
    PUSH = 4
    DISCORD = 5
    SLACK = 6
    WEBHOOK = 7

    @classmethod
    def _missing_(cls, value: object) -> "Channel | None":
        """Return a channel for a number of another version's row, which ends as one without a transport."""
        if not isinstance(value, int) or not 0 < value < 2**15:
            return None
        unknown = int.__new__(cls, value)
        unknown._name_, unknown._value_ = f"CHANNEL_{value}", value
        return unknown


class EventState(StrEnum):
    ACCEPTED = "accepted"  # committed; not delivered yet
    DELIVERED = "delivered"  # delivered on one channel, with evidence
    FAILED = "failed"  # every channel failed: a dead letter, with a reason for each
    EXPIRED = "expired"  # it expired before it was delivered
    SUPERSEDED = "superseded"  # a newer event with the same collapse key took its place


class DeliveryState(StrEnum):
    PENDING = "pending"  # no attempt yet
    SENDING = "sending"  # claimed under a lease; a send may be in flight
    DEFERRED = "deferred"  # an attempt failed for a temporary reason; another will follow
    SENT = "sent"  # the provider accepted it, or a socket took it
    UNKNOWN = (
        "unknown"  # the answer was lost and it may have arrived; ended, or waiting for its one marked repeat
    )
    CONFIRMED = "confirmed"  # by the person's client or the person
    FAILED = "failed"  # no further attempt on this channel; see the failure kind
    SKIPPED = "skipped"  # the channel was no longer usable when its step started
    CANCELLED = "cancelled"  # another channel was confirmed first
    EXPIRED = "expired"  # the event expired


class FailureKind(StrEnum):
    TEMPORARY = "temporary"  # no attempts were left
    RECIPIENT = "recipient"  # the address is dead: the destination is disabled
    MESSAGE = "message"  # the provider refuses its content
    CONFIGURATION = "configuration"  # our credentials, keys, settings or templates
    UNCONFIRMED = "unconfirmed"  # the client did not confirm before the deadline


class Evidence(StrEnum):
    NONE = ""
    TRANSPORT = "transport"  # the provider accepted it
    CLIENT = "client"  # the person's client confirmed it
    HUMAN = "human"  # the person acknowledged it


class AttemptOutcome(StrEnum):
    SENT = "sent"
    TEMPORARY = "temporary"
    LIMITED = "limited"
    UNKNOWN = "unknown"
    RECIPIENT = "recipient"
    MESSAGE = "message"
    CONFIGURATION = "configuration"
    NO_SESSION = "no_session"
    LEASE_EXPIRED = "lease_expired"
    CIRCUIT_OPEN = "circuit_open"  # not sent: the provider is known to be down
    UNWANTED = "unwanted"  # not sent: the person has switched it off or muted it meanwhile
    WAIT_TOO_LONG = "wait_too_long"  # not sent: it would have had to wait while another channel was free


class WaitReason(StrEnum):
    """Why a delivery waits."""

    RETRY = "retry"  # a send failed for a temporary reason
    RETRY_AFTER = "retry_after"  # the provider asked for it
    BREAKER_OPEN = "breaker_open"  # the provider is known to be down
    RATE_LIMIT = "rate_limit"  # the send's slot comes later, or the provider's Retry-After holds the limit
    NO_ROOM = "no_room"  # slow sends of the channel occupy all places of the process
    QUIET_HOURS = "quiet_hours"  # these four as `HoldReason`
    SEND_WINDOW = "send_window"
    MUTED = "muted"
    DIGEST = "digest"
    ORDER = "order"  # an earlier event of its keys has not ended


class HoldReason(StrEnum):
    """Which wish of the person holds an event back, or was pierced."""

    QUIET_HOURS = "quiet_hours"
    SEND_WINDOW = "send_window"  # it is outside all of them
    MUTED = "muted"  # a CRITICAL event that does not pierce waits until the mute ends
    DIGEST = "digest"  # the person wants it together with others, as one message


class StoredAs(StrEnum):
    """What storing an event or a broadcast found."""

    ACCEPTED = "accepted"  # it is new
    DUPLICATE = "duplicate"  # it was there, with the same content
    CONFLICT = "conflict"  # it was there, with other content
    UNKNOWN_USER = "unknown_user"  # its person was erased after the routing


class AckStatus(StrEnum):
    """The status of a producer's ack. The names are those of the wire."""

    QUEUED = "QUEUED"
    DELIVERED = "DELIVERED"
    ACK_ERROR = "ACK_ERROR"


class EndCode(StrEnum):
    """Why an event was not delivered. Where its last channel failed, the code is the `FailureKind`."""

    NO_CHANNEL = "no_channel"  # routing found no usable channel
    NO_SESSION = "no_session"  # no page was open
    EXPIRED = "expired"
    OUTCOME_UNKNOWN = "outcome_unknown"  # the provider's answer was lost
    CONFLICT = "conflict"  # the id belongs to another event
    SUPERSEDED = "superseded"  # a newer event with the same collapse key took its place
    ERASED = "erased"  # its person was erased before it was delivered
    NO_SUBSCRIBERS = "no_subscribers"  # nobody follows the topic
    NOBODY_REACHED = "nobody_reached"  # no subscriber of the topic was reached
    SWITCHED_OFF = "switched_off"  # these six by the person's wishes: see `SkipReason`
    BELOW_PRIORITY = "below_priority"
    MUTED = "muted"
    THROTTLED = "throttled"
    EXPIRES_WHILE_HELD = "expires_while_held"
    NEVER_OPEN = "never_open"


class Verdict(StrEnum):
    """What routing decided about a channel."""

    CHOSEN = "chosen"
    SKIPPED = "skipped"
    HELD = "held"  # chosen too, and not before a time
    MERGED = "merged"  # its message is in a digest


class SkipReason(StrEnum):
    """Why routing skipped a channel; `disabled: …` carries the reason of its destination."""

    NO_SESSION = "no_session"  # no page is open
    NO_DESTINATION = "no_destination"  # the person has no address there
    UNVERIFIED = "unverified"
    SWITCHED_OFF = "switched_off"  # by the person's preferences
    NOT_ACTIVE = "not_active"  # the producer wants this channel only if it is active
    UNSUPPORTED = "unsupported"  # no transport is registered
    LIVE_ONLY = "live_only"  # an INFORMATIONAL event only goes to open pages
    BELOW_PRIORITY = "below_priority"  # the person wants only more urgent events there
    MUTED = "muted"  # by the person
    THROTTLED = "throttled"  # enough of this type were sent
    EXPIRES_WHILE_HELD = "expires_while_held"  # quiet hours or a send window last longer than it is worth
    NEVER_OPEN = "never_open"  # quiet hours and send windows leave no time for it


class Surface(StrEnum):
    """The interface that an operator used."""

    ADMIN = "admin"
    API = "api"
    COMMAND = "command"


class TemplateAction(StrEnum):
    """What an operator did to a message template."""

    CREATED = "created"
    SAVED = "draft saved"
    DISCARDED = "draft discarded"
    PUBLISHED = "published"
    RESTORED = "published again"  # an older version: the last one was no improvement
    WITHDRAWN = "withdrawn"  # the shipped wording is used again
    TESTED = "test sent"


EVENT_FINAL = frozenset(EventState) - {EventState.ACCEPTED}

# Only a replay, which is a new acceptance, leaves an end: see `store/replay.py`.
EVENT_TRANSITIONS: dict[EventState, frozenset[EventState]] = {
    EventState.ACCEPTED: EVENT_FINAL,
    EventState.DELIVERED: frozenset({EventState.ACCEPTED}),  # by a forced replay
    EventState.FAILED: frozenset({EventState.ACCEPTED}),  # by a replay
    EventState.EXPIRED: frozenset({EventState.ACCEPTED}),  # by a replay
    EventState.SUPERSEDED: frozenset(),
}

REPLAYABLE = frozenset({EventState.FAILED, EventState.EXPIRED})  # not delivered
REPLAYABLE_BY_FORCE = REPLAYABLE | {EventState.DELIVERED}

_D = DeliveryState
_STOPPED = {_D.FAILED, _D.SKIPPED, _D.CANCELLED, _D.EXPIRED}

DELIVERY_TRANSITIONS: dict[DeliveryState, frozenset[DeliveryState]] = {
    _D.PENDING: frozenset({_D.SENDING, _D.CONFIRMED} | _STOPPED),
    _D.SENDING: frozenset({_D.PENDING, _D.SENT, _D.DEFERRED, _D.UNKNOWN, _D.CONFIRMED} | _STOPPED),
    _D.DEFERRED: frozenset({_D.SENDING, _D.CONFIRMED} | _STOPPED),
    _D.SENT: frozenset({_D.CONFIRMED, _D.FAILED, _D.CANCELLED}),
    _D.UNKNOWN: frozenset({_D.SENDING, _D.CONFIRMED} | _STOPPED),
    _D.CONFIRMED: frozenset(),
    # Confirmed after the deadline; deferred when a CRITICAL event returns to a channel that it left so as not
    # to wait.
    _D.FAILED: frozenset({_D.CONFIRMED, _D.DEFERRED}),
    _D.SKIPPED: frozenset({_D.DEFERRED}),
    _D.CANCELLED: frozenset(),
    _D.EXPIRED: frozenset(),
}

DELIVERY_OPEN = frozenset({_D.PENDING, _D.SENDING, _D.DEFERRED, _D.UNKNOWN})
# Of the rows that the sweep visits: those that a worker may claim, and those whose outcome is awaited.
DELIVERY_WAITING = frozenset({_D.PENDING, _D.DEFERRED, _D.UNKNOWN})
DELIVERY_IN_FLIGHT = frozenset({_D.SENDING, _D.SENT})


def sql_list(states: Iterable[StrEnum]) -> str:
    """Return these values as SQL literals: unlike parameters, they fit partial indexes."""
    return ", ".join(f"'{state}'" for state in states)


def may_become(target: DeliveryState) -> list[str]:
    """Return the delivery states from which `target` may be reached, for a compare-and-set."""
    return sorted(state.value for state, allowed in DELIVERY_TRANSITIONS.items() if target in allowed)
