"""What a bot receives: one update of the Bot API as the values that a handler needs.

https://core.telegram.org/bots/api#update
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from telegram import CallbackQuery, ChatMemberUpdated, Message, MessageEntity, Update
from telegram.constants import ChatMemberStatus, ChatType

log = logging.getLogger(__name__)

# What a bot needs; everything else is not even sent to it.
ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")
_OUT = {ChatMemberStatus.BANNED, ChatMemberStatus.LEFT}  # "kicked" is what a person's block is called


class NotAnUpdate(Exception):
    """The body is no update of the Bot API."""


@dataclass(frozen=True, slots=True)
class Written:
    """A message. `command` is without its slash and in lower case, and empty for any other text."""

    command: str
    argument: str
    sent_at: datetime


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button of the message `message_id`. A modified client can send any `data`."""

    query_id: str
    message_id: str
    data: str


@dataclass(frozen=True, slots=True)
class Shut:
    """The bot can no longer write to the chat: it was blocked, or removed from a group."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The bot may write again: it was unblocked, or added."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The group has become a supergroup, with another id."""

    new_chat_id: str


@dataclass(frozen=True, slots=True)
class Inbound:
    """One update. `what` is None for what no handler needs; `language` is that of the sender's client."""

    update_id: int
    chat_id: str = ""
    is_private: bool = False
    language: str = ""
    what: Written | Pressed | Shut | Opened | Moved | None = None


def parse(raw: Mapping[str, Any]) -> Inbound:
    """Return the values of an update, also of one of a kind that nobody knows. Raises: `NotAnUpdate`."""
    update_id = raw.get("update_id")
    if not isinstance(update_id, int) or isinstance(update_id, bool):
        raise NotAnUpdate
    try:
        update = Update.de_json(dict(raw), None)
        what = _what(update)
    except Exception as error:  # of any kind: the library trusts the Bot API
        log.warning("update_not_understood", extra={"update_id": update_id, "error": type(error).__name__})
        return Inbound(update_id)
    chat, sender = update.effective_chat, update.effective_user
    if chat is None:  # a button below an inline message of somebody else's: it is answered, no more
        return Inbound(update_id, what=what if isinstance(what, Pressed) else None)
    language = (sender.language_code or "") if sender else ""
    return Inbound(update_id, str(chat.id), chat.type == ChatType.PRIVATE, language[:16], what)


def _what(update: Update) -> Written | Pressed | Shut | Opened | Moved | None:
    if update.callback_query is not None:
        return _pressed(update.callback_query)
    if update.my_chat_member is not None:
        return _membership(update.my_chat_member)
    if update.message is None:
        return None
    if update.message.migrate_to_chat_id is not None:
        return Moved(str(update.message.migrate_to_chat_id))
    return _written(update.message)


def _pressed(query: CallbackQuery) -> Pressed:
    message_id = "" if query.message is None else str(query.message.message_id)
    return Pressed(query.id, message_id, query.data or "")


def _membership(change: ChatMemberUpdated) -> Shut | Opened | None:
    before, after = (member.status in _OUT for member in (change.old_chat_member, change.new_chat_member))
    if before == after:
        return None  # other rights in a group
    return Shut() if after else Opened()


def _written(message: Message) -> Written | None:
    if message.from_user is None or message.from_user.is_bot:
        return None
    text = (message.text or message.caption or "").strip()
    first = message.entities[0] if message.entities else None
    if first is None or first.type != MessageEntity.BOT_COMMAND or first.offset:
        return Written("", text, message.date)
    command, _, argument = text.partition(" ")
    return Written(command[1:].partition("@")[0].lower(), argument.strip(), message.date)
