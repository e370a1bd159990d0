"""The buttons below a message, and what a press of them says.

The data of a button is what its press brings back. A modified client can send any: it is believed only within
the chat that it names something of.
"""

from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.constants import InlineKeyboardButtonLimit

from notifications.transports.base import Message

ACKNOWLEDGE = "ack"


def keyboard(message: Message, address: str) -> InlineKeyboardMarkup | None:
    """Return the buttons of a notification in the chat `address`.

    Only in a chat with the bot alone: in a group nobody knows whether it is the person who presses.
    """
    data = f"{ACKNOWLEDGE}:{message.key}"
    fits = len(data.encode()) <= InlineKeyboardButtonLimit.MAX_CALLBACK_DATA
    if not message.acknowledge_label or not fits or not address.isdecimal():
        return None
    return InlineKeyboardMarkup([[InlineKeyboardButton(message.acknowledge_label, callback_data=data)]])
