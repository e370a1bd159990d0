"""Whose fault a refusal is: only an answer in the Bot API's own form speaks for Telegram."""

import asyncio
import json

import pytest

from notifications.transports.base import (
    ConfigurationError,
    LimitedError,
    Message,
    MessageError,
    OutcomeUnknown,
    Receipt,
    RecipientError,
    TemporaryError,
)
from notifications.transports.telegram.transport import TelegramTransport

MESSAGE = Message("key-1", "Order filled", "Order filled plainly")
PAGE = "<!doctype html><html><head><title>Blocked: chat not found</title></head><body>No</body></html>"


@pytest.fixture
def send(make_transport):
    """Send one message to an API that gives this answer."""

    async def send(status: int, body: str, content_type: str = "application/json") -> Receipt:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            head = f"HTTP/1.1 {status} X\r\nContent-Type: {content_type}\r\nConnection: close\r\n"
            writer.write(f"{head}Content-Length: {len(body.encode())}\r\n\r\n{body}".encode())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            telegram = make_transport(TelegramTransport, api_url=f"http://127.0.0.1:{port}/bot")
            return await telegram.send(MESSAGE, "77", timeout_s=5)

    return send


def refusal(status: int, description: object, **more: object) -> str:
    return json.dumps({"ok": False, "error_code": status, "description": description} | more)


@pytest.mark.parametrize("status", [200, 302, 400, 401, 403, 404, 407, 429, 451, 500, 502, 503, 511])
@pytest.mark.parametrize(
    "body",
    [
        PAGE,
        f"\n {PAGE}",
        '{"error": "blocked by the firewall: chat not found"}',
        '{"ok": false, "description": "Forbidden: bot was blocked by the user"}',
        '{"ok": false, "error_code": 1020, "description": "Forbidden: user is deactivated"}',
    ],
)
async def test_an_answer_from_something_in_between_is_a_network_fault(send, status, body) -> None:
    with pytest.raises(TemporaryError) as caught:
        await send(status, body, "text/html")
    assert type(caught.value) is TemporaryError
    assert caught.value.reason == f"Telegram cannot be reached: HTTP {status}, not from the Bot API"


@pytest.mark.parametrize("body", ["", "no", "[]", '"chat not found"', "null", '{"ok": false', "\x00\ufffd"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 503])
async def test_an_error_that_is_not_readable_is_a_network_fault(send, status, body) -> None:
    with pytest.raises(TemporaryError, match="not from the Bot API"):
        await send(status, body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, ""),
        (200, "ok"),
        (200, '{"ok": true, "result": {"message_'),  # cut: it may have left
        (504, PAGE),  # the gateway passed it on
        (504, ""),
    ],
)
async def test_a_request_that_may_have_come_through_is_unknown(send, status, body) -> None:
    with pytest.raises(OutcomeUnknown) as caught:
        await send(status, body)
    assert "<" not in caught.value.reason


@pytest.mark.parametrize(
    ("status", "description"),
    [
        (400, "Bad Request: chat not found"),
        (400, "Bad Request: user not found"),
        (400, "Bad Request: PEER_ID_INVALID"),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN"),
        (403, "Forbidden: CHAT_WRITE_FORBIDDEN"),
        (400, "Bad Request: CHAT_SEND_PLAIN_FORBIDDEN"),
        (400, "Bad Request: CHAT_ADMIN_REQUIRED"),
        (400, "Bad Request: CHAT_RESTRICTED"),
        (400, "Bad Request: need administrator rights in the channel chat"),
        (403, "Forbidden: need administrator rights in the channel chat"),
        (400, "Bad Request: not enough rights to send text messages to the chat"),
        (400, "Bad Request: have no rights to send a message"),
        (400, "Bad Request: group chat was deactivated"),
        (400, "Bad Request: CHANNEL_PRIVATE"),
        (400, "Bad Request: TOPIC_CLOSED"),
        (400, "Bad Request: chat_id is empty"),
        (400, "Bad Request: USER_IS_BLOCKED"),
        (400, "Bad Request: INPUT_USER_DEACTIVATED"),
        (403, "Forbidden: bot was blocked by the user"),
        (403, "Forbidden: user is deactivated"),
        (403, "Forbidden: bot was kicked from the supergroup chat"),
        (403, "Forbidden: bot is not a member of the channel chat"),
        (403, "Forbidden: bot can't initiate conversation with a user"),
        (403, "Forbidden: bot can't send messages to bots"),
        (403, "Forbidden: the group chat was deleted"),
    ],
)
async def test_a_chat_that_cannot_be_written_to_is_the_recipients_fault(send, status, description) -> None:
    with pytest.raises(RecipientError) as caught:
        await send(status, refusal(status, description))
    assert caught.value.reason == f"Telegram: {description.partition(': ')[2].lower()}"


@pytest.mark.parametrize(
    ("status", "description"),
    [
        (403, "Forbidden"),
        (403, "Forbidden: a reason of next year"),
        (400, "Bad Request: USER_BANNED_IN_CHANNEL"),
        (400, "Bad Request: PEER_FLOOD"),
        (400, "Bad Request: Logged out"),
        (401, "Unauthorized"),
        (404, "Not Found"),
    ],
)
async def test_a_refused_bot_is_our_own_fault(send, status, description) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await send(status, refusal(status, description))
    assert "refuses the bot" in caught.value.reason


@pytest.mark.parametrize(
    "description",
    [
        "Bad Request: message is too long",
        "Bad Request: message text is empty",
        'Bad Request: can\'t parse entities: Unsupported start tag "chat not found" at byte offset 0',
    ],
)
async def test_a_refused_text_is_the_messages_fault(send, description) -> None:
    with pytest.raises(MessageError) as caught:
        await send(400, refusal(400, description))
    assert "chat not found" not in caught.value.reason


@pytest.mark.parametrize(
    ("status", "parameters", "error"),
    [
        (429, {"retry_after": 7}, LimitedError),
        (429, {}, TemporaryError),
        (429, {"retry_after": "soon"}, TemporaryError),
        (400, {"migrate_to_chat_id": "x"}, TemporaryError),
        (400, {"migrate_to_chat_id": -100_1}, RecipientError),  # again and again
        (500, {}, TemporaryError),
        (409, {}, TemporaryError),
    ],
)
async def test_the_parameters_of_a_refusal_are_numbers(send, status, parameters, error) -> None:
    with pytest.raises(Exception) as caught:
        await send(status, refusal(status, "Too Many: later", parameters=parameters))
    assert type(caught.value) is error
