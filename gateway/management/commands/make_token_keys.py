"""`manage.py make_token_keys`: a key pair for the tokens with which a site's pages sign in."""

import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.auth.tokens import make_key_pair


class Command(BaseCommand):
    help = "Write a new private key for a site's back end, and print the public key for this server."
    requires_system_checks: list[str] = []  # noqa: RUF012 (a declaration of Django's): it needs no setting

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("private_key", type=Path, help="A new file, readable by its owner alone.")

    def handle(self, *args: Any, private_key: Path, **options: Any) -> None:
        private, public = make_key_pair()
        try:
            with open(os.open(private_key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(private)
        except FileExistsError as error:
            raise CommandError(f"{private_key} exists; a key that is in use must not be lost.") from error
        line = public.replace("\n", "\\n")
        self.stderr.write(
            f"{private_key} signs tokens: give it to the site's back end, and to nobody else.\n"
            "Set this here, after the keys that are in use, separated by a comma:"
        )
        self.stdout.write(f"JWT_PUBLIC_KEYS='{line}'")
