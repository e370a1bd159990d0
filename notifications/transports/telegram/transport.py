"""Telegram, with python-telegram-bot. Sends HTML, and plain text if Telegram cannot parse the HTML."""

from telegram import Bot, error

from notifications.states import Channel
from notifications.transports.base import Message, Receipt
from notifications.transports.telegram.bot_api import BotApi, edit_text, send_text
from notifications.transports.telegram.buttons import keyboard


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
            shown = {"html": message.html, "keyboard": keyboard(message, address)}
            await edit_text(bot, address, message_id, message.text, timeout_s=timeout_s, **shown)  # type: ignore[arg-type]

        await self.api.call(edit, timeout_s=timeout_s)


async def _send(bot: Bot, message: Message, address: str, timeout_s: float) -> Receipt:
    async def post(to: str | int) -> str:
        return await send_text(
            bot,
            to,
            message.text,
            html=message.html,
            keyboard=keyboard(message, address),
            timeout_s=timeout_s,
        )

    try:
        return Receipt(await post(address))
    except error.ChatMigrated as failure:
        return Receipt(await post(failure.new_chat_id), moved_to=str(failure.new_chat_id))
