"""`/healthz`: the process answers. `/readyz`: Postgres, Redis and the broker answer and take writes."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.utils.http import http_date
from kombu import Connection
from kombu.exceptions import KombuError

from notifications.delivery import channel_health
from notifications.operations import clocks
from runtime.postgres.away import DATABASE_AWAY
from runtime.redis.client import client

log = logging.getLogger(__name__)

_WITHIN_S = 3.0  # limit for Redis and broker, since probes have short timeouts
_PROBE = "tocsin.redis.writes"
_threads = ThreadPoolExecutor(4, thread_name_prefix="readiness")


async def healthz(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


async def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 if Postgres takes writes: events can be accepted. Without the others `status` is `degraded`.

    So it is while messages wait or fail on a channel, `channels` then says on which, and why, and while a
    process's clock is more than two seconds from the database's.
    """
    channels: dict[str, str] = {}
    skews: dict[str, float] = {}
    postgres, redis_answers, broker, *_ = await asyncio.gather(
        sync_to_async(_answers)(_postgres),
        _answers_soon(lambda: client().set(_PROBE, 1, ex=60)),
        _answers_soon(_broker),
        _answers_soon(lambda: channels.update(channel_health.degraded())),
        _answers_soon(lambda: skews.update(clocks.notable_skews())),
    )
    checks = {"postgres": postgres, "redis": redis_answers, "broker": broker}
    well = all(checks.values()) and not channels and not skews
    status = "ok" if well else "degraded" if checks["postgres"] else "unavailable"
    code = 200 if checks["postgres"] else 503
    answer = {"status": status, "checks": checks, "channels": channels, "clock_skew_s": skews}
    return JsonResponse(answer, status=code, headers={"Date": http_date()})  # for clients that look at clocks


async def _answers_soon(check: Callable[[], object]) -> bool:
    """Return whether the check succeeds within the limit; the process is ready without Redis and broker too.

    A hanging thread is released by the client's own timeouts. While all threads hang, the check fails after
    the limit, and its entry in the executor's queue is cancelled.
    """
    loop = asyncio.get_running_loop()
    try:
        return await asyncio.wait_for(loop.run_in_executor(_threads, _answers, check), _WITHIN_S)
    except TimeoutError:
        return False


def _answers(check: Callable[[], object]) -> bool:
    try:
        check()
    except (*DATABASE_AWAY, redis.RedisError, KombuError, OSError) as error:
        log.warning("not_ready", extra={"error": type(error).__name__})
        return False
    return True


def _postgres() -> None:
    """Delete nothing: a read-only server refuses even that."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_session WHERE false")


def _broker() -> None:
    with Connection(settings.CELERY_BROKER_URL, connect_timeout=2) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=3)
