"""Trials of destinations that a provider refused: docs/operations.md says when they come."""

import logging
from datetime import datetime

from notifications import store
from notifications.settings import pipeline_settings

log = logging.getLogger(__name__)


def recheck(*, now: datetime) -> int:
    """Enable what is due for a trial, up to `rechecks_per_minute`: called every minute. Return the number."""
    count = store.enable_for_recheck(now=now, limit=pipeline_settings().rechecks_per_minute)
    if count:
        log.info("destinations_on_trial", extra={"count": count})
    return count
