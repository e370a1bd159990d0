"""The sweep of deliveries: handles due rows, even if their doorbell was lost."""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import transaction

from notifications.events import Effects, Ring
from notifications.models import Attempt, Delivery
from notifications.settings import PipelineSettings
from notifications.states import AttemptOutcome, Channel, DeliveryState, EventState, FailureKind, Priority
from notifications.store.deliveries import end_delivery, postpone_sweep
from notifications.store.events import lock_event
from notifications.store.give_up import expire, give_up
from notifications.store.outcomes import after_unknown
from runtime.failpoints import failpoint

log = logging.getLogger(__name__)

_PART = 50  # rows after which the effects so far are returned


def sweep_deliveries(*, now: datetime, settings: PipelineSettings) -> Effects:
    """Handle every delivery whose `ring_at` has passed, as `sweep_deliveries_in_parts` does."""
    effects = Effects()
    for part in sweep_deliveries_in_parts(now=now, settings=settings):
        effects.add(part)
    return effects


def sweep_deliveries_in_parts(*, now: datetime, settings: PipelineSettings) -> Iterator[Effects]:
    """Handle every delivery whose `ring_at` has passed, the most urgent first.

    Yields the effects after every few rows: the first doorbell must not wait for the last row.
    Idempotent; any number may run in parallel, since each takes rows that no other has locked.
    """
    with transaction.atomic():
        rows = list(
            Delivery.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("event")
            .filter(ring_at__lte=now)
            .order_by("-priority", "ring_at")[: settings.sweep_limit]
        )
        # Other sweeps skip these rows while this one works.
        postpone_sweep([str(row.pk) for row in rows], until=now + timedelta(seconds=settings.ring_again_s))
    failpoint("sweep_postponed")
    for start in range(0, len(rows), _PART):
        yield _handle_part(rows[start : start + _PART], now, settings)


def _handle_part(rows: list[Delivery], now: datetime, settings: PipelineSettings) -> Effects:
    """Give up all unconfirmed pages in one transaction, and handle the other rows one by one."""
    effects = Effects()
    silent = [row for row in rows if _is_silent_page(row, now)]
    try:
        effects.add(_give_up_pages(silent, now))
    except Exception:  # one row failed; handled one by one, it cannot block the others
        log.exception("sweep_part_failed", extra={"count": len(silent)})
        silent = []
    together = {row.pk for row in silent}
    for row in rows:
        if row.pk in together:
            continue
        try:
            effects.add(_handle(row, now, settings))
        except Exception:  # one row must not block the others; the next sweep retries it
            log.exception("sweep_failed", extra={"delivery_id": str(row.pk)})
    return effects


def _is_silent_page(row: Delivery, now: datetime) -> bool:
    """Tell whether a page has not confirmed by its deadline, and the event can still continue."""
    if row.channel != Channel.WEB or row.state not in {DeliveryState.SENDING, DeliveryState.SENT}:
        return False
    # Without a deadline it was not pushed yet: its worker has time until the lease ends.
    deadline = row.ack_deadline or row.lease_until
    event = row.event
    expired = event.expires_at is not None and event.expires_at <= now
    goes_on = event.state == EventState.ACCEPTED and not (expired and row.state == DeliveryState.SENT)
    return goes_on and deadline is not None and deadline <= now


def _handle(row: Delivery, now: datetime, settings: PipelineSettings) -> Effects:
    event = row.event
    pk = str(row.pk)
    if event.state != EventState.ACCEPTED:
        return _close(row, now)
    if event.expires_at is not None and event.expires_at <= now and row.state != DeliveryState.SENDING:
        return expire(event.pk, now=now)
    if row.channel == Channel.WEB and row.state in {DeliveryState.SENDING, DeliveryState.SENT}:
        return _give_up_pages([row], now) if _is_silent_page(row, now) else Effects()
    if row.state == DeliveryState.SENDING:
        return _lease_expired(row, now, settings)
    if row.attempts >= settings.max_tries:
        return give_up([pk], now=now, kind=FailureKind.TEMPORARY, error="tries used up")
    if row.slot_at is not None and row.slot_at > now:
        delay_s = (row.slot_at - now).total_seconds()
        return Effects(rings=[Ring(pk, Priority(row.priority), delay_s=delay_s, alone=True)])
    return Effects(rings=[Ring(pk, Priority(row.priority), alone=row.attempts > 0)])


def _close(row: Delivery, now: datetime) -> Effects:
    """End an open row of an ended event; a send in flight keeps its lease."""
    if row.state == DeliveryState.SENDING and row.lease_until is not None and row.lease_until > now:
        return Effects()
    state = DeliveryState.UNKNOWN if row.state == DeliveryState.SENDING else DeliveryState.CANCELLED
    unchanged = Delivery.objects.filter(pk=row.pk, state=row.state, ended_at__isnull=True)
    end_delivery(unchanged, state, now=now)
    return Effects()


def _give_up_pages(rows: list[Delivery], now: datetime) -> Effects:
    return give_up(
        [str(row.pk) for row in rows],
        now=now,
        kind=FailureKind.UNCONFIRMED,
        error="the client did not confirm in time",
    )


def _lease_expired(row: Delivery, now: datetime, settings: PipelineSettings) -> Effects:
    """Record an unknown outcome: a worker died or hung during the lease, and may have sent the message."""
    with transaction.atomic():
        lock_event(row.event_id)
        expired = Delivery.objects.filter(
            pk=row.pk, state=DeliveryState.SENDING, lease_token=row.lease_token, lease_until__lte=now
        )
        if not end_delivery(expired, DeliveryState.UNKNOWN, now=now, error="the lease expired"):
            return Effects()
        Attempt.objects.create(
            delivery=row,
            number=row.attempts,
            started_at=(row.lease_until or now) - timedelta(seconds=settings.lease_s),
            ended_at=now,
            outcome=AttemptOutcome.LEASE_EXPIRED,
        )
        effects = after_unknown(row, now=now, backoff_s=settings.unknown_backoff_s)
        failpoint("unknown_before_commit")
        return effects
