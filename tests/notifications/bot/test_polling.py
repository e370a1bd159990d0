"""The poll takes every update once, whatever happens to its process, Telegram or the database."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import connections

from notifications.bot import calls, outbox
from notifications.bot.polling import Poll
from notifications.models import BotUpdate
from notifications.transports.base import ConfigurationError
from notifications.transports.telegram import bot_api
from tests.kit.eventually import eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def polling(telegram) -> Callable:
    calls.call(bot_api.name_of)  # the bot that persons write to

    @contextmanager
    def run() -> Iterator[None]:
        stopping = threading.Event()

        def poll() -> None:
            try:
                Poll(stopping).run()
            finally:
                connections.close_all()

        thread = threading.Thread(target=poll)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join(10)
            assert not thread.is_alive()
            outbox.wait_until_given(within_s=5)

    return run


def said(telegram, chat: str) -> list[str]:
    return [message["text"] for message in telegram.chat(chat)["messages"] if message["from"] == "bot"]


def test_what_a_person_writes_is_answered(telegram, polling) -> None:
    with polling():
        telegram.person("801", "write", text="hello")
        eventually(lambda: said(telegram, "801"))
    assert "not linked to anybody yet" in said(telegram, "801")[0]


def test_what_was_taken_is_confirmed_when_it_stops(telegram, polling) -> None:
    with polling():
        telegram.person("802", "write", text="hello")
        eventually(lambda: said(telegram, "802"))
    assert calls.call(bot_api.get_updates, 0, 0) == []


def test_an_update_that_comes_again_after_a_crash_is_not_answered_again(telegram, polling) -> None:
    telegram.person("803", "write", text="hello")
    [update] = calls.call(bot_api.get_updates, 0, 0)
    BotUpdate.objects.create(bot_id=1000, update_id=update["update_id"], taken_at="2026-01-01T00:00:00Z")
    with polling():
        telegram.person("804", "write", text="hello")
        eventually(lambda: said(telegram, "804"))
    assert said(telegram, "803") == []


def test_it_stops_at_once_while_it_waits(telegram, polling) -> None:
    with polling():
        pass


def test_a_webhook_that_is_set_is_said_with_what_to_do(telegram, polling, caplog) -> None:
    calls.call(bot_api.set_webhook, "http://127.0.0.1:1/hook", "secret")
    with polling():
        eventually(lambda: "a_webhook_is_set" in caplog.text)
    calls.call(bot_api.delete_webhook)


def test_a_wrong_token_is_said(telegram) -> None:
    telegram.misbehave("telegram", error="unauthorized")
    with pytest.raises(ConfigurationError):
        calls.call(bot_api.name_of)
