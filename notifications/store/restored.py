"""After a restore from a backup: what happened since is not in the tables, so that they promise too much."""

from django.contrib.postgres.functions import RandomUUID
from django.db import transaction
from django.db.models.functions import Now

from notifications.models import Delivery, InboxCursor
from notifications.states import DeliveryState


@transaction.atomic
def declare_restored() -> tuple[int, int]:
    """Start every person's sequence under a new epoch, and mark every open delivery as a possible duplicate.

    Clients then read their inboxes, and what may have been sent after the backup says so when it is sent
    again, on its next channels too. The lease of a send that was in flight in the backup ends now: nobody has
    it, and the sweep marks its repeat. The mark before would say that CRITICAL has had its one repeat. Return
    how many sequences and deliveries.
    """
    sequences = InboxCursor.objects.update(epoch=RandomUUID())
    still_open = Delivery.objects.filter(ended_at__isnull=True)
    in_flight = still_open.filter(state=DeliveryState.SENDING).update(lease_until=Now(), ring_at=Now())
    marked = still_open.exclude(state=DeliveryState.SENDING).update(possible_duplicate=True)
    return sequences, marked + in_flight
