"""Final acks to the reply streams: an outbox in Postgres, so that a crash cannot lose one.

Guarantee: at least once, whatever Redis loses before the producer acknowledges (`reply_reads`). A crash
between XADD and commit sends an ack twice.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import redis
from django.db import connection, transaction

from gateway.ingress import reply_reads
from gateway.ingress.streams import RETRY_S, add_ack
from notifications import store
from notifications.acks import event_ack
from notifications.events import Ack
from notifications.live import pubsub
from notifications.topics.acks import broadcast_ack
from runtime.failpoints import failpoint
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY

log = logging.getLogger(__name__)

BATCH = 500
LOOK_AGAIN_S = 1.0


def run(client: "redis.Redis", stopping: threading.Event) -> None:
    """Send final acks until `stopping` is set: at once on a hint from Redis, else every second."""
    while not stopping.is_set():
        try:
            with client.pubsub(ignore_subscribe_messages=True) as hints:
                hints.subscribe(pubsub.REPLIES_DUE)
                reply_reads.send_lost_again(client, clock=clock.now)
                while not stopping.is_set():
                    _step(client)
                    connection.close()  # back to the pool while waiting
                    hints.get_message(timeout=LOOK_AGAIN_S)
                    while hints.get_message():  # one pass covers all hints so far
                        pass
        except (redis.RedisError, *DATABASE_AWAY) as error:
            log.warning("replies_unavailable", extra={"error": type(error).__name__})
            connection.close()
            stopping.wait(RETRY_S)
        except Exception:  # without this thread the ingress would go on, but send no more final acks
            log.exception("replies_failed")
            connection.close()
            stopping.wait(RETRY_S)


def _step(client: "redis.Redis") -> None:
    if reply_reads.has_lost(client):
        reply_reads.send_lost_again(client, clock=clock.now)
    _send_all(client)
    reply_reads.note_read(client, clock=clock.now)


def _send_all(client: "redis.Redis") -> None:
    while BATCH in (send_due(client, clock=clock.now), send_broadcasts_due(client, clock=clock.now)):
        pass


def send_due(client: "redis.Redis", *, clock: Callable[[], datetime]) -> int:
    """Send the final acks of events that are due, at most one batch. Return how many were sent."""
    with transaction.atomic():
        now = clock()
        endings = store.take_replies_due(now=now, limit=BATCH)
        _send(client, [(e.source, e.pk, event_ack(e, e.tried, now=now)) for e in endings], now)
    return len(endings)


def send_broadcasts_due(client: "redis.Redis", *, clock: Callable[[], datetime]) -> int:
    """Send the final acks of broadcasts that are due, at most one batch. Return how many were sent."""
    with transaction.atomic():
        now = clock()
        rows = store.take_broadcast_replies_due(now=now, limit=BATCH)
        _send(client, [(row.source.name, row.pk, broadcast_ack(row, now=now)) for row in rows], now)
    return len(rows)


def _send(client: "redis.Redis", acks: Sequence[tuple[str, object, Ack]], now: datetime) -> None:
    """Add acks of these keys to the streams of their sources, by name."""
    if not acks:
        return
    pipe = client.pipeline(transaction=False)
    for source, pk, ack in acks:
        add_ack(pipe, source, ack, final_of=store.reply_key(pk, now))
    pipe.execute()
    failpoint("reply_added_before_commit")
