"""What a worker reads for its rows does not grow with the backlog, also where the statistics know of none."""

import uuid

import pytest
from django.db import connection

from notifications import store
from notifications.models import Delivery
from notifications.store import backlog
from tests.notifications.desk import claim

COUNT, TAKEN = 1_000, 10

_COPIES = """
WITH copied AS (
    INSERT INTO notifications_event
    SELECT (jsonb_populate_record(e, jsonb_build_object('id', e.id + n, 'event_id', n, 'seq', e.seq + n))).*
    FROM notifications_event e, generate_series(1, %s) n RETURNING id
)
INSERT INTO notifications_delivery
SELECT (jsonb_populate_record(d, jsonb_build_object('id', gen_random_uuid(), 'event_id', copied.id))).*
FROM notifications_delivery d, copied
"""
# The statistics are those of a quiet time, when all had ended.
_QUIET = """
UPDATE notifications_event SET state = 'delivered', final_at = accepted_at;
UPDATE notifications_delivery SET state = 'sent', ended_at = created_at, ring_at = NULL;
ANALYZE notifications_event, notifications_delivery;
UPDATE notifications_event SET state = 'accepted', final_at = NULL;
UPDATE notifications_delivery SET state = 'pending', ended_at = NULL, ring_at = created_at;
"""
_READ = """
SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables
WHERE relname IN ('notifications_event', 'notifications_delivery')
"""


@pytest.fixture
def ids(desk, ada, chat):
    """A few of the deliveries of a backlog."""
    desk.event(ada, chat)
    with connection.cursor() as cursor:
        cursor.execute(_COPIES, [COUNT])
        cursor.execute(_QUIET)
    return [str(pk) for pk in Delivery.objects.values_list("pk", flat=True)[:TAKEN]]


def rows_read() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_READ)
        return int(cursor.fetchone()[0])


def look_up(ids, now):
    return store.look_up(ids, now=now, max_tries=8)


STEPS = {
    "look_up": look_up,
    "with_next": lambda ids, now: store.with_next(ids),
    "still_waiting": lambda ids, now: backlog.still_waiting(ids),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_question_about_a_few_rows_reads_these_alone(ids, now, step) -> None:
    before = rows_read()
    step(ids, now)
    assert rows_read() - before <= TAKEN * 5


def test_a_claim_reads_its_rows_alone(ids, now) -> None:
    due, before = look_up(ids, now), rows_read()
    assert len(store.claim(due, token=uuid.uuid4(), now=now, lease_s=55)) == TAKEN
    assert rows_read() - before <= TAKEN * 10


def test_a_record_reads_its_rows_alone(ids, now, records) -> None:
    successes = [records.success(row) for row in claim(ids, now=now)]
    before = rows_read()
    effects, _ = store.record_sent(successes)
    assert len(effects.finals) == TAKEN
    assert rows_read() - before <= TAKEN * 10
