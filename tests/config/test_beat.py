"""Beat sends each tick when it is due, and never piles them up in a queue without a worker."""

import kombu
import pytest
from django.conf import settings

from config.beat import IntervalScheduler
from config.celery import app
from notifications.operations import ticks
from runtime.redis.client import client


@pytest.fixture
def queue():
    client().flushdb()
    with kombu.Connection(settings.CELERY_BROKER_URL) as connection:
        queue = connection.SimpleQueue("control")
        yield queue
        queue.close()
    client().flushdb()


@pytest.fixture
def scheduler():
    return IntervalScheduler(app=app, lazy=True, schedule=None)


@pytest.fixture
def sweeps(queue):
    def sweeps() -> int:
        found = 0
        while True:
            try:
                message = queue.get(block=False)
            except queue.Empty:
                return found
            message.ack()
            assert "expires" not in message.headers or message.headers["expires"] is None
            found += message.headers["task"] == "tocsin.sweep"

    return sweeps


@pytest.fixture
def due(scheduler):
    """Make everything due again."""
    scheduler.setup_schedule()

    def due() -> float:
        scheduler._due.clear()
        return scheduler.tick()

    return due


def test_a_tick_waits_for_its_worker_alone(due, sweeps) -> None:
    for _ in range(5):
        due()
    assert sweeps() == 1


def test_the_next_tick_follows_when_the_last_was_taken(due, sweeps) -> None:
    due()
    ticks.taken("sweep")
    due()
    assert sweeps() == 2


def test_a_tick_that_was_lost_is_sent_again(due, sweeps) -> None:
    due()
    assert 0 < client().pttl("tick.sweep") <= 2_000
    client().delete("tick.sweep")
    due()
    assert sweeps() == 2


def test_nothing_is_sent_before_it_is_due(due, scheduler, sweeps) -> None:
    assert 0 < due() <= 1
    ticks.taken("sweep")
    assert 0 < scheduler.tick() <= 1
    assert sweeps() == 1
