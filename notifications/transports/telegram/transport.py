"""Telegram, with python-telegram-bot. Sends HTML, and plain text if Telegram cannot parse the HTML."""

import asyncio
import os

os.environ.setdefault("PTB_TIMEDELTA", "1")  # RetryAfter.retry_after as a timedelta, without a warning

from django.conf import settings
from telegram import Bot, error
from telegram.constants import ParseMode

from notifications.states import Channel
from notifications.transports.base import (
    ConfigurationError,
    Message,
    OutcomeUnknown,
    Receipt,
)
from notifications.transports.telegram.refusals import translated
from notifications.transports.telegram.request import AiohttpRequest

_CONNECT_S = 3.0


class TelegramTransport:
    channel = Channel.TELEGRAM

    def __init__(self, token: str = "", api_url: str = "") -> None:
        self._token = token or settings.TELEGRAM_BOT_TOKEN
        self._api_url = api_url or settings.TELEGRAM_API_URL
        self._bot: Bot | None = None
        self._starting = asyncio.Lock()

    async def send(self, message: Message, address: str, *, timeout_s: float) -> Receipt:
        """Send to the chat id `address` once. See `Transport.send`."""
        if not self._token:
            raise ConfigurationError("no bot token: set TELEGRAM_BOT_TOKEN")
        try:
            async with asyncio.timeout(timeout_s):  # the library's timeouts apply to each step
                bot = await self._ready()
                return await self._send(bot, message, address, timeout_s)
        except TimeoutError as failure:
            raise OutcomeUnknown("Telegram's answer was lost") from failure
        except error.TelegramError as failure:
            raise translated(failure) from None  # its text may contain the chat id or the message

    async def _ready(self) -> Bot:
        async with self._starting:
            if self._bot is None:
                request = AiohttpRequest()
                self._bot = Bot(self._token, base_url=self._api_url, request=request)
                # Opens the connection pool. `Bot.initialize` would also call getMe, a second request that
                # can fail on its own.
                await request.initialize()
            return self._bot

    async def _send(self, bot: Bot, message: Message, chat_id: str, timeout_s: float) -> Receipt:
        if not message.html:
            return await self._post(bot, message.text, chat_id, None, timeout_s)
        try:
            return await self._post(bot, message.html, chat_id, ParseMode.HTML, timeout_s)
        except error.BadRequest as failure:
            if "can't parse entities" not in failure.message.lower():
                raise
            return await self._post(bot, message.text, chat_id, None, timeout_s)

    async def _post(
        self, bot: Bot, text: str, chat_id: str, parse_mode: str | None, timeout_s: float
    ) -> Receipt:
        async def post(to: str | int) -> str:
            sent = await bot.send_message(
                to,
                text,
                parse_mode=parse_mode,
                pool_timeout=min(_CONNECT_S, timeout_s / 2),
                connect_timeout=min(_CONNECT_S, timeout_s / 2),
                read_timeout=timeout_s,
                write_timeout=timeout_s,
            )
            return str(sent.message_id)

        try:
            return Receipt(await post(chat_id))
        except error.ChatMigrated as failure:
            return Receipt(await post(failure.new_chat_id), moved_to=str(failure.new_chat_id))
