"""The stream while Postgres refuses: an outage loses nothing, and one bad entry stops nobody else."""

import pytest
from django.db import ProgrammingError, connection
from django.utils import timezone

from gateway.ingress.streams import TRIES
from notifications.models import Event, Quarantine
from notifications.states import Channel
from tests.gateway.other_ends import Stream
from users.models import Destination


@pytest.fixture(autouse=True)
def reachable(ann):
    return Destination.objects.create(
        user=ann, kind=Channel.EMAIL, address="ann@example.test", verified_at=timezone.now()
    )


@pytest.fixture
def rename():
    """Take a table away, as a database that is not what it should be, and bring it back."""
    away: list[str] = []

    def move(table: str, *, back: bool = False) -> None:
        names = (f"{table}_away", table) if back else (table, f"{table}_away")
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE {} RENAME TO {}".format(*names))
        if back:
            away.remove(table)
        else:
            away.append(table)

    yield move
    for table in tuple(away):
        move(table, back=True)


@pytest.fixture(params=["22001", "42601"], ids=["data", "a bug in SQL"])
def refusing_poison(request):
    """Postgres refuses events whose id starts with `poison`, with an error of the data or the statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " IF NEW.event_id LIKE 'poison%' THEN"
            f" RAISE EXCEPTION 'poison' USING ERRCODE = '{request.param}'; END IF;"
            " RETURN NEW; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER refuse_poison BEFORE INSERT ON notifications_event"
            " FOR EACH ROW EXECUTE FUNCTION refuse_poison()"
        )
        yield
        cursor.execute("DROP FUNCTION refuse_poison CASCADE")


@pytest.mark.parametrize("table", ["notifications_event", "notifications_inboxcursor", "users_source"])
def test_an_outage_of_postgres_leaves_every_entry_pending_however_long_it_lasts(
    stream: Stream, rename, table: str
) -> None:
    for number in range(3):
        stream.add(event_id=f"e-{number}")
    rename(table)
    for _ in range(TRIES + 2):
        with pytest.raises(ProgrammingError):
            stream.drain(stream.consumer())  # as `run` does: what was left behind first
    assert (stream.acks(), stream.pending, stream.length) == ([], 3, 3)
    rename(table, back=True)
    stream.drain()
    assert stream.told() == [(f"e-{number}", "QUEUED", False, "") for number in range(3)]
    assert (stream.pending, stream.length) == (0, 0)
    assert not Quarantine.objects.exists()


def test_a_commit_whose_ack_failed_is_acked_again(stream: Stream) -> None:
    stream.client.set("tocsin:acks:venue", "not a stream")
    stream.add(event_id="e-1")
    with pytest.raises(Exception, match="WRONGTYPE"):
        stream.drain()
    assert Event.objects.count() == 1
    stream.client.delete("tocsin:acks:venue")
    stream.drain()
    assert Event.objects.count() == 1
    assert {entry[:2] for entry in stream.told()} == {("e-1", "QUEUED")}
    assert stream.length == 0


def test_poison_goes_to_quarantine_and_everything_beside_it_is_taken(stream: Stream, refusing_poison) -> None:
    stream.add(event_id="before")
    entry_id = stream.add(event_id="poison")
    stream.add(event_id="after")
    ingress = stream.consumer()
    for _ in range(TRIES + 2):
        stream.drain(ingress)
        ingress = stream.consumer()
    assert [entry[0] for entry in stream.told()] == ["before", "after"]
    kept = Quarantine.objects.get()
    assert (kept.entry_id, kept.code) == (entry_id.decode(), "poison")
    assert b"poison" in bytes(kept.content)
    assert (stream.pending, stream.length) == (0, 0)
