"""A chat is linked by the person who was given the link, once, and only after they said so in that chat."""

from datetime import timedelta

import pytest

from notifications.models import Event
from notifications.states import Channel
from tests.notifications.bot.chats import CHAT, Bot, buttons, changed, said
from users import linking
from users.models import Destination, LinkToken
from users.people.tokens import TooMany

TELEGRAM = int(Channel.TELEGRAM)


@pytest.fixture
def token(ada, now) -> str:
    ada.first_name, ada.last_name = "Ada", "Lovelace"
    ada.save()
    return linking.issue(ada, TELEGRAM, now=now).token


def asked(bot: Bot, token: str, chat: int = CHAT) -> dict[str, str]:
    [question] = bot.write(f"/start {token}", chat).answers
    assert question.text.startswith("Link this chat to Ada Lovelace?")
    return buttons(question)


def of(person) -> list[Destination]:
    return list(person.destinations.filter(kind=TELEGRAM))


def test_the_bot_asks_and_the_chat_is_linked_when_the_person_agrees(bot, ada, token) -> None:
    choices = asked(bot, token)
    assert of(ada) == []
    answers = bot.press(choices["Link"])
    assert changed(answers).text.startswith("This chat is linked to Ada Lovelace.")
    assert changed(answers).buttons == ()
    [destination] = of(ada)
    assert (destination.address, destination.verified_at) == (str(CHAT), bot.now)


def test_it_can_be_declined_and_the_link_is_then_over(bot, ada, token) -> None:
    choices = asked(bot, token)
    assert changed(bot.press(choices["Do not link"])).text == "This chat was not linked."
    assert "used already" in changed(bot.press(choices["Link"])).text
    assert of(ada) == []


def test_a_token_is_good_once(bot, ada, token) -> None:
    bot.press(asked(bot, token)["Link"])
    assert "used already" in said(bot.write(f"/start {token}"))


def test_the_first_chat_that_opens_it_is_the_only_one(bot, ada, token) -> None:
    choices = asked(bot, token)
    assert "used already" in said(bot.write(f"/start {token}", chat=777))
    assert "not one of ours" in changed(bot.press(choices["Link"], chat=777)).text
    assert of(ada) == []


def test_it_expires_after_ten_minutes_also_between_question_and_answer(bot, ada, token) -> None:
    choices = asked(bot, token)
    bot.now += timedelta(minutes=10)
    assert "has expired" in changed(bot.press(choices["Link"])).text
    assert "has expired" in said(bot.write(f"/start {token}"))
    assert of(ada) == []


@pytest.mark.parametrize("guess", ["x", "a" * 22, "ä", "--"])
def test_a_wrong_token_says_what_to_do(bot, ada, token, guess) -> None:
    assert said(bot.write(f"/start {guess}")) == (
        "This link is not one of ours. Ask for a new one where you got it."
    )


def test_a_person_who_left_cannot_be_linked(bot, ada, token) -> None:
    ada.is_active = False
    ada.save()
    assert "not one of ours" in said(bot.write(f"/start {token}"))


def test_only_a_digest_is_stored_and_a_token_has_128_bits(ada, token) -> None:
    row = LinkToken.objects.values().get()
    assert token not in repr(row)
    assert len(token) == 22


def test_a_disabled_destination_is_enabled_again(bot, desk, ada, token) -> None:
    desk.address(ada, Channel.TELEGRAM, address=str(CHAT), disabled_at=bot.now, disabled_reason="blocked")
    bot.press(asked(bot, token)["Link"])
    [destination] = of(ada)
    assert (destination.disabled_at, destination.disabled_reason) == (None, "")


def test_a_chat_belongs_to_one_person(bot, desk, ada, token) -> None:
    bob = desk.person("bob")
    desk.address(bob, Channel.TELEGRAM, address=str(CHAT))
    desk.address(bob, Channel.EMAIL)
    bot.press(asked(bot, token)["Link"])
    [taken] = of(bob)
    assert taken.disabled_reason == "the address was linked to another person"
    assert [event.event_type for event in bob.events.all()] == ["account.telegram_chat_taken"]


def test_the_person_hears_of_it_on_their_other_channels(bot, ada, mailbox, token) -> None:
    bot.press(asked(bot, token)["Link"])
    event = Event.objects.get(person=ada)
    assert event.event_type == "account.telegram_chat_linked"
    assert [step["channel"] for step in event.plan] == [Channel.EMAIL]


def test_who_has_no_other_channel_gets_no_dead_letter(bot, ada, token) -> None:
    bot.press(asked(bot, token)["Link"])
    assert Event.objects.count() == 0


def test_a_notice_that_was_cut_off_comes_with_the_second_delivery(bot, ada, mailbox, token) -> None:
    data = asked(bot, token)["Link"]
    message = {"message_id": 7, "date": 1, "chat": {"id": CHAT, "type": "private"}}
    sender = {"id": CHAT, "is_bot": False, "first_name": "A"}
    query = {"id": "q", "from": sender, "chat_instance": "1", "data": data, "message": message}
    update = {"update_id": 10**9, "callback_query": query}
    bot.take(update)
    Event.objects.all().delete()  # as if the process had ended before
    bot.take(update)
    bot.take(update)
    assert Event.objects.filter(person=ada).count() == 1


def test_five_links_in_ten_minutes_are_enough(ada, now) -> None:
    for second in range(5):
        linking.issue(ada, TELEGRAM, now=now + timedelta(seconds=second))
    with pytest.raises(TooMany) as caught:
        linking.issue(ada, TELEGRAM, now=now + timedelta(seconds=60))
    assert caught.value.retry_after_s == 540
    assert linking.issue(ada, TELEGRAM, now=now + timedelta(seconds=600)).token


def test_old_links_are_forgotten(ada, now) -> None:
    linking.issue(ada, TELEGRAM, now=now)
    assert linking.forget_expired(now=now + timedelta(days=1)) == 0
    assert linking.forget_expired(now=now + timedelta(days=1, minutes=11)) == 1


def test_the_question_is_in_the_language_of_the_persons_telegram(bot, ada, token) -> None:
    [question] = bot.write(f"/start {token}", language="de").answers
    assert question.text.startswith("Diesen Chat mit Ada Lovelace ")
