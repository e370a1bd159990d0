"""People hear on another channel that an address of theirs was disabled: once, and only what is news."""

from datetime import timedelta

import pytest

from notifications.models import Event
from notifications.operations import address_notices
from notifications.states import Channel
from notifications.store.destinations import disable_destination
from users.models import Destination, Source

MINUTE = timedelta(minutes=1)


@pytest.fixture
def refused(desk, ada, chat, now) -> Destination:
    delivery = desk.delivery(desk.event(ada, chat, event_id="e1"))
    disable_destination(str(delivery.pk), "Telegram: chat not found", now=now)
    chat.refresh_from_db()
    return chat


def notices() -> list[Event]:
    return list(Event.objects.filter(event_type="account.address_disabled"))


def test_the_person_is_told_on_another_channel_why_and_how_to_mend_it(refused, ada, mailbox, now) -> None:
    ada.locale = "de"
    ada.save()
    effects = address_notices.tell(now=now + MINUTE)
    [notice] = notices()
    assert [step["channel"] for step in notice.plan] == [Channel.EMAIL]
    assert notice.payload["title"].endswith("dorthin wird nichts mehr gesendet")
    assert "Telegram: chat not found" in notice.payload["body"]
    assert refused.address not in str(notice.payload)
    assert effects.rings


def test_nobody_is_told_twice_but_again_of_the_next_time(refused, mailbox, now) -> None:
    for minutes in range(1, 4):
        address_notices.tell(now=now + minutes * MINUTE)
    assert len(notices()) == 1
    Destination.objects.filter(pk=refused.pk).update(disabled_at=now + 5 * MINUTE)
    address_notices.tell(now=now + 6 * MINUTE)
    assert len(notices()) == 2


def test_who_has_no_other_channel_is_told_once_they_have(refused, ada, now) -> None:
    address_notices.tell(now=now + MINUTE)
    assert notices() == []
    Destination.objects.create(user=ada, kind=Channel.EMAIL, address="a@example.org", verified_at=now)
    address_notices.tell(now=now + 2 * MINUTE)
    assert len(notices()) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"disabled_reason": "disabled by the person"},
        {"disabled_reason": "stopped by the person"},
        {"disabled_reason": "Telegram: bot was blocked by the user"},
        {"verified_at": None},
        {"disabled_at": None, "disabled_reason": ""},
    ],
)
def test_what_is_no_news_is_not_told(refused, mailbox, now, changed) -> None:
    Destination.objects.filter(pk=refused.pk).update(**changed)
    address_notices.tell(now=now + MINUTE)
    assert notices() == []


def test_old_news_and_a_source_that_is_switched_off(refused, mailbox, now) -> None:
    address_notices.tell(now=now + timedelta(days=2))
    Source.objects.update_or_create(name="tocsin", defaults={"enabled": False})
    address_notices.tell(now=now + MINUTE)
    assert notices() == []
