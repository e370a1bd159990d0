"""`manage.py telegram_webhook set|info|delete`: where Telegram sends what people write to the bot."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.web import hooks
from notifications.bot.calls import call
from notifications.transports.base import TransportError
from notifications.transports.telegram import bot_api


class Command(BaseCommand):
    help = "Set, show or delete the webhook of the Telegram bot. Without one, telegram_poll works."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        setting = actions.add_parser("set", help="let Telegram call this service")
        setting.add_argument("url", help="the address of this service, such as https://tocsin.example.org")
        actions.add_parser("info", help="show Telegram's view of it, with its last error")
        actions.add_parser("delete", help="let Telegram keep the updates for telegram_poll")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            if action == "set":
                self._set(options["url"])
            elif action == "delete":
                call(bot_api.delete_webhook)
                self.stdout.write("There is no webhook now.")
            else:
                for name, value in call(bot_api.webhook_info).items():
                    self.stdout.write(f"{name}: {value}")
        except TransportError as error:
            raise CommandError(error.reason) from error

    def _set(self, url: str) -> None:
        secret = settings.TELEGRAM_WEBHOOK_SECRET
        if not secret:
            raise CommandError("Set TELEGRAM_WEBHOOK_SECRET first, to 16 to 256 of A-Z, a-z, 0-9, _ and -.")
        whole = f"{url.rstrip('/')}/{hooks.TELEGRAM}"
        call(bot_api.set_webhook, whole, secret)
        self.stdout.write(f"Telegram calls {whole}")
