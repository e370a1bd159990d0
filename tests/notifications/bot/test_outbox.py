"""Answers reach the chat in order, once, and wait as long as Telegram says."""

from notifications.bot import outbox
from notifications.bot.handler import Answers
from notifications.transports.telegram.answers import Change, Say, Toast


def give(chat: str, *answers) -> None:
    outbox.give_later(Answers(chat, answers))
    assert outbox.wait_until_given(within_s=20)


def texts(telegram, chat: str) -> list[str]:
    return [message["text"] for message in telegram.chat(chat)["messages"] if message["from"] == "bot"]


def test_answers_come_in_order(telegram) -> None:
    for number in range(5):
        outbox.give_later(Answers("901", (Say(f"a{number}"), Say(f"b{number}"))))
    assert outbox.wait_until_given(within_s=20)
    assert texts(telegram, "901") == [f"{letter}{number}" for number in range(5) for letter in "ab"]


def test_a_refusal_for_now_is_tried_again(telegram) -> None:
    telegram.misbehave("telegram", retry_after_s=1, times=1)
    give("902", Say("hello", ((("Yes", "x:1"),),)))
    assert texts(telegram, "902") == ["hello"]
    assert telegram.chat("902")["messages"][0]["buttons"] == ["Yes"]


def test_a_lost_answer_is_not_said_twice(telegram) -> None:
    telegram.misbehave("telegram", drop_answer=True, times=1)
    give("903", Say("hello"))
    assert texts(telegram, "903") == ["hello"]


def test_an_answer_to_who_has_blocked_the_bot_ends_quietly(telegram) -> None:
    give("904", Say("hello"))
    telegram.person("904", "block")
    give("904", Say("hello again"), Change("1", "changed"), Toast("unknown", "late"))
    assert texts(telegram, "904") == ["hello"]


def test_a_flood_of_one_chat_is_not_answered_without_end(telegram, override) -> None:
    override(telegram_per_s=25)
    for number in range(40):
        outbox.give_later(Answers("905", (Toast("x", str(number)),) if number % 2 else (Say(str(number)),)))
        if number == 3:
            break
    assert outbox.wait_until_given(within_s=20)
    assert texts(telegram, "905") == ["0", "2"]
