"""Final acks to the reply streams: an outbox read from Postgres, so that a crash cannot lose one.

Guarantee: at least once. A process that dies between XADD and commit leaves one ack doubled.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

import redis
from django.db import connection, transaction
from django.utils import timezone

from gateway.codec.acks import ack_to_protobuf
from gateway.ingress.broadcast_replies import BATCH, send_broadcasts_due
from gateway.ingress.streams import ACKS_KEPT, RETRY_S, acks_stream
from notifications import store
from notifications.acks import event_ack
from notifications.live import pubsub
from runtime.failpoints import failpoint
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 1.0


def run(client: "redis.Redis", stopping: threading.Event) -> None:
    """Send final acks until `stopping` is set: at once when told, and by looking every second."""
    while not stopping.is_set():
        try:
            with client.pubsub(ignore_subscribe_messages=True) as hints:
                hints.subscribe(pubsub.REPLIES_DUE)
                while not stopping.is_set():
                    while BATCH in (send_due(client, clock=timezone.now), send_broadcasts_due(client)):
                        pass
                    connection.close()  # back to the pool while we wait
                    hints.get_message(timeout=LOOK_AGAIN_S)
                    while hints.get_message():  # one look answers all that have come so far
                        pass
        except (redis.RedisError, *DATABASE_AWAY) as error:
            log.warning("replies_unavailable", extra={"error": type(error).__name__})
            connection.close()
            stopping.wait(RETRY_S)
        except Exception:  # the ingress goes on without this thread, and nobody would be told any more
            log.exception("replies_failed")
            connection.close()
            stopping.wait(RETRY_S)


def send_due(client: "redis.Redis", *, clock: Callable[[], datetime]) -> int:
    """Send the final acks that are due, at most one batch. Return how many were sent."""
    with transaction.atomic():
        now = clock()
        endings = store.take_replies_due(now=now, limit=BATCH)
        if not endings:
            return 0
        pipe = client.pipeline(transaction=False)
        for ending in endings:
            reply = {"a": ack_to_protobuf(event_ack(ending, ending.tried, now=now))}
            pipe.xadd(acks_stream(ending.source), reply, maxlen=ACKS_KEPT, approximate=True)
        pipe.execute()
        failpoint("reply_added_before_commit")
    return len(endings)
