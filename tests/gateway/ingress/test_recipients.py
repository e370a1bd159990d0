"""Events that bring their person: created or completed just in time, over every way in."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gateway.auth.bearer import grant_of
from gateway.codec import events
from notifications.events import Ack
from notifications.ingest import ingest
from notifications.models import Event
from proto.tocsin.v1 import user_events_pb2 as wire
from runtime.postgres import clock
from tests.gateway.good_events import event_json, event_message
from tests.gateway.other_ends import Producer
from users.models import Source, User

RECIPIENT = {
    "name": "Alice Liddell",
    "locale": "de",
    "time_zone": "Europe/Zurich",
    "addresses": [{"channel": "TELEGRAM", "address": "100200300", "verified": True}],
}


@pytest.fixture(autouse=True)
def rights(venue: Source) -> Source:
    Source.objects.update(may_create_people=True, may_vouch=True)
    venue.refresh_from_db()
    return venue


def alice() -> User:
    return User.objects.get(external_id="alice")


def publish(venue: Source, *bodies: dict) -> list[Ack]:
    grant = grant_of(Source.objects.get(pk=venue.pk))
    return ingest([events.from_json(body, grant) for body in bodies], now=clock.now())


def event(**changes: object) -> dict:
    return event_json(user_id="alice", **changes)


def message_of(**changes: object) -> wire.UserEvent:
    message = event_message(user_id="alice", **changes)
    message.recipient.CopyFrom(
        wire.Recipient(
            name="Alice Liddell",
            locale="de",
            time_zone="Europe/Zurich",
            addresses=[
                wire.RecipientAddress(channel=wire.TELEGRAM, address="100200300", verified=True),
            ],
        )
    )
    return message


def check_created() -> None:
    person = alice()
    assert (person.get_full_name(), person.locale, person.time_zone) == (
        "Alice Liddell",
        "de",
        "Europe/Zurich",
    )
    [chat] = person.destinations.all()
    assert (chat.address, chat.verified_at is not None) == ("100200300", True)


# --- every way in ---------------------------------------------------------------------------------------
def test_over_http_in_json(producer: Producer) -> None:
    answer = producer.publish(user_id="alice", recipient=RECIPIENT)
    assert (answer.status_code, answer.json()["status"]) == (202, "QUEUED")
    check_created()
    [delivery] = Event.objects.get(person=alice()).deliveries.all()
    assert delivery.destination.address == "100200300"


def test_over_http_as_protobuf(producer: Producer) -> None:
    status, ack = producer.publish_message(message_of())
    assert (status, ack.status) == (202, wire.QUEUED)
    check_created()


def test_twice_in_one_batch(producer: Producer) -> None:
    acks = producer.batch(*[event(recipient=RECIPIENT) for _ in range(2)], event())
    assert [(ack["status"], ack["seq"]) for ack in acks] == [("QUEUED", 1), ("QUEUED", 2), ("QUEUED", 3)]
    check_created()


def test_over_the_stream(stream, venue: Source) -> None:
    for _ in range(2):
        stream.add(message_of(source="venue").SerializeToString())
    stream.drain()
    assert [ack.status for ack in stream.acks()] == [wire.QUEUED] * 2
    check_created()


# --- what is kept ---------------------------------------------------------------------------------------
def test_the_stored_bytes_are_without_the_recipient(producer: Producer) -> None:
    producer.publish(event_id="json", user_id="alice", recipient=RECIPIENT)
    producer.publish_message(message_of(event_id="protobuf"))
    raws = {one.event_id: bytes(one.raw) for one in Event.objects.all()}
    assert json.loads(raws["json"])["event_id"] == "json"
    assert wire.UserEvent.FromString(raws["protobuf"]).event_id == "protobuf"
    assert not any(b"100200300" in raw for raw in raws.values())


def test_the_same_event_with_another_recipient_is_a_duplicate(venue: Source) -> None:
    body = event(recipient={"name": "Alice"})
    publish(venue, body)
    [ack] = publish(venue, {**body, "recipient": RECIPIENT})
    assert ack.duplicate
    [ack] = publish(venue, {name: value for name, value in body.items() if name != "recipient"})
    assert ack.duplicate
    assert (alice().first_name, alice().locale) == ("Alice", "de")


def test_several_recipients_of_one_person_in_a_batch_add_up(venue: Source) -> None:
    mail = {"channel": "EMAIL", "address": "alice@example.org"}
    publish(
        venue,
        event(recipient={"locale": "de"}),
        event(recipient={"locale": "fr", "name": "Alice", "addresses": [mail]}),
        event(recipient={"addresses": RECIPIENT["addresses"]}),
    )
    assert (alice().first_name, alice().locale) == ("Alice", "de")
    assert {one.address for one in alice().destinations.all()} == {"100200300", "alice@example.org"}


# --- its price ------------------------------------------------------------------------------------------
def statements(venue: Source, *bodies: dict) -> int:
    grant = grant_of(Source.objects.get(pk=venue.pk))
    envelopes = [events.from_json(body, grant) for body in bodies]
    with CaptureQueriesContext(connection) as queries:
        ingest(envelopes, now=clock.now())
    return len(queries)


def test_an_event_without_a_recipient_costs_no_statement_more(
    venue: Source,
) -> None:
    publish(venue, event(recipient=RECIPIENT))
    plain = statements(venue, event())
    assert statements(venue, event(recipient=RECIPIENT)) == plain + 2
    Source.objects.update(people_prefixes=["al"])
    assert statements(venue, event()) == plain
    Source.objects.update(people_groups=["traders"])
    assert statements(venue, event()) == plain


# --- who may --------------------------------------------------------------------------------------------
def rejection(ack: Ack) -> tuple[str, str]:
    assert ack.final
    return ack.code, ack.field


def test_an_unknown_person_without_a_recipient_is_refused_with_what_to_do(venue: Source) -> None:
    [ack] = publish(venue, event())
    assert rejection(ack) == ("unknown_user", "user_id")
    assert "PUT /api/v1/users/{id}" in ack.detail
    assert "recipient" in ack.detail


def test_a_source_that_may_not_create_people(venue: Source, ann) -> None:
    Source.objects.update(may_create_people=False)
    unknown, known = publish(venue, event(recipient=RECIPIENT), event_json(recipient={"name": "Ann"}))
    assert rejection(unknown) == ("unknown_user", "user_id")
    assert "lets this source create people" in unknown.detail
    assert rejection(known) == ("forbidden_recipient", "recipient")
    assert not User.objects.filter(external_id="alice").exists()
    assert User.objects.get(external_id="ann").first_name == ""


def test_a_source_that_may_not_vouch(venue: Source) -> None:
    Source.objects.update(may_vouch=False)
    [ack] = publish(venue, event(recipient=RECIPIENT))
    assert rejection(ack) == ("forbidden_verified", "recipient.addresses")
    mail = {"channel": "EMAIL", "address": "alice@example.org", "verified": False}
    [ack] = publish(venue, event(recipient={"addresses": [mail]}))
    assert ack.pk
    assert alice().destinations.get().verified_at is None


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"event_type": "RISK_ALERT"}, "forbidden_type"),
        ({"expires_at": 1_600_000_000_000}, "expired"),
        ({"timestamp": 4_000_000_000_000}, "timestamp_in_future"),
    ],
)
def test_an_event_that_is_refused_creates_nobody(venue: Source, changes: dict, code: str) -> None:
    Source.objects.update(event_types=["ORDER_FILLED"])
    [ack] = publish(venue, event(recipient=RECIPIENT, **changes))
    assert ack.code == code
    assert not User.objects.filter(external_id="alice").exists()


def test_a_source_addresses_only_whom_its_rule_allows(venue: Source, ann, bob) -> None:
    Source.objects.update(people_prefixes=["an"], people_groups=["traders"])
    first, second, new = publish(
        venue, event_json(user_id="ann"), event_json(user_id="bob"), event(recipient=RECIPIENT)
    )
    assert first.pk
    assert rejection(second) == rejection(new) == ("forbidden_user", "user_id")
    assert not User.objects.filter(external_id="alice").exists()
    bob.groups.create(name="traders")
    [third] = publish(venue, event_json(user_id="bob"))
    assert third.pk


def test_the_rule_holds_over_http_and_the_stream_too(producer: Producer, stream, venue: Source) -> None:
    Source.objects.update(people_prefixes=["b"])
    answer = producer.publish()
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden_user")
    stream.add()
    stream.drain()
    assert [ack.code for ack in stream.acks()] == ["forbidden_user"]


# --- the codec ------------------------------------------------------------------------------------------
INVALID = {
    "text": ("alice", "not_an_object", "recipient"),
    "an unknown field": ({"email": "a@b.ch"}, "unknown_field", "recipient.email"),
    "groups": ({"groups": ["admins"]}, "unknown_field", "recipient.groups"),
    "a bad address": (
        {"addresses": [{"channel": "EMAIL", "address": "alice"}]},
        "invalid_address",
        "recipient.addresses[0].address",
    ),
    "an unknown time zone": ({"time_zone": "Mars"}, "unknown_time_zone", "recipient.time_zone"),
}


@pytest.mark.parametrize(("recipient", "code", "field"), INVALID.values(), ids=INVALID)
def test_a_bad_recipient_names_its_field(venue: Source, recipient: object, code: str, field: str) -> None:
    with pytest.raises(events.InvalidEvent) as refused:
        events.from_json(event(recipient=recipient), grant_of(venue))
    assert (refused.value.code, refused.value.field) == (code, field)


def test_a_recipient_of_a_topic_is_refused(venue: Source) -> None:
    body = event_json(user_id=..., topic="market.BTC", recipient=RECIPIENT)
    with pytest.raises(events.InvalidEvent) as refused:
        events.from_json(body, grant_of(venue))
    assert refused.value.code == "recipient_without_user"


def test_a_protobuf_address_on_a_channel_that_is_unknown_is_refused(venue: Source) -> None:
    message = message_of()
    message.recipient.addresses[0].channel = 99
    with pytest.raises(events.InvalidEvent) as refused:
        events.from_message(message, grant_of(venue))
    assert (refused.value.code, refused.value.field) == ("unknown_value", "recipient.addresses[0].channel")


def test_both_encodings_give_the_same_recipient_and_digest(venue: Source) -> None:
    body = event(event_id="e1", timestamp=1_790_000_000_000)
    grant = grant_of(venue)
    plain = events.from_json(body, grant)
    in_json = events.from_json({**body, "recipient": RECIPIENT}, grant)
    as_protobuf = events.from_message(message_of(event_id="e1", timestamp=1_790_000_000_000), grant)
    assert in_json.recipient == as_protobuf.recipient
    assert plain.digest == in_json.digest == as_protobuf.digest
