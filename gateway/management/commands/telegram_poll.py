"""`manage.py telegram_poll`: take what people write to the bot, where Telegram cannot call a webhook."""

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from notifications import dispatch
from notifications.bot import outbox
from notifications.bot.polling import Poll
from runtime.postgres import clock
from runtime.start import refuse_unsafe_start

_ANSWERED_WITHIN_S = 5.0


class Command(BaseCommand):
    help = "Take updates of the Telegram bot by getUpdates: for development. In production set a webhook."

    def handle(self, *args: Any, **options: Any) -> None:
        refuse_unsafe_start()
        if not settings.TELEGRAM_BOT_TOKEN:
            raise CommandError("There is no bot: set TELEGRAM_BOT_TOKEN.")
        clock.refuse_skew()
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        try:
            Poll(stopping).run()
        finally:
            outbox.wait_until_given(within_s=_ANSWERED_WITHIN_S)
            dispatch.flush()
