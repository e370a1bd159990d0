"""Pages that come after other channels are pushed by a worker, which may be too late."""

from datetime import timedelta

from notifications import store
from notifications.delivery import attempt
from notifications.models import Delivery, Event
from notifications.states import FailureKind, Priority
from tests.notifications.other_ends import unused


def test_a_confirmation_during_the_push_does_not_stop_the_rest_of_the_batch(
    desk, ada, chat, mailbox, records, now
) -> None:
    """The page had the frames of both events when they were accepted, and now confirms one of them."""
    events = [
        desk.event(ada, chat, None, mailbox, event_id=name, priority=Priority.CRITICAL)
        for name in ("e1", "e2")
    ]
    for event in events:
        records.failed(desk.delivery(event), FailureKind.MESSAGE)
    pages = [str(desk.delivery(event, 1).pk) for event in events]
    readings = []

    def clock():
        readings.append(now)
        if len(readings) == 3:  # claimed and pushed without a receiver; not recorded yet
            store.confirm([(ada.pk, "e1")], now=now)
        return now + timedelta(seconds=len(readings))

    [effects] = attempt.attempt_many(pages, clock=clock, run_effects=unused)
    assert [ring.delivery_id for ring in effects.rings] == [str(desk.delivery(events[1], 2).pk)]
    assert [row.state for row in Delivery.objects.filter(pk__in=pages).order_by("event_id")] == [
        "confirmed",
        "skipped",
    ]
    assert Event.objects.get(pk=events[0].pk).state == "delivered"
