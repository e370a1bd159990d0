"""The Bot API as the real python-telegram-bot and plain HTTP see it."""

from collections.abc import AsyncIterator
from itertools import count

import httpx
import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TimedOut,
)
from telegram.request import HTTPXRequest

_chats = count(1000)


@pytest.fixture
async def bot(sandbox) -> AsyncIterator[Bot]:
    request = HTTPXRequest(read_timeout=0.5, httpx_kwargs={"trust_env": False})
    bot = Bot("42:secret", base_url=f"{sandbox.url}/bot", request=request, get_updates_request=request)
    await request.initialize()
    yield bot
    await request.shutdown()


@pytest.fixture
def chat() -> int:
    return next(_chats)


async def test_bot_sends_html_and_gets_the_message_back(sandbox, bot, chat):
    message = await bot.send_message(chat, "<b>BTC_USDT</b> filled &amp; done", parse_mode="HTML")

    assert (message.message_id, message.chat.id, message.text) == (1, chat, "BTC_USDT filled & done")
    assert [(e.type, e.offset, e.length) for e in message.entities] == [("bold", 0, 8)]
    [entry] = sandbox.entries()
    assert entry["to"] == str(chat)
    assert (entry["channel"], entry["kind"], entry["outcome"]) == ("telegram", "sendMessage", "accepted")
    assert (entry["text"], entry["html"]) == ("BTC_USDT filled & done", "<b>BTC_USDT</b> filled &amp; done")
    assert (entry["status"], entry["message_id"]) == (200, 1)


async def test_message_ids_count_up_per_chat(bot, chat):
    ids = [(await bot.send_message(where, "x")).message_id for where in (chat, chat, -chat, chat)]
    assert ids == [1, 2, 1, 3]


async def test_bot_asks_who_it_is_and_about_a_chat(bot):
    assert (await bot.get_me()).id == 42
    assert (await bot.get_chat(7)).type == "private"
    assert (await bot.get_chat(-7)).type == "group"
    assert (await bot.get_chat(-1001234567890)).type == "supergroup"
    assert (await bot.get_chat("@news")).username == "news"


async def test_bot_edits_a_message_once(bot, chat):
    button = InlineKeyboardMarkup([[InlineKeyboardButton("Acknowledge", callback_data="ack:1")]])
    sent = await bot.send_message(chat, "ring", reply_markup=button)
    assert sent.reply_markup == button

    edited = await bot.edit_message_text("confirmed", chat, sent.message_id)
    assert edited.text == "confirmed" and edited.edit_date is not None
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_text("confirmed", chat, sent.message_id)
    with pytest.raises(BadRequest, match="Message to edit not found"):
        await bot.edit_message_text("confirmed", chat, 99)


async def test_bot_manages_its_webhook(bot):
    assert await bot.set_webhook(
        "https://tocsin.test/hook", secret_token="s3cret", allowed_updates=["message"]
    )
    info = await bot.get_webhook_info()
    assert (info.url, info.allowed_updates) == ("https://tocsin.test/hook", ("message",))
    assert await bot.delete_webhook()
    assert (await bot.get_webhook_info()).url == ""
    assert await bot.get_updates() == ()
    with pytest.raises(BadRequest, match="Query is too old"):
        await bot.answer_callback_query("17", text="Thanks")  # no person has pressed


@pytest.mark.parametrize(
    ("error", "raised", "words"),
    [
        ("chat_not_found", BadRequest, "Chat not found"),
        ("blocked", Forbidden, "bot was blocked by the user"),
        ("deactivated", Forbidden, "user is deactivated"),
        ("write_forbidden", BadRequest, "(?i)chat_write_forbidden"),
        ("not_admin", BadRequest, "(?i)need administrator rights"),
        ("cant_parse", BadRequest, "[Cc]an't parse entities"),
        ("too_long", BadRequest, "Message is too long"),
        ("unauthorized", InvalidToken, "Unauthorized"),
    ],
)
async def test_named_error_raises_the_bots_own_exception(sandbox, bot, chat, error, raised, words):
    sandbox.misbehave("telegram", error=error)
    with pytest.raises(raised, match=words):
        await bot.send_message(chat, "x")
    [entry] = sandbox.entries()
    assert (entry["outcome"], entry["fault"]) == ("refused", {"error": error})


async def test_migrated_group_names_its_new_id_which_then_works(sandbox, bot, chat):
    sandbox.misbehave("telegram", error="migrated")
    with pytest.raises(ChatMigrated) as caught:
        await bot.send_message(-chat, "x")
    assert caught.value.new_chat_id == -1_000_000_000_000 - chat
    assert (await bot.send_message(caught.value.new_chat_id, "x")).message_id == 1


async def test_errors_about_a_chat_leave_calls_without_a_chat_alone(sandbox, bot):
    sandbox.misbehave("telegram", error="blocked", times=1)
    assert (await bot.get_me()).id == 42
    with pytest.raises(Forbidden):
        await bot.send_message(5, "x")


async def test_retry_after_is_told(sandbox, bot, chat, monkeypatch):
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    sandbox.misbehave("telegram", retry_after_s=7)
    with pytest.raises(RetryAfter) as caught:
        await bot.send_message(chat, "x")
    assert caught.value.retry_after.total_seconds() == 7
    answer = sandbox.api("sendMessage", chat_id=chat, text="x")
    assert answer.json()["parameters"] == {"retry_after": 7}
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


async def test_server_error_is_a_network_error(sandbox, bot, chat):
    sandbox.misbehave("telegram", status=502, at="sendMessage")
    with pytest.raises(NetworkError, match="Bad Gateway"):
        await bot.send_message(chat, "x")
    assert (await bot.get_me()).id == 42


@pytest.mark.parametrize(
    ("rule", "raised", "outcome"),
    [
        ({"hang": True}, TimedOut, "hung"),
        ({"refuse": True}, NetworkError, "refused"),
        ({"drop_answer": True}, NetworkError, "dropped_answer"),
        ({"latency_ms": 60_000}, TimedOut, "accepted"),
    ],
)
async def test_broken_connection_is_what_the_log_says(sandbox, bot, chat, rule, raised, outcome):
    sandbox.misbehave("telegram", **rule)
    with pytest.raises(raised) as caught:
        await bot.send_message(chat, "x")
    assert type(caught.value) is raised
    [entry] = sandbox.entries()
    assert (entry["outcome"], entry["fault"], entry["to"]) == (outcome, rule, str(chat))
    assert ("message_id" in entry) == (outcome in ("dropped_answer", "accepted"))
    assert ("status" in entry) == (outcome == "accepted")


def test_refused_call_stays_refused_when_its_answer_is_dropped(sandbox):
    sandbox.misbehave("telegram", drop_answer=True, error="blocked")
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.api("sendMessage", chat_id=5, text="x")
    [entry] = sandbox.entries()
    assert entry["outcome"] == "refused" and "status" not in entry


@pytest.mark.parametrize(
    ("params", "description"),
    [
        ({"chat_id": 1, "text": ""}, "Bad Request: message text is empty"),
        ({"chat_id": 1}, "Bad Request: message text is empty"),
        ({"chat_id": 1, "text": " \n "}, "Bad Request: message text is empty"),
        ({"chat_id": 1, "text": "<b> </b>", "parse_mode": "HTML"}, "Bad Request: message text is empty"),
        ({"text": "x"}, "Bad Request: chat_id is empty"),
        ({"chat_id": "nobody", "text": "x"}, "Bad Request: chat not found"),
        ({"chat_id": 1, "text": "x" * 4097}, "Bad Request: message is too long"),
        ({"chat_id": 1, "text": "😀" * 2049}, "Bad Request: message is too long"),
        ({"chat_id": 1, "text": "x", "parse_mode": "Markdown"}, "Bad Request: unsupported parse_mode"),
        (
            {"chat_id": 1, "text": "x", "reply_markup": "{"},
            "Bad Request: can't parse reply keyboard markup JSON object",
        ),
    ],
)
def test_bad_message_is_refused_in_telegrams_words(sandbox, params, description):
    answer = sandbox.api("sendMessage", **params)
    assert answer.status_code == 400
    assert answer.json() == {"ok": False, "error_code": 400, "description": description}


@pytest.mark.parametrize(
    ("text", "mode"), [("x" * 4096, ""), ("😀" * 2048, ""), ("<b>" + "x" * 4095 + "</b>&lt;", "HTML")]
)
def test_longest_message_counts_utf16_units_after_parsing(sandbox, text, mode):
    assert sandbox.api("sendMessage", chat_id=1, text=text, parse_mode=mode).json()["ok"]


def test_every_kind_of_body_and_method_is_read(sandbox):
    url, fields = "/bot42:secret/sendMessage", {"chat_id": "8", "text": "ä & b"}
    answers = [
        sandbox.http.get(url, params=fields),
        sandbox.http.post(url, data=fields),
        sandbox.http.post(url, json={"chat_id": 8, "text": "ä & b"}),
        sandbox.http.post(url, files={name: (None, value) for name, value in fields.items()}),
        sandbox.http.post(url.lower(), params=fields),
    ]
    assert [answer.json()["result"]["text"] for answer in answers] == ["ä & b"] * 5


def test_bad_token_and_unknown_method(sandbox):
    answer = sandbox.api("getMe", token="no-token")
    assert (answer.status_code, answer.json()["description"]) == (401, "Unauthorized")
    answer = sandbox.api("sendCarrierPigeon")
    assert answer.json() == {"ok": False, "error_code": 404, "description": "Not Found"}


def test_broken_bodies_are_bad_requests(sandbox):
    url, form = "/bot42:secret/sendMessage", {"Content-Type": "application/x-www-form-urlencoded"}
    answer = sandbox.http.post(url, content=b"chat_id=1&text=%ff", headers=form)
    assert answer.json()["description"] == "Bad Request: strings must be encoded in UTF-8"
    answer = sandbox.http.post(url, content=b"[1]", headers={"Content-Type": "application/json"})
    assert answer.json()["error_code"] == 400


@pytest.mark.parametrize(("rule", "status"), [({"page": True}, 403), ({"page": True, "status": 400}, 400)])
def test_a_page_is_the_answer_of_something_in_between(sandbox, rule, status):
    sandbox.misbehave("telegram", **rule)
    answer = sandbox.api("sendMessage", chat_id="5", text="x")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html")
    [entry] = sandbox.entries()
    assert (entry["outcome"], entry["status"]) == ("refused", status)
