"""The calls of one process to the Bot API, with python-telegram-bot. Each makes one try."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

os.environ.setdefault("PTB_TIMEDELTA", "1")  # RetryAfter.retry_after as a timedelta, without a warning

from django.conf import settings
from telegram import Bot, InlineKeyboardMarkup, LinkPreviewOptions, error
from telegram.constants import ParseMode

from notifications.transports.base import ConfigurationError, OutcomeUnknown
from notifications.transports.telegram.refusals import translated
from notifications.transports.telegram.request import AiohttpRequest
from notifications.transports.telegram.updates import ALLOWED_UPDATES

_CONNECT_S = 3.0

T = TypeVar("T")


def bot_id() -> int:
    """Return the bot's number, which is the first part of its token; 0 without a token."""
    number = str(settings.TELEGRAM_BOT_TOKEN).partition(":")[0]
    return int(number) if number.isdecimal() and len(number) < 19 else 0


class BotApi:
    """Its connections are those of the event loop that calls first, and stay on it."""

    def __init__(self, token: str = "", api_url: str = "") -> None:
        self._token = token or settings.TELEGRAM_BOT_TOKEN
        self._api_url = api_url or settings.TELEGRAM_API_URL
        self._bot: Bot | None = None
        self._starting = asyncio.Lock()

    async def call(self, do: Callable[[Bot], Awaitable[T]], *, timeout_s: float) -> T:
        """Run `do` with the bot, within `timeout_s`. Raises: `TransportError`, and nothing else."""
        if not self._token:
            raise ConfigurationError("no bot token: set TELEGRAM_BOT_TOKEN")
        try:
            async with asyncio.timeout(timeout_s):  # the library's timeouts apply to each step
                return await do(await self._ready())
        except TimeoutError as failure:
            raise OutcomeUnknown("Telegram's answer was lost") from failure
        except error.TelegramError as failure:
            raise translated(failure) from None  # its text may contain the chat id or the message

    async def close(self) -> None:
        if self._bot is not None:
            await self._bot.request.shutdown()
            self._bot = None

    async def _ready(self) -> Bot:
        async with self._starting:
            if self._bot is None:
                request = AiohttpRequest()
                self._bot = Bot(self._token, base_url=self._api_url, request=request)
                # Opens the connection pool. `Bot.initialize` would also call getMe, a second request that
                # can fail on its own.
                await request.initialize()
            return self._bot


async def send_text(
    bot: Bot,
    chat_id: str | int,
    text: str,
    *,
    html: str = "",
    keyboard: InlineKeyboardMarkup | None = None,
    image: str = "",
    timeout_s: float,
) -> str:
    """Send a message and return its id; the text instead of an HTML that Telegram cannot parse."""

    async def post(content: str, parse_mode: str | None) -> str:
        sent = await bot.send_message(
            chat_id,
            content,
            parse_mode=parse_mode,
            reply_markup=keyboard,
            link_preview_options=_preview(image),
            **timeouts(timeout_s),
        )
        return str(sent.message_id)

    return await _html_or_text(post, text, html)


async def edit_text(
    bot: Bot,
    chat_id: str | int,
    message_id: str,
    text: str,
    *,
    html: str = "",
    keyboard: InlineKeyboardMarkup | None = None,
    image: str = "",
    timeout_s: float,
) -> None:
    """Replace the text and the buttons of a message. One that is so already counts as edited."""

    async def post(content: str, parse_mode: str | None) -> None:
        await bot.edit_message_text(
            content,
            chat_id,
            int(message_id),
            parse_mode=parse_mode,
            reply_markup=keyboard,
            link_preview_options=_preview(image),
            **timeouts(timeout_s),
        )

    try:
        await _html_or_text(post, text, html)
    except error.BadRequest as failure:
        if "message is not modified" not in failure.message.lower():
            raise


async def _html_or_text(post: Callable[[str, str | None], Awaitable[T]], text: str, html: str) -> T:
    if not html:
        return await post(text, None)
    try:
        return await post(html, ParseMode.HTML)
    except error.BadRequest as failure:
        if "can't parse entities" not in failure.message.lower():
            raise
        return await post(text, None)


def _preview(image: str) -> LinkPreviewOptions:
    """Show the picture of the message, and none of what its text links to."""
    if not image:
        return LinkPreviewOptions(is_disabled=True)
    return LinkPreviewOptions(url=image, prefer_large_media=True)


def timeouts(timeout_s: float) -> dict[str, Any]:
    """Return the library's timeouts for a call that may take `timeout_s` in all."""
    return {
        "pool_timeout": min(_CONNECT_S, timeout_s / 2),
        "connect_timeout": min(_CONNECT_S, timeout_s / 2),
        "read_timeout": timeout_s,
        "write_timeout": timeout_s,
    }


async def name_of(bot: Bot) -> str:
    """Return the bot's name, as in `t.me/<name>`."""
    return (await bot.get_me(**timeouts(_CONNECT_S))).username or ""


async def get_updates(bot: Bot, offset: int, wait_s: int) -> list[dict[str, Any]]:
    """Return the updates from `offset` on as they are, and confirm those before; wait for the first one."""
    query = {"offset": offset, "timeout": wait_s, "allowed_updates": json.dumps(ALLOWED_UPDATES)}
    # Raw: the library would refuse all updates for one that it cannot read.
    found: Any = await bot.request.post(
        f"{bot.base_url}/getUpdates?{urlencode(query)}", **timeouts(wait_s + _CONNECT_S)
    )
    return list(found)


async def set_webhook(bot: Bot, url: str, secret: str) -> None:
    await bot.set_webhook(url, secret_token=secret, allowed_updates=ALLOWED_UPDATES, **timeouts(_CONNECT_S))


async def delete_webhook(bot: Bot) -> None:
    await bot.delete_webhook(**timeouts(_CONNECT_S))


async def webhook_info(bot: Bot) -> dict[str, Any]:
    """Return Telegram's `WebhookInfo`: https://core.telegram.org/bots/api#webhookinfo."""
    return (await bot.get_webhook_info(**timeouts(_CONNECT_S))).to_dict()
