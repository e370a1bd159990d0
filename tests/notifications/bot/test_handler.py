"""Updates are taken once, in order, and never lost for a fault that passes."""

import pytest
from django.db import OperationalError, connection

from notifications.bot.handler import take
from notifications.models import BotUpdate, Event
from notifications.states import Channel, Priority
from notifications.transports.telegram.updates import NotAnUpdate
from tests.notifications.bot.chats import CHAT, Bot, said, toast


def test_an_update_is_taken_once(bot, ada, chat) -> None:
    update = bot.message("/status")
    assert said(bot.take(update))
    assert bot.take(update).answers == ()
    assert BotUpdate.objects.count() == 1


def test_another_bots_updates_have_the_same_numbers(bot, ada, chat, settings) -> None:
    update = bot.message("/status")
    bot.take(update)
    settings.TELEGRAM_BOT_TOKEN = "2000:token"
    assert said(bot.take(update))


@pytest.mark.django_db(transaction=True)
def test_two_deliveries_at_once_are_one(bot, ada, chat, side_by_side) -> None:
    update = bot.message("/stop")
    answers = side_by_side(lambda: bot.take(update), lambda: bot.take(update))
    assert sorted(len(one.answers) for one in answers) == [0, 1]


@pytest.mark.parametrize("raw", [{}, {"update_id": "x"}, {"update_id": True}, {"message": {}}])
def test_what_is_no_update_is_refused(db, now, raw) -> None:
    with pytest.raises(NotAnUpdate):
        take(raw, now=now)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"message": {"text": 7}},
        {"message": []},
        {"poll": {"id": "1"}},
        {"some_later_kind": {"x": 1}},
        {"edited_message": {"message_id": 1, "date": 1, "chat": {"id": 5, "type": "private"}, "text": "x"}},
        {"callback_query": {"id": "1", "from": {"id": 1, "is_bot": False, "first_name": "x"}}},
    ],
)
def test_a_strange_update_is_taken_and_changes_nothing(bot, content) -> None:
    bot.take({"update_id": 17} | content)
    assert BotUpdate.objects.filter(update_id=17).exists()


def test_an_outage_leaves_the_update_to_be_delivered_again(bot, ada, chat) -> None:
    update = bot.message("/stop")
    with pytest.raises(OperationalError), connection.execute_wrapper(_away):
        bot.take(update)
    assert said(bot.take(update))


def _away(execute, sql, params, many, context):
    if "users_destination" in sql:
        raise OperationalError("the server went away")
    return execute(sql, params, many, context)


def test_a_press_that_fails_for_good_is_answered_and_does_not_hold_back_the_next(bot, ada, chat) -> None:
    def fails(execute, sql, params, many, context):
        if "users_destination" in sql:
            raise ValueError("a bug")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fails):
        assert toast(bot.press("pref:c:1:off")) == "Something went wrong here. Try again later."
        assert said(bot.write("/status")) == "Something went wrong here. Try again later."
    assert BotUpdate.objects.count() == 2


def test_a_written_word_makes_the_chat_live_for_ten_minutes(bot, desk, ada, chat) -> None:
    bot.write("hello")
    chat.refresh_from_db()
    assert chat.last_inbound_at == bot.now


def test_a_word_that_waited_for_us_is_as_old_as_it_is(bot, ada, chat) -> None:
    bot.write("hello", date=bot.unix() - 3600)
    chat.refresh_from_db()
    assert (bot.now - chat.last_inbound_at).total_seconds() == 3600


def test_the_words_of_a_group_make_nobody_live(bot, desk, ada) -> None:
    group = desk.address(ada, Channel.TELEGRAM, address="-77")
    bot.write("hello", chat=-77, kind="group")
    group.refresh_from_db()
    assert group.last_inbound_at is None


def test_got_it_is_the_persons_own_word(bot, desk, ada, chat, records) -> None:
    event = desk.event(ada, chat, priority=Priority.CRITICAL)
    records.sent(desk.delivery(event))
    answers = bot.press(f"ack:{desk.delivery(event).pk}")
    assert toast(answers) == "Acknowledged."
    after = Event.objects.get(pk=event.pk)
    assert (after.evidence, after.acknowledged_at) == ("human", bot.now)
    assert toast(bot.press(f"ack:{desk.delivery(event).pk}")) == "You have acknowledged this already."


def test_open_pages_hear_of_it(bot, desk, ada, chat, records, open_page) -> None:
    page = open_page(ada)
    event = desk.event(ada, chat, priority=Priority.CRITICAL)
    records.sent(desk.delivery(event))
    bot.press(f"ack:{desk.delivery(event).pk}")
    assert [frame["type"] for frame in page.frames()] == ["event.acknowledged"]


@pytest.mark.parametrize("where", [{"chat": 999}, {"chat": CHAT, "kind": "group"}])
def test_nobody_acknowledges_from_another_chat(bot, desk, ada, chat, records, where) -> None:
    event = desk.event(ada, chat, priority=Priority.CRITICAL)
    records.sent(desk.delivery(event))
    assert toast(bot.press(f"ack:{desk.delivery(event).pk}", **where)) == "This button does nothing any more."
    assert Event.objects.get(pk=event.pk).acknowledged_at is None


@pytest.mark.parametrize(
    "data",
    [
        "",
        "ack",
        "ack:",
        "ack:no-uuid",
        "x:1",
        "link:x:yes",
        "link:9:yes",
        "pref:c:99:on",
        "pref:1:on",
        "pref:g:1:on",
    ],
)
def test_any_data_is_answered(bot, ada, chat, data) -> None:
    answers = bot.press(data)
    assert next(type(one).__name__ for one in answers.answers) == "Toast"


def test_a_press_without_a_chat_is_answered(bot) -> None:
    sender = {"id": 1, "is_bot": False, "first_name": "x"}
    query = {"id": "q9", "from": sender, "chat_instance": "1", "inline_message_id": "7", "data": "ack:1"}
    answers = bot.take({"update_id": 10**8, "callback_query": query})
    assert [answer.query_id for answer in answers.answers] == ["q9"]


def test_a_group_is_told_once_where_to_talk(bot: Bot) -> None:
    assert "in a chat of our own" in said(bot.write("/start abc", chat=-77, kind="group"))
    assert bot.write("hello all", chat=-77, kind="group").answers == ()
