"""How far the clocks of all processes' hosts are from the database's, for `/metrics` and `/readyz`."""

import json
import logging
import os
import socket
import threading

import redis

from runtime.postgres import clock
from runtime.redis.client import client

log = logging.getLogger(__name__)

_KEY = "clock.skew"
_VALID_S = 60.0


def report_skew(skew_s: float) -> None:
    """Tell all processes this one's skew, on a thread: the caller does not wait for Redis."""
    threading.Thread(target=_report, args=(skew_s,), name="clock-skew", daemon=True).start()


def _report(skew_s: float) -> None:
    process = f"{socket.gethostname()}:{os.getpid()}"
    value = json.dumps([round(skew_s, 3), clock.now().timestamp()])
    try:
        with client().pipeline(transaction=False) as pipe:
            pipe.hset(_KEY, process, value)
            pipe.expire(_KEY, round(2 * _VALID_S))
            pipe.execute()
    except redis.RedisError as error:
        log.warning("clock_skew_not_reported", extra={"error": type(error).__name__})


def skews() -> dict[str, float]:
    """Return the seconds that each process's host (`host:pid`) is ahead. Raises: `redis.RedisError`."""
    now, found = clock.now().timestamp(), client().hgetall(_KEY)
    read = {process.decode(): json.loads(value) for process, value in found.items()}
    if old := [process for process, (_, at) in read.items() if now - at > _VALID_S]:
        client().hdel(_KEY, *old)
    return {process: skew_s for process, (skew_s, _) in read.items() if process not in old}


def notable_skews() -> dict[str, float]:
    """Return those at which an operator should look. Raises: `redis.RedisError`."""
    return {process: skew_s for process, skew_s in skews().items() if abs(skew_s) > clock.SKEW_NOTABLE_S}
