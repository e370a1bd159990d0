"""After a channel has ended without success: the next one, or the end of the event."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Q

from notifications.events import Effects, JsonObject, Ring
from notifications.models import Delivery, Event
from notifications.states import (
    Channel,
    DeliveryState,
    EndCode,
    EventState,
    Evidence,
    FailureKind,
    Priority,
    may_become,
)
from notifications.store.deliveries import end_delivery
from notifications.store.rows import insert_deliveries, new_delivery
from runtime.failpoints import failpoint
from users.models import Destination

Destinations = Mapping[int, Destination]


def next_step(
    event: Event,
    after: int,
    *,
    now: datetime,
    possible_duplicate: bool = False,
    code: str,
    destinations: Destinations | None = None,
) -> Effects:
    """Start the plan's next usable step behind position `after`, or end the event with `code`.

    `event` is locked by the caller. An event that has ended already is left alone. `destinations`: all
    that the plan names, where the caller has read them for many events.
    """
    if event.state != EventState.ACCEPTED:
        return Effects()
    if event.expires_at is not None and event.expires_at <= now:
        return end_event(event, EventState.EXPIRED, code=EndCode.EXPIRED, now=now)
    for position, step in list(enumerate(event.plan))[after + 1 :]:
        unusable = _unusable(step, destinations)
        row = new_delivery(
            event.pk,
            channel=step["channel"],
            destination_id=step["destination_id"] if unusable != "the destination was removed" else None,
            position=position,
            replay=event.replay_count,
            priority=event.priority,
            now=now,
            possible_duplicate=possible_duplicate,
            **(_skipped(unusable, now) if unusable else {}),
        )
        insert_deliveries([row])
        failpoint("next_step_before_commit")
        if not unusable:
            return Effects(rings=[Ring(str(row["id"]), Priority(event.priority))])
    return end_event(event, EventState.FAILED, code=code, now=now)


def has_next(event: Event, after: int) -> bool:
    """Tell whether one of the plan's steps behind position `after` can still be taken."""
    return any(not _unusable(step) for step in event.plan[after + 1 :])


def _skipped(reason: str, now: datetime) -> JsonObject:
    return {"state": DeliveryState.SKIPPED.value, "error": reason, "ended_at": now}


def _unusable(step: JsonObject, destinations: Destinations | None = None) -> str:
    """Return why the step cannot be taken any more; WEB is judged when it is pushed."""
    if step["channel"] == Channel.WEB:
        return ""
    pk = step["destination_id"]
    if destinations is not None:
        destination = destinations.get(pk)
    else:
        destination = Destination.objects.filter(pk=pk).first()
    if destination is None:
        return "the destination was removed"
    return f"disabled: {destination.disabled_reason}" if destination.disabled_at else ""


def end_event(
    event: Event,
    state: EventState,
    *,
    now: datetime,
    code: str = "",
    via: Channel | None = None,
    evidence: Evidence = Evidence.NONE,
) -> Effects:
    """Write the event's end, once. The first writer wins."""
    changed = Event.objects.filter(pk=event.pk, state=EventState.ACCEPTED).update(
        state=state, code=code, delivered_via=via, evidence=evidence, final_at=now
    )
    event.state = state  # or another end: whoever holds it in the same transaction must not go on with it
    return Effects(finals=[event.pk], replies=bool(event.reply_to)) if changed else Effects()


def lock_event(event_pk: int) -> Event:
    """Lock an event, without its largest columns: they are read when somebody asks for them."""
    return Event.objects.select_for_update().defer("payload", "raw", "digest", "trace").get(pk=event_pk)


def give_up(delivery_ids: Iterable[str], *, now: datetime, kind: FailureKind, error: str) -> Effects:
    """End open deliveries without a send in flight, and go on to the next channel of each.

    For rows whose tries are used up or whose deadline has passed. A row under a lease is left alone: its
    worker will record what came of it, or the sweep will find the lease ended and the outcome unknown.
    A page's lease is its deadline: a frame that nobody confirmed is no doubt, whoever held it.
    One transaction for all of them: when many pages fall silent at once, each commit would cost a tenth
    of the time that their next channels wait.
    """
    wanted = Delivery.objects.filter(pk__in=list(delivery_ids))
    sending = Q(state=DeliveryState.SENDING) & (~Q(channel=Channel.WEB) | Q(lease_until__gt=now))
    effects = Effects()
    with transaction.atomic():
        # All events before any delivery, and in id order, as everybody locks them.
        of_events = set(wanted.values_list("event_id", flat=True))
        locked = Event.objects.select_for_update().filter(pk__in=of_events).order_by("pk")
        events = {event.pk: event for event in locked.defer("payload", "raw", "digest")}
        may_end = wanted.exclude(sending).filter(state__in=may_become(DeliveryState.FAILED))
        rows = list(
            may_end.filter(ring_at__isnull=False).order_by("event_id", "position").select_for_update()
        )
        ending = Delivery.objects.filter(pk__in=[row.pk for row in rows])
        end_delivery(ending, DeliveryState.FAILED, now=now, failure_kind=kind, error=error[:300])
        places = _destinations(events.values())
        for row in rows:
            event, unsure = events[row.event_id], row.possible_duplicate
            effects.add(
                next_step(
                    event, row.position, now=now, possible_duplicate=unsure, code=kind, destinations=places
                )
            )
    return effects


def _destinations(events: Iterable[Event]) -> Destinations:
    """Return every destination that these events' plans name and that is still there, in one query."""
    named = {step["destination_id"] for event in events for step in event.plan}
    return Destination.objects.in_bulk(named - {None})


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
    """End an event whose time has run out, and its open deliveries.

    While a send is in flight it is left alone: its worker, or the end of its lease, decides.
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


def disable_destination(delivery_id: str, reason: str, *, now: datetime) -> None:
    Destination.objects.filter(delivery__id=delivery_id, disabled_at__isnull=True).update(
        disabled_at=now, disabled_reason=reason[:200] or "the address is dead"
    )
