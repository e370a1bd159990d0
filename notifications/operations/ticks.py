"""Beat's ticks that wait in a queue: at most one of each name, until it is taken or counts as lost."""

import logging

import redis

from runtime.redis.client import client

log = logging.getLogger(__name__)

_LOST_AFTER = 2  # intervals


def may_send(name: str, *, every_s: float) -> bool:
    """Return whether the last tick was taken, or is lost. While Redis is away, always."""
    try:
        return bool(client().set(_key(name), 1, nx=True, px=round(_LOST_AFTER * every_s * 1000)))
    except redis.RedisError:
        return True


def taken(name: str) -> None:
    """Note that a worker has taken this tick. Never raises."""
    try:
        client().delete(_key(name))
    except redis.RedisError as error:
        log.warning("tick_not_noted", extra={"tick": name, "error": type(error).__name__})


def _key(name: str) -> str:
    return f"tick.{name}"
