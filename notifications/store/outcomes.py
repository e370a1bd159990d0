"""Recording the outcome of an attempt, or why none was made. A worker without its lease cannot write."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from notifications.effects import Effects
from notifications.events import JsonObject
from notifications.models import Attempt, Delivery, Event
from notifications.states import (
    AttemptOutcome,
    DeliveryState,
    EndCode,
    EventState,
    Evidence,
    FailureKind,
    Priority,
    WaitReason,
    may_become,
)
from notifications.store.claim import Claimed, LeaseLost, id_arrays
from notifications.store.deliveries import ENDED_AT, allow_repeat, end_delivery
from notifications.store.destinations import disable_destination
from notifications.store.due import Due
from notifications.store.events import add_to_trace, end_event, freed, lock_event
from notifications.store.next_step import next_step, with_next
from notifications.store.order import HAS_KEY
from runtime.failpoints import failpoint
from runtime.postgres.cursor import binary_cursor


@dataclass(frozen=True, slots=True)
class Success:
    delivery_id: str
    token: str
    started_at: datetime
    ended_at: datetime
    provider_message_id: str = ""
    template_version: int | None = None  # the stored wording that was sent


@dataclass(frozen=True, slots=True)
class Failure:
    claimed: Due  # `Claimed`, unless no send could begin
    started_at: datetime
    ended_at: datetime
    outcome: AttemptOutcome
    error: str
    template_version: int | None = None


# Every transaction locks events before deliveries, and in id order, so that none deadlocks.
_LOCK_EVENTS = """
SELECT id FROM notifications_event
WHERE id IN (SELECT event_id FROM notifications_delivery WHERE id = ANY(%b::text[]::uuid[]))
ORDER BY id FOR UPDATE
"""

# The provider's acceptance is the strongest evidence that such a channel has: the event is delivered.
# One statement, which commits by itself: a crash before it repeats the messages, so it must be short.
# An event's state comes from its lock: as a condition of the last update it would let Postgres read all
# unfinished events (see `due.IS_DUE`).
_SUCCEED = f"""
WITH locked AS MATERIALIZED (
    SELECT id, state, {HAS_KEY} AS has_key FROM notifications_event e
    WHERE id IN (SELECT event_id FROM notifications_delivery WHERE id = ANY(%b::text[]::uuid[]))
    ORDER BY id FOR UPDATE
), moved AS (
    UPDATE notifications_delivery d
    SET state = '{DeliveryState.SENT}', {ENDED_AT} g.ended_at,
        provider_message_id = g.provider_message_id, error = '', template_version_id = g.template_version
    FROM unnest(%b::text[]::uuid[], %b::text[]::uuid[], %b::timestamptz[], %b::timestamptz[], %b::text[],
                %b::bigint[])
        AS g(id, token, started_at, ended_at, provider_message_id, template_version), locked
    WHERE d.event_id = locked.id AND d.id = g.id AND d.lease_token = g.token
      AND d.state = '{DeliveryState.SENDING}'
    RETURNING d.id, d.event_id, d.channel, d.attempts, g.started_at, g.ended_at, locked.state AS was,
        locked.has_key
), tried AS (
    INSERT INTO notifications_attempt (delivery_id, number, started_at, ended_at, outcome, error)
    SELECT id, attempts, started_at, ended_at, '{AttemptOutcome.SENT}', '' FROM moved
), ended AS (
    UPDATE notifications_event e
    SET state = '{EventState.DELIVERED}', delivered_via = m.channel,
        evidence = '{Evidence.TRANSPORT}', final_at = m.ended_at
    FROM moved m WHERE e.id = m.event_id AND m.was = '{EventState.ACCEPTED}' RETURNING e.id, e.reply_to
)
SELECT moved.id, ended.id, ended.reply_to, CASE WHEN moved.has_key THEN moved.event_id END
FROM moved LEFT JOIN ended ON ended.id = moved.event_id
"""

# A socket took the frame, which proves nothing: the row waits for the confirmation until its deadline.
_PUSHED = f"""
WITH g AS (
    SELECT * FROM unnest(%b::text[]::uuid[], %b::text[]::uuid[],
                         %b::timestamptz[], %b::timestamptz[], %b::timestamptz[], %b::bigint[])
        AS g(id, token, started_at, ended_at, deadline, template_version)
), moved AS (
    UPDATE notifications_delivery d
    SET state = '{DeliveryState.SENT}', lease_token = NULL, ack_deadline = g.deadline, ring_at = g.deadline,
        template_version_id = g.template_version
    FROM g WHERE d.id = g.id AND d.lease_token = g.token AND d.state = '{DeliveryState.SENDING}'
    RETURNING d.id, d.attempts, g.started_at, g.ended_at
), confirmed_before AS (
    UPDATE notifications_delivery d SET template_version_id = g.template_version
    FROM g WHERE d.id = g.id AND g.template_version IS NOT NULL AND d.state = '{DeliveryState.CONFIRMED}'
)
INSERT INTO notifications_attempt (delivery_id, number, started_at, ended_at, outcome, error)
SELECT id, attempts, started_at, ended_at, '{AttemptOutcome.SENT}', '' FROM moved
"""


def _columns(successes: Sequence[Success]) -> list[Any]:
    return [
        *id_arrays(successes),
        [item.started_at for item in successes],
        [item.ended_at for item in successes],
    ]  # type: ignore[list-item]


def _versions(successes: Sequence[Success]) -> list[int | None]:
    return [item.template_version for item in successes]


def record_sent(successes: Sequence[Success]) -> tuple[Effects, list[str]]:
    """Record sends that the provider accepted. Return the effects, and the ids whose lease was lost."""
    columns = _columns(successes)
    columns += [[item.provider_message_id for item in successes], _versions(successes)]
    with binary_cursor() as cursor:
        cursor.execute(_SUCCEED, [columns[0], *columns])
        rows = cursor.fetchall()
    written = {str(row[0]) for row in rows}
    lost = [item.delivery_id for item in successes if item.delivery_id not in written]
    ended = [(pk, reply_to) for _, pk, reply_to, _ in rows if pk is not None]
    effects = Effects(finals=[pk for pk, _ in ended], replies=any(reply_to for _, reply_to in ended))
    effects.freed = [pk for *_, pk in rows if pk is not None]
    return effects, lost


def record_pushed(successes: Sequence[Success], deadlines: Sequence[datetime]) -> None:
    """Record frames that at least one socket took; each waits for its confirmation until its deadline.

    A row that was confirmed in the meantime stays confirmed.
    """
    with transaction.atomic(), binary_cursor() as cursor:
        cursor.execute(_LOCK_EVENTS, [[item.delivery_id for item in successes]])
        cursor.execute(_PUSHED, [*_columns(successes), list(deadlines), _versions(successes)])


def record_deferred(
    failure: Failure, *, not_before: datetime, ring_at: datetime, reason: WaitReason = WaitReason.RETRY
) -> None:
    """Record an attempt that failed for a temporary reason. Raises: `LeaseLost`.

    The sweep visits the row at `ring_at`, or when the event expires, whichever comes first.
    """
    with transaction.atomic():
        expires_at = Event.objects.values_list("expires_at", flat=True).get(pk=failure.claimed.event_pk)
        ring_at = min(ring_at, expires_at or ring_at)
        changed = _unchanged(failure, DeliveryState.DEFERRED).update(
            state=DeliveryState.DEFERRED,
            error=failure.error[:300],
            lease_token=None,
            not_before=not_before,
            ring_at=ring_at,
            wait_reason=reason,
            waiting_since=failure.ended_at,
            **_worded(failure),
        )
        _add_attempt(failure, changed)
        failpoint("defer_before_commit")


def record_failed(failure: Failure, kind: FailureKind, *, now: datetime) -> Effects:
    """Record that the channel has failed for good, and go on to the next. Raises: `LeaseLost`."""
    with transaction.atomic():
        event = lock_event(failure.claimed.event_pk)
        _end(failure, DeliveryState.FAILED, now=now, failure_kind=kind)
        if kind is FailureKind.RECIPIENT:
            disable_destination(failure.claimed.delivery_id, failure.error, now=now)
        return _go_on(event, failure.claimed, code=kind, now=now)


def record_left(failure: Failure, *, until: datetime, reason: WaitReason, now: datetime) -> Effects:
    """Record that the channel would have to wait for too long, and go on to the next. Raises: `LeaseLost`.

    The event returns to it, not before `until`, if its other channels fail.
    """
    with transaction.atomic():
        event = lock_event(failure.claimed.event_pk)
        unsent = failure.outcome in {AttemptOutcome.CIRCUIT_OPEN, AttemptOutcome.WAIT_TOO_LONG}
        state = DeliveryState.SKIPPED if unsent else DeliveryState.FAILED
        _end(
            failure,
            state,
            now=now,
            failure_kind=FailureKind.TEMPORARY,
            not_before=until,
            wait_reason=reason,
            waiting_since=now,
        )
        return _go_on(event, failure.claimed, code=FailureKind.TEMPORARY, now=now)


def record_skipped(
    failure: Failure, *, now: datetime, code: str = "", line: JsonObject | None = None
) -> Effects:
    """Record that the channel was no longer usable, and go on to the next. Raises: `LeaseLost`.

    `code`: why the event was not delivered, if this was its last channel and not for the outcome's reason.
    `line`: goes into its trace.
    """
    with transaction.atomic():
        event = lock_event(failure.claimed.event_pk)
        if line is not None:
            add_to_trace(event.pk, line)
        _end(failure, DeliveryState.SKIPPED, now=now)
        return _go_on(event, failure.claimed, code=code or failure.outcome, now=now)


def _go_on(event: Event, claimed: Due, *, code: str, now: datetime) -> Effects:
    return next_step(
        event, claimed.position, now=now, possible_duplicate=claimed.possible_duplicate, code=code
    )


def record_unknown(failure: Failure, *, now: datetime, backoff_s: float) -> Effects:
    """Record a send whose outcome cannot be known. Raises: `LeaseLost`.

    NORMAL: not repeated. CRITICAL: the next channel, whose message is marked as a possible duplicate; if
    there is none, exactly one marked repeat on this channel.
    """
    with transaction.atomic():
        lock_event(failure.claimed.event_pk)
        _end(failure, DeliveryState.UNKNOWN, now=now)
        row = Delivery.objects.get(pk=failure.claimed.delivery_id)
        return after_unknown(row, now=now, backoff_s=backoff_s)


def after_unknown(row: Delivery, *, now: datetime, backoff_s: float) -> Effects:
    """Go on after an unknown outcome. The row has just become `unknown`."""
    locked = lock_event(row.event_id)
    if locked.state != EventState.ACCEPTED:
        return Effects(freed=freed(locked))
    if row.priority != Priority.CRITICAL:
        return end_event(locked, EventState.FAILED, code=EndCode.OUTCOME_UNKNOWN, now=now)
    if row.possible_duplicate or with_next([str(row.pk)]):
        return next_step(locked, row.position, now=now, possible_duplicate=True, code=EndCode.OUTCOME_UNKNOWN)
    allow_repeat(row, now=now, backoff_s=backoff_s)
    return Effects()


def _end(failure: Failure, state: DeliveryState, *, now: datetime, **changes: object) -> None:
    """End the delivery if it is as it was seen, and add the attempt. Raises: `LeaseLost`."""
    changes |= {"error": failure.error[:300]} | _worded(failure)
    changed = end_delivery(_unchanged(failure, state), state, now=now, **changes)
    _add_attempt(failure, changed)


def _worded(failure: Failure) -> dict[str, object]:
    """Return the change that names the wording, where a stored one was tried."""
    return {} if failure.template_version is None else {"template_version_id": failure.template_version}


def _unchanged(failure: Failure, state: DeliveryState) -> "QuerySet[Delivery]":
    """Return the delivery, if it is as it was claimed, or seen without a claim, and may become `state`."""
    seen = failure.claimed
    rows = Delivery.objects.filter(pk=seen.delivery_id, state__in=may_become(state))
    if isinstance(seen, Claimed):
        return rows.filter(lease_token=seen.token)
    return rows.filter(lease_token=None, ended_at=None, attempts=seen.attempt - 1)


def _add_attempt(failure: Failure, changed: int) -> None:
    """Add the attempt of a delivery that was changed. Raises: `LeaseLost` if it was not."""
    claimed = failure.claimed
    if not changed:
        raise LeaseLost(claimed.delivery_id)
    Attempt.objects.create(
        delivery_id=claimed.delivery_id,
        number=claimed.attempt,
        started_at=failure.started_at,
        ended_at=failure.ended_at,
        outcome=failure.outcome,
        error=failure.error[:300],
    )
