"""Waiting, or going on to the next channel instead: how long a delivery may wait, and what its wait writes.

A Retry-After, a rate limit, an open breaker and slow sends bound one channel only. So while a CRITICAL event
has a usable channel that was not tried, it waits on another one for `PATIENCE_S` in total, retries included,
and for at most half of the time that is left until it expires. No event waits for longer than it lives while
it has such a channel. On the last one it waits for as long as it has to.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifications import store
from notifications.delivery import retries
from notifications.effects import Effects
from notifications.settings import pipeline_settings
from notifications.states import AttemptOutcome, Priority, WaitReason
from notifications.store import Due, Failure, LeaseLost

log = logging.getLogger(__name__)

PATIENCE_S = 9.0  # of the 10 s that docs/delivery.md promises: the tick and the claim take the rest
_SEND_S = 5.0  # and one send takes at most this
_SEND_AT_LEAST_S = 0.5
_RECORDED_WITHIN_S = 3.5  # after the end of its timeout
BRIEF_S = 0.05  # going on to another channel takes as long

TEXTS = {
    WaitReason.RETRY: "a send failed",
    WaitReason.RETRY_AFTER: "Retry-After",
    WaitReason.BREAKER_OPEN: "breaker open",
    WaitReason.RATE_LIMIT: "rate limit",
    WaitReason.ORDER: "an earlier event of its key has not ended",
    WaitReason.NO_ROOM: "no room for another slow send",
}


@dataclass(frozen=True, slots=True)
class Wait:
    """A delivery that would have to wait until a time, at which its slot is reserved if it `has_slot`."""

    row: Due
    until: datetime
    ring_at: datetime | None = None  # when the sweep visits it, if not at `until`
    has_slot: bool = False


def patience_s(row: Due, now: datetime) -> float:
    """Return how long from `now` the row may still wait while another channel is usable and untried."""
    left_s = (row.expires_at - now).total_seconds()
    if row.priority is Priority.CRITICAL:
        left_s = min(PATIENCE_S - (now - row.since).total_seconds(), left_s / 2)
    return max(left_s, BRIEF_S)


def timeout_s(row: Due, now: datetime) -> float:
    """Return how long a send that starts now may take: less while another channel may have to follow."""
    longest_s = retries.timeout_s(row.channel)
    if row.last or row.priority is not Priority.CRITICAL:
        return longest_s
    return min(longest_s, _SEND_S, max((row.expires_at - now).total_seconds() / 2, _SEND_AT_LEAST_S))


def shorter_leases_s(rows: Sequence[Due], now: datetime) -> dict[str, float]:
    """Return the leases of rows that go on to another channel if their worker dies during the send."""
    longest_s = pipeline_settings().lease_s - _RECORDED_WITHIN_S
    return {
        row.delivery_id: min(timeout_s(row, now), longest_s) + _RECORDED_WITHIN_S
        for row in rows
        if row.priority is Priority.CRITICAL and not row.last
    }


def leaving(waits: Sequence[Wait], reason: WaitReason, now: datetime) -> list[Wait]:
    """Return those whose rows go on to another channel rather than wait."""
    too_long = [wait for wait in waits if not wait.row.last and _is_too_long(wait, reason, now)]
    ids = store.with_next([wait.row.delivery_id for wait in too_long]) if too_long else set()
    return [wait for wait in too_long if wait.row.delivery_id in ids]


def _is_too_long(wait: Wait, reason: WaitReason, now: datetime) -> bool:
    if reason is WaitReason.BREAKER_OPEN and wait.row.priority is Priority.CRITICAL:
        return True  # nobody knows whether the provider works afterwards
    return wait.until >= now + timedelta(seconds=patience_s(wait.row, now))


def wait_or_leave(waits: Sequence[Wait], reason: WaitReason, now: datetime) -> Effects:
    """Postpone the rows, or go on to their next channels."""
    left = leaving(waits, reason, now)
    wait([one for one in waits if one not in left], reason, now)
    return leave(left, reason, now)


def wait(waits: Sequence[Wait], reason: WaitReason, now: datetime) -> None:
    """Postpone the rows. No attempt is counted."""
    if waits:
        store.postpone(
            [one.row for one in waits],
            until=[one.until for one in waits],
            ring_at=[one.ring_at or one.until for one in waits],
            slots=[one.has_slot for one in waits],
            reason=reason,
            now=now,
        )


def leave(waits: Sequence[Wait], reason: WaitReason, now: datetime) -> Effects:
    """Go on to the next channels of the rows."""
    effects = Effects()
    for one in waits:
        channel = one.row.channel.name
        log.info(
            "channel_left", extra={"delivery_id": one.row.delivery_id, "channel": channel, "reason": reason}
        )
        try:
            effects.add(
                store.record_left(_failure(one, reason, now), until=one.until, reason=reason, now=now)
            )
        except LeaseLost:
            continue
    return effects


def _failure(wait: Wait, reason: WaitReason, now: datetime) -> Failure:
    if reason is WaitReason.BREAKER_OPEN:
        return Failure(wait.row, now, now, AttemptOutcome.CIRCUIT_OPEN, f"{wait.row.channel.name} is down")
    text = f"{TEXTS[reason]}, not before {wait.until:%H:%M:%S} UTC"
    return Failure(wait.row, now, now, AttemptOutcome.WAIT_TOO_LONG, text)
