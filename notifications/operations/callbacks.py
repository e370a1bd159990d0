"""Final acks to the callbacks of sources: rows that are sent until they are taken, or given up.

Guarantee: each final ack at least once, under the same `webhook-id`, while the callback is enabled. A crash
between a call and its record repeats it. A callback without a success for days is disabled and its owner
notified; what is due then is sent once it is enabled again.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.mail import send_mail
from django.db import connection
from django.db.models import Q

from notifications.models import CallbackMessage
from runtime.redis.counters import SharedCounter
from users.models import Callback, Source

log = logging.getLogger(__name__)

CALLS = SharedCounter("tocsin_callbacks_total", "Calls of the callbacks of sources, by outcome", ["outcome"])

# As of the Standard Webhooks reference: the waits before each further call.
SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
DISABLED_AFTER = timedelta(days=5)
LEASE = timedelta(seconds=60)
KEPT = timedelta(days=30)
_RETRY_AFTER_S = 3_600  # a Retry-After counts up to this
_OF_ONE_SOURCE = 20  # calls at once: a slow callback must not take the place of others
_GONE = 410

_CLAIM = """
UPDATE notifications_callbackmessage m SET next_at = %s, attempts = attempts + 1
WHERE m.id IN (
    SELECT m.id FROM notifications_callbackmessage m JOIN (
        SELECT m.id, row_number() OVER (PARTITION BY m.source_id ORDER BY m.next_at) AS place
        FROM notifications_callbackmessage m JOIN users_callback c USING (source_id)
        WHERE m.next_at <= %s AND c.disabled_at IS NULL
    ) due USING (id)
    WHERE due.place <= %s AND m.next_at <= %s
    LIMIT %s FOR UPDATE OF m SKIP LOCKED
)
RETURNING m.id
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call: a status, or an error without one."""

    status: int | None = None
    error: str = ""
    retry_after_s: int = 0

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def add(acks: Sequence[tuple[str, Mapping[str, object]]], *, now: datetime) -> None:
    """Add final acks, each with the name of its source, to be sent at once. In the caller's transaction."""
    ids = dict(Source.objects.filter(name__in={name for name, _ in acks}).values_list("name", "pk"))
    CallbackMessage.objects.bulk_create(
        CallbackMessage(
            source_id=ids[name],
            event_id=str(ack["event_id"]),
            body=_body(ack, now),
            created_at=now,
            next_at=now,
        )
        for name, ack in acks
    )


def _body(ack: Mapping[str, object], now: datetime) -> str:
    content = {"type": "event.final", "timestamp": now.isoformat(), "data": ack}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def claim(*, now: datetime, limit: int) -> list[tuple[CallbackMessage, Callback]]:
    """Lease messages that are due and return them with their callbacks; other processes leave them alone."""
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [now + LEASE, now, _OF_ONE_SOURCE, now, limit])
        ids = [row[0] for row in cursor]
    found = CallbackMessage.objects.filter(pk__in=ids).select_related("source__callback")
    return [(message, message.source.callback) for message in found]


def record(message: CallbackMessage, outcome: Outcome, *, now: datetime) -> None:
    """Record what came of a call, and let the message be sent again if it has to be."""
    CALLS.inc("succeeded" if outcome.succeeded else "failed")
    message.last_status, message.last_error = outcome.status, outcome.error[:100]
    message.next_at = None
    callback = Callback.objects.filter(source=message.source_id)
    if outcome.succeeded:
        message.delivered_at = now
        callback.exclude(failing_since=None).update(failing_since=None)
    else:
        message.next_at = _next_at(message.attempts, outcome, now)
        callback.filter(failing_since=None).update(failing_since=now)
    message.save(update_fields=["last_status", "last_error", "next_at", "delivered_at"])
    if not outcome.succeeded:
        _disable_if_dead(message.source_id, outcome, now)


def _next_at(attempts: int, outcome: Outcome, now: datetime) -> datetime | None:
    if attempts > len(SCHEDULE_S):
        return None
    wait_s = max(SCHEDULE_S[attempts - 1], min(outcome.retry_after_s, _RETRY_AFTER_S))
    return now + timedelta(seconds=wait_s)


def _disable_if_dead(source_id: int, outcome: Outcome, now: datetime) -> None:
    """Disable a callback that says it is gone, or has failed for days. Its owner is told by the first to."""
    dead = Q() if outcome.status == _GONE else Q(failing_since__lte=now - DISABLED_AFTER)
    reason = "410 Gone" if outcome.status == _GONE else f"no success for {DISABLED_AFTER.days} days"
    found = Callback.objects.filter(dead, source=source_id, disabled_at=None)
    if found.update(disabled_at=now, disabled_reason=reason):
        log.error("callback_disabled", extra={"source_id": source_id, "reason": reason})
        _tell_owner(Callback.objects.select_related("source").get(source=source_id), outcome)


def _tell_owner(callback: Callback, outcome: Outcome) -> None:
    """Write to the owner of a callback that was disabled. Never raises."""
    if not callback.owner_email:
        return
    last = f"HTTP {outcome.status}" if outcome.status else outcome.error
    text = (
        f"The callback of the source {callback.source} was switched off: {callback.disabled_reason}.\n"
        f"The last answer was: {last}.\n\n"
        "Events are accepted and delivered as before; only their final acks are not sent to the callback.\n"
        "Once it works again, switch it on: PUT /api/v1/callback, or in the admin. What waits is then sent.\n"
    )
    try:
        send_mail(f"Callback of {callback.source} switched off", text, None, [callback.owner_email])
    except Exception:  # whatever the mail server does: the log and the admin say it too
        log.exception("callback_owner_not_told", extra={"source_id": callback.source_id})


def forget_old(*, now: datetime) -> int:
    """Delete what has ended long ago, and what a disabled callback did not ask for in time."""
    count, _ = CallbackMessage.objects.filter(created_at__lt=now - KEPT).delete()
    return count
