"""The buttons below a message, and what a press of them says.

The data of a button is what its press brings back. A modified client can send any: it is believed only within
the chat that it names something of.
"""

from dataclasses import replace
from html import escape

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, error
from telegram.constants import InlineKeyboardButtonLimit, MessageLimit

from notifications.transports.base import Message

ACKNOWLEDGE = "ack"


def keyboard(message: Message, address: str) -> InlineKeyboardMarkup | None:
    """Return the buttons of a notification in the chat `address`: the producer's links, and one that asks."""
    buttons = [InlineKeyboardButton(action.label, url=action.url) for action in message.actions if action.url]
    asking = _asking(message, address)
    buttons += [asking] if asking else []
    return InlineKeyboardMarkup([[button] for button in buttons]) if buttons else None


def _asking(message: Message, address: str) -> InlineKeyboardButton | None:
    """Return the button for an acknowledgement.

    Only in a chat with the bot alone: in a group nobody knows whether it is the person who presses.
    """
    data = f"{ACKNOWLEDGE}:{message.key}"
    fits = len(data.encode()) <= InlineKeyboardButtonLimit.MAX_CALLBACK_DATA
    if not message.acknowledge_label or not fits or not address.isdecimal():
        return None
    return InlineKeyboardButton(message.acknowledge_label, callback_data=data)


def refuses_a_link(failure: error.BadRequest) -> bool:
    """Return whether Telegram refuses the URL of a button: it knows hosts that it links to in a text only."""
    text = failure.message.lower()
    return "button_url_invalid" in text or ("button" in text and "url" in text and "invalid" in text)


def with_links_in_text(message: Message) -> Message:
    """Return the message with its links as lines of its text, as far as they fit, instead of buttons."""
    text, html = message.text, message.html
    for action in message.actions:
        line = f'<a href="{escape(action.url)}">{escape(action.label)}</a>'
        longer = max(len(f"{text}\n{action.label}: {action.url}"), len(f"{html}\n{line}"))
        if action.url and longer <= MessageLimit.MAX_TEXT_LENGTH // 2:  # characters, of two units at most
            text, html = f"{text}\n{action.label}: {action.url}", f"{html}\n{line}" if html else ""
    return replace(message, text=text, html=html, actions=())
