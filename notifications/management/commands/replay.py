"""`manage.py replay`: send dead letters once more."""

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifications.operations.replay import Operator, preview, replay
from notifications.operations.search import EventFilter
from notifications.states import EventState, Priority, Surface
from notifications.tasks import run_effects
from runtime.arguments import moment
from runtime.postgres import clock


class Command(BaseCommand):
    help = "Accept failed or expired events again: some by id, or all that match. Asks before it sends."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("event_ids", nargs="*", help="Event ids; none: whatever the filters match.")
        parser.add_argument(
            "--source", default="", help="Name of the source. Ids are unique per source only."
        )
        parser.add_argument("--user", default="", help="The person's external id.")
        parser.add_argument("--type", default="", dest="event_type")
        parser.add_argument("--priority", choices=["NORMAL", "CRITICAL"])
        parser.add_argument("--state", choices=["failed", "expired", "delivered"])
        parser.add_argument("--from", type=moment, dest="since", help="Accepted at or after, ISO 8601.")
        parser.add_argument("--to", type=moment, dest="until", help="Accepted before, ISO 8601.")
        parser.add_argument("--dry-run", action="store_true", help="Count, and send nothing.")
        parser.add_argument("--force", action="store_true", help="Also what has been delivered; marked.")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, force: bool, dry_run: bool, yes: bool, **options: Any) -> None:
        which = _filter(options)
        found = preview(which, force=force)
        self.stdout.write(f"{found.count} events would be sent{_reasons(found.skipped)}")
        if dry_run or not found.count:
            return
        if not yes and input("Send them? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was sent.")
        by = Operator(Surface.COMMAND, getpass.getuser())
        done = replay(which, by=by, now=clock.now(), force=force)
        run_effects(done.effects)
        self.stdout.write(f"{done.count} accepted again{_reasons(done.skipped)}; replay {done.replay_id},")
        self.stdout.write(f"the last one is due at {done.paced_until.isoformat(timespec='seconds')}")


def _filter(options: dict[str, Any]) -> EventFilter:
    return EventFilter(
        event_ids=tuple(options["event_ids"]),
        source=options["source"],
        user=options["user"],
        event_type=options["event_type"],
        priority=Priority[options["priority"]] if options["priority"] else None,
        states=(EventState(options["state"]),) if options["state"] else (),
        since=options["since"],
        until=options["until"],
    )


def _reasons(skipped: Any) -> str:
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(skipped.items()) if count)
    return f" (left alone: {told})" if told else ""
