"""Telegram, with python-telegram-bot. Sends HTML, and plain text if Telegram cannot parse the HTML."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from telegram import Bot, error

from notifications.states import Channel
from notifications.transports.base import Message, Receipt
from notifications.transports.telegram.bot_api import BotApi, edit_text, send_text
from notifications.transports.telegram.buttons import keyboard, refuses_a_link, with_links_in_text

T = TypeVar("T")


class TelegramTransport:
    channel = Channel.TELEGRAM

    def __init__(self, token: str = "", api_url: str = "") -> None:
        self.api = BotApi(token, api_url)

    async def send(self, message: Message, address: str, *, timeout_s: float) -> Receipt:
        """Send to the chat id `address` once. See `Transport.send`."""

        async def send(bot: Bot) -> Receipt:
            return await _send(bot, message, address, timeout_s)

        return await self.api.call(send, timeout_s=timeout_s)

    async def edit(self, message: Message, address: str, message_id: str, *, timeout_s: float) -> None:
        """Show `message` in the place of an earlier one. See `EditingTransport.edit`."""

        async def edit(bot: Bot) -> None:
            async def post(shown: Message) -> None:
                await edit_text(
                    bot,
                    address,
                    message_id,
                    shown.text,
                    html=shown.html,
                    keyboard=keyboard(shown, address),
                    image=shown.image,
                    timeout_s=timeout_s,
                )

            await _with_links(post, message)

        await self.api.call(edit, timeout_s=timeout_s)


async def _send(bot: Bot, message: Message, address: str, timeout_s: float) -> Receipt:
    async def post_to(to: str | int) -> str:
        async def post(shown: Message) -> str:
            return await send_text(
                bot,
                to,
                shown.text,
                html=shown.html,
                keyboard=keyboard(shown, address),
                image=shown.image,
                timeout_s=timeout_s,
            )

        return await _with_links(post, message)

    try:
        return Receipt(await post_to(address))
    except error.ChatMigrated as failure:
        return Receipt(await post_to(failure.new_chat_id), moved_to=str(failure.new_chat_id))


async def _with_links(post: Callable[[Message], Awaitable[T]], message: Message) -> T:
    """Post a message; with its links in the text if Telegram refuses one of its buttons."""
    try:
        return await post(message)
    except error.BadRequest as failure:
        if not message.actions or not refuses_a_link(failure):
            raise
        return await post(with_links_in_text(message))
