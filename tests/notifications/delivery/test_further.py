"""A doorbell with room takes further due rows along, so that single doorbells drain in batches."""

from datetime import timedelta

import pytest

from notifications import store, tasks
from notifications.models import Delivery
from notifications.states import Priority
from notifications.transports.base import LimitedError
from runtime.redis.client import client


@pytest.fixture
def waiting(desk, ada, chat, now):
    """Accept so many events whose doorbells have been waiting for too long; return their deliveries' ids."""

    def waiting(count, priority=Priority.NORMAL):
        name = priority.name
        batch = [desk.acceptance(ada, f"{name}-{n}", chat, priority=priority) for n in range(count)]
        ids = [item.delivery_id for item in store.accept(batch, now=desk.now)]
        Delivery.objects.filter(pk__in=ids).update(ring_at=now - timedelta(seconds=1))
        return ids

    return waiting


def states():
    return sorted(Delivery.objects.values_list("state", flat=True))


@pytest.mark.parametrize("rung", [1, 2])
def test_a_doorbell_takes_due_rows_along(waiting, provider, doorbells, override, rung) -> None:
    override(batch_size=10)
    fake = provider()
    mine = waiting(6)[:rung]
    if rung == 1:
        tasks.deliver(delivery_id=mine[0])
    else:
        tasks.deliver_many(delivery_ids=mine)
    assert (len(fake.sent), states(), doorbells.take()) == (6, ["sent"] * 6, [])


def test_a_doorbell_takes_no_more_than_a_batch_and_rings_for_the_next(
    waiting, provider, doorbells, override
) -> None:
    override(batch_size=4)
    fake = provider()
    tasks.deliver(delivery_id=waiting(9)[0])
    assert len(fake.sent) == 4
    [(queue, task, _)] = doorbells.take()
    assert (queue, task) == ("normal", "tocsin.deliver")


def test_doorbells_drain_a_backlog_by_themselves(waiting, provider, doorbells, override) -> None:
    override(batch_size=4)
    fake = provider()
    rung = waiting(30)[0]
    rounds = 0
    while rung:
        tasks.deliver(delivery_id=rung)
        rung = next((ids for _, _, ids in doorbells.take()), None)
        rounds += 1
    assert (len(fake.sent), rounds) == (30, 8)


def test_a_row_that_somebody_took_along_leaves_its_doorbell_free_for_others(
    waiting, provider, doorbells
) -> None:
    fake = provider()
    first, *_ = waiting(3)
    Delivery.objects.filter(pk=first).update(state="sent", ring_at=None, ended_at=store.backlog.START[0])
    tasks.deliver(delivery_id=first)
    assert len(fake.sent) == 2


def test_a_full_doorbell_and_one_of_the_other_queue_take_nothing_along(
    waiting, provider, doorbells, override
) -> None:
    override(batch_size=2)
    fake = provider()
    waiting(2, Priority.CRITICAL)
    tasks.deliver_many(delivery_ids=waiting(3)[:2])
    assert len(fake.sent) == 2


def test_a_row_whose_doorbell_has_time_is_left_to_it(desk, ada, chat, provider, waiting, doorbells) -> None:
    fresh = desk.delivery(desk.event(ada, chat, event_id="fresh"))
    fake = provider()
    tasks.deliver(delivery_id=waiting(1)[0])
    fresh.refresh_from_db()
    assert (len(fake.sent), fresh.state) == (1, "pending")


@pytest.fixture
def limits_end():
    yield
    for key in client().scan_iter("limit.*"):
        client().delete(key)


def test_while_nothing_gets_through_no_further_doorbell_rings(
    waiting, provider, doorbells, override, limits_end
) -> None:
    override(batch_size=4, telegram_per_s=1)
    provider(LimitedError("slow down", 30.0))
    tasks.deliver_many(delivery_ids=waiting(9)[:1])
    assert [ids for _, _, ids, eta in doorbells.take_all() if eta is None] == []
