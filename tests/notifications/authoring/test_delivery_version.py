"""The version of the wording stands on the delivery, and a broken one loses no event."""

from datetime import timedelta

import pytest

from gateway.api.read import story
from notifications.delivery.attempt import attempt_many
from notifications.ingest import ingest
from notifications.models import Delivery
from notifications.rendering import failures
from notifications.states import Channel
from notifications.transports.base import Receipt, TemporaryError
from tests.notifications.other_ends import unused

BROKEN = {
    "error": {"title": "{{ payload.symbol|pairs:'x' }}"},
    "too_slow": {"title": "a", "body": "{% for a in payload.legs %}" * 9 + "{% endfor %}" * 9},
    "too_long": {"title": "a", "body": "{% for a in payload.many %}{% endfor %}"},
    "empty": {"title": "{{ payload.nothing }}"},
}
PAYLOAD = {"symbol": "BTC/USDT", "legs": list(range(5)), "many": list(range(101))}


def attempt(desk, event) -> Delivery:
    list(attempt_many([str(desk.delivery(event).pk)], clock=lambda: desk.now, run_effects=unused))
    return desk.delivery(event)


def test_a_sent_message_names_the_version_it_was_made_from(desk, ada, chat, provider, publish) -> None:
    version = publish(title="Filled, says {{ name|lower }}")
    fake = provider()
    row = attempt(desk, desk.event(ada, chat))
    assert fake.sent[0][1].text.startswith("Filled, says order filled")
    assert row.template_version == version


def test_a_message_in_shipped_words_names_none(desk, ada, chat, provider, publish) -> None:
    publish(title="For e-mail", channel=Channel.EMAIL)
    provider()
    assert attempt(desk, desk.event(ada, chat)).template_version is None


def test_a_message_that_could_not_be_sent_names_the_last_version_that_was_tried(
    desk, ada, chat, provider, publish
) -> None:
    version = publish(title="Filled")
    provider(TemporaryError("busy"))
    row = attempt(desk, desk.event(ada, chat))
    assert (row.state, row.template_version) == ("deferred", version)


def test_each_event_in_a_digest_names_the_version_of_its_part(desk, ada, chat, provider, publish) -> None:
    version = publish(title="Filled, says {{ name|lower }}")
    ada.digests.create(channel=Channel.TELEGRAM, mode="interval", period_s=900)
    fake = provider()
    ingest([desk.envelope(ada, "e1"), desk.envelope(ada, "e3")], now=desk.now)
    ingest([desk.envelope(ada, "e2", event_type="PRICE_ALERT")], now=desk.now)
    due = desk.now + timedelta(minutes=15)
    list(attempt_many([str(Delivery.objects.first().pk)], clock=lambda: due, run_effects=unused))
    [(_, message)] = fake.sent
    assert message.text.count("Filled, says order filled") == 2
    rows = Delivery.objects.order_by("event__event_id").values_list("event__event_id", "template_version")
    assert list(rows) == [("e1", version.pk), ("e2", None), ("e3", version.pk)]


def test_a_frame_names_its_version_too(desk, ada, open_page, publish) -> None:
    version = publish(title="On the page")
    page = open_page(ada)
    ingest([desk.envelope(ada)], now=desk.now)
    assert [frame["title"] for frame in page.frames()] == ["On the page"]
    assert Delivery.objects.get().template_version == version


def test_a_frame_that_was_confirmed_before_its_record_names_it_too(desk, ada, publish) -> None:
    from notifications import store

    version = publish(title="On the page")
    [stored] = store.accept([desk.acceptance(ada, "e1", None)], now=desk.now)
    Delivery.objects.update(state="confirmed", lease_token=None, ring_at=None, ended_at=desk.now)
    success = store.Success(stored.delivery_id, stored.token, desk.now, desk.now, template_version=version.pk)
    store.record_pushed([success], [desk.now])
    assert Delivery.objects.get().template_version == version


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_wording_loses_no_event(desk, ada, chat, provider, force, kind) -> None:
    version = force(**BROKEN[kind])
    fake = provider()
    row = attempt(desk, desk.event(ada, chat, payload=PAYLOAD))
    assert row.state == "sent"
    assert row.template_version is None
    assert fake.sent[0][1].title == "BTC/USDT filled"  # the shipped one
    broken = failures.of([version.pk])[version.pk]
    assert broken.count == 1
    assert broken.last.startswith(kind)
    assert failures.FAILED.values()["ORDER_FILLED", kind] >= 1


def test_failures_are_logged_once_a_minute_for_a_version(force, caplog) -> None:
    version = force(**BROKEN["empty"])
    label = "ORDER_FILLED, version 1"
    failure = failures.TemplateFailed("empty", "its title is empty")
    for at_s in (100.0, 100.5, 159.9, 161.0):
        failures.note(version.pk, label, failure, at_s=at_s)
    assert [record.message for record in caplog.records].count("template_failed") == 2
    assert failures.of([version.pk])[version.pk].count == 4


def test_a_version_that_is_too_slow_again_and_again_is_left_out_for_a_minute(force) -> None:
    version = force(**BROKEN["too_slow"])
    slow = failures.TemplateFailed("too_slow", "steps")
    for _ in range(2):
        failures.note(version.pk, "ORDER_FILLED, version 1", slow, at_s=100.0)
        assert not failures.is_suspended(version.pk, at_s=100.0)
    failures.note(version.pk, "ORDER_FILLED, version 1", slow, at_s=100.0)
    assert failures.is_suspended(version.pk, at_s=159.0)
    assert not failures.is_suspended(version.pk, at_s=160.0)


def test_without_redis_a_broken_wording_loses_no_event_either(
    desk, ada, chat, provider, force, redis_away
) -> None:
    force(**BROKEN["empty"])
    provider(Receipt("m1"))
    assert attempt(desk, desk.event(ada, chat)).state == "sent"


def test_the_version_is_told_with_the_event(
    desk, ada, chat, provider, publish, client, django_user_model
) -> None:
    version = publish(title="Filled", channel=Channel.TELEGRAM)
    provider()
    event = desk.event(ada, chat)
    attempt(desk, event)
    told = story(event.pk)
    assert told["deliveries"][0]["template_version"] == {
        "template_id": version.template_id,
        "name": "ORDER_FILLED · TELEGRAM",
        "number": 1,
    }
    wording = "wording: ORDER_FILLED · TELEGRAM, version 1"
    assert [step["text"].endswith(wording) for step in told["timeline"] if step["kind"] == "sent"] == [True]
    client.force_login(django_user_model.objects.create_superuser("olga", external_id="olga"))
    page = client.get(f"/admin/notifications/event/{event.pk}/change/").content.decode()
    assert "ORDER_FILLED · TELEGRAM, version 1" in page
