"""The Celery tasks: doorbells are batched, and go to the queue of their priority."""

import ast
import os
import re
import subprocess
import sys
import tokenize
from datetime import timedelta

import pytest
from django.conf import settings

from config.env import ROOT
from notifications import dispatch, tasks
from notifications.delivery import retries
from notifications.effects import Effects, Ring
from notifications.models import Delivery
from notifications.states import Priority
from notifications.transports.base import LimitedError, Receipt, TemporaryError

NORMAL, CRITICAL = Priority.NORMAL, Priority.CRITICAL


def rings(count, priority=NORMAL, **fields):
    return [Ring(f"{priority.name}-{number}", priority, **fields) for number in range(count)]


def test_one_row_rings_by_a_task_of_its_own(doorbells) -> None:
    tasks.ring(rings(1))
    assert doorbells.take() == [("normal", "tocsin.deliver", "NORMAL-0")]


def test_many_rows_ring_in_batches_on_the_queue_of_their_priority(doorbells, override) -> None:
    override(batch_size=100)
    tasks.ring(rings(250) + rings(2, CRITICAL))
    found = doorbells.take()
    assert [(queue, task, len(ids)) for queue, task, ids in found] == [
        ("critical", "tocsin.deliver_many", 2),
        ("normal", "tocsin.deliver_many", 100),
        ("normal", "tocsin.deliver_many", 100),
        ("normal", "tocsin.deliver_many", 50),
    ]
    rung = [pk for queue, _, ids in found if queue == "normal" for pk in ids]
    assert rung == [ring.delivery_id for ring in rings(250)]


def test_a_row_that_failed_before_rings_alone(doorbells) -> None:
    tasks.ring(rings(2, CRITICAL, alone=True))
    assert doorbells.take() == [
        ("critical", "tocsin.deliver", "CRITICAL-0"),
        ("critical", "tocsin.deliver", "CRITICAL-1"),
    ]


def test_a_short_wait_is_a_countdown_and_a_long_one_is_left_to_the_sweep(doorbells) -> None:
    tasks.ring(rings(1, delay_s=30.0) + rings(1, CRITICAL, delay_s=61.0))
    [(queue, task, ids, eta)] = doorbells.take_all()
    assert (queue, task, ids) == ("normal", "tocsin.deliver", "NORMAL-0")
    assert eta is not None


def test_empty_effects_ring_nothing(doorbells) -> None:
    tasks.run_effects(Effects())
    assert doorbells.take() == []


def test_the_thread_batches_doorbells_into_few_messages(doorbells) -> None:
    for ring in rings(50):
        dispatch.run_effects_later(Effects([ring]))
    found = doorbells.take()
    ids = [pk for _, _, some in found for pk in ([some] if isinstance(some, str) else some)]
    assert ids == [ring.delivery_id for ring in rings(50)]


_RING_WITHOUT_BROKER = """
import django, time
django.setup()
from notifications import dispatch, tasks
from notifications.effects import Effects, Ring
from notifications.states import Priority
before = tasks.RINGS_LOST.values()
tasks.ring([Ring("1", Priority.CRITICAL), Ring("2", Priority.NORMAL)])
started = time.monotonic()
dispatch.run_effects_later(Effects([Ring("3", Priority.NORMAL)]))
assert time.monotonic() - started < 0.2, "the caller waited for the broker"
dispatch.flush()
after = tasks.RINGS_LOST.values()
print([after[queue,] - before.get((queue,), 0) for queue in ("critical", "normal")])
"""


def test_doorbells_lost_without_a_broker_are_counted_and_raise_nothing() -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    }
    command = [sys.executable, "-W", "ignore", "-c", _RING_WITHOUT_BROKER]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1:] == ["[1, 2]"], done.stderr


@pytest.fixture
def event(desk, ada, chat, mailbox):
    return desk.event(ada, chat, mailbox, priority=CRITICAL)


def test_a_delivered_row_rings_for_nothing_more(desk, event, provider, doorbells) -> None:
    provider(Receipt())
    tasks.deliver(delivery_id=str(desk.delivery(event).pk), of_a_newer_version=True)
    assert (desk.delivery(event).state, doorbells.take()) == ("sent", [])


def test_a_failed_row_rings_for_the_next_channel(desk, event, provider, doorbells) -> None:
    provider(ZeroDivisionError())
    tasks.deliver(delivery_id=str(desk.delivery(event).pk))
    assert doorbells.take() == [("critical", "tocsin.deliver", str(desk.delivery(event, 1).pk))]


def test_a_row_that_another_worker_has_claimed_is_no_error(desk, event, provider, doorbells) -> None:
    desk.claim(desk.delivery(event))
    tasks.deliver(delivery_id=str(desk.delivery(event).pk))
    assert doorbells.take() == []


def test_a_long_limit_ends_the_task_and_leaves_the_row_to_the_sweep(
    desk, ada, chat, provider, doorbells
) -> None:
    event = desk.event(ada, chat, priority=CRITICAL)
    provider(LimitedError("slow down", 300.0))
    tasks.deliver(delivery_id=str(desk.delivery(event).pk))
    assert (desk.delivery(event).state, doorbells.take()) == ("deferred", [])


def test_a_batch_rings_for_its_deferred_rows(desk, ada, chat, provider, doorbells) -> None:
    provider(Receipt(), TemporaryError("busy"))
    rows = [desk.delivery(desk.event(ada, chat, event_id=f"e{n}")) for n in range(2)]
    tasks.deliver_many(delivery_ids=[str(row.pk) for row in rows])
    assert doorbells.take() == [("normal", "tocsin.deliver", str(rows[1].pk))]


@pytest.mark.django_db(transaction=True)  # Celery's signals check the connection
def test_the_try_that_ends_a_channel_rings_for_the_next_one(desk, event, provider, doorbells) -> None:
    provider(*[TemporaryError("busy")] * 3)
    row = desk.delivery(event)
    done = tasks.deliver.apply(kwargs={"delivery_id": str(row.pk)})  # with Celery's retries, without waits
    row.refresh_from_db()
    assert done.state == "SUCCESS"
    assert (row.state, row.failure_kind, row.error, row.attempts) == ("failed", "temporary", "busy", 3)
    assert doorbells.take() == [("critical", "tocsin.deliver", str(desk.delivery(event, 1).pk))]


@pytest.mark.django_db(transaction=True)  # Celery's signals check the connection
def test_celerys_retries_end_before_their_limit_and_leave_the_row_to_the_sweep(
    desk, ada, chat, provider, doorbells
) -> None:
    fake = provider(*[TemporaryError("busy")] * 9)
    row = desk.delivery(desk.event(ada, chat))
    done = tasks.deliver.apply(kwargs={"delivery_id": str(row.pk)})
    row.refresh_from_db()
    assert (done.state, len(fake.sent)) == ("SUCCESS", 1 + retries.QUICK_TRIES)
    assert (row.state, row.attempts, row.ring_at) == ("deferred", 1 + retries.QUICK_TRIES, row.not_before)
    assert doorbells.take() == []


def test_the_sweep_task_rings_for_due_rows(desk, event, doorbells, now) -> None:
    Delivery.objects.update(ring_at=now - timedelta(seconds=1))
    tasks.sweep_due()
    assert doorbells.take() == [("critical", "tocsin.deliver", str(desk.delivery(event).pk))]


def test_the_sweep_task_leaves_rows_to_the_doorbells_of_a_long_queue(
    desk, ada, chat, event, doorbells, now
) -> None:
    desk.event(ada, chat, event_id="normal")
    Delivery.objects.update(ring_at=now - timedelta(seconds=1))
    tasks.ring(rings(1_000))
    tasks.sweep_due()
    found = doorbells.take()
    assert [ids for queue, _, ids in found if queue == "critical"] == [str(desk.delivery(event).pk)]
    assert len(found) == 11


def test_the_sweep_rings_for_nothing_while_no_broker_would_take_it() -> None:
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings.test",
        "CELERY_BROKER_URL": "redis://127.0.0.1:1/0",
    }
    command = [sys.executable, "-W", "ignore", "-c", _ASK_WITHOUT_BROKER]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1:] == ["[set(), set()]"], done.stderr


_ASK_WITHOUT_BROKER = """
import django
django.setup()
from notifications import tasks
print([tasks._idle_priorities() for _ in range(2)])
"""


def test_every_queue_is_consumed_by_a_process_of_the_procfile() -> None:
    consumed = {
        queue
        for queues in re.findall(r"worker .*?-Q ([\w,]+)", (ROOT / "Procfile").read_text())
        for queue in queues.split(",")
    }
    assert consumed == {queue.name for queue in settings.CELERY_TASK_QUEUES}
    assert {entry["options"]["queue"] for entry in settings.CELERY_BEAT_SCHEDULE.values()} <= consumed
    assert {*tasks._QUEUES.values(), settings.CELERY_TASK_DEFAULT_QUEUE} <= consumed


def test_every_celery_setting_says_why_it_is_not_the_default() -> None:
    path = ROOT / "config" / "settings" / "base.py"
    text = path.read_text()
    with path.open("rb") as source:
        comments = [token for token in tokenize.tokenize(source.readline) if token.type == tokenize.COMMENT]
    beside = {token.start[0] for token in comments if token.start[1] > 0}
    above = {token.start[0] + 1 for token in comments if token.start[1] == 0}
    silent = [
        name
        for name, first, last in celery_settings(text)
        if first not in above and beside.isdisjoint(range(first, last + 1))
    ]
    assert silent == []


def celery_settings(text: str):
    """Yield the name, first line and last line of each Celery setting."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Assign) and statement.targets[0].id.startswith("CELERY_"):
            yield statement.targets[0].id, statement.lineno, statement.end_lineno
