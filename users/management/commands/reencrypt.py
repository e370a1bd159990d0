"""`manage.py reencrypt`: encrypt all addresses with the newest key, before an old key is removed."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users.reencryption import reencrypt


class Command(BaseCommand):
    help = "Encrypt every address with the first of FIELD_ENCRYPTION_KEYS. A second run changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        done = reencrypt()
        self.stdout.write(f"{done.changed} addresses encrypted again, {done.current} were current")
        if done.twice:
            self.stdout.write(f"left alone, the person has that address twice: {_ids(done.twice)}")
        if done.undecryptable:
            raise CommandError(f"No key decrypts the addresses of destinations {_ids(done.undecryptable)}")


def _ids(found: list[int]) -> str:
    shown = ", ".join(map(str, found[:20]))
    return f"{shown} … ({len(found)})" if len(found) > 20 else shown
