"""`manage.py reencrypt`: encrypt all that is encrypted with the newest key, before an old key is removed."""

from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from users.reencryption import reencrypt


class Command(BaseCommand):
    help = (
        "Encrypt every address and what unfinished erasures look for with the first of "
        "FIELD_ENCRYPTION_KEYS. A second run changes nothing."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        done = reencrypt()
        self.stdout.write(f"{done.changed} addresses encrypted again, {done.current} were current")
        if done.erasures:
            self.stdout.write(f"{done.erasures} unfinished erasures encrypted again")
        if done.twice:
            self.stdout.write(f"left alone, the person has that address twice: {_ids(done.twice)}")
        if done.undecryptable:
            raise CommandError(f"No key decrypts the addresses of destinations {_ids(done.undecryptable)}")
        if done.undecryptable_erasures:
            raise CommandError(
                f"No key decrypts what the erasures {_ids(done.undecryptable_erasures)} look for: bring "
                "the key back, or they cannot be finished"
            )


def _ids(found: Sequence[object]) -> str:
    shown = ", ".join(map(str, found[:20]))
    return f"{shown} … ({len(found)})" if len(found) > 20 else shown
