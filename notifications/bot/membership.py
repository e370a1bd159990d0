"""Chats that the bot was shut out of, let in again, or that have moved."""

from notifications.bot import notices
from notifications.bot.conversation import KIND, Conversation
from notifications.transports.telegram.updates import Moved, Opened, Shut
from users import inbound as chats


def on_shut(talk: Conversation, what: Shut) -> None:
    """Disable the chat, and let its person hear of it on another channel."""
    reason = chats.BLOCKED if talk.inbound.is_private else chats.REMOVED
    for person in chats.disable(KIND, talk.chat_id, reason, now=talk.now):
        talk.tell(person, notices.BLOCKED)


def on_opened(talk: Conversation, what: Opened) -> None:
    """Enable the chat if this was why it was disabled: by an update, or by the answer to a send."""
    chats.enable(KIND, talk.chat_id, chats.BLOCKED, chats.REMOVED, "bot was blocked", "bot was kicked")


def on_moved(talk: Conversation, what: Moved) -> None:
    chats.move(KIND, talk.chat_id, what.new_chat_id, now=talk.now)
