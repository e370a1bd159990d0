"""Putting a digest together: what waits on a destination becomes one message with the first that is due.

One delivery carries the message; the others are its members, claimed and recorded with it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from notifications import store
from notifications.events import Recipient
from notifications.routing import digests, throttling
from notifications.settings import pipeline_settings
from notifications.states import HoldReason, WaitReason
from notifications.store import Due, Hold
from notifications.wishes import Digest, Throttle
from users.digest_modes import DigestMode

_AT_MOST = 500  # events in one message
_TOGETHER = timedelta(seconds=5)  # what is due so soon after the first goes with it
_GRACE = timedelta(seconds=5)  # the sweep visits a row this long after the end of its wait

RecipientOf = Callable[[Due], Recipient]


def hold_of(row: Due, recipient: Recipient, now: datetime) -> Hold | None:
    """Return until when a row that could be sent now waits for others, by the wishes of now; None: it goes.

    What was promised once is not put off.
    """
    if row.digest_at is not None and row.digest_at <= now:
        return None
    digest = _digest_for(row, recipient)
    if digest is None or row.destination_id is None:
        return None
    if row.digest_at is not None and digest.mode is DigestMode.REPEATS:
        return Hold(row, row.digest_at, HoldReason.DIGEST)
    repeats_until = _repeats_until(row, digest, now) if digest.mode is DigestMode.REPEATS else None
    until = digests.until(
        digest,
        recipient,
        row.event_type,
        row.destination_id,
        now,
        expires_at=row.expires_at if row.expiry_given else None,
        repeats_until=repeats_until,
    )
    if until is None:
        return None
    return Hold(row, min(until, row.digest_at or until), HoldReason.DIGEST)


def with_open_digests(recipient: Recipient, row: Due, now: datetime) -> Recipient:
    """Return the recipient with what waits on the row's destination, if the row may join it."""
    digest = _digest_for(row, recipient)
    if row.destination_id is None or digest is None or digest.mode is not DigestMode.INTERVAL:
        return recipient
    return replace(recipient, open_digests=tuple(store.open_digests([row.destination_id], now=now)))


def put_together(
    due: Sequence[Due], may_go: Callable[[Due], bool], recipient_of: RecipientOf, now: datetime
) -> list[Due]:
    """Return the rows that carry the digests of these rows, each with its members.

    `may_go`: whether a further row that is due may be sent now; it ends or holds one that may not.
    """
    carriers: list[Due] = []
    for destination_id in dict.fromkeys(row.destination_id for row in due if row.destination_id is not None):
        mine = [row for row in due if row.destination_id == destination_id]
        recipient = recipient_of(mine[0])
        for digest, some in _groups(_waiting(mine, may_go, recipient, now), recipient):
            group = _in_turn(some)
            if group and (carrier := _carrier(group, now)) is not None:
                _count(carrier, digest, now)
                carriers.append(carrier)
    return carriers


def _waiting(
    mine: Sequence[Due], may_go: Callable[[Due], bool], recipient: Recipient, now: datetime
) -> list[Due]:
    """Return what waits on the destination of these rows and goes now, with them."""
    soon = now + _TOGETHER
    rows = store.collected(
        mine[0].destination_id or 0,
        before=max(soon, *(row.digest_at or soon for row in mine)),
        now=now,
        max_tries=pipeline_settings().max_tries,
        limit=_AT_MOST,
    )
    known = {row.delivery_id for row in mine}
    return [
        row
        for row in rows
        if row.delivery_id in known
        # Without a digest any more it waits for nothing.
        or ((_is_due(row, soon) or _digest_for(row, recipient) is None) and may_go(row))
    ]


def _groups(rows: Sequence[Due], recipient: Recipient) -> Iterator[tuple[Digest | None, list[Due]]]:
    """Yield each digest with its rows, the oldest first."""
    left = sorted(rows, key=lambda row: row.event_pk)
    while left:
        first, digest = left[0], _digest_for(left[0], recipient)
        group = [
            row
            for row in left
            if digests.together(digest, _digest_for(row, recipient), first.event_type, row.event_type)
        ]
        yield digest, group
        taken = {row.delivery_id for row in group}
        left = [row for row in left if row.delivery_id not in taken]


def _in_turn(group: Sequence[Due]) -> list[Due]:
    """Return the rows before which no event of their keys comes, but for those that go with them."""
    found: list[Due] = []
    for row in group:
        together = {one.event_id for one in found if one.source == row.source}
        if together.issuperset(row.ahead) and len(row.ahead) < store.LOOKED_AT:
            found.append(row)
    return found


def _carrier(group: Sequence[Due], now: datetime) -> Due | None:
    """Return the oldest with the others as its members; None while it waits for its provider."""
    carrier, *members = group
    if carrier.waits_until is None:
        return replace(carrier, members=tuple(members))
    rows = [row for row in members if row.waits_until is None]
    store.postpone(
        rows,
        until=[carrier.waits_until] * len(rows),
        ring_at=[carrier.waits_until + _GRACE] * len(rows),
        slots=[False] * len(rows),
        reason=WaitReason.RATE_LIMIT,
        now=now,
    )
    return None


def _count(carrier: Due, digest: Digest | None, now: datetime) -> None:
    """Count the message of what repeats, so that what follows it is collected again."""
    if digest is not None and digest.mode is DigestMode.REPEATS:
        _repeats_until(carrier, digest, now, name=f"digest/{carrier.delivery_id}")


def _repeats_until(row: Due, digest: Digest, now: datetime, *, name: str = "") -> datetime | None:
    """Count the event and return None if it is the first of its type, else until when it is collected."""
    counted = f"{row.event_type}.digest.{row.destination_id}"
    once = Throttle(1, round(digest.period.total_seconds()))
    return throttling.admit(once, row.person_id, counted, name or f"{row.source}/{row.event_id}", now=now)


def _is_due(row: Due, at: datetime) -> bool:
    return row.digest_at is not None and row.digest_at <= at


def _digest_for(row: Due, recipient: Recipient) -> Digest | None:
    group = recipient.policy.group_of(row.event_type)
    return digests.digest_for(
        row.channel, row.event_type, row.priority, group.id if group else None, recipient
    )
