"""A long backlog: what the sweep and the workers read of it costs by what they take."""

import json
import uuid
from datetime import timedelta

import pytest
from django.db import connection

from notifications import store
from notifications.models import Delivery, Event
from notifications.settings import PipelineSettings
from notifications.states import Priority
from notifications.store import backlog

SETTINGS = PipelineSettings()
NORMAL, CRITICAL = Priority.NORMAL, Priority.CRITICAL


@pytest.fixture
def many(desk, ada, chat):
    """Accept so many events for one chat and return the ids of their deliveries."""

    def many(count, **fields):
        first = Event.objects.count()
        batch = [desk.acceptance(ada, f"e{first + number}", chat, **fields) for number in range(count)]
        return [item.delivery_id for item in store.accept(batch, now=desk.now)]

    return many


@pytest.fixture
def later(now):
    """Return the time at which the rows' doorbells have had theirs."""
    return now + timedelta(seconds=6)


@pytest.fixture
def sweep(later):
    def sweep(**how):
        return store.sweep_deliveries(now=later, settings=SETTINGS, **how)

    return sweep


def rung(effects):
    return {ring.delivery_id for ring in effects.rings}


def versions():
    """Return the version of each row: an update makes a new one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM notifications_delivery")
        return dict(cursor.fetchall())


def test_rows_whose_doorbells_are_queued_are_neither_rung_nor_written(many, sweep) -> None:
    many(3)
    before = versions()
    assert sweep(idle=[CRITICAL]).rings == []
    assert versions() == before
    assert len(sweep(idle=[NORMAL]).rings) == 3


def test_a_backlog_gets_a_few_doorbells_whose_workers_take_the_rest_along(many, sweep) -> None:
    many(250)
    before = versions()
    assert len(rung(sweep())) == 10
    assert sum(version != before[pk] for pk, version in versions().items()) == 10


def test_a_critical_backlog_does_not_hold_up_a_normal_doorbell(many, sweep) -> None:
    many(150, priority=CRITICAL)
    [normal] = many(1)
    assert normal in rung(sweep())


def test_a_row_that_no_worker_can_claim_ends_however_long_the_queue_is(many, sweep, now) -> None:
    expired, spent, fine = many(3)
    Event.objects.filter(deliveries=expired).update(expires_at=now)
    Delivery.objects.filter(pk=spent).update(attempts=SETTINGS.max_tries)
    sweep(idle=())
    found = {str(pk): state for pk, state in Delivery.objects.values_list("pk", "state")}
    assert found == {expired: "expired", spent: "failed", fine: "pending"}


def test_a_lease_that_has_expired_ends_however_many_rows_wait(desk, many, sweep, now) -> None:
    rows = many(300)
    desk.claim(rows[-1], lease_s=5.9)
    assert len(sweep(idle=()).finals) == 1
    assert Delivery.objects.get(pk=rows[-1]).state == "unknown"


def test_looks_one_after_the_other_see_every_waiting_row_once(many, later) -> None:
    rows = many(7)  # all due at the same time
    seen, sizes, place = [], [], backlog.START
    for _ in range(3):
        look = backlog.look(NORMAL, after=place, now=later, max_tries=9, limit=3)
        seen += look.claimable
        sizes.append(len(look.claimable))
        place = look.end
    assert (sorted(seen), sizes, place) == (sorted(rows), [3, 3, 1], backlog.START)


def test_a_sweep_goes_on_where_the_last_one_ended_once_nothing_is_left_there(many, sweep, now) -> None:
    rows = many(2_001)
    [late] = many(1, expires_s=5)
    Delivery.objects.filter(pk=late).update(ring_at=now + timedelta(seconds=5.5))
    Event.objects.filter(deliveries=min(rows, key=uuid.UUID)).update(expires_at=now)
    places, ended = {}, []
    for _ in range(3):
        ended.append(len(sweep(idle=(), places=places).finals))
        if len(ended) == 1:
            assert places[NORMAL] == backlog.START  # it may have been stopped before it ended that row
    assert (ended, Event.objects.get(deliveries=late).state) == ([1, 0, 1], "expired")


def test_a_sweep_that_is_stopped_leaves_the_rest_as_it_was(many, later) -> None:
    many(120, expires_s=5)
    parts = store.sweep_deliveries_in_parts(now=later, settings=SETTINGS)
    next(parts)
    parts.close()
    assert Delivery.objects.filter(ring_at__lte=later).count() == 70
    assert len(store.sweep_deliveries(now=later, settings=SETTINGS).finals) == 70


def test_rows_beside_a_doorbell_are_due_of_its_priority_and_not_its_own(many, later, now) -> None:
    [mine, early, *others] = many(5)
    many(1, priority=CRITICAL)
    Delivery.objects.filter(pk=early).update(not_before=later + timedelta(seconds=1))
    found = backlog.due_beside([mine], now=later, limit=10)
    assert {ring.delivery_id for ring in found} == set(others)
    assert {ring.priority for ring in found} == {NORMAL}
    assert len(backlog.due_beside([mine], now=later, limit=2)) == 2
    assert backlog.due_beside([mine], now=now, limit=10) == []


def test_workers_that_ask_at_the_same_time_seldom_get_the_same_rows(many, later) -> None:
    mine, *_ = many(400)
    draws = [{ring.delivery_id for ring in backlog.due_beside([mine], now=later, limit=20)} for _ in range(2)]
    assert len(draws[0] & draws[1]) < 10


def test_open_rows_are_counted_up_to_a_limit(desk, many, later) -> None:
    rows = many(4)
    desk.claim(rows[0])
    assert [backlog.count_open(limit=limit, before=later + timedelta(hours=1)) for limit in (2, 9)] == [2, 4]


@pytest.mark.parametrize("sql", [backlog._LOOK, backlog._DUE_BESIDE], ids=["look", "due_beside"])
def test_a_look_reads_few_blocks_of_a_long_backlog(many, later, sql) -> None:
    first, *_ = many(3)
    with connection.cursor() as cursor:
        cursor.execute(_COPIES, [first])
        cursor.execute("ANALYZE notifications_delivery, notifications_event")
        values = {
            "priority": 1, "after": backlog.START[0], "after_id": backlog.START[1], "now": later,
            "max_tries": 9, "limit": 100, "drawn_from": 100, "first": first, "ids": [first],
        }  # fmt: skip
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
        plan = cursor.fetchone()[0]
    top = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
    assert top["Shared Hit Blocks"] + top["Shared Read Blocks"] < 1_500


_COPIES = """
INSERT INTO notifications_delivery (id, event_id, position, channel, destination_id, replay, priority, state,
    attempts, created_at, not_before, ring_at, possible_duplicate, provider_message_id, failure_kind, error)
SELECT gen_random_uuid(), event_id, n, channel, NULL, 0, priority, state, 0, created_at, not_before,
    ring_at + n * interval '1 microsecond', false, '', '', ''
FROM notifications_delivery, generate_series(1, 30000) n WHERE id = %s::uuid
"""
