"""Final acks to the callbacks of sources, by HTTP: signed as Standard Webhooks, from rows in Postgres.

An ended event becomes a row in the transaction that marks its final ack as sent; rows are called until they
are taken (`notifications.operations.callbacks`).
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import aiohttp
from django.conf import settings
from django.db import connection, transaction

from gateway.codec.acks import ack_to_json
from notifications import store
from notifications.acks import event_ack
from notifications.models import CallbackMessage
from notifications.operations import callbacks
from notifications.operations.callbacks import Outcome
from notifications.topics.acks import broadcast_ack
from runtime import public_http
from runtime.postgres import clock
from runtime.postgres.away import DATABASE_AWAY
from users.encryption import Undecryptable
from users.models import Callback
from users.sources.callbacks import secrets_of, signed_headers

log = logging.getLogger(__name__)

BATCH = 500
AT_ONCE = 100  # calls
LOOK_AGAIN_S = 1.0
TIMEOUT_S = 15.0


def run(stopping: threading.Event) -> None:
    """Send final acks to callbacks until `stopping` is set."""
    while not stopping.is_set():
        more = False
        try:
            more = step(clock=clock.now)
        except DATABASE_AWAY as error:
            log.warning("callbacks_unavailable", extra={"error": type(error).__name__})
        except Exception:  # without this thread no callback would be called any more
            log.exception("callbacks_failed")
        connection.close()
        stopping.wait(0 if more else LOOK_AGAIN_S)


def step(*, clock: Callable[[], datetime]) -> bool:
    """Make rows of the final acks that are due, and call what is due. Return whether there may be more."""
    added = take_due(now=clock())
    claimed = callbacks.claim(now=clock(), limit=AT_ONCE)
    connection.close()  # no connection is held across the calls
    outcomes = asyncio.run(_call_all(claimed, clock())) if claimed else []
    for (message, _), outcome in zip(claimed, outcomes, strict=True):
        callbacks.record(message, outcome, now=clock())
    return added == BATCH or len(claimed) == AT_ONCE


def take_due(*, now: datetime) -> int:
    """Add a row for each final ack that is due, at most one batch of each kind. Return the larger number."""
    with transaction.atomic():
        endings = store.take_replies_due(now=now, limit=BATCH, reply_to="callback")
        rows = store.take_broadcast_replies_due(now=now, limit=BATCH, reply_to="callback")
        acks = [(one.source, ack_to_json(event_ack(one, one.tried, now=now))) for one in endings]
        acks += [(row.source.name, ack_to_json(broadcast_ack(row, now=now))) for row in rows]
        if acks:
            callbacks.add(acks, now=now)
    return max(len(endings), len(rows))


async def _call_all(claimed: Sequence[tuple[CallbackMessage, Callback]], now: datetime) -> list[Outcome]:
    return await asyncio.gather(*(_call(message, callback, now) for message, callback in claimed))


async def _call(message: CallbackMessage, callback: Callback, now: datetime) -> Outcome:
    """Make one call and return its outcome. Never raises."""
    keys = secrets_of(callback, now=now)
    if any(isinstance(key, Undecryptable) for key in keys):
        return Outcome(error="no key decrypts the secret")
    body = message.body.encode()
    headers = signed_headers(message.webhook_id, body, keys, now=now)
    try:
        answer = await public_http.post(
            callback.url,
            body,
            headers,
            private_hosts=settings.CALLBACK_PRIVATE_HOSTS,
            timeout_s=TIMEOUT_S,
        )
    except public_http.NotPublic as error:
        return Outcome(error=str(error))
    except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        return Outcome(error=type(error).__name__)
    return Outcome(
        answer.status, "" if answer.status < 300 else f"HTTP {answer.status}", answer.retry_after_s
    )
