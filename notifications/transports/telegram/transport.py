"""Telegram, with python-telegram-bot. Sends HTML, and plain text if Telegram cannot parse the HTML."""

from telegram import Bot, error

from notifications.states import Channel
from notifications.transports.base import Message, Receipt
from notifications.transports.telegram.bot_api import BotApi, edit_text, send_text
from notifications.transports.telegram.buttons import keyboard, refuses_a_link, with_links_in_text


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
            await edit_text(
                bot,
                address,
                message_id,
                message.text,
                html=message.html,
                keyboard=keyboard(message, address),
                image=message.image,
                timeout_s=timeout_s,
            )

        await self.api.call(edit, timeout_s=timeout_s)


async def _send(bot: Bot, message: Message, address: str, timeout_s: float) -> Receipt:
    async def post(to: str | int, shown: Message) -> str:
        return await send_text(
            bot,
            to,
            shown.text,
            html=shown.html,
            keyboard=keyboard(shown, address),
            image=shown.image,
            timeout_s=timeout_s,
        )

    async def post_with_links(to: str | int) -> str:
        try:
            return await post(to, message)
        except error.BadRequest as failure:
            if not message.actions or not refuses_a_link(failure):
                raise
            return await post(to, with_links_in_text(message))

    try:
        return Receipt(await post_with_links(address))
    except error.ChatMigrated as failure:
        return Receipt(await post_with_links(failure.new_chat_id), moved_to=str(failure.new_chat_id))
