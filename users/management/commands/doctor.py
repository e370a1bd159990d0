"""`manage.py doctor`: every check, also those of production and those that read whole tables."""

from itertools import islice
from typing import Any

from django.core.checks import ERROR, run_checks
from django.core.management.base import BaseCommand, CommandError

from users.checks import keys_are_usable
from users.reencryption import undecryptable

_SHOWN = 20


class Command(BaseCommand):
    help = "Run every check, and decrypt every address. Exits with 1 if something is wrong."
    requires_system_checks: list[str] = []  # noqa: RUF012 (a declaration of Django's): it runs them itself

    def handle(self, *args: Any, **options: Any) -> None:
        found = run_checks(include_deployment_checks=True, databases=["default"])
        for message in found:
            if not message.is_silenced():
                self.stdout.write(str(message))
        unreadable = list(islice(undecryptable(), _SHOWN + 1)) if keys_are_usable() else []
        if unreadable:
            shown = ", ".join(map(str, unreadable[:_SHOWN])) + (" …" if len(unreadable) > _SHOWN else "")
            self.stdout.write(f"No key decrypts the addresses of destinations {shown}")
        if unreadable or any(message.level >= ERROR and not message.is_silenced() for message in found):
            raise CommandError("Something is wrong, see above.")
        self.stdout.write("Nothing is wrong.")
