"""Updates as Telegram sends them, and the handler that takes them."""

from datetime import datetime
from itertools import count
from typing import Any

from notifications.bot.handler import Answers, take
from notifications.transports.telegram.answers import Change, Say, Toast

_ids = count(1)
CHAT = 42420  # the address of the first destination that the desk makes


def user(number: int, language: str = "en") -> dict[str, Any]:
    return {"id": number, "is_bot": False, "first_name": "Ada", "language_code": language}


class Bot:
    """A bot that is written to at a given time."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def take(self, update: dict[str, Any]) -> Answers:
        return take(update, now=self.now)

    def write(self, text: str, chat: int = CHAT, **more: Any) -> Answers:
        return self.take(self.message(text, chat, **more))

    def press(self, data: str, chat: int = CHAT, message_id: int = 7, kind: str = "private") -> Answers:
        message = {"message_id": message_id, "date": 1, "chat": {"id": chat, "type": kind}, "text": "?"}
        query = {"id": "q1", "from": user(abs(chat)), "chat_instance": "1", "data": data, "message": message}
        return self.take({"update_id": next(_ids), "callback_query": query})

    def member(self, before: str, after: str, chat: int = CHAT, kind: str = "private") -> Answers:
        def of(status: str) -> dict[str, Any]:
            return {"status": status, "user": user(1000)} | ({"until_date": 0} if status == "kicked" else {})

        change = {"chat": {"id": chat, "type": kind}, "from": user(abs(chat)), "date": self.unix()}
        change |= {"old_chat_member": of(before), "new_chat_member": of(after)}
        return self.take({"update_id": next(_ids), "my_chat_member": change})

    def message(
        self, text: str, chat: int = CHAT, *, kind: str = "private", language: str = "en", **fields: Any
    ) -> dict[str, Any]:
        message = {"message_id": 5, "date": self.unix(), "chat": {"id": chat, "type": kind}, "text": text}
        if text.startswith("/"):
            length = len(text.partition(" ")[0])
            message["entities"] = [{"type": "bot_command", "offset": 0, "length": length}]
        message |= {"from": user(abs(chat), language)} | fields
        return {"update_id": next(_ids), "message": message}

    def unix(self) -> int:
        return int(self.now.timestamp())


def said(answers: Answers) -> str:
    [say] = [one for one in answers.answers if isinstance(one, Say)]
    return say.text


def changed(answers: Answers) -> Change:
    [change] = [one for one in answers.answers if isinstance(one, Change)]
    return change


def toast(answers: Answers) -> str:
    [one] = [one for one in answers.answers if isinstance(one, Toast)]
    return one.text


def buttons(answer: Say | Change) -> dict[str, str]:
    return {text: data for row in answer.buttons for text, data in row}
