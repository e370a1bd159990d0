"""A channel of another package: everything a built-in channel does, without a change to the product."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.checks import run_checks
from django.core.management import call_command
from django.urls import reverse

from config.env import ROOT
from notifications.delivery import retries
from notifications.routing.plan import plan_for
from notifications.states import Channel, Priority
from notifications.transports.registry import channels
from users.models import ChannelPreference, Destination

WEB, TELEGRAM, WEBHOOK, EMAIL = Channel.WEB, Channel.TELEGRAM, Channel.WEBHOOK, Channel.EMAIL


def seconds(first, last) -> float:
    return (last - first).total_seconds()


def planned(desk, ada, now, **fields):
    [found] = plan_for([desk.envelope(ada, **fields)], now=now)
    return [step.channel for step in found.plan.steps]


def test_it_is_planned_at_its_place_in_the_default_order(desk, ada, chat, hook, mailbox, now) -> None:
    assert planned(desk, ada, now) == [TELEGRAM, WEBHOOK, EMAIL]


def test_it_is_planned_where_the_recipient_puts_it(desk, ada, chat, hook, mailbox, now) -> None:
    ada.channel_preferences.create(channel=TELEGRAM, position=5)
    ada.channel_preferences.create(channel=WEBHOOK, position=9)
    assert planned(desk, ada, now) == [EMAIL, TELEGRAM, WEBHOOK]


def test_it_is_not_planned_when_the_recipient_has_disabled_it(desk, ada, hook, mailbox, now) -> None:
    ada.channel_preferences.create(channel=WEBHOOK, enabled=False)
    assert planned(desk, ada, now) == [EMAIL]


def received(sink) -> list[dict]:
    return [json.loads(entry["text"]) for entry in sink.received("sink")]


def test_its_message_is_rendered_by_its_own_wording_and_layout(desk, ada, hook, now, sink, attempt) -> None:
    row = desk.delivery(desk.event(ada, hook, priority=Priority.CRITICAL))
    attempt(row, at=now)
    [message] = received(sink)
    assert message["title"] == "URGENT Hook: filled BTC/USDT"
    assert message["text"] == "!! Hook: filled BTC/USDT\nby webhook"
    assert message["key"] == str(row.pk)
    row.refresh_from_db()
    assert row.state == "sent"


def test_a_type_without_a_wording_of_its_own_has_the_common_one(desk, ada, hook, now, sink, attempt) -> None:
    event = desk.event(ada, hook, event_type="STRATEGY_LOG", payload={"message": "x" * 500})
    attempt(desk.delivery(event), at=now)
    [message] = received(sink)
    assert message["title"].startswith("Strategy") and message["text"].endswith("x…")
    assert len(message["text"]) == 200


def test_it_is_retried_by_its_own_schedule(desk, ada, hook, now, sink, attempt) -> None:
    sink.misbehave("sink", status=503)
    row = desk.delivery(desk.event(ada, hook))
    [ring] = attempt(row, at=now).rings
    row.refresh_from_db()
    assert ring.delay_s <= 3.0 and (row.state, seconds(now, row.ring_at)) == ("deferred", 3.0 + 5)
    later = now + timedelta(seconds=10)
    assert attempt(row, at=later).rings == []
    row.refresh_from_db()
    assert (row.state, seconds(later, row.ring_at)) == ("deferred", 90.0)
    attempt(row, at=later + timedelta(seconds=90))
    row.refresh_from_db()
    assert (row.state, row.failure_kind, row.attempts) == ("failed", "temporary", 3)


def test_a_send_has_its_own_timeout() -> None:
    assert retries.timeout_s(WEBHOOK) == 3.0


def test_it_is_rate_limited_by_its_own_limits(desk, ada, hook, now, sink, attempt) -> None:
    rows = [desk.delivery(desk.event(ada, hook, event_id=f"e{number}")) for number in range(5)]
    attempt(*rows, at=now)
    assert len(received(sink)) == 3
    for row in rows:
        row.refresh_from_db()
    waits = sorted(seconds(now, row.slot_at) for row in rows if row.slot_at)
    assert [row.state for row in rows].count("pending") == len(waits) == 2
    assert 0 < waits[0] <= 0.25 < waits[1] <= 0.5


def test_a_retry_after_holds_its_next_sends(desk, ada, hook, now, sink, attempt) -> None:
    first, second = (desk.delivery(desk.event(ada, hook, event_id=name)) for name in "ab")
    sink.misbehave("sink", retry_after_s=3, times=1)
    attempt(first, at=now)
    attempt(second, at=now)
    second.refresh_from_db()
    assert received(sink) == []
    assert 2 < seconds(now, second.slot_at) <= 3


@pytest.fixture
def operator(client, db, django_user_model):
    person = django_user_model.objects.create_superuser("operator", external_id="operator", password="x")
    client.force_login(person)
    return person


def form(person, address: str) -> dict:
    values = {"user": person.pk, "kind": int(WEBHOOK), "address": address, "label": "", "disabled_reason": ""}
    return values | {f"{name}_at_{part}": "" for name in ("verified", "disabled") for part in (0, 1)}


def test_the_admin_offers_it_as_a_kind_of_destination(client, operator) -> None:
    add = reverse("admin:users_destination_add")
    fields = client.get(add).context["adminform"].form.fields
    assert (int(WEBHOOK), "Webhook") in fields["kind"].choices
    assert "Webhook: http or https URL" in fields["address"].help_text
    assert client.post(add, form(operator, "https://hooks.example/1")).status_code == 302
    assert str(Destination.objects.get()) == "Webhook ht•••/1"


def test_the_admin_refuses_an_address_that_is_none_of_its_own(client, operator) -> None:
    answer = client.post(reverse("admin:users_destination_add"), form(operator, "ada@example.org"))
    assert answer.context["adminform"].form.errors == {"address": ["A webhook is an http or https URL."]}
    assert not Destination.objects.exists()


def test_the_admin_finds_it_by_its_complete_address(client, operator, hook) -> None:
    answer = client.get(reverse("admin:users_destination_changelist"), {"q": hook.address})
    assert list(answer.context["cl"].queryset) == [hook]


def test_the_admin_offers_it_in_preferences(client, operator) -> None:
    add = reverse("admin:users_channelpreference_add")
    assert (int(WEBHOOK), "Webhook") in client.get(add).context["adminform"].form.fields["channel"].choices
    values = {"user": operator.pk, "event_type": "", "channel": int(WEBHOOK), "position": 1, "enabled": "on"}
    values["min_priority"] = 0
    assert client.post(add, values).status_code == 302
    assert str(ChannelPreference.objects.get()) == "Webhook for every type"


def test_it_passes_the_system_checks_and_needs_no_migration(db) -> None:
    assert run_checks() == []
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def registered_by_setting(path: str) -> subprocess.CompletedProcess:
    code = (
        "import django; django.setup()\n"
        "from notifications.transports.registry import channels\n"
        "print(*(channel.name for channel in channels()))"
    )
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "config.settings.test", "TOCSIN_CHANNELS": path}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )


def test_the_setting_registers_it_at_the_start() -> None:
    assert list(channels()) == [WEB, TELEGRAM, WEBHOOK, EMAIL]
    started = registered_by_setting("tests.fifth_channel.webhook.channel.WEBHOOK")
    assert started.stdout.split() == ["WEB", "TELEGRAM", "WEBHOOK", "EMAIL"]


def test_a_path_that_leads_nowhere_stops_the_start() -> None:
    started = registered_by_setting("tests.fifth_channel.webhook.channel.NOTHING")
    assert started.returncode != 0
    assert "NOTHING" in started.stderr
