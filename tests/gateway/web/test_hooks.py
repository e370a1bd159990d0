"""The webhook: only Telegram may call it, each update is taken once, and an outage asks for it again."""

import json

import pytest
from django.db import OperationalError, connection

from gateway.checks import the_webhook_has_a_secret
from notifications.bot import outbox
from notifications.models import BotUpdate

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/hooks/telegram"
SECRET = {"X-Telegram-Bot-Api-Secret-Token": "hush"}
UPDATE = {"update_id": 5, "my_chat_member": None}


@pytest.fixture(autouse=True)
def webhook(settings) -> None:
    settings.TELEGRAM_WEBHOOK_SECRET = "hush"
    settings.TELEGRAM_BOT_TOKEN = "1000:token"


@pytest.mark.parametrize("secret", ["short", "x" * 257, "sixteen letters!"])
def test_a_secret_that_can_be_guessed_or_that_telegram_refuses_stops_the_start(settings, secret) -> None:
    settings.TELEGRAM_WEBHOOK_SECRET = secret
    assert [found.id for found in the_webhook_has_a_secret()] == ["tocsin.E009"]


@pytest.mark.parametrize("secret", ["", "a-Secret_of_16..".replace(".", "0")])
def test_a_good_secret_or_none_is_fine(settings, secret) -> None:
    settings.TELEGRAM_WEBHOOK_SECRET = secret
    assert the_webhook_has_a_secret() == []


def call(client, body=None, **how):
    body = json.dumps(UPDATE) if body is None else body
    headers = how.pop("headers", SECRET)
    return client.generic(
        how.pop("method", "POST"), PATH, body, content_type="application/json", headers=headers
    )


def test_an_update_is_taken_and_its_repeat_too(client) -> None:
    assert [call(client).status_code for _ in range(2)] == [200, 200]
    assert BotUpdate.objects.get().update_id == 5
    assert outbox.wait_until_given(within_s=5)


@pytest.mark.parametrize(
    "headers", [{}, {"X-Telegram-Bot-Api-Secret-Token": "hus"}, {"Authorization": "hush"}]
)
def test_nobody_else_may_call(client, headers) -> None:
    answer = call(client, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_secret")
    assert BotUpdate.objects.count() == 0


def test_without_a_secret_there_is_no_webhook(client, settings) -> None:
    settings.TELEGRAM_WEBHOOK_SECRET = ""
    empty = {"X-Telegram-Bot-Api-Secret-Token": ""}
    assert [call(client, headers=headers).status_code for headers in ({}, empty)] == [404, 404]


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", '{"update_id": "5"}', "[" * 30_000])
def test_what_is_no_update_is_malformed(client, body) -> None:
    answer = call(client, body)
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")


def test_a_body_has_a_limit(client) -> None:
    assert call(client, json.dumps(UPDATE | {"x": "y" * 65_536})).status_code == 413


def test_it_takes_posts_only(client) -> None:
    answer = call(client, method="PUT")
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_an_outage_asks_for_the_update_again(client) -> None:
    def away(execute, sql, params, many, context):
        if "botupdate" in sql:
            raise OperationalError("the server went away")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(away):
        assert call(client).status_code == 503
    assert call(client).status_code == 200
    assert BotUpdate.objects.count() == 1
