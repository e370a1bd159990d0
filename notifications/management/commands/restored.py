"""`manage.py restored`: after a restore of Postgres from a backup, before the processes start."""

from typing import Any

from django.core.management.base import BaseCommand

from notifications import store


class Command(BaseCommand):
    help = (
        "Tell the system that its database was restored from a backup: clients read their inboxes again, and "
        "what may have been sent since is marked as a possible repeat. Run it before the processes start."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        sequences, deliveries = store.declare_restored()
        self.stdout.write(f"{sequences} sequences have a new epoch.")
        self.stdout.write(f"{deliveries} open deliveries are marked as possible repeats.")
