"""The person at the other end of a chat: writes, presses buttons, blocks the bot, goes away.

Played through `/control/telegram/chats/<chat id>`: docs/telegram.md has the calls.
"""

import re
import time
from itertools import count
from typing import Any

from sandbox.simulator.faults import BadRule
from sandbox.simulator.telegram_chats import bot_user, chat_object
from sandbox.simulator.telegram_memory import Telegram

_COMMAND = re.compile(r"/[A-Za-z0-9_]{1,32}(@\w+)?")
_SHOWN = 30
_MEMBER_OF_GROUPS = 777_000_001

Answer = dict[str, Any]


class Person:
    def __init__(self, telegram: Telegram) -> None:
        self._telegram = telegram
        self._numbers = count(1)
        self.acts = {
            "write": self.write,
            "press": self.press,
            "block": self.block,
            "unblock": self.unblock,
            "delete": self.delete,
            "migrate": self.migrate,
        }

    def view(self, chat_id: str) -> Answer:
        """Return what the person sees: the latest messages with their buttons, the oldest first."""
        chat = self._telegram.chat(chat_id)
        return {
            "chat_id": chat_id,
            "blocked": chat.blocked,
            "deleted": chat.deleted,
            "moved_to": chat.moved_to or None,
            "messages": [_shown(message) for message in self._telegram.messages(chat_id, _SHOWN)],
            "answers": list(chat.answers),
        }

    def write(self, chat_id: str, given: Answer) -> Answer:
        """Write `text`. `from` overrides fields of the person, such as `language_code`."""
        text = given.get("text")
        if not isinstance(text, str) or not text.strip():
            raise BadRule("text", "must be a text")
        message = self._message(chat_id, given) | {"text": text}
        if command := _COMMAND.match(text):
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": command.end()}]
        self._telegram.show(chat_id, message)
        return self._update("message", message) | {"message_id": message["message_id"]}

    def press(self, chat_id: str, given: Answer) -> Answer:
        """Press the button with the text `button`, in the message `message_id` or the latest that has it.

        `data` instead of `button` is what a modified client can send: any text.
        """
        message, data = self._pressed(chat_id, given)
        query: Answer = {
            "id": f"{next(self._numbers)}{int(time.time())}",
            "from": _user(chat_id, given),
            "message": message,
            "chat_instance": f"-{abs(hash(chat_id))}",
            "data": data,
        }
        self._telegram.queries[query["id"]] = chat_id
        return self._update("callback_query", query) | {"callback_query_id": query["id"]}

    def block(self, chat_id: str, given: Answer) -> Answer:
        """Block the bot; in a group, remove it."""
        self._telegram.chat(chat_id).blocked = True
        return self._membership(chat_id, given, "member", "kicked")

    def unblock(self, chat_id: str, given: Answer) -> Answer:
        self._telegram.chat(chat_id).blocked = False
        return self._membership(chat_id, given, "kicked", "member")

    def delete(self, chat_id: str, given: Answer) -> Answer:
        """Delete the account, or the group. The bot hears of it when it sends."""
        self._telegram.chat(chat_id).deleted = True
        return {"update_id": None}

    def migrate(self, chat_id: str, given: Answer) -> Answer:
        """Upgrade a group to a supergroup, which has another id."""
        if not chat_id.startswith("-"):
            raise BadRule("chat_id", "only a group migrates: its id is negative")
        new_id = self._telegram.migrate(chat_id)
        message = self._message(chat_id, given)
        self._update("message", message | {"migrate_to_chat_id": new_id})
        message = self._message(str(new_id), given)
        return self._update("message", message | {"migrate_from_chat_id": int(chat_id)}) | {"chat_id": new_id}

    def _pressed(self, chat_id: str, given: Answer) -> tuple[Answer, str]:
        for message in reversed(self._telegram.messages(chat_id, _SHOWN)):
            if given.get("message_id") not in {None, message["message_id"]}:
                continue
            if isinstance(data := given.get("data"), str):
                return message, data
            for button in _buttons(message):
                if button["text"] == given.get("button") and "callback_data" in button:
                    return message, button["callback_data"]
        raise BadRule("button", "no message shows such a button")

    def _message(self, chat_id: str, given: Answer) -> Answer:
        return {
            "message_id": self._telegram.new_id(chat_id),
            "from": _user(chat_id, given),
            "chat": chat_object(chat_id),
            "date": int(time.time()),
        }

    def _membership(self, chat_id: str, given: Answer, before: str, after: str) -> Answer:
        def member(status: str) -> Answer:
            until = {"until_date": 0} if status == "kicked" else {}
            return {"status": status, "user": bot_user(self._bot())} | until

        change = {
            "chat": chat_object(chat_id),
            "from": _user(chat_id, given),
            "date": int(time.time()),
            "old_chat_member": member(before),
            "new_chat_member": member(after),
        }
        return self._update("my_chat_member", change)

    def _update(self, kind: str, content: Answer) -> Answer:
        return {"update_id": self._telegram.updates_of(self._bot()).add(kind, content)}

    def _bot(self) -> str:
        if not self._telegram.last_token:
            raise BadRule("bot", "no bot has called yet, so there is none to write to")
        return self._telegram.last_token


def act(person: Person, chat: str, what: str, body: Answer) -> Answer | None:
    """Let the person of a chat act; None if there is no such act. Raises: `BadRule`."""
    do = person.acts.get(what)
    if do is None:
        return None
    if "from" in body and not isinstance(body["from"], dict):
        raise BadRule("from", "must be an object with fields of a User")
    return do(chat, body)


def _user(chat_id: str, given: Answer) -> Answer:
    number = _MEMBER_OF_GROUPS if chat_id.startswith("-") else int(chat_id)
    user: Answer = {"id": number, "is_bot": False, "first_name": "Sandbox", "language_code": "en"}
    user.update(given.get("from", {}))
    return user


def _buttons(message: Answer) -> list[Answer]:
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button for row in rows for button in row]


def _shown(message: Answer) -> Answer:
    sender = "bot" if message.get("from", {}).get("is_bot") else "person"
    buttons = [button["text"] for button in _buttons(message)]
    return {
        "message_id": message["message_id"],
        "from": sender,
        "text": message.get("text", ""),
        "buttons": buttons,
        "edited": "edit_date" in message,
    }
