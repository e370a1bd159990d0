"""`manage.py export_user`: all that is stored of a person, as one JSON document."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway.api.privacy import exported
from users.models import User

_PAGE = 500


class Command(BaseCommand):
    help = "Write all that is stored of a person to stdout, as JSON."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id", help="The person's id in events.")

    def handle(self, *args: Any, user_id: str, **options: Any) -> None:
        person = User.objects.filter(external_id=user_id).first()
        if person is None:
            raise CommandError(f"Nobody has the user_id {user_id}.")
        page = exported(person, after=0, limit=_PAGE)
        events, cursor = page["events"], page["next_cursor"]
        rest = {name: page[name] for name in ("person", "preferences", "topics", "sign_ins")}  # type: ignore[literal-required]
        # Page by page: a person may have more events than fit into memory.
        self.stdout.write(json.dumps(rest, ensure_ascii=False)[:-1] + ', "events": [', ending="\n")
        separator = ""
        while True:
            for event in events:
                self.stdout.write(separator + json.dumps(event, ensure_ascii=False), ending="")
                separator = ",\n"
            if cursor is None:
                break
            page = exported(person, after=cursor, limit=_PAGE)
            events, cursor = page["events"], page["next_cursor"]
        self.stdout.write("\n]}")
