"""A worker that is killed between the claim of a digest and its send: each event is unknown, none is sent."""

from datetime import timedelta

from notifications.delivery.attempt import attempt_many
from notifications.ingest import ingest
from notifications.models import Attempt, Delivery, Event
from notifications.settings import pipeline_settings
from notifications.states import Channel
from notifications.store import sweep_deliveries
from tests.notifications.other_ends import unused
from tests.notifications.processes import run

WORKER = """
import sys, django
django.setup()
from datetime import datetime
from notifications.delivery.attempt import attempt_many
now = datetime.fromisoformat(sys.argv[1])
list(attempt_many(sys.argv[2:], clock=lambda: now, run_effects=lambda effects: None))
"""


def test_it_is_unknown_for_each_and_not_sent_again(transactional_db, desk, ada, chat, now, provider) -> None:
    fake = provider()
    ada.digests.create(channel=Channel.TELEGRAM, mode="interval", period_s=900)
    ingest([desk.envelope(ada, f"e{number}") for number in range(3)], now=now)
    due = now + timedelta(minutes=15)
    ids = [str(pk) for pk in Delivery.objects.values_list("pk", flat=True)]

    assert run(WORKER, due.isoformat(), *ids, crash="claimed_before_send") == 137
    assert set(Delivery.objects.values_list("state", flat=True)) == {"sending"}

    for minutes in (1, 2, 20, 60):
        at = due + timedelta(minutes=minutes)
        rings = [ring.delivery_id for ring in sweep_deliveries(now=at, settings=pipeline_settings()).rings]
        list(attempt_many(rings, clock=lambda at=at: at, run_effects=unused))
    assert fake.sent == []
    assert list(Delivery.objects.values_list("state", flat=True)) == ["unknown"] * 3
    assert set(Event.objects.values_list("state", "code")) == {("failed", "outcome_unknown")}
    assert list(Attempt.objects.values_list("outcome", flat=True)) == ["lease_expired"] * 3
