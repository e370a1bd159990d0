"""The sweep of deliveries: handles due rows, even if their doorbell was lost."""

import logging
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from notifications.effects import Effects, Ring
from notifications.models import Attempt, Delivery
from notifications.settings import PipelineSettings
from notifications.states import AttemptOutcome, Channel, DeliveryState, EventState, FailureKind, Priority
from notifications.store import backlog
from notifications.store.backlog import START, Place
from notifications.store.deliveries import end_delivery, postpone_sweep
from notifications.store.events import lock_event
from notifications.store.give_up import expire, give_up
from notifications.store.outcomes import after_unknown
from runtime.failpoints import failpoint

log = logging.getLogger(__name__)

_PART = 50  # rows after which the effects so far are returned
_LOOKED_AT = 2_000  # waiting rows of a priority that one sweep looks at
_WAKERS = 10  # doorbells for a backlog, whose workers then take further rows along
_NOT_NEEDED = ("event__payload", "event__raw", "event__digest", "event__trace")
PRIORITIES = (Priority.CRITICAL, Priority.NORMAL)

Places = dict[Priority, Place]


def sweep_deliveries(*, now: datetime, settings: PipelineSettings, **how: Any) -> Effects:
    """Handle the deliveries whose `ring_at` has passed, as `sweep_deliveries_in_parts` does."""
    effects = Effects()
    for part in sweep_deliveries_in_parts(now=now, settings=settings, **how):
        effects.add(part)
    return effects


def sweep_deliveries_in_parts(
    *,
    now: datetime,
    settings: PipelineSettings,
    idle: Collection[Priority] = PRIORITIES,
    places: Places | None = None,
) -> Iterator[Effects]:
    """Handle deliveries whose `ring_at` has passed, the most urgent first, up to `sweep_limit`.

    `idle`: priorities whose queue is short. Rows that only wait for a worker are rung for these alone:
    elsewhere the doorbells in the queue bring workers, and they take the rows along. `places`: where the
    last look at the waiting rows of a priority ended, so that a few sweeps see all of a long backlog.

    Yields the effects after every few rows: the first doorbell must not wait for the last row, and a caller
    that stops leaves the other rows as they are. Idempotent; any number may run in parallel.
    """
    due = _due(now, settings, idle, {} if places is None else places)
    for start in range(0, len(due), _PART):
        rows = _take(due[start : start + _PART], now, settings)
        failpoint("sweep_postponed")
        yield _handle_part(rows, now, settings)


def _due(now: datetime, settings: PipelineSettings, idle: Collection[Priority], places: Places) -> list[str]:
    """Return the ids of the rows to handle. Rows that are left to the workers are only read."""
    found: list[str] = []
    for priority in PRIORITIES:
        after = places.get(priority, START)
        look = backlog.look(priority, after=after, now=now, max_tries=settings.max_tries, limit=_LOOKED_AT)
        # Not beyond rows that are still to be handled: this sweep may be stopped before it reaches them.
        places[priority] = after if look.others else look.end
        if priority in idle:
            all_seen = after == look.end == START
            few = all_seen and len(look.claimable) <= settings.batch_size
            found += look.claimable if few else look.claimable[:_WAKERS]
        found += look.others
        found += backlog.in_flight(priority, now=now, limit=settings.sweep_limit)
    return found[: settings.sweep_limit]


def _take(ids: Sequence[str], now: datetime, settings: PipelineSettings) -> list[Delivery]:
    """Return these rows, in order, but for those of other sweeps. Those skip what this one has postponed."""
    with transaction.atomic():
        due = Delivery.objects.select_for_update(skip_locked=True).filter(pk__in=ids, ring_at__lte=now)
        taken = [str(pk) for pk in due.order_by("pk").values_list("pk", flat=True)]
        postpone_sweep(taken, until=now + timedelta(seconds=settings.ring_again_s))
    still_open = Delivery.objects.filter(pk__in=taken, ended_at__isnull=True).select_related("event")
    rows = {str(row.pk): row for row in still_open.defer(*_NOT_NEEDED)}
    return [rows[pk] for pk in ids if pk in rows]


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
            started_at=max((row.lease_until or now) - timedelta(seconds=settings.lease_s), row.not_before),
            ended_at=now,
            outcome=AttemptOutcome.LEASE_EXPIRED,
        )
        effects = after_unknown(row, now=now, backoff_s=settings.unknown_backoff_s)
        failpoint("unknown_before_commit")
        return effects
