"""Which events wait for others, to be sent with them as one message, and until when. Pure."""

from datetime import datetime, timedelta

from notifications.events import Recipient
from notifications.routing import hours, rules
from notifications.states import Channel, Priority
from notifications.wishes import Digest
from users.digest_modes import DigestMode


def digest_for(
    channel: Channel, event_type: str, priority: Priority, group_id: int | None, recipient: Recipient
) -> Digest | None:
    """Return the digest that the event goes with on a channel; a CRITICAL one never waits for others."""
    own, defaults = recipient.wishes.digests, recipient.policy.digests
    if priority is Priority.CRITICAL or not (own or defaults):
        return None
    return rules.digest_of(own, defaults, channel, event_type, group_id)


def until_of(
    event_type: str,
    priority: Priority,
    group_id: int | None,
    recipient: Recipient,
    now: datetime,
    expires_at: datetime | None,
    channel: Channel,
    destination_id: int,
) -> datetime | None:
    """Return until when an event that is routed now waits for others; None: it goes at once."""
    digest = digest_for(channel, event_type, priority, group_id, recipient)
    if digest is None:
        return None
    return until(digest, recipient, event_type, destination_id, now, expires_at=expires_at)


def together(digest: Digest | None, other: Digest | None, event_type: str, other_type: str) -> bool:
    """Tell whether events of two types go together; those that repeat do so type by type."""
    if digest != other:
        return False
    return digest is None or digest.mode is not DigestMode.REPEATS or event_type == other_type


def until(
    digest: Digest,
    recipient: Recipient,
    event_type: str,
    destination_id: int,
    now: datetime,
    *,
    expires_at: datetime | None,
    repeats_until: datetime | None = None,
) -> datetime | None:
    """Return when the event goes with the others; None: at once.

    Neither in quiet hours nor outside of the send windows. One that would expire before goes at once.

    `expires_at`: as its producer set it. `repeats_until`: until when what repeats is collected.
    """
    due = _due(digest, recipient, event_type, destination_id, now, repeats_until)
    at = hours.opens_at(recipient.wishes, recipient.time_zone, due) if due is not None else None
    return None if at is None or (expires_at is not None and expires_at <= at) else at


def _due(
    digest: Digest,
    recipient: Recipient,
    event_type: str,
    destination_id: int,
    now: datetime,
    repeats_until: datetime | None,
) -> datetime | None:
    if digest.mode is DigestMode.REPEATS:
        return repeats_until
    if digest.mode is DigestMode.SCHEDULE:
        return hours.next_time(digest.times, digest.weekdays, recipient.time_zone, now)
    due = now + timedelta(seconds=digest.period_s)
    for waiting in recipient.open_digests:
        if waiting.destination_id == destination_id and waiting.due_at > now:
            group = recipient.policy.group_of(waiting.event_type)
            other = digest_for(
                digest.channel, waiting.event_type, Priority.NORMAL, group.id if group else None, recipient
            )
            if together(digest, other, event_type, waiting.event_type):
                due = min(due, waiting.due_at)
    return due
