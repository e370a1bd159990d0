"""Erasing a person: nothing is sent, nothing stored is about them, and what proves deliveries stays."""

import json
import logging
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.contrib.postgres.fields import ArrayField
from django.core.management import call_command
from django.db import models, transaction
from django.utils import timezone

from notifications import store
from notifications.acks import event_ack
from notifications.delivery.attempt import attempt_one
from notifications.ingest import ingest
from notifications.models import (
    Attempt,
    BotUpdate,
    Delivery,
    Event,
    InboxCursor,
    MessageEdit,
    MessageTemplate,
    Quarantine,
    Replay,
    TemplateChange,
    TemplateVersion,
)
from notifications.operations import erasure
from notifications.states import Channel, Priority
from notifications.store.erasure.mentions import quotes
from notifications.transports.base import MessageError
from runtime.redis.client import client
from tests.notifications import processes
from users import keys
from users.acting import acting
from users.models import (
    ApiKey,
    Destination,
    Erasure,
    EventGroup,
    Hook,
    LinkToken,
    PersonChange,
    Reactivation,
    Source,
    User,
)
from users.people.erasing import Operator, sought

MARK = "m4rk3r"
ROOT = Operator(Erasure.Surface.COMMAND, "root")

# Every column of text, bytes or JSON that can hold a person, and is empty or opaque after an erasure.
ERASED = {
    "admin.LogEntry": {"object_repr", "change_message"},
    "notifications.Attempt": {"error"},
    "notifications.BotUpdate": {"notices"},
    "notifications.Delivery": {"error"},
    "notifications.Event": {
        *{"payload", "words", "raw", "digest", "collapse_key", "ordering_key", "correlation_id", "metadata"},
        *{"channels", "plan", "trace", "topic"},
    },
    "notifications.MessageTemplate": {"draft_saved_by"},
    "notifications.Quarantine": {"content", "context", "reason"},
    "notifications.Replay": {"who", "filter"},
    "notifications.TemplateChange": {"who"},
    "notifications.TemplateVersion": {"published_by"},
    "users.Account": {"account"},
    "users.ApiKey": {"note"},
    "users.ChannelPreference": {"event_type"},
    "users.Destination": {"address", "address_digest", "label", "disabled_reason"},
    "users.Erasure": {"who", "sought"},
    "users.Hook": {"options"},
    "users.LinkToken": {"token_digest", "opened_by"},
    "users.Mute": {"event_type"},
    "users.PersonChange": {"who", "was", "now"},
    "users.Reactivation": {"who", "reason"},
    "users.Digest": {"event_type"},
    "users.SignIn": {"session_key", "device"},
    "users.Throttle": {"event_type"},
    "users.TopicSubscription": {"topic"},
    "users.Verification": {"address_digest", "code_digest", "token_digest"},
    "users.User": {
        *{"external_id", "username", "first_name", "last_name", "email", "password", "time_zone", "locale"},
        "profile_set_by",
    },
}
# Every other one, with what it holds instead of a person. A new column belongs into one of the two.
KEPT = {
    "admin.LogEntry": {"object_id"},  # the number of a row
    "auth.Group": {"name"},  # the operator's
    "auth.Permission": {"name", "codename"},
    "contenttypes.ContentType": {"app_label", "model"},
    # The number of a person's row and a digest of their password, signed. It is not valid any more.
    "sessions.Session": {"session_key", "session_data"},
    "notifications.Broadcast": {  # for all followers of a topic
        *{"event_id", "topic", "event_type", "content", "raw", "digest", "counts", "code", "reply_to"}
    },
    "notifications.CallbackMessage": {"event_id", "body", "last_error"},  # an ack: ids, codes and times
    "notifications.Delivery": {"provider_message_id"},  # a number that proves the delivery
    "notifications.Event": {"event_id", "event_type", "code", "reply_to", "history"},  # ids, codes and times
    "notifications.MessageTemplate": {
        *{"event_type", "stem", "locale", "draft_title", "draft_body"}  # wordings for everybody
    },
    "notifications.Quarantine": {"ingress", "entry_id", "source_name", "code"},
    "notifications.SimulatedEvent": {"event_id", "event_type", "digest", "plan", "trace", "ack"},  # nobody's
    "notifications.TemplateChange": {"note"},
    "notifications.TemplateVersion": {"title", "body"},
    "users.ApiKey": {"prefix", "secret_digest", "scopes"},
    "users.DefaultDigest": {"times", "weekdays"},
    "users.Digest": {"times", "weekdays"},  # deleted; numbers
    "users.Callback": {"url", "secret", "old_secret", "owner_email", "disabled_reason"},  # a source's
    "users.EventGroup": {"name", "label", "event_types"},
    "users.Hook": {"normalizer", "note", "prefix", "secret_digest", "previous_digest"},
    "users.Hours": {"weekdays"},  # deleted; numbers
    "users.PersonChange": {"subject"},  # the name of a table
    "users.Source": {
        "name",
        *{"event_types", "topic_prefixes", "people_prefixes", "people_groups", "link_hosts"},
    },
    "users.TopicRule": {"prefix"},
}
_TEXT = (models.CharField, models.TextField, models.BinaryField, models.JSONField, ArrayField)


def concrete_models() -> list[type[models.Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if not model._meta.proxy]


def text_columns(model: type[models.Model]) -> set[str]:
    fields = model._meta.local_concrete_fields
    return {field.name for field in fields if isinstance(field, _TEXT) and not field.choices}


def test_somebody_has_decided_about_every_column() -> None:
    columns = {model._meta.label: text_columns(model) for model in concrete_models()}
    decided = {label: ERASED.get(label, set()) | KEPT.get(label, set()) for label in ERASED | KEPT}
    assert {label: found for label, found in columns.items() if found} == decided


def whole_database() -> dict[str, str]:
    """Return the rows of every table as text, decrypted."""
    found = {}
    for model in concrete_models():
        rows = list(model._base_manager.values())
        found[model._meta.label] = repr(
            [{name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items()} for row in rows]
        )
    return found


def unmarked() -> set[str]:
    """Return the columns that say nothing recognisable before the erasure."""
    found = set()
    for label, columns in ERASED.items():
        for column in columns:
            values = apps.get_model(label)._base_manager.values_list(column, flat=True)
            texts = [repr(bytes(one) if isinstance(one, memoryview) else one) for one in values]
            if MARK not in "".join(texts):
                found.add(f"{label}.{column}")
    return found


@pytest.fixture
def person(desk, now) -> User:
    """Somebody of whom every table says something."""
    who = f"{MARK}-ada"
    ada = User.objects.create(
        external_id=who,
        username=who,
        email=f"{MARK}@example.org",
        first_name=MARK,
        last_name=MARK,
        password=f"!{MARK}",
        profile_set_by={"locale": MARK},
        time_zone="Europe/Zurich",
        locale="de",
    )
    chat = desk.address(
        ada, Channel.TELEGRAM, address=f"{MARK}1", label=MARK, disabled_at=now, disabled_reason=MARK
    )
    with acting(PersonChange.Surface.API, who):
        Destination.objects.filter(pk=chat.pk).update(label=f"{MARK}2")
    fill_person(ada, now)
    fill_events(desk, ada, chat, now)
    fill_audits(who, now)
    user_type = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(
        user=ada,
        content_type=user_type,
        object_id=str(ada.pk),
        object_repr=who,
        action_flag=CHANGE,
        change_message=MARK,
    )
    return ada


def fill_person(ada: User, now) -> None:
    group = EventGroup.objects.create(name="trades", label="Trades", event_types=["T"])
    ada.channel_preferences.create(event_type=MARK, channel=Channel.WEB)
    ada.mutes.create(event_type=MARK)
    ada.throttles.create(event_type=MARK, at_most=1, per_s=1)
    ada.digests.create(event_type=MARK, channel=Channel.EMAIL, mode="off")
    ada.hours.create(kind="quiet", weekdays=[0], starts="22:00", ends="07:00")
    ada.piercing_opt_outs.create(group=group)
    ada.topic_subscriptions.create(topic=MARK)
    ada.accounts.create(source=Source.objects.latest("pk"), account=MARK)
    ada.groups.add(Group.objects.create(name="traders"))
    digest = MARK.encode()
    ada.verifications.create(address_digest=digest, code_digest=digest, token_digest=digest, expires_at=now)
    ada.sign_ins.create(session_key=MARK, device=MARK, at=now)
    LinkToken.objects.create(
        user=ada, kind=Channel.TELEGRAM, token_digest=digest, opened_by=digest, expires_at=now
    )


def fill_events(desk, ada: User, chat, now) -> None:
    event = desk.event(ada, chat, None, event_id="e1", priority=Priority.CRITICAL)
    Event.objects.filter(pk=event.pk).update(
        payload={"name": MARK},
        words={"title": MARK},
        raw=MARK.encode(),
        digest=MARK.encode(),
        collapse_key=MARK,
        ordering_key=MARK,
        correlation_id=MARK,
        metadata={"k": MARK},
        channels=[{"channel": 2, "only_if_active": MARK}],
        plan=[{"channel": 2, "destination_id": chat.pk, "hold_reason": MARK}],
        trace=[{"channel": 2, "verdict": "skipped", "reason": f"disabled: {MARK}", "destination_id": 1}],
        topic=MARK,
    )
    row = desk.delivery(event)
    Delivery.objects.filter(pk=row.pk).update(error=MARK)
    Attempt.objects.create(
        delivery=row, number=1, started_at=now, ended_at=now, outcome="temporary", error=MARK
    )
    MessageEdit.objects.create(delivery=row, wanted_at=now, due_at=now)


def fill_audits(who: str, now) -> None:
    notice = {"user_id": who, "what": "stopped", "values": {}}
    BotUpdate.objects.create(bot_id=1, update_id=1, taken_at=now, notices=[notice])
    content = json.dumps({"user_id": who, "payload": {"name": MARK}}).encode()
    Quarantine.objects.create(ingress="stream", code="x", reason=MARK, content=content)
    Quarantine.objects.create(
        ingress="hook", code="x", reason="?", content=b"{}", context={"account": f"{MARK} {who}"}
    )
    Replay.objects.create(at=now, surface="admin", who=who, filter={"user": who, "n": 1}, paced_until=now)
    template = MessageTemplate.objects.create(event_type="T", stem="t", draft_saved_by=who)
    TemplateVersion.objects.create(template=template, number=1, title="t", published_at=now, published_by=who)
    TemplateChange.objects.create(template=template, at=now, who=who, surface="admin", action="created")
    Reactivation.objects.create(at=now, surface="admin", who=who, reason=f"{MARK}@example.org", count=1)
    ApiKey.objects.filter(pk=ApiKey.objects.latest("pk").pk).update(note=f"issued by {who}")
    other = User.objects.create(external_id="other", username="other", erased_at=now, is_active=False)
    Erasure.objects.create(person=other, at=now, surface="admin", who=who, finished_at=now)


@pytest.fixture(autouse=True)
def a_key(desk) -> None:
    keys.issue(desk.source, ["publish"])
    options = {"routes": [{"to": {"user_id": f"{MARK}-ada"}}]}
    Hook.objects.create(source=desk.source, normalizer="alertmanager", prefix="p", options=options)


def erase(person: User, now):
    order = erasure.begin(person.pk, by=ROOT, now=now)
    return erasure.advance(order, clock=lambda: now, chunks=10)


def test_nothing_stored_is_about_an_erased_person(person, now, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    derived = {"users.Destination.address_digest", "users.Erasure.sought"}
    assert unmarked() == derived | {"users.User.time_zone", "users.User.locale"}
    progress = erase(person, now)
    assert progress.finished
    assert {label: rows for label, rows in whole_database().items() if MARK in rows} == {}
    assert MARK not in "".join(str(record.__dict__) for record in caplog.records)
    keys_left = list(client().scan_iter("*"))
    assert MARK.encode() not in b"".join(key + (client().dump(key) or b"") for key in keys_left)


def test_what_proves_deliveries_stays_and_belongs_to_nobody(person, now) -> None:
    progress = erase(person, now)
    event = Event.objects.get(event_id="e1")
    reference = event.person.external_id
    assert reference.startswith("erased-") and reference == progress.order.person.external_id
    assert (event.state, event.code, event.final_at, event.seq) == ("failed", "erased", now, 1)
    assert event.trace == [
        {"channel": 2, "verdict": "skipped", "reason": "erased", "destination_id": None, "replay": 0}
    ]
    assert [(row.state, row.error) for row in event.deliveries.all()] == [("cancelled", "erased")]
    assert progress.effects.finals == [event.pk]
    ack = event_ack(event, event.deliveries.all(), now=now)
    assert (ack.status, ack.final, ack.code) == ("ACK_ERROR", True, "erased")
    order = progress.order
    assert (order.who, order.surface, order.events, order.sought) == ("root", "command", 1, "")


def test_a_second_erasure_is_the_first_one(person, now) -> None:
    first = erase(person, now)
    again = erase(person, now + timedelta(minutes=1))
    assert (again.order.pk, again.order.finished_at) == (first.order.pk, now)


def test_later_events_are_for_nobody_and_the_id_is_free_for_somebody_new(desk, ada, chat, now) -> None:
    desk.event(ada, chat)
    erase(ada, now)
    [ack] = ingest([desk.envelope("ada", "e2")], now=now)
    assert (ack.status, ack.code, ack.field) == ("ACK_ERROR", "unknown_user", "user_id")
    again = desk.person("ada")
    assert store.inbox.cursor_of(again.pk).last_seq == 0
    assert not Event.objects.filter(person=again).exists()


def test_an_event_that_was_routed_before_is_refused(desk, ada, chat, now) -> None:
    item = desk.acceptance(ada, "e1", chat)
    erase(ada, now)
    [stored] = store.accept([item], now=now)
    assert stored.kind == "unknown_user"
    store.inbox.cursor_of(ada.pk)
    assert not InboxCursor.objects.filter(person=ada).exists()


def test_a_send_that_has_begun_is_waited_for_and_its_result_not_written(desk, ada, chat, now) -> None:
    row = desk.delivery(desk.event(ada, chat))
    claimed = desk.claim(row)
    order = erasure.begin(ada.pk, by=ROOT, now=now)
    assert not erasure.advance(order, clock=lambda: now, chunks=10).finished
    assert order.quiet_at == claimed.lease_until
    success = store.Success(claimed.delivery_id, claimed.token, now, now, "m1")
    assert store.record_sent([success])[1] == [claimed.delivery_id]
    assert erasure.advance(order, clock=lambda: claimed.lease_until, chunks=10).finished


def test_an_interrupted_erasure_goes_on_where_it_was(desk, ada, chat, now, monkeypatch) -> None:
    monkeypatch.setattr(erasure, "CHUNK", 1)
    for number in range(3):
        desk.event(ada, chat, event_id=f"e{number}")
    order = erasure.begin(ada.pk, by=ROOT, now=now)
    erasure.advance(order, clock=lambda: now, chunks=2)
    order = Erasure.objects.get()
    assert (order.erased_up_to, order.finished_at) == (2, None)
    erasure.advance_all(clock=lambda: now, chunks=2)
    order.refresh_from_db()
    assert (order.finished_at, order.events) == (now, 3)


ERASER = """
import sys, django
django.setup()
from django.utils import timezone
from notifications.operations import erasure
erasure.CHUNK = 1
erasure.advance_all(clock=timezone.now, chunks=100)
"""


def test_an_erasure_whose_process_was_killed_goes_on(transactional_db, desk, ada, chat, now) -> None:
    for number in range(4):
        desk.event(ada, chat, event_id=f"e{number}")
    order = erasure.begin(ada.pk, by=ROOT, now=now)
    with transaction.atomic():  # which lets the process come as far as the third event
        Event.objects.select_for_update().get(event_id="e2")
        process = processes.start(ERASER)
        processes.wait_for_lock(process)
        process.kill()
        process.communicate()
    order.refresh_from_db()
    assert order.finished_at is None
    later = timezone.now() + timedelta(minutes=5)
    erasure.advance_all(clock=lambda: later, chunks=10)
    order.refresh_from_db()
    assert (order.finished_at, order.events, sought(order)) == (later, 4, [])
    assert not Destination.objects.filter(user=ada).exists()


def test_the_command_asks_for_a_person_and_says_what_it_did(desk, ada, chat, capsys) -> None:
    desk.event(ada, chat)
    call_command("erase_user", "ada", "--yes")
    assert "1 events now belong to erased-" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_events_that_come_during_an_erasure_are_erased_or_refused(desk, ada, chat, now, side_by_side) -> None:
    def accept(number: int):
        return lambda: store.accept([desk.acceptance(ada, f"e{number}", chat)], now=now)

    answers = side_by_side(
        *[accept(number) for number in range(4)], lambda: erasure.begin(ada.pk, by=ROOT, now=now)
    )
    erasure.advance_all(clock=lambda: now, chunks=5)
    kinds = [answer[0].kind for answer in answers[:4]]
    assert set(kinds) <= {"accepted", "unknown_user"}
    assert list(Event.objects.values_list("code", flat=True)) == ["erased"] * kinds.count("accepted")


def test_a_reason_that_quotes_the_address_is_kept_without_it(desk, ada, chat, provider) -> None:
    provider(MessageError(f"chat {chat.address} is no chat"))
    row = desk.delivery(desk.event(ada, chat))
    attempt_one(str(row.pk), clock=lambda: desk.now, run_effects=lambda effects: None)
    row.refresh_from_db()
    assert row.error == row.tries.get().error == "chat <address> is no chat"


@pytest.mark.parametrize(
    ("content", "sought", "found"),
    [
        (b'{"user_id": "1"}', "1", True),
        (b'{"user_id": "12", "amount": 1.5}', "1", False),
        (b"\x0a\x011\x12", "1", True),  # protobuf: the length before the text
        (b'{"name": "J\\u00fcrg"}', "Jürg", True),
        (b"broken alice@example.org", "alice@example.org", True),
    ],
)
def test_what_is_looked_for_in_bytes_that_nobody_could_read(content, sought, found) -> None:
    assert quotes(content, [sought]) is found
