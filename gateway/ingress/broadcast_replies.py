"""Final acks of events to topics, on the same reply streams and with the same guarantee as `replies`."""

import redis
from django.db import transaction
from django.utils import timezone

from gateway.codec.acks import ack_to_protobuf
from gateway.ingress.streams import ACKS_KEPT, acks_stream
from notifications.models import Broadcast
from notifications.topics.acks import broadcast_ack

BATCH = 500


def send_broadcasts_due(client: "redis.Redis") -> int:
    """Send the final acks that are due, at most one batch. Return how many were sent."""
    with transaction.atomic():
        rows = list(
            Broadcast.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(replied_at__isnull=True, final_at__isnull=False, reply_to="stream")
            .select_related("source")
            .order_by("final_at")[:BATCH]
        )
        if not rows:
            return 0
        now = timezone.now()
        pipe = client.pipeline(transaction=False)
        for row in rows:
            reply = {"a": ack_to_protobuf(broadcast_ack(row, now=now))}
            pipe.xadd(acks_stream(row.source.name), reply, maxlen=ACKS_KEPT, approximate=True)
        pipe.execute()
        Broadcast.objects.filter(pk__in=[row.pk for row in rows]).update(replied_at=now)
    return len(rows)
