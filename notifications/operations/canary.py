"""Canaries: a task through every queue, so that a queue that nobody consumes is seen from outside.

A worker may be connected and consume nothing; only a round trip tells. What is kept is when each queue's
last canary ran. It may be lost: the next one comes within seconds.
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
    """Note that a canary has come through this queue."""
    client().set(key(queue), f"{now.timestamp():.3f}", ex=_KEPT_S)


def ages(*, now: datetime) -> dict[str, float | None]:
    """Return the seconds since each queue's last canary; None where there is none.

    Raises: `redis.RedisError` when Redis is away, and then nothing is known.
    """
    names = queues()
    found = client().mget([key(name) for name in names])
    return {
        name: None if value is None else max(now.timestamp() - float(value), 0.0)
        for name, value in zip(names, found, strict=True)
    }
