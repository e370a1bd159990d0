"""`manage.py enable_destinations`: undo an incident that disabled destinations."""

import getpass
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from runtime.arguments import moment
from users import channel_choices
from users.models import Reactivation
from users.reactivation import Incident, Operator, undo


class Command(BaseCommand):
    help = "Enable the destinations that were disabled between two times for a reason. Asks first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", type=moment, dest="since", required=True, help="At or after, ISO 8601.")
        parser.add_argument("--to", type=moment, dest="until", required=True, help="Before, ISO 8601.")
        parser.add_argument("--reason", default="", help="Part of the reason; without it: list the reasons.")
        parser.add_argument("--channel", default="", help="TELEGRAM, EMAIL, …")
        parser.add_argument("--dry-run", action="store_true", help="Count, and change nothing.")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, dry_run: bool, yes: bool, **options: Any) -> None:
        incident = _incident(**options)
        found = incident.reasons()
        for reason, count in found:
            self.stdout.write(f"{count:>8}  {reason}")
        total = sum(count for _, count in found)
        self.stdout.write(f"{total} destinations were disabled then")
        if dry_run or not found:
            return
        if not incident.reason:
            raise CommandError("Name one with --reason. Nothing was enabled.")
        if not yes and input("Enable them? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was enabled.")
        by = Operator(Reactivation.Surface.COMMAND, getpass.getuser())
        done = undo(incident, by=by, now=timezone.now())
        self.stdout.write(f"{done.count} enabled again; recorded as reactivation {done.pk}")


def _incident(*, since: datetime, until: datetime, reason: str, channel: str, **_: Any) -> Incident:
    try:
        kind = channel_choices.number_of(channel.lower()) if channel else None
    except KeyError:
        raise CommandError(f"There is no channel {channel}.") from None
    return Incident(since, until, reason.strip(), kind)
