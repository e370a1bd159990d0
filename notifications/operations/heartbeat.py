"""The dead-man switch: a URL that is called while there is no problem, so that its absence is the alarm.

It also covers a dead beat, worker, database or network: each of them stops the calls.
"""

import logging
from datetime import datetime

import httpx
from django.conf import settings

from notifications.operations import monitor
from runtime.redis.counters import SharedCounter

log = logging.getLogger(__name__)

HEARTBEATS = SharedCounter(
    "tocsin_heartbeats_total", "Calls of the heartbeat URL, by what came of them", ["outcome"]
)
_TIMEOUT_S = 5.0


def send(*, now: datetime) -> str:
    """Call `HEARTBEAT_URL` if there is no problem. Never raises.

    Returns "off", "withheld", "sent" or "failed".
    """
    url = settings.HEARTBEAT_URL
    outcome = _send(url, now) if url else "off"
    HEARTBEATS.inc(outcome)
    return outcome


def _send(url: str, now: datetime) -> str:
    try:
        if wrong := monitor.problems(now=now):
            log.error("heartbeat_withheld", extra={"wrong": wrong})
            return "withheld"
    except Exception:  # a failed check is a problem too
        log.exception("heartbeat_withheld")
        return "withheld"
    try:
        answer = httpx.get(url, timeout=_TIMEOUT_S, follow_redirects=False)
        if answer.is_success:
            return "sent"
        log.warning("heartbeat_failed", extra={"status": answer.status_code})
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        log.warning("heartbeat_failed", extra={"error": type(error).__name__})
    return "failed"
