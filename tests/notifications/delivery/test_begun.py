"""That a send began is a fact in the database: whatever fails before it leaves the row as it was."""

import asyncio
from contextlib import contextmanager
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from notifications import store
from notifications.acks import reasons
from notifications.delivery.attempt import attempt_many
from notifications.effects import Effects
from notifications.models import Attempt, Delivery, Event
from notifications.states import Channel, WaitReason
from notifications.transports import registry
from notifications.transports.base import Receipt
from tests.notifications.other_ends import unused
from users.models import Destination


@pytest.fixture
def events(desk, ada, chat):
    return [desk.event(ada, chat, event_id=f"e{n}") for n in range(5)]


@pytest.fixture
def attempt(desk, now):
    def attempt(events) -> Effects:
        whole = Effects()
        ids = [str(desk.delivery(event).pk) for event in events]
        for effects in attempt_many(ids, clock=lambda: now, run_effects=unused):
            whole.add(effects)
        return whole

    return attempt


def untouched(rows) -> bool:
    return {(row.state, row.attempts, row.possible_duplicate, row.lease_token) for row in rows} == {
        ("pending", 0, False, None)
    }


def test_an_address_that_no_key_decrypts_ends_alone_and_names_our_configuration(
    desk, ada, events, mailbox, provider, attempt
) -> None:
    broken = desk.event(ada, mailbox, event_id="broken")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE users_destination SET address = 'no token' WHERE id = %s", [mailbox.pk])
    fake = provider()
    effects = attempt([*events[:2], broken, *events[2:]])
    assert len(fake.sent) == 5
    assert set(effects.finals) == {event.pk for event in [*events, broken]}
    row = desk.delivery(broken)
    assert (row.state, row.failure_kind, row.attempts) == ("failed", "configuration", 0)
    broken.refresh_from_db()
    assert (broken.state, broken.code) == ("failed", "configuration")
    assert not Destination.objects.defer("address").get(pk=mailbox.pk).disabled_at


def test_a_row_that_cannot_be_rendered_ends_alone(desk, events, provider, attempt) -> None:
    Event.objects.filter(pk=events[1].pk).update(payload=["not", "an", "object"])
    fake = provider()
    attempt(events)
    assert len(fake.sent) == 4
    assert desk.delivery(events[1]).failure_kind == "configuration"
    assert Delivery.objects.filter(state="sent").count() == 4
    assert not Delivery.objects.filter(possible_duplicate=True).exists()


def test_a_channel_of_another_version_ends_alone_and_can_be_asked_for(
    desk, ada, mailbox, events, provider, attempt, now
) -> None:
    odd = desk.event(ada, mailbox, event_id="odd")
    Delivery.objects.filter(event=odd).update(channel=99)
    fake = provider()
    attempt([*events, odd])
    assert len(fake.sent) == 5
    assert desk.delivery(odd).failure_kind == "configuration"
    odd.refresh_from_db()
    [(channel, _)] = reasons(odd, odd.deliveries.all())
    assert channel.name == "CHANNEL_99"


@contextmanager
def limits_that_fail_for(address):
    """Telegram's declaration with limits that one address breaks."""
    usual = registry.spec(Channel.TELEGRAM)

    def limits(given):
        if given == address:
            raise ValueError(given)
        return usual.limits(given)

    everything = registry.channels()
    registry._replace([replace(usual, limits=limits), *(s for s in everything.values() if s is not usual)])
    try:
        yield
    finally:
        registry._replace(everything.values())


def test_a_row_that_breaks_the_limits_ends_alone(desk, ada, events, provider, attempt) -> None:
    other = desk.address(ada, Channel.TELEGRAM)
    odd = desk.event(ada, other, event_id="odd")
    fake = provider()
    with limits_that_fail_for(other.address):
        attempt([*events, odd])
    assert len(fake.sent) == 5
    assert desk.delivery(odd).failure_kind == "configuration"


@pytest.mark.django_db(transaction=True)
def test_only_what_has_room_is_claimed(desk, events, provider, attempt, override) -> None:
    override(send_concurrency=2)
    seen = []

    async def look() -> Receipt:
        seen.append(await asyncio.to_thread(_sending))
        return Receipt()

    provider(*[look] * 5)
    attempt(events)
    assert max(seen) <= 2
    assert Delivery.objects.filter(state="sent").count() == 5


def _sending() -> int:
    try:
        return Delivery.objects.filter(state="sending").count()
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_an_error_in_the_worker_leaves_what_has_not_begun_as_it_was(
    desk, events, provider, now, override
) -> None:
    override(send_concurrency=2)
    provider(Receipt(), *[asyncio.Event().wait] * 4)
    ids = [str(desk.delivery(event).pk) for event in events]
    results = attempt_many(ids, clock=lambda: now, run_effects=unused)
    next(results)
    with pytest.raises(KeyboardInterrupt):
        results.throw(KeyboardInterrupt())
    assert sorted(Delivery.objects.values_list("state", flat=True)) == ["pending"] * 2 + ["sending"] * 2 + [
        "sent"
    ]
    assert untouched(Delivery.objects.filter(state="pending"))


@pytest.fixture
def answer_to_the_claim_is_lost(monkeypatch):
    """Cuts the connection after the first claim was committed and before its answer arrives."""
    claim, cut = store.claim, []

    def cut_once(*args, **named):
        claimed = claim(*args, **named)
        if not cut:
            cut.append(len(claimed))
            _end_backend()
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")  # raises: the connection has gone
        return claimed

    monkeypatch.setattr(store, "claim", cut_once)
    return cut


def _end_backend() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    given = connection.get_connection_params()
    chosen = {name: given[name] for name in ("host", "port", "user", "password", "dbname")}
    with psycopg.connect(**chosen) as other:
        other.execute("SELECT pg_terminate_backend(%s)", [pid])


@pytest.mark.django_db(transaction=True)
def test_a_claim_whose_answer_was_lost_is_asked_for_again(
    desk, events, provider, attempt, answer_to_the_claim_is_lost
) -> None:
    fake = provider()
    assert len(attempt(events).finals) == 5
    assert answer_to_the_claim_is_lost == [5]
    assert len(fake.sent) == 5
    assert set(Attempt.objects.values_list("number", "outcome")) == {(1, "sent")}


def test_a_claim_that_is_repeated_under_its_token_counts_one_try(desk, events, now) -> None:
    [due] = store.look_up([str(desk.delivery(events[0]).pk)], now=now, max_tries=8)
    token = uuid4()
    first = store.claim([due], token=token, now=now, lease_s=55)
    assert store.claim([due], token=token, now=now, lease_s=55, again=True) == first != []
    assert store.claim([due], token=uuid4(), now=now, lease_s=55, again=True) == []
    assert desk.delivery(events[0]).attempts == 1


def test_what_was_tried_since_it_was_looked_up_is_not_claimed(desk, events, now) -> None:
    row = desk.delivery(events[0])
    [due] = store.look_up([str(row.pk)], now=now, max_tries=8)
    desk.claim(row)
    Delivery.objects.filter(pk=row.pk).update(state="deferred", lease_token=None)  # failed, and due again
    assert store.claim([due], token=uuid4(), now=now, lease_s=55) == []


def test_a_waiting_row_that_another_worker_claims_meanwhile_is_not_postponed(desk, events, now) -> None:
    row = desk.delivery(events[0])
    due = store.look_up([str(row.pk)], now=now, max_tries=8)
    desk.claim(row)
    store.postpone(due, until=[now], ring_at=[now], slots=[False], reason=WaitReason.NO_ROOM, now=now)
    assert desk.delivery(events[0]).ring_at > now
