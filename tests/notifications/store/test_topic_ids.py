"""An id of a source is a person's event or a topic's, never both, whichever comes first."""

from dataclasses import replace
from functools import partial

import pytest

from notifications import dispatch
from notifications.ingest import ingest
from notifications.models import Broadcast, Event
from notifications.states import Priority
from users.models import TopicRule


@pytest.fixture
def grant(desk):
    TopicRule.objects.create(prefix="market.", audience="everybody")
    return replace(desk.grant, topic_prefixes=("market.",))


@pytest.fixture
def to_topic(desk, grant):
    return partial(desk.envelope, "", source=grant, topic="market.BTC")


@pytest.mark.usefixtures("doorbells")
@pytest.mark.parametrize("priority", list(Priority))
def test_an_id_of_a_topics_event_is_no_persons(desk, ada, grant, to_topic, now, priority) -> None:
    [first] = ingest([to_topic("e1")], now=now)
    assert first.broadcast_pk
    [ack] = ingest([desk.envelope(ada, "e1", source=grant, priority=priority)], now=now)
    assert (ack.status, ack.code, ack.final, ack.pk) == ("ACK_ERROR", "conflict", True, 0)
    assert not Event.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_id_raced_for_a_person_and_a_topic_belongs_to_one_of_them(
    desk, ada, grant, to_topic, doorbells, side_by_side, now
) -> None:
    ids = [f"r{number}" for number in range(40)]
    lanes = [
        [desk.envelope(ada, event_id, source=grant) for event_id in ids],
        [to_topic(event_id) for event_id in ids],
    ]
    answers = side_by_side(
        *(lambda lane=lane: [ack for item in lane for ack in ingest([item], now=now)] for lane in lanes)
    )
    for one, other in zip(*answers, strict=True):
        assert {one.code == "conflict", other.code == "conflict"} == {True, False}
    kept = set(Event.objects.values_list("event_id", flat=True))
    told = set(Broadcast.objects.values_list("event_id", flat=True))
    assert (kept & told, kept | told) == (set(), set(ids))
    dispatch.flush()
