"""A chat: what its number says of it, and what has become of it."""

import re
import zlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from sandbox.simulator.telegram_call import ApiError, bad_request

# https://core.telegram.org/api/bots/ids: supergroups and channels lie below this number.
SUPERGROUP_BASE = -1_000_000_000_000
BOT_NAME = "tocsin_sandbox_bot"
_NUMBER = re.compile(r"-?[0-9]{1,19}")
_ANSWERS_KEPT = 20


@dataclass(slots=True)
class Chat:
    """What the person did to a chat."""

    blocked: bool = False
    deleted: bool = False
    moved_to: int = 0
    answers: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_ANSWERS_KEPT))

    def check(self, *, is_group: bool) -> None:
        """Raises: `ApiError` if the bot cannot write there."""
        if self.moved_to:
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            raise ApiError(400, description, {"migrate_to_chat_id": self.moved_to})
        if self.deleted:
            gone = "the group chat was deleted" if is_group else "user is deactivated"
            raise ApiError(403, f"Forbidden: {gone}")
        if self.blocked:
            shut = "kicked from the group chat" if is_group else "blocked by the user"
            raise ApiError(403, f"Forbidden: bot was {shut}")


def chat_object(chat_id: str) -> dict[str, Any]:
    """Return the `Chat` with this id. Raises: `ApiError`."""
    if not chat_id:
        raise bad_request("chat_id is empty")
    if chat_id.startswith("@") and len(chat_id) > 1:
        number = SUPERGROUP_BASE - zlib.crc32(chat_id.encode())
        return {"id": number, "type": "channel", "title": chat_id[1:], "username": chat_id[1:]}
    if not is_number(chat_id) or int(chat_id) == 0:
        raise bad_request("chat not found")
    if not chat_id.startswith("-"):
        return {"id": int(chat_id), "type": "private", "first_name": "Sandbox"}
    kind = "supergroup" if is_supergroup(chat_id) else "group"
    return {"id": int(chat_id), "type": kind, "title": "Sandbox"}


def bot_user(token: str) -> dict[str, Any]:
    """Return the `User` that the bot with this token is."""
    bot_id = int(token.partition(":")[0])
    return {"id": bot_id, "is_bot": True, "first_name": "Tocsin sandbox", "username": BOT_NAME}


def is_number(chat_id: str) -> bool:
    return _NUMBER.fullmatch(chat_id) is not None


def is_supergroup(chat_id: str) -> bool:
    """Decide by the number; `chat_id` must be a number."""
    return int(chat_id) <= SUPERGROUP_BASE
