"""A broker that carries no waits: the row waits, and the sweep rings."""

from datetime import UTC, datetime, timedelta

import pytest

from notifications import tasks
from notifications.effects import Ring
from notifications.models import Delivery
from notifications.states import Priority
from notifications.sweep import sweep
from notifications.transports.base import LimitedError, TemporaryError

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(desk, ada, chat, mailbox, override):
    override(countdown_max_s=0)
    return desk.delivery(desk.event(ada, chat, mailbox, priority=Priority.CRITICAL))


def test_a_ring_with_a_wait_is_not_published(row, doorbells) -> None:
    tasks.ring([Ring(str(row.pk), Priority.CRITICAL, delay_s=0.1, alone=True)])
    assert doorbells.take() == []
    tasks.ring([Ring(str(row.pk), Priority.CRITICAL)])
    assert len(doorbells.take()) == 1


def test_a_passing_failure_waits_in_the_row_for_its_short_backoff(row, provider, doorbells) -> None:
    provider(TemporaryError("bad gateway"))
    tasks.deliver(delivery_id=str(row.pk))
    row.refresh_from_db()
    assert row.state == "deferred"
    assert row.ring_at - datetime.now(UTC) < timedelta(seconds=2)
    assert doorbells.take() == []


def test_a_limit_is_waited_for_in_the_row(row, provider, doorbells) -> None:
    provider(LimitedError("slow down", 8))
    tasks.deliver(delivery_id=str(row.pk))
    row.refresh_from_db()
    assert row.ring_at == row.not_before
    assert row.ring_at - datetime.now(UTC) > timedelta(seconds=5)
    assert doorbells.take() == []


def test_a_batch_leaves_its_failures_to_the_sweep(row, provider, doorbells) -> None:
    provider(TemporaryError("bad gateway"))
    tasks.deliver_many(delivery_ids=[str(row.pk)])
    assert doorbells.take() == []
    due = datetime.now(UTC) + timedelta(seconds=2)
    assert [ring.delivery_id for ring in sweep(now=due).rings] == [str(row.pk)]


def test_used_up_tries_lead_to_the_next_channel(row, provider, doorbells, desk) -> None:
    provider(*[TemporaryError("bad gateway")] * 3)
    for _ in range(3):
        Delivery.objects.update(not_before=datetime.now(UTC))  # its wait is over
        tasks.deliver(delivery_id=str(row.pk))
    row.refresh_from_db()
    assert (row.state, row.failure_kind, row.attempts) == ("failed", "temporary", 3)
    following = Delivery.objects.get(event=row.event, position=1)
    assert doorbells.take() == [("critical", "tocsin.deliver", str(following.pk))]


def test_a_broker_that_carries_waits_is_left_to_celerys_retry(row, provider, override) -> None:
    override(countdown_max_s=60)
    provider(TemporaryError("bad gateway"))
    with pytest.raises(TemporaryError):
        tasks.deliver(delivery_id=str(row.pk))
    row.refresh_from_db()
    assert row.ring_at - datetime.now(UTC) > timedelta(seconds=5)
