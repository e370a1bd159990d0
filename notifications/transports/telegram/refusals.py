"""Whose fault a refusal of the Bot API is: that depends on its text, which is not documented.

A 403, and a 400 that names the chat, speak of the recipient only with a text known for that; the texts are
those of the Bot API server (https://github.com/tdlib/telegram-bot-api) and of MTProto
(https://core.telegram.org/method/messages.sendMessage). Every other 403 and a limited bot are our own fault,
every other 400 is the message's. `BadRequest` and `TimedOut` are subclasses of `NetworkError`, so the narrow
classes are tested first.
"""

import re
from datetime import timedelta

from telegram import error

from notifications.transports.base import (
    ConfigurationError,
    LimitedError,
    MessageError,
    OutcomeUnknown,
    RecipientError,
    TemporaryError,
    TransportError,
)
from notifications.transports.telegram.request import AnswerLost, NotSent, NotTheBotApi, NoUrl

_QUOTED = re.compile(r'"[^"]*"|<[^>]*>')
# Lower case. The chat is gone, the bot is not welcome there, or has no right to write.
_UNUSABLE_CHAT = re.compile(
    r"chat not found|user not found|chat_id is empty|chat was (?:deactivated|deleted)|chat is deactivated"
    r"|bot was (?:blocked|kicked)|bot is not a member|user is deactivated"
    r"|bot can'?t (?:initiate conversation|send messages to)|bots can'?t send messages to bots"
    r"|(?:need|not enough|have no|no) (?:administrator )?rights|administrator rights|not an administrator"
    r"|(?:peer|chat|channel|user)_id_invalid|(?:channel|chat|username)_invalid|channel_private"
    r"|username_not_occupied|user_deactivated|user_is_(?:blocked|bot|deleted)|input_user_deactivated"
    r"|chat_(?:admin_required|restricted|forbidden|guest_send_forbidden|deactivated)"
    r"|chat_(?:write|send\w*)_forbidden|bot_kicked|you_blocked_user"
    r"|topic_(?:closed|deleted|id_invalid)|message thread not found"
    r"|privacy_premium_required|user_privacy_restricted|allow_payment_required"
)
# The bot itself is limited, frozen or moved to another server: no chat can help it.
_LIMITED_BOT = re.compile(
    r"user_banned_in_channel|peer_flood|frozen_|user_restricted|logged out|auth_key|session_revoked"
)


def translated(failure: error.TelegramError) -> TransportError:
    """Return the `TransportError` for `failure`. The library's texts may hold the chat id or the message."""
    if isinstance(failure, error.RetryAfter):
        wait = failure.retry_after
        seconds = wait.total_seconds() if isinstance(wait, timedelta) else float(wait)
        return LimitedError("Telegram: too many requests", seconds)
    if isinstance(failure, error.ChatMigrated):
        return RecipientError("Telegram: the chat has moved twice")
    if isinstance(failure, error.InvalidToken | error.EndPointNotFound):
        return ConfigurationError("Telegram refuses the bot token")
    if isinstance(failure, error.Forbidden | error.BadRequest):
        return _refused(failure)
    return _undecided(failure)


def _refused(failure: error.TelegramError) -> TransportError:
    text = _plain(failure)
    unusable = _UNUSABLE_CHAT.search(text)
    if _LIMITED_BOT.search(text) or (isinstance(failure, error.Forbidden) and not unusable):
        return ConfigurationError(f"Telegram refuses the bot: {_reason(text)}")
    kind = RecipientError if unusable else MessageError
    return kind(f"Telegram: {_reason(text)}")


def _undecided(failure: error.TelegramError) -> TransportError:
    """Return the error for a call without a clear answer."""
    if isinstance(failure, NoUrl):
        return ConfigurationError("TELEGRAM_API_URL and the bot token form no valid URL")
    if isinstance(failure, NotSent | NotTheBotApi):
        return TemporaryError(f"Telegram cannot be reached: {failure.message}")
    if isinstance(failure.__cause__, UnicodeError):
        return MessageError("the text cannot be encoded")
    clear = isinstance(failure, error.NetworkError | error.Conflict) and failure.__cause__ is None
    if clear and not isinstance(failure, AnswerLost):
        return TemporaryError(
            f"Telegram: {_reason(_QUOTED.sub('', failure.message).lower().partition('. ')[0])}"
        )
    return OutcomeUnknown("Telegram's answer was lost")


def _plain(failure: error.TelegramError) -> str:
    """Return the text in lower case, without quotations of the message and markup."""
    return _QUOTED.sub("", failure.message).lower()


def _reason(text: str) -> str:
    """Return "chat not found" for "forbidden: chat not found"."""
    return text.rpartition(": ")[2].strip()[:150]
