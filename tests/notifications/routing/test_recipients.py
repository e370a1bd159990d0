"""Persons as routing needs them."""

from datetime import timedelta

import pytest

from notifications.events import Address
from notifications.routing import recipients
from notifications.states import Channel
from notifications.wishes import Preference
from users.models import ChannelPreference


@pytest.fixture
def load(now):
    return lambda *names: recipients.load(names, now=now, active_s=600)


def test_a_person_comes_with_addresses_and_preferences(ada, chat, mailbox, load) -> None:
    ChannelPreference.objects.create(user=ada, event_type="RISK_ALERT", channel=3, position=2, enabled=False)
    person = load("ada")["ada"]
    assert (person.id, person.external_id, person.time_zone) == (ada.pk, "ada", "UTC")
    assert person.addresses == (Address(chat.pk, Channel.TELEGRAM), Address(mailbox.pk, Channel.EMAIL))
    assert person.preferences == (Preference("RISK_ALERT", Channel.EMAIL, 2, enabled=False),)


def test_unknown_and_deactivated_persons_are_left_out(desk, ada, load) -> None:
    bob = desk.person("bob")
    bob.is_active = False
    bob.save()
    assert set(load("ada", "bob", "nobody", "ada")) == {"ada"}


def test_nobody_gets_the_addresses_of_another(desk, ada, chat, load) -> None:
    desk.person("bob")
    found = load("ada", "bob")
    assert (len(found["ada"].addresses), found["bob"].addresses) == (1, ())


def test_an_address_says_why_it_cannot_be_used(desk, ada, now, load) -> None:
    desk.address(ada, Channel.TELEGRAM, verified_at=None)
    desk.address(ada, Channel.EMAIL, disabled_at=now, disabled_reason="bounced")
    chat, mailbox = load("ada")["ada"].addresses
    assert (chat.verified, chat.disabled_reason) == (False, "")
    assert (mailbox.verified, mailbox.disabled_reason) == (True, "bounced")


@pytest.mark.parametrize(("ago_s", "active"), [(599, True), (600, False), (None, False)])
def test_a_chat_is_active_for_a_while_after_a_message(desk, ada, now, load, ago_s, active) -> None:
    wrote_at = None if ago_s is None else now - timedelta(seconds=ago_s)
    desk.address(ada, Channel.TELEGRAM, last_inbound_at=wrote_at)
    assert load("ada")["ada"].addresses[0].active is active


def test_a_whole_batch_takes_two_queries(desk, chat, load, django_assert_num_queries) -> None:
    names = [desk.person(f"p{number}").external_id for number in range(20)]
    with django_assert_num_queries(2):
        load(*names, "ada")
