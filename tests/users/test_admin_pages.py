"""The admin: every page of every model loads, and its searches, filters and actions work."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.urls import reverse

from notifications import store
from notifications.authoring import drafts
from notifications.events import Envelope, Plan, PlanStep, SourceGrant
from notifications.models import (
    Attempt,
    Broadcast,
    DeadLetter,
    Delivery,
    Event,
    MessageTemplate,
    Quarantine,
    Replay,
    TemplateChange,
)
from notifications.operations.replay import Operator
from notifications.states import Channel, Priority, Surface
from tests.notifications.desk import claim
from users import hooks, keys
from users.models import (
    Account,
    ApiKey,
    Callback,
    ChannelPreference,
    DefaultDigest,
    DefaultPreference,
    Destination,
    Erasure,
    EventGroup,
    Hook,
    Reactivation,
    Source,
    TopicRule,
    TopicSubscription,
    User,
)

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
NOW = datetime.now(UTC)


@pytest.fixture
def client(client, django_user_model):
    operator = django_user_model.objects.create_superuser("operator", external_id="operator", password="x")
    client.force_login(operator)
    return client


@pytest.fixture
def rows(db):
    """One row of everything, with an event that was delivered and one that could not be delivered."""
    person = User.objects.create(external_id="ada", username="ada")
    chat = Destination.objects.create(
        user=person, kind=Channel.TELEGRAM, address="100200300", verified_at=NOW
    )
    Destination.objects.create(user=person, kind=Channel.EMAIL, address="ada@example.org")
    ChannelPreference.objects.create(user=person, channel=3)
    group = EventGroup.objects.create(name="prices", label="Prices", event_types=["PRICE_*"])
    DefaultPreference.objects.create(group=group, channel=3)
    DefaultDigest.objects.create(group=group, channel=3, mode="interval", period_s=900)
    source = Source.objects.create(name="exchange", event_types=["ORDER_FILLED"])
    Callback.objects.create(source=source, url="https://hooks.example.com/acks", secret="whsec_AAAA")
    keys.issue(source, ["publish"])
    hooks.issue(Hook(source=source, normalizer="json", options={"to": {"user_id": "{u}"}, "event_type": "t"}))
    Account.objects.create(source=source, account="1001", person=person)
    Quarantine.objects.create(
        ingress="streams", entry_id="1-0", code="malformed", reason="?", content=b"\xff"
    )
    Replay.objects.create(at=NOW, surface="command", who="operator", paced_until=NOW)
    follow_a_topic(person, source)
    deliver_one_of_two(person, chat, source)
    return person


def follow_a_topic(person, source):
    group = Group.objects.create(name="desks")
    TopicRule.objects.create(prefix="market.", audience="group", group=group)
    TopicSubscription.objects.create(person=person, topic="market.BTC")
    Reactivation.objects.create(at=NOW, surface="admin", who="olga", count=2)
    gone = User.objects.create(external_id="erased-1", username="erased-1", erased_at=NOW, is_active=False)
    Erasure.objects.create(person=gone, at=NOW, surface="admin", who="olga")
    template = MessageTemplate(event_type="ORDER_FILLED", draft_title="<b>")
    drafts.create(template, by=Operator(Surface.ADMIN, "olga"), now=NOW)
    Broadcast.objects.create(
        source=source,
        event_id="b1",
        topic="market.BTC",
        event_type="MARKET_DATA_UPDATED",
        priority=1,
        accepted_at=NOW,
        expires_at=NOW,
        content={},
        raw=b"",
        digest=b"d" * 32,
        state="accepted",
    )


def deliver_one_of_two(person, chat, source):
    envelope = Envelope(
        SourceGrant(source.pk, "exchange"),
        "e1",
        "ada",
        "ORDER_FILLED",
        round(NOW.timestamp() * 1000),
        Priority.CRITICAL,
        {"note": "<script>"},
        b"d" * 32,
    )
    plan = Plan((PlanStep(Channel.TELEGRAM, chat.pk),))
    never = replace(envelope, event_id="e2", digest=b"e" * 32)
    stored, _ = store.accept(
        [
            store.Acceptance(envelope, person.pk, plan, NOW.replace(year=2100), 5000),
            store.Acceptance(never, person.pk, Plan(), NOW.replace(year=2100), 5000),
        ],
        now=NOW,
    )
    [claimed] = claim([stored.delivery_id], now=NOW, lease_s=55, max_tries=8)
    store.record_sent([store.Success(claimed.delivery_id, claimed.token, NOW, NOW, "m1")])


def url(model, page, *args):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def shown(model, answer):
    return admin.site._registry[model].get_queryset(answer.wsgi_request)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
class TestEveryModel:
    def test_its_list_loads_with_its_rows(self, client, rows, model) -> None:
        answer = client.get(url(model, "changelist"))
        assert answer.status_code == 200
        assert answer.context["cl"].result_count == shown(model, answer).count() > 0

    def test_its_search_loads(self, client, rows, model) -> None:
        answer = client.get(url(model, "changelist"), {"q": "nothing like that"})
        assert (answer.status_code, answer.context["cl"].result_count) == (200, 0)

    def test_each_of_its_filters_loads_and_narrows_the_list(self, client, rows, model) -> None:
        for specification in client.get(url(model, "changelist")).context["cl"].filter_specs:
            changelist = client.get(url(model, "changelist")).context["cl"]
            for choice in specification.choices(changelist):
                answer = client.get(url(model, "changelist") + choice["query_string"])
                assert answer.status_code == 200, choice
                assert answer.context["cl"].result_count <= shown(model, answer).count()

    def test_the_page_of_a_row_loads(self, client, rows, model) -> None:
        first = shown(model, client.get(url(model, "changelist"))).first()
        answer = client.get(url(model, "change", first.pk))
        assert answer.status_code == 200

    def test_its_add_page_loads_or_is_forbidden(self, client, rows, model) -> None:
        forbidden = model in {
            Event,
            DeadLetter,
            Replay,
            Delivery,
            Quarantine,
            ApiKey,
            Broadcast,
            Reactivation,
            Erasure,
            TemplateChange,
        }
        assert client.get(url(model, "add")).status_code == (403 if forbidden else 200)


def test_the_admin_knows_every_model_that_operators_ask_for() -> None:
    assert set(MODELS) == {
        DeadLetter,
        Replay,
        User,
        Destination,
        ChannelPreference,
        DefaultDigest,
        DefaultPreference,
        EventGroup,
        Source,
        ApiKey,
        Callback,
        Hook,
        Account,
        Event,
        Delivery,
        Quarantine,
        Broadcast,
        Group,
        Reactivation,
        Erasure,
        TopicRule,
        TopicSubscription,
        MessageTemplate,
        TemplateChange,
    }


@pytest.mark.parametrize("model", [Event, Delivery, Quarantine, Broadcast], ids=lambda model: model.__name__)
def test_what_store_alone_writes_cannot_be_changed_or_deleted(client, rows, model) -> None:
    row = model.objects.first()
    assert client.post(url(model, "change", row.pk), {}).status_code == 403
    assert client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403


def test_an_event_tells_its_story_and_no_script_runs_in_it(client, rows) -> None:
    page = client.get(url(Event, "change", Event.objects.get(event_id="e1").pk)).content.decode()
    assert "final ack: DELIVERED via TELEGRAM, evidence TRANSPORT" in page
    assert "&lt;script&gt;" in page and '"note": "<script>' not in page
    assert Attempt.objects.count() == 1


@pytest.mark.parametrize("term", ["100200300", " 100200300 ", "ada"])
def test_a_destination_is_found_by_its_whole_address_or_its_person(client, rows, term) -> None:
    found = client.get(url(Destination, "changelist"), {"q": term}).context["cl"].queryset
    assert rows.destinations.get(kind=Channel.TELEGRAM) in found


def test_a_destination_is_not_found_by_part_of_its_address(client, rows) -> None:
    assert client.get(url(Destination, "changelist"), {"q": "1002003"}).context["cl"].result_count == 0


def test_a_destination_is_found_by_an_address_from_before_a_rotation(client, rows, settings) -> None:
    from cryptography.fernet import Fernet

    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode(), *settings.FIELD_ENCRYPTION_KEYS]
    assert client.get(url(Destination, "changelist"), {"q": "100200300"}).context["cl"].result_count == 1


def test_lists_show_no_whole_address(client, rows) -> None:
    page = client.get(url(Destination, "changelist")).content.decode()
    assert "10•••00" in page
    assert "100200300" not in page and "ada@example.org" not in page


def destination_form(person, **fields):
    values = {"user": person.pk, "kind": 2, "address": "555666777", "label": ""}
    values |= {f"{name}_at_{part}": "" for name in ("verified", "disabled") for part in (0, 1)}
    return values | {"disabled_reason": ""} | fields


def test_a_destination_can_be_added(client, rows) -> None:
    answer = client.post(url(Destination, "add"), destination_form(rows))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert rows.destinations.filter(kind=2).count() == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"address": "100200300"},  # the person has it already
        {"address": "not a chat"},
        {"disabled_at_0": "2025-11-20", "disabled_at_1": "15:00:00"},  # without a reason
    ],
)
def test_a_destination_that_breaks_a_rule_is_refused_with_a_message(client, rows, fields) -> None:
    answer = client.post(url(Destination, "add"), destination_form(rows, **fields))
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors
    assert rows.destinations.filter(kind=2).count() == 1


def run_action(client, model, name, row):
    data = {"action": name, "_selected_action": [row.pk]}
    return client.post(url(model, "changelist"), data, follow=True)


@pytest.mark.parametrize(
    ("action", "scopes"),
    [
        ("issue_publish_key", ["publish", "read"]),
        ("issue_people_key", ["publish", "read", "people"]),
        ("issue_admin_key", ["publish", "read", "people", "admin"]),
    ],
)
def test_the_issue_action_shows_a_key_that_works_and_shows_it_once(client, rows, action, scopes) -> None:
    answer = run_action(client, Source, action, Source.objects.get())
    [key] = set(re.findall(r"tsn_[a-z0-9]{10}_[\w-]{43}", answer.content.decode()))
    found = keys.authenticate(key, now=datetime.now(UTC))
    assert (found.source_name, found.scopes) == ("exchange", scopes)
    for model in (Source, ApiKey):
        assert key not in client.get(url(model, "changelist")).content.decode()


def test_the_rights_of_a_source_about_people_are_edited(client, rows) -> None:
    source = Source.objects.get()
    form = {
        "name": "exchange",
        "max_priority": 2,
        "events_per_day": 0,
        "open_events": 0,
        "may_create_people": "on",
        "may_vouch": "on",
        "people_prefixes": "eu-,ch-",
        "people_groups": "desks",
    }
    answer = client.post(url(Source, "change", source.pk), form)
    assert answer.status_code == 302, answer.content.decode()
    source.refresh_from_db()
    assert (source.may_create_people, source.may_vouch) == (True, True)
    assert (source.people_prefixes, source.people_groups) == (["eu-", "ch-"], ["desks"])


def test_the_revoke_action_ends_a_key(client, rows) -> None:
    key = keys.issue(Source.objects.get(), ["read"])
    run_action(client, ApiKey, "revoke", ApiKey.objects.latest("pk"))
    assert keys.authenticate(key, now=datetime.now(UTC)) is None


def test_the_rotate_action_shows_a_successor_and_lets_the_old_key_end_tomorrow(client, rows) -> None:
    key = keys.issue(Source.objects.get(), ["read"])
    row = ApiKey.objects.latest("pk")
    answer = run_action(client, ApiKey, "rotate", row)
    found = set(re.findall(r"tsn_[a-z0-9]{10}_[\w-]{43}", answer.content.decode()))
    assert set(keys.authenticate_all([key, *found], now=datetime.now(UTC))) == {key, *found}
    row.refresh_from_db()
    assert 23.9 < (row.expires_at - datetime.now(UTC)).total_seconds() / 3600 < 24.1
    run_action(client, ApiKey, "revoke", row)
    assert "revoked or has expired" in run_action(client, ApiKey, "rotate", row).content.decode()


def test_the_destination_actions_enable_and_verify(client, rows) -> None:
    mailbox = rows.destinations.get(kind=3)
    Destination.objects.filter(pk=mailbox.pk).update(disabled_at=NOW, disabled_reason="bounced")
    run_action(client, Destination, "enable", mailbox)
    run_action(client, Destination, "mark_verified", mailbox)
    mailbox.refresh_from_db()
    assert (mailbox.disabled_at, mailbox.disabled_reason) == (None, "")
    assert mailbox.verified_at is not None and mailbox.address == "ada@example.org"


def test_an_operator_sends_a_code_where_the_channel_takes_one(client, rows, mailoutbox) -> None:
    mailbox, chat = rows.destinations.order_by("-kind")
    Destination.objects.update(verified_at=None)
    sent = run_action(client, Destination, "send_code", mailbox).content.decode()
    linked = run_action(client, Destination, "send_code", chat).content.decode()
    [mail] = mailoutbox
    assert (mail.to, mail.subject) == (["ada@example.org"], "Confirm this address")
    assert "a•••@example.org: a code was sent" in sent and "10•••00: The person links the chat" in linked
    page = client.get(url(Destination, "change", mailbox.pk)).content.decode()
    assert "by a code or a link that is sent there" in page


def drop_the_key(settings):
    from cryptography.fernet import Fernet

    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]


def test_an_address_that_no_key_decrypts_is_listed_opened_and_deleted(client, rows, settings) -> None:
    drop_the_key(settings)
    mailbox = rows.destinations.get(kind=3)
    for page in (url(Destination, "changelist"), url(Destination, "change", mailbox.pk)):
        assert "(no key decrypts this)" in client.get(page).content.decode()
    assert client.post(url(Destination, "delete", mailbox.pk), {"post": "yes"}).status_code == 302
    assert not rows.destinations.filter(pk=mailbox.pk).exists()


@pytest.mark.parametrize("address", ["(no key decrypts this)", "ada@example.com"])
def test_a_form_keeps_an_address_that_no_key_decrypts_until_a_new_one_is_given(
    client, rows, settings, address
) -> None:
    mailbox = rows.destinations.get(kind=3)
    keys_before = settings.FIELD_ENCRYPTION_KEYS
    drop_the_key(settings)
    form = destination_form(rows, kind=3, address=address, label="desk")
    assert client.post(url(Destination, "change", mailbox.pk), form).status_code == 302
    settings.FIELD_ENCRYPTION_KEYS = [*settings.FIELD_ENCRYPTION_KEYS, *keys_before]
    mailbox.refresh_from_db()
    expected = "ada@example.com" if "@" in address else "ada@example.org"
    assert (mailbox.label, mailbox.address) == ("desk", expected)


def test_usable_destinations_are_counted_right_under_a_filter(client, rows) -> None:
    for number in range(2):
        Destination.objects.create(user=rows, kind=3, address=f"{number}@example.org", verified_at=NOW)
    for query in ({}, {"is_active__exact": "1"}):
        people = client.get(url(User, "changelist"), query).context["cl"].queryset
        assert people.get(pk=rows.pk).usable_count == 3


def person_form(name, **fields):
    form = {"external_id": name, "username": name, "time_zone": "UTC", "locale": "en", "is_active": "on"}
    return form | fields


def test_a_person_can_be_added(client, db) -> None:
    form = person_form("bob", password1="a-long-word-7", password2="a-long-word-7")
    answer = client.post(url(User, "add"), form)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert User.objects.get(external_id="bob").check_password("a-long-word-7")


def test_a_type_is_in_one_group_at_most(client, rows) -> None:
    form = {"name": "other", "label": "Other", "event_types": "PRICE_*, NEWS"}
    for prefix in ("defaults", "digests"):
        form |= {f"{prefix}-TOTAL_FORMS": "0", f"{prefix}-INITIAL_FORMS": "0"}
    answer = client.post(url(EventGroup, "add"), form)
    assert answer.context["adminform"].form.errors == {
        "event_types": ["In the group prices already: PRICE_*."]
    }
