"""`/healthz`: the process answers. `/readyz`: what it needs answers too."""

import logging
from collections.abc import Callable

import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from kombu import Connection
from kombu.exceptions import KombuError

from gateway.problems import DATABASE_AWAY
from notifications import live

log = logging.getLogger(__name__)


async def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """200 when Postgres answers: events can be accepted. Without Redis or broker it says `degraded`."""
    checks = await sync_to_async(_checks)()
    status = "ok" if all(checks.values()) else "degraded" if checks["postgres"] else "unavailable"
    code = 200 if checks["postgres"] else 503
    return JsonResponse({"status": status, "checks": checks}, status=code)


def _checks() -> dict[str, bool]:
    return {
        "postgres": _answers(_postgres),
        "redis": _answers(lambda: live.client().ping()),
        "broker": _answers(_broker),
    }


def _answers(check: Callable[[], object]) -> bool:
    try:
        check()
    except (*DATABASE_AWAY, redis.RedisError, KombuError, OSError) as error:
        log.warning("not_ready", extra={"error": type(error).__name__})
        return False
    return True


def _postgres() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _broker() -> None:
    with Connection(settings.CELERY_BROKER_URL, connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=3)
