"""TELEGRAM: a chat with the bot."""

import re
from pathlib import Path

from django.core.exceptions import ValidationError

from notifications.settings import pipeline_settings
from notifications.states import Channel, Priority
from notifications.transports.spec import QUICK_WAITS_S, ChannelSpec, Fit, Limit, VerifiedBy, digest
from notifications.transports.telegram.markup import markup
from notifications.transports.telegram.transport import TelegramTransport
from users.channel_choices import AddressForm

_CHAT_ID = re.compile(r"-?\d{1,20}|@[A-Za-z]\w{4,31}")
_BURST = 5  # with the default rate of 25 it stays below what Telegram allows in any one second


def check_chat_id(address: str) -> None:
    if not _CHAT_ID.fullmatch(address):
        raise ValidationError("A Telegram chat id is a number, or @channelname.")


def can_heal(reason: str) -> bool:
    """Return False for accounts and groups that no longer exist."""
    return "deactivated" not in reason and "was deleted" not in reason


def limits(address: str) -> tuple[Limit, ...]:
    """Return the limits of the bot and of the chat; none if the setting `telegram_per_s` is 0.

    https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this
    """
    per_s = pipeline_settings().telegram_per_s
    if not per_s:
        return ()
    chat = f"telegram.chat.{digest(address)}"
    is_group = address.startswith(("-", "@"))
    per_chat = Limit(chat, 20, 60.0) if is_group else Limit(chat, 1, 1.0)
    return (Limit("telegram.bot", per_s, 1.0, burst=_BURST), per_chat)


TELEGRAM = ChannelSpec(
    channel=Channel.TELEGRAM,
    label="Telegram",
    position=20,
    transport=TelegramTransport,
    address=AddressForm(hint="chat id or @channelname", check=check_chat_id),
    verified_by=VerifiedBy.CHAT,
    templates=Path(__file__).parent / "templates",
    # https://core.telegram.org/bots/api#sendmessage
    fit=Fit(has_layout=True, has_markup=True, markup=markup, max_units=4_096),
    timeout_s=5.0,  # a hanging provider must not keep a CRITICAL event from its next channel for long
    waits_s={
        Priority.CRITICAL: QUICK_WAITS_S[:2],
        Priority.NORMAL: (*QUICK_WAITS_S, 60.0, 300.0),
    },
    limits=limits,
    can_heal=can_heal,
    edits=True,
)
