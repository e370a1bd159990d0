"""The person in a simulated chat: what a bot receives of it, by getUpdates and by webhook."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import count

import httpx
import pytest
from telegram import Update

from tests.kit.eventually import eventually

_chats = count(5000)
KEYBOARD = json.dumps({"inline_keyboard": [[{"text": "Got it", "callback_data": "k:1"}]]})


@pytest.fixture
def chat() -> str:
    return str(next(_chats))


@pytest.fixture
def token(sandbox) -> str:
    """A bot that nobody else reads; the latest to call is the one that persons write to."""
    token = f"{next(_chats)}:secret"
    sandbox.api("getMe", token)
    return token


@pytest.fixture
def webhook() -> Iterator["Receiver"]:
    receiver = Receiver()
    yield receiver
    receiver.close()


class Receiver:
    """A webhook with given answers: the statuses of the next calls, then 200."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.calls: list[tuple[str | None, dict]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.calls.append((self.headers["X-Telegram-Bot-Api-Secret-Token"], body))
                self.send_response(outer.statuses.pop(0) if outer.statuses else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


def updates(sandbox, token: str, **params: object) -> list[dict]:
    answer = sandbox.api("getUpdates", token, **params).json()
    return answer["result"] if answer["ok"] else [answer]


def test_what_a_person_writes_is_an_update_that_the_library_understands(sandbox, token, chat):
    sandbox.person(chat, "write", text="/start abc", **{"from": {"language_code": "de"}})
    [raw] = updates(sandbox, token)
    update = Update.de_json(raw, None)
    assert (update.effective_chat.id, update.effective_chat.type) == (int(chat), "private")
    assert (update.message.text, update.effective_user.language_code) == ("/start abc", "de")
    assert [one.type for one in update.message.entities] == ["bot_command"]


def test_updates_stay_until_an_offset_confirms_them(sandbox, token, chat):
    for text in ("one", "two", "three"):
        sandbox.person(chat, "write", text=text)
    first = updates(sandbox, token, limit=1)
    assert updates(sandbox, token) == first + updates(sandbox, token)[1:]
    rest = updates(sandbox, token, offset=first[0]["update_id"] + 1)
    assert [one["message"]["text"] for one in rest] == ["two", "three"]
    assert [one["message"]["text"] for one in updates(sandbox, token, offset=-1)] == ["three"]
    assert updates(sandbox, token, offset=rest[-1]["update_id"] + 1) == []


def test_a_long_poll_returns_when_something_comes(sandbox, token, chat):
    found: list[dict] = []
    poll = threading.Thread(target=lambda: found.extend(updates(sandbox, token, timeout=20)))
    poll.start()
    eventually(lambda: bool(sandbox.person(chat, "write", text="hello")["update_id"]))
    poll.join(5)
    assert found[0]["message"]["text"] == "hello"


def test_a_second_poll_ends_the_first_with_a_conflict(sandbox, token):
    refused: list[dict] = []

    def poll() -> None:
        with httpx.Client(base_url=sandbox.url, trust_env=False, timeout=30) as client:
            refused.append(client.post(f"/bot{token}/getUpdates", data={"timeout": 20}).json())

    first = threading.Thread(target=poll)
    first.start()
    while first.is_alive():
        updates(sandbox, token, timeout=1)
        first.join(0.05)
    assert refused[0]["error_code"] == 409
    assert "terminated by other getUpdates" in refused[0]["description"]


def test_only_the_wanted_kinds_come(sandbox, token, chat):
    assert updates(sandbox, token, allowed_updates='["callback_query"]') == []
    assert sandbox.person(chat, "write", text="hello")["update_id"] is None
    assert updates(sandbox, token, allowed_updates='["message"]') == []
    assert sandbox.person(chat, "write", text="hello")["update_id"]


def test_a_pressed_button_is_a_query_and_its_answer_is_shown(sandbox, token, chat):
    sandbox.api("sendMessage", token, chat_id=chat, text="Order filled", reply_markup=KEYBOARD)
    sandbox.person(chat, "press", button="Got it")
    [raw] = updates(sandbox, token)
    query = Update.de_json(raw, None).callback_query
    assert (query.data, query.message.text, query.from_user.id) == ("k:1", "Order filled", int(chat))
    answered = sandbox.api("answerCallbackQuery", token, callback_query_id=query.id, text="Done")
    assert answered.json()["ok"]
    assert sandbox.chat(chat)["answers"][-1]["text"] == "Done"
    again = sandbox.api("answerCallbackQuery", token, callback_query_id=query.id)
    assert again.json()["description"].startswith("Bad Request: query is too old")


def test_an_edited_message_has_lost_its_button(sandbox, token, chat):
    sent = sandbox.api("sendMessage", token, chat_id=chat, text="Order filled", reply_markup=KEYBOARD)
    message_id = sent.json()["result"]["message_id"]
    sandbox.api("editMessageText", token, chat_id=chat, message_id=message_id, text="Acknowledged")
    [message] = sandbox.chat(chat)["messages"]
    assert (message["text"], message["buttons"], message["edited"]) == ("Acknowledged", [], True)
    refused = sandbox.http.post(f"/control/telegram/chats/{chat}/press", json={"button": "Got it"})
    assert (refused.status_code, refused.json()["field"]) == (422, "button")


def test_a_blocked_bot_is_refused_and_hears_of_both_changes(sandbox, token, chat):
    def send() -> str:
        return sandbox.api("sendMessage", token, chat_id=chat, text="x").json().get("description", "sent")

    sandbox.person(chat, "block")
    assert send() == "Forbidden: bot was blocked by the user"
    sandbox.person(chat, "unblock")
    assert send() == "sent"
    changes = [Update.de_json(raw, None).my_chat_member for raw in updates(sandbox, token)]
    assert [(one.old_chat_member.status, one.new_chat_member.status) for one in changes] == [
        ("member", "kicked"),
        ("kicked", "member"),
    ]


def test_a_deleted_account_is_silent_and_refuses(sandbox, token, chat):
    sandbox.person(chat, "delete")
    assert updates(sandbox, token) == []
    refused = sandbox.api("sendMessage", token, chat_id=chat, text="x").json()
    assert refused["description"] == "Forbidden: user is deactivated"


def test_a_migrated_group_names_its_new_id(sandbox, token):
    group = f"-{next(_chats)}"
    new_id = sandbox.person(group, "migrate")["chat_id"]
    old, new = (Update.de_json(raw, None).message for raw in updates(sandbox, token))
    assert (old.chat.id, old.migrate_to_chat_id) == (int(group), new_id)
    assert (new.chat.id, new.migrate_from_chat_id) == (new_id, int(group))
    refused = sandbox.api("sendMessage", token, chat_id=group, text="x").json()
    assert refused["parameters"] == {"migrate_to_chat_id": new_id}


def test_a_webhook_gets_each_update_with_the_secret_until_it_takes_it(sandbox, token, chat, webhook):
    webhook.statuses = [503, 500]
    sandbox.api("setWebhook", token, url=webhook.url, secret_token="hush")
    assert updates(sandbox, token)[0]["error_code"] == 409
    for text in ("one", "two"):
        sandbox.person(chat, "write", text=text)
    eventually(lambda: len(webhook.calls) == 4)
    assert {secret for secret, _ in webhook.calls} == {"hush"}
    assert [body["message"]["text"] for _, body in webhook.calls] == ["one", "one", "one", "two"]
    info = sandbox.api("getWebhookInfo", token).json()["result"]
    assert info["last_error_message"] == "Wrong response from the webhook: 500 Internal Server Error"
    eventually(lambda: not sandbox.api("getWebhookInfo", token).json()["result"]["pending_update_count"])
    sandbox.api("deleteWebhook", token)
    assert updates(sandbox, token) == []
