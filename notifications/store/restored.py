"""After a restore from a backup: what happened since is not in the tables, so that they promise too much."""

from django.contrib.postgres.functions import RandomUUID
from django.db import transaction

from notifications.models import Delivery, InboxCursor


@transaction.atomic
def declare_restored() -> tuple[int, int]:
    """Start every person's sequence under a new epoch, and mark every open delivery as a possible duplicate.

    Clients then read their inboxes, and what may have been sent after the backup says so when it is sent
    again, on its next channels too. Return how many sequences and deliveries.
    """
    sequences = InboxCursor.objects.update(epoch=RandomUUID())
    deliveries = Delivery.objects.filter(ended_at__isnull=True).update(possible_duplicate=True)
    return sequences, deliveries
