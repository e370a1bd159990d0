"""Refused destinations are tried again: a few times, ever later, and only so many a minute."""

from datetime import timedelta

import pytest

from notifications.operations.recheck import recheck
from notifications.states import Channel
from notifications.store.destinations import disable_destination
from notifications.transports import registry
from users.models import Destination

DAY = timedelta(days=1)


@pytest.fixture
def refuse(desk, ada, chat, now):
    """Let the provider refuse the chat, at a time after `now`."""
    count = iter(range(100))

    def refuse(after: timedelta = timedelta(0), reason: str = "Telegram: chat not found") -> Destination:
        delivery = desk.delivery(desk.event(ada, chat, event_id=f"e{next(count)}"))
        disable_destination(str(delivery.pk), reason, now=now + after)
        chat.refresh_from_db()
        return chat

    return refuse


def test_a_refused_destination_is_tried_after_a_day_a_week_and_a_month(refuse, chat, now) -> None:
    at = timedelta(0)
    for wait in (DAY, 7 * DAY, 30 * DAY):
        assert refuse(at).recheck_at == now + at + wait
        assert recheck(now=now + at + wait - timedelta(seconds=1)) == 0
        at += wait
        assert recheck(now=now + at) == 1
        chat.refresh_from_db()
        assert (chat.disabled_at, chat.disabled_reason) == (None, "")
    assert refuse(at).recheck_at is None
    assert recheck(now=now + 1000 * DAY) == 0


def test_trials_of_long_ago_do_not_count(refuse, chat, now) -> None:
    refuse()
    recheck(now=now + DAY)
    assert refuse(after=92 * DAY).recheck_at == now + 93 * DAY


@pytest.mark.parametrize(
    ("channel", "reason", "healing"),
    [
        (Channel.TELEGRAM, "Telegram: bot was blocked by the user", True),
        (Channel.TELEGRAM, "Telegram: chat_write_forbidden", True),
        (Channel.TELEGRAM, "Telegram: user is deactivated", False),
        (Channel.TELEGRAM, "Telegram: input_user_deactivated", False),
        (Channel.TELEGRAM, "Telegram: the group chat was deleted", False),
        (Channel.EMAIL, "the mail server refuses the recipient: 550 5.1.1", True),
        (Channel.EMAIL, "the mail server takes no address beyond ASCII", True),
        (Channel.EMAIL, "the mail server refuses the recipient: 501 5.1.3", False),
        (Channel.EMAIL, "the address is not an e-mail address", False),
    ],
)
def test_a_final_refusal_is_known_by_its_reason(channel, reason, healing) -> None:
    assert registry.spec(channel).can_heal(reason) is healing


def test_a_final_refusal_is_not_tried_again(refuse, now) -> None:
    assert refuse(reason="Telegram: user is deactivated").recheck_at is None
    assert recheck(now=now + 1000 * DAY) == 0


def test_so_many_are_tried_in_a_minute_the_oldest_first(desk, override, now) -> None:
    people = [desk.person(f"p{number}") for number in range(3)]
    for days, person in enumerate(people):
        place = desk.address(person, Channel.TELEGRAM, disabled_at=now, disabled_reason="refused")
        Destination.objects.filter(pk=place.pk).update(recheck_at=now - days * DAY)
    override(rechecks_per_minute=2)
    assert recheck(now=now) == 2
    assert Destination.objects.get(disabled_at__isnull=False).user == people[0]
    override(rechecks_per_minute=0)
    assert recheck(now=now) == 0


def test_what_an_operator_disabled_is_never_tried(desk, ada, now) -> None:
    desk.address(ada, Channel.TELEGRAM, disabled_at=now, disabled_reason="by an operator")
    assert recheck(now=now + 1000 * DAY) == 0
