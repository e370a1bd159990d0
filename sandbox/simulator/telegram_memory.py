"""The memory of the simulated Telegram: message numbers, recent messages, chats, and each bot's updates."""

from collections import OrderedDict
from typing import Any

from sandbox.simulator.telegram_chats import SUPERGROUP_BASE, Chat
from sandbox.simulator.telegram_updates import Updates

_KEPT_MESSAGES = 200_000
_SHOWN_MESSAGES = 10_000


class Telegram:
    def __init__(self) -> None:
        self._last_ids: dict[str, int] = {}
        self._contents: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._shown: OrderedDict[tuple[str, int], dict[str, Any]] = OrderedDict()
        self._chats: dict[str, Chat] = {}
        self._updates: dict[str, Updates] = {}
        self.queries: dict[str, str] = {}  # the chat of each callback query that waits for its answer
        self.last_token = ""

    def new_message(self, chat_id: str, content: tuple[str, str]) -> int:
        message_id = self.new_id(chat_id)
        self.keep(chat_id, message_id, content)
        return message_id

    def new_id(self, chat_id: str) -> int:
        message_id = self._last_ids.get(chat_id, 0) + 1
        self._last_ids[chat_id] = message_id
        return message_id

    def has(self, chat_id: str, message_id: int) -> bool:
        return 0 < message_id <= self._last_ids.get(chat_id, 0)

    def is_same(self, chat_id: str, message_id: int, content: tuple[str, str]) -> bool:
        return self._contents.get((chat_id, message_id)) == hash(content)

    def keep(self, chat_id: str, message_id: int, content: tuple[str, str]) -> None:
        self._contents[chat_id, message_id] = hash(content)
        if len(self._contents) > _KEPT_MESSAGES:
            self._contents.popitem(last=False)

    def show(self, chat_id: str, message: dict[str, Any]) -> None:
        """Let the person see a message, or its new version."""
        self._shown[chat_id, message["message_id"]] = message
        if len(self._shown) > _SHOWN_MESSAGES:
            self._shown.popitem(last=False)

    def messages(self, chat_id: str, count: int) -> list[dict[str, Any]]:
        """Return the latest messages that the person sees in a chat, the oldest first."""
        found = [message for (chat, _), message in self._shown.items() if chat == chat_id]
        return found[-count:]

    def chat(self, chat_id: str) -> Chat:
        return self._chats.setdefault(chat_id, Chat())

    def check(self, chat_id: str) -> None:
        """Raises: `ApiError` if the bot cannot write to this chat."""
        chat = self._chats.get(chat_id)
        if chat is not None:
            chat.check(is_group=chat_id.startswith("-"))

    def migrate(self, chat_id: str) -> int:
        """Give a group the id of a supergroup, and return that."""
        new_id = SUPERGROUP_BASE - abs(int(chat_id))
        self.chat(chat_id).moved_to = new_id
        return new_id

    def updates_of(self, token: str) -> Updates:
        if token not in self._updates:
            self._updates[token] = Updates()
        return self._updates[token]
