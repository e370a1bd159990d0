"""The next channel of an event after one has ended without success, or the end of the event."""

from datetime import datetime

from notifications.events import Effects, JsonObject, Ring
from notifications.models import Event
from notifications.states import Channel, DeliveryState, EndCode, EventState, Priority
from notifications.store.deliveries import insert_deliveries, new_delivery
from notifications.store.destinations import Destinations
from notifications.store.events import end_event
from runtime.failpoints import failpoint
from users.models import Destination


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

    The caller has locked `event`. Does nothing if the event has ended. `destinations`: all that the plan
    names, if the caller has read them for many events.
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
    """Tell whether one of the plan's steps after position `after` is still usable."""
    return any(not _unusable(step) for step in event.plan[after + 1 :])


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
