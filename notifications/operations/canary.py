"""Canaries: a task through every queue shows whether the queue is consumed.

A connected worker may consume nothing; only a round trip shows that. Redis keeps the time of each queue's
last canary, which may be lost: the next one runs within seconds.
"""

from datetime import datetime

from django.conf import settings

from runtime.redis.client import client

_KEPT_S = 24 * 3600


def queues() -> list[str]:
    return [queue.name for queue in settings.CELERY_TASK_QUEUES]


def key(queue: str) -> str:
    return f"canary.{queue}"


def mark(queue: str, *, now: datetime) -> None:
    """Record that a canary has run through this queue."""
    client().set(key(queue), f"{now.timestamp():.3f}", ex=_KEPT_S)


def ages(*, now: datetime) -> dict[str, float | None]:
    """Return the seconds since each queue's last canary; None where there is none.

    Raises: `redis.RedisError` when Redis is away.
    """
    names = queues()
    found = client().mget([key(name) for name in names])
    return {
        name: None if value is None else max(now.timestamp() - float(value), 0.0)
        for name, value in zip(names, found, strict=True)
    }
