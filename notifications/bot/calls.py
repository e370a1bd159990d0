"""Calls of the bot that somebody waits for: its name, its webhook, the next updates."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

from django.conf import settings

from notifications.delivery import sending_loop
from notifications.states import Channel
from notifications.transports import registry
from notifications.transports.telegram import bot_api
from notifications.transports.telegram.transport import TelegramTransport

T = TypeVar("T")
_TIMEOUT_S = 5.0


def submit(do: Callable[..., Awaitable[T]], *given: Any, timeout_s: float) -> "Future[T]":
    """Start a call (a function of `bot_api`) on this process's sending loop."""
    transport = registry.transport(Channel.TELEGRAM)
    assert isinstance(transport, TelegramTransport)
    return sending_loop.submit(transport.api.call(lambda bot: do(bot, *given), timeout_s=timeout_s))


def call(do: Callable[..., Awaitable[T]], *given: Any) -> T:
    """Make a call and wait for its result. Raises: `TransportError`."""
    return submit(do, *given, timeout_s=_TIMEOUT_S).result()


def bot_name() -> str:
    """Return the name in the bot's links: the setting, or what Telegram says. Raises: `TransportError`."""
    return str(settings.TELEGRAM_BOT_NAME) or _asked_name()


@cache
def _asked_name() -> str:
    return call(bot_api.name_of)
