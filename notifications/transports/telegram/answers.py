"""What a bot answers: messages with buttons, changes of its messages, and answers to presses."""

from dataclasses import dataclass

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup
from telegram.error import BadRequest

from notifications.transports.telegram.bot_api import edit_text, send_text, timeouts

Rows = tuple[tuple[tuple[str, str], ...], ...]  # of buttons: the text, and the data of a press


@dataclass(frozen=True, slots=True)
class Say:
    """A new message."""

    text: str
    buttons: Rows = ()


@dataclass(frozen=True, slots=True)
class Change:
    """Another text and other buttons for a message of the bot."""

    message_id: str
    text: str
    buttons: Rows = ()


@dataclass(frozen=True, slots=True)
class Toast:
    """The answer to a press; without it the person's button keeps turning."""

    query_id: str
    text: str = ""
    alert: bool = False  # to be closed by the person


Answer = Say | Change | Toast


async def give(bot: Bot, chat_id: str, answer: Answer, *, timeout_s: float) -> None:
    """Make the call of one answer. A press that was made too long ago needs none any more."""
    if isinstance(answer, Say):
        keyboard = _keyboard(answer.buttons)
        await send_text(bot, chat_id, answer.text, keyboard=keyboard, timeout_s=timeout_s)
    elif isinstance(answer, Change):
        keyboard = _keyboard(answer.buttons)
        await edit_text(bot, chat_id, answer.message_id, answer.text, keyboard=keyboard, timeout_s=timeout_s)
    else:
        await _give_toast(bot, answer, timeout_s)


async def _give_toast(bot: Bot, toast: Toast, timeout_s: float) -> None:
    try:
        await bot.answer_callback_query(
            toast.query_id, text=toast.text[:200] or None, show_alert=toast.alert, **timeouts(timeout_s)
        )
    except BadRequest as failure:
        if "query is too old" not in failure.message.lower():
            raise


def _keyboard(rows: Rows) -> InlineKeyboardMarkup | None:
    if not rows:
        return None
    return InlineKeyboardMarkup(
        [[InlineKeyboardButton(text, callback_data=data) for text, data in row] for row in rows]
    )
