"""Ends of deliveries without a send: tries used up, a deadline or an expiry passed, no page open."""

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from notifications.effects import Effects
from notifications.models import Delivery, Event
from notifications.states import Channel, DeliveryState, EndCode, EventState, FailureKind, may_become
from notifications.store import destinations
from notifications.store.deliveries import end_delivery
from notifications.store.events import end_event, lock_event
from notifications.store.next_step import next_step


def give_up(delivery_ids: Iterable[str], *, now: datetime, kind: FailureKind, error: str) -> Effects:
    """End open deliveries without a send in flight, and go on to the next channel of each.

    For rows without attempts left and rows past their deadline. A row under a lease is skipped: its worker
    will record the outcome, or the lease will expire and the outcome is unknown. A WEB lease ends at the
    confirmation deadline, so an unconfirmed frame is a failure, not an unknown outcome.
    One transaction for all rows: when many pages do not confirm, a commit each would delay their next
    channels by a tenth.
    """
    wanted = Delivery.objects.filter(pk__in=list(delivery_ids))
    sending = Q(state=DeliveryState.SENDING) & (~Q(channel=Channel.WEB) | Q(lease_until__gt=now))
    effects = Effects()
    with transaction.atomic():
        # Events before deliveries and in id order, as in every other transaction.
        of_events = set(wanted.values_list("event_id", flat=True))
        locked = Event.objects.select_for_update().filter(pk__in=of_events).order_by("pk")
        events = {event.pk: event for event in locked.defer("payload", "raw", "digest")}
        may_end = wanted.exclude(sending).filter(state__in=may_become(DeliveryState.FAILED))
        rows = list(
            may_end.filter(ring_at__isnull=False).order_by("event_id", "position").select_for_update()
        )
        ending = Delivery.objects.filter(pk__in=[row.pk for row in rows])
        end_delivery(ending, DeliveryState.FAILED, now=now, failure_kind=kind, error=error[:300])
        places = destinations.of_plans(events.values())
        for row in rows:
            event, unsure = events[row.event_id], row.possible_duplicate
            effects.add(
                next_step(
                    event, row.position, now=now, possible_duplicate=unsure, code=kind, destinations=places
                )
            )
    return effects


def skip_unpushed(delivery_ids: Iterable[str], *, now: datetime) -> Effects:
    """End WEB deliveries that no socket took, and go on to the next channel of each."""
    effects = Effects()
    for delivery_id in delivery_ids:
        with transaction.atomic():
            row = Delivery.objects.get(pk=delivery_id)
            event = lock_event(row.event_id)
            sending = Delivery.objects.filter(pk=delivery_id, state=DeliveryState.SENDING)
            if end_delivery(sending, DeliveryState.SKIPPED, now=now, error=EndCode.NO_SESSION):
                effects.add(next_step(event, row.position, now=now, code=EndCode.NO_SESSION))
    return effects


def expire(event_pk: int, *, now: datetime) -> Effects:
    """End an event that has expired, and its open deliveries.

    Does nothing while a send is in flight: its worker, or the end of its lease, decides.
    """
    with transaction.atomic():
        event = lock_event(event_pk)
        if event.deliveries.filter(state=DeliveryState.SENDING, lease_until__gt=now).exists():
            return Effects()
        still_open = Delivery.objects.filter(event=event, ring_at__isnull=False)
        expiring = still_open.filter(state__in=may_become(DeliveryState.EXPIRED))
        end_delivery(expiring, DeliveryState.EXPIRED, now=now)
        if event.state != EventState.ACCEPTED:
            return Effects()
        return end_event(event, EventState.EXPIRED, code=EndCode.EXPIRED, now=now)
