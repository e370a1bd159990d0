"""Rows that nobody needs any more: updates that no provider repeats, links and codes that have expired."""

import logging
from datetime import datetime, timedelta

from notifications.models import BotUpdate, SimulatedEvent
from notifications.operations import callbacks
from users import linking, verification

log = logging.getLogger(__name__)

SIMULATED_KEPT = timedelta(days=7)
_REPEATED_WITHIN = timedelta(days=2)  # Telegram keeps an update for a day


def forget_expired(*, now: datetime) -> None:
    """Delete them: called every few minutes."""
    updates, _ = BotUpdate.objects.filter(taken_at__lt=now - _REPEATED_WITHIN).delete()
    links = linking.forget_expired(now=now)
    codes = verification.forget_expired(now=now)
    acks = callbacks.forget_old(now=now)
    SimulatedEvent.objects.filter(accepted_at__lt=now - SIMULATED_KEPT).delete()
    if updates or links or codes or acks:
        log.info(
            "expired_forgotten",
            extra={"updates": updates, "links": links, "codes": codes, "callbacks": acks},
        )
