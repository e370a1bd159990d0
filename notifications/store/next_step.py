"""The next channel of an event after one has ended without success, or the end of the event."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection

from notifications.effects import Effects, Ring
from notifications.events import JsonObject
from notifications.models import Delivery, Event
from notifications.settings import pipeline_settings
from notifications.states import Channel, DeliveryState, EndCode, EventState, FailureKind, Priority
from notifications.store.deliveries import held, insert_deliveries, new_delivery
from notifications.store.destinations import Destinations
from notifications.store.events import end_event, freed
from runtime.failpoints import failpoint
from users.models import Destination

_GRACE_S = 5  # the sweep visits a row this long after its doorbell


def next_step(
    event: Event,
    after: int,
    *,
    now: datetime,
    possible_duplicate: bool = False,
    code: str,
    destinations: Destinations | None = None,
) -> Effects:
    """Start the plan's next usable step after position `after`, or end the event with `code`.

    A CRITICAL event without a further step returns to a channel that it left for a temporary reason.
    The caller has locked `event`. Does nothing if the event has ended. `destinations`: all that the plan
    names, if the caller has read them for many events.
    """
    if event.state != EventState.ACCEPTED:
        return Effects(freed=freed(event))
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
            **(_skipped(unusable, now) if unusable else _held(step, now)),
        )
        is_new = insert_deliveries([row])  # after a return, later steps have been tried already
        failpoint("next_step_before_commit")
        if is_new and not unusable:
            rings = [Ring(str(row["id"]), Priority(event.priority))]
            return Effects(rings=rings if row["not_before"] <= now else [])
    if event.priority == Priority.CRITICAL and (left := _left(event)):
        return _return_to(left, event, now=now, possible_duplicate=possible_duplicate)
    return end_event(event, EventState.FAILED, code=code, now=now)


def _left(event: Event) -> Delivery | None:
    """Return the first delivery that ended for a temporary reason, and has tries left."""
    ended = event.deliveries.filter(
        replay=event.replay_count,
        state__in=[DeliveryState.FAILED, DeliveryState.SKIPPED],
        failure_kind=FailureKind.TEMPORARY,
        attempts__lt=pipeline_settings().max_tries,
    )
    return ended.order_by("position").first()


def _return_to(row: Delivery, event: Event, *, now: datetime, possible_duplicate: bool) -> Effects:
    """Open an ended delivery again: it goes on where it was left, not before the end of its wait."""
    not_before = max(row.not_before, now)
    ring_at = not_before + timedelta(seconds=_GRACE_S)
    Delivery.objects.filter(pk=row.pk, ended_at__isnull=False).update(
        state=DeliveryState.DEFERRED,
        failure_kind="",
        ended_at=None,
        not_before=not_before,
        ring_at=min(ring_at, event.expires_at or ring_at),
        possible_duplicate=row.possible_duplicate or possible_duplicate,
    )
    delay_s = (not_before - now).total_seconds()
    return Effects(rings=[Ring(str(row.pk), Priority(event.priority), delay_s=delay_s, alone=True)])


_WITH_NEXT = f"""
SELECT d.id::text FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id
WHERE d.id = ANY(%s::uuid[]) AND EXISTS (
    SELECT FROM jsonb_array_elements(e.plan) WITH ORDINALITY AS s(step, number)
    LEFT JOIN users_destination a ON a.id = (s.step->>'destination_id')::bigint AND a.disabled_at IS NULL
    WHERE s.number - 1 > (SELECT max(position) FROM notifications_delivery o WHERE o.event_id = e.id)
      AND (a.id IS NOT NULL OR (s.step->>'channel')::int = {Channel.WEB})
)
"""


def with_next(delivery_ids: Iterable[str]) -> set[str]:
    """Return those of these deliveries whose event has a usable step that was not started yet."""
    with connection.cursor() as cursor:
        cursor.execute(_WITH_NEXT, [list(delivery_ids)])
        return {row[0] for row in cursor.fetchall()}


def _held(step: JsonObject, now: datetime) -> JsonObject:
    """Return the columns of a step that routing has held until a later time."""
    until = datetime.fromisoformat(step["hold_until"]) if "hold_until" in step else None
    return held(until, step.get("hold_reason"), now)


def _skipped(reason: str, now: datetime) -> JsonObject:
    return {"state": DeliveryState.SKIPPED.value, "error": reason, "ended_at": now}


def _unusable(step: JsonObject, destinations: Destinations | None = None) -> str:
    """Return why the step is no longer usable, or "". WEB is checked when it is pushed."""
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
