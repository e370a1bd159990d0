"""Load shedding: how many rows are open, and which events are refused for it."""

import pytest

from notifications import store, tasks
from notifications.ingest import ingest
from notifications.models import Event
from notifications.operations import overload
from notifications.states import Priority
from runtime.redis.client import client
from tests.kit.eventually import eventually

INFO, NORMAL, CRITICAL = Priority.INFORMATIONAL, Priority.NORMAL, Priority.CRITICAL


@pytest.fixture(autouse=True)
def unknown_again(doorbells):
    yield
    client().delete(overload.KEY)
    overload.open_rows.read()


@pytest.fixture
def open_rows():
    """Let the ingress know that so many rows are open."""

    def open_rows(count):
        client().set(overload.KEY, count)
        overload.open_rows.read()

    return open_rows


@pytest.mark.parametrize(
    ("count", "bound", "refused"),
    [
        (100, 100, set()),
        (101, 100, {NORMAL}),
        (1_000, 100, {NORMAL}),
        (1_001, 100, {NORMAL, CRITICAL}),
        (9_999, 0, set()),
    ],
)
def test_normal_events_are_refused_first_and_no_bound_refuses_none(
    open_rows, override, count, bound, refused
) -> None:
    override(open_rows_max=bound)
    open_rows(count)
    assert overload.refused_priorities() == refused


def test_a_refused_event_is_not_stored_and_the_others_of_its_batch_are(
    desk, ada, chat, now, open_rows, override
) -> None:
    override(open_rows_max=5)
    open_rows(6)
    batch = [desk.envelope(ada, priority.name, priority=priority) for priority in (NORMAL, CRITICAL, INFO)]
    normal, critical, info = ingest(batch, now=now)
    assert (normal.status, normal.final, normal.code, normal.pk) == ("ACK_ERROR", True, "overloaded", 0)
    assert (critical.status, info.code) == ("QUEUED", "no_session")
    assert Event.objects.get().event_id == "CRITICAL"
    open_rows(5)
    assert ingest(batch[:1], now=now)[0].status == "QUEUED"


def test_what_is_wrong_with_an_event_comes_before_the_load(desk, now, open_rows, override) -> None:
    override(open_rows_max=5)
    open_rows(6)
    assert ingest([desk.envelope("nobody")], now=now)[0].code == "unknown_user"


def test_open_rows_are_counted_by_a_task_and_known_a_moment_later(desk, ada, chat, mailbox) -> None:
    desk.event(ada, chat, mailbox)
    desk.claim(desk.delivery(desk.event(ada, chat, event_id="e2")))
    tasks.count_open_rows()
    eventually(lambda: overload.open_rows.count() == 2, within_s=10, what="the number is known")


def test_counting_ends_above_the_highest_bound(desk, ada, chat, override) -> None:
    override(open_rows_max=1)
    batch = [desk.acceptance(ada, f"e{number}", chat) for number in range(15)]
    store.accept(batch, now=desk.now)
    assert overload.measure() == 11


def test_without_redis_nothing_is_refused(open_rows, override, redis_away) -> None:
    override(open_rows_max=5)
    overload.open_rows.read()
    assert overload.refused_priorities() == set()


def test_a_number_that_was_not_read_lately_refuses_nothing() -> None:
    now = [100.0]
    open_rows = overload._OpenRows(lambda: now[0])
    client().set(overload.KEY, 7)
    open_rows.read()
    assert open_rows.count() == 7
    now[0] += 6  # nobody published meanwhile
    client().delete(overload.KEY)
    assert open_rows.count() == 0
