"""What only Telegram does: markup that cannot be parsed, chats that move, limits with a wait."""

import asyncio
from dataclasses import replace

import pytest

from notifications.transports.base import (
    ConfigurationError,
    LimitedError,
    Message,
    MessageError,
    OutcomeUnknown,
)
from notifications.transports.telegram.transport import TelegramTransport
from notifications.words import Action, ActionKind

MESSAGE = Message("key-1", "Order filled", "Order filled plainly", "<b>Order filled</b>")


@pytest.fixture
def telegram(make_transport) -> TelegramTransport:
    return make_transport(TelegramTransport)


async def test_markup_that_cannot_be_parsed_goes_as_plain_text(telegram, providers):
    providers.misbehave("telegram", error="cant_parse", times=1)
    await telegram.send(MESSAGE, "77", timeout_s=5)
    refused, accepted = providers.requests("telegram")
    assert refused["outcome"] == "refused"
    assert (accepted["outcome"], accepted["text"]) == ("accepted", "Order filled plainly")


async def test_broken_markup_is_found_by_the_provider_itself(telegram, providers):
    broken = Message("key-1", "t", "a < b", "<b>a < b")
    await telegram.send(broken, "77", timeout_s=5)
    assert [entry["text"] for entry in providers.received("telegram")] == ["a < b"]


async def test_a_chat_that_moved_gets_it_once_and_the_receipt_says_where(telegram, providers):
    providers.misbehave("telegram", error="migrated")
    receipt = await telegram.send(MESSAGE, "-4321", timeout_s=5)
    (arrived,) = providers.received("telegram")
    assert receipt.moved_to == arrived["to"]
    assert receipt.moved_to.startswith("-100")
    assert receipt.provider_message_id == str(arrived["message_id"])


async def test_the_move_is_within_the_time_limit(telegram, providers):
    providers.misbehave("telegram", error="migrated", match="-4321")
    providers.also_misbehave("telegram", hang=True)
    began = asyncio.get_running_loop().time()
    with pytest.raises(OutcomeUnknown):
        await telegram.send(MESSAGE, "-4321", timeout_s=0.5)
    assert asyncio.get_running_loop().time() - began < 1


async def test_a_limit_says_how_long_to_wait(telegram, providers):
    providers.misbehave("telegram", retry_after_s=17)
    with pytest.raises(LimitedError) as caught:
        await telegram.send(MESSAGE, "77", timeout_s=5)
    assert caught.value.retry_after_s == 17


async def test_without_a_token_nothing_is_asked(make_transport, providers, settings):
    settings.TELEGRAM_BOT_TOKEN = ""
    with pytest.raises(ConfigurationError, match="TELEGRAM_BOT_TOKEN"):
        await make_transport(TelegramTransport).send(MESSAGE, "77", timeout_s=5)
    assert providers.requests("telegram") == []


@pytest.mark.parametrize("api_url", ["no-url-at-all", "http://[::1/bot", "ftp://127.0.0.1/bot"])
async def test_an_address_of_the_api_that_is_none_is_our_configuration(make_transport, api_url):
    with pytest.raises(ConfigurationError):
        await make_transport(TelegramTransport, api_url=api_url).send(MESSAGE, "77", timeout_s=5)


@pytest.mark.parametrize("token", ["4242:to ken", "nonsense", "../4242:token"])
async def test_a_malformed_token_is_our_configuration(make_transport, token):
    with pytest.raises(ConfigurationError):
        await make_transport(TelegramTransport, token=token).send(MESSAGE, "77", timeout_s=5)


async def test_an_answer_that_is_no_json_leaves_it_unknown(make_transport, caplog):
    """The call was answered with 200, so a message may have left."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    telegram = make_transport(TelegramTransport, api_url=f"http://127.0.0.1:{port}/bot")
    async with server:
        with pytest.raises(OutcomeUnknown):
            await telegram.send(MESSAGE, "77", timeout_s=5)
    assert caplog.records == []  # the library would log the answer, and the message is in it


ASKING = replace(MESSAGE, key="7f0c", acknowledge_label="Got it")


async def test_a_message_that_asks_has_a_button_that_names_its_delivery(telegram, providers):
    await telegram.send(ASKING, "77", timeout_s=5)
    (accepted,) = providers.received("telegram")
    button = {"text": "Got it", "callback_data": "ack:7f0c"}
    assert accepted["reply_markup"] == {"inline_keyboard": [[button]]}


@pytest.mark.parametrize("address", ["-4321", "-1001234567890", "@announcements"])
async def test_where_others_could_press_there_is_no_button(telegram, providers, address):
    await telegram.send(ASKING, address, timeout_s=5)
    assert "reply_markup" not in providers.received("telegram")[0]


async def test_a_key_that_is_too_long_for_a_button_is_sent_without_one(telegram, providers):
    await telegram.send(replace(ASKING, key="x" * 61), "77", timeout_s=5)
    assert "reply_markup" not in providers.received("telegram")[0]


async def test_an_edit_takes_the_button_and_its_repeat_changes_nothing(telegram, providers):
    receipt = await telegram.send(ASKING, "7701", timeout_s=5)
    for _ in range(2):
        edited = replace(MESSAGE, html="<b>Order filled</b>\n\nAcknowledged")
        await telegram.edit(edited, "7701", receipt.provider_message_id, timeout_s=5)
    [message] = [one for one in providers.chat("7701")["messages"] if one["edited"]]
    assert (message["text"], message["buttons"]) == ("Order filled\n\nAcknowledged", [])


async def test_a_message_that_is_gone_cannot_be_edited(telegram):
    with pytest.raises(MessageError, match="message to edit not found"):
        await telegram.edit(MESSAGE, "7702", "99", timeout_s=5)


LINKS = (Action("Roll back", "https://ci.example.net/back"), Action("Got it", kind=ActionKind.ACKNOWLEDGE))
WORDED = replace(ASKING, html="<b>Order</b>", url="https://docs.example.com/", actions=LINKS)


async def test_links_of_the_producer_are_buttons_before_the_one_that_asks(telegram, providers):
    await telegram.send(WORDED, "77", timeout_s=5)
    (accepted,) = providers.received("telegram")
    link = {"text": "Roll back", "url": "https://ci.example.net/back"}
    asking = {"text": "Got it", "callback_data": "ack:7f0c"}
    assert accepted["reply_markup"] == {"inline_keyboard": [[link], [asking]]}


async def test_in_a_group_links_are_buttons_too(telegram, providers):
    await telegram.send(WORDED, "-4321", timeout_s=5)
    (accepted,) = providers.received("telegram")
    assert [[list(button) for button in row] for row in accepted["reply_markup"]["inline_keyboard"]] == [
        [["text", "url"]]
    ]


async def test_a_button_that_telegram_refuses_becomes_a_link_in_the_text(telegram, providers):
    actions = (Action("Wiki <1>", "https://wiki.internal/a?b=1&c=2"), LINKS[1])
    await telegram.send(replace(WORDED, actions=actions), "77", timeout_s=5)
    (accepted,) = providers.received("telegram")
    assert accepted["html"] == (
        '<b>Order</b>\n<a href="https://wiki.internal/a?b=1&amp;c=2">Wiki &lt;1&gt;</a>'
    )
    assert accepted["reply_markup"] == {
        "inline_keyboard": [[{"text": "Got it", "callback_data": "ack:7f0c"}]]
    }


async def test_a_preview_shows_the_picture_and_nothing_else(telegram, providers):
    await telegram.send(replace(MESSAGE, image="https://img.example.net/a.png"), "77", timeout_s=5)
    await telegram.send(replace(MESSAGE, html="<b>see https://example.com</b>"), "78", timeout_s=5)
    with_image, without = providers.received("telegram")
    assert with_image["link_preview"] == {"url": "https://img.example.net/a.png", "prefer_large_media": True}
    assert without["link_preview"] == {"is_disabled": True}


async def test_an_edit_with_a_button_that_telegram_refuses_has_its_link_in_the_text(telegram, providers):
    message = replace(MESSAGE, actions=(Action("Open", "https://wiki.internal/x"),))
    receipt = await telegram.send(message, "7703", timeout_s=5)
    edited = replace(message, text=f"{message.text}\n\nAcknowledged", html="")
    await telegram.edit(edited, "7703", receipt.provider_message_id, timeout_s=5)
    [shown] = providers.chat("7703")["messages"]
    assert shown["text"].endswith("Acknowledged\nOpen: https://wiki.internal/x")
    assert shown["buttons"] == []
