"""`manage.py erase_user`: erase a person for good."""

import getpass
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifications.models import Event
from notifications.operations import erasure
from notifications.tasks import run_effects
from runtime.postgres import clock
from users.models import Erasure, User
from users.people.erasing import Operator

_CHUNKS = 20
_LOOK_AGAIN_S = 1.0


class Command(BaseCommand):
    help = "Erase a person: nothing is sent to them any more, and nothing stored is about them. Asks first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("user_id", help="The person's id in events.")
        parser.add_argument("--yes", action="store_true", help="Do not ask.")

    def handle(self, *args: Any, user_id: str, yes: bool, **options: Any) -> None:
        person = User.objects.filter(external_id=user_id).first()
        if person is None:
            raise CommandError(f"Nobody has the user_id {user_id}: perhaps they are erased already.")
        count = Event.objects.filter(person=person).count()
        question = f"Erase {user_id}, with {count} events? This cannot be undone. [y/N] "
        if not yes and input(question).strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was erased.")
        by = Operator(Erasure.Surface.COMMAND, getpass.getuser())
        order = erasure.begin(person.pk, by=by, now=clock.now())
        self.stdout.write(f"erasure {order.pk}: nothing is sent any more")
        self._finish(order)
        self.stdout.write(f"erased; {order.events} events now belong to {order.person.external_id}")

    def _finish(self, order: Erasure) -> None:
        """Interrupted, it goes on in the background."""
        while True:
            progress = erasure.advance(order, clock=clock.now, chunks=_CHUNKS)
            run_effects(progress.effects)
            if progress.finished:
                return
            if order.quiet_at is not None and order.quiet_at > clock.now():
                self.stdout.write(f"waiting for a send that had begun, until {order.quiet_at.isoformat()}")
                time.sleep(_LOOK_AGAIN_S)
