"""This process's Redis client for threads. Event loops use `link` instead."""

from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from runtime.circuit import Circuit

_TIMEOUT_S = 1.0
_PAUSE_S = 2.0


class _Client(redis.Redis):  # type: ignore[misc]
    """Asks a server that did not answer again only after a pause; meanwhile it raises `ConnectionError`."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.circuit = Circuit(
            away=(redis.ConnectionError, redis.TimeoutError),
            refusal=lambda: redis.ConnectionError("Redis did not answer a moment ago"),
            pause_s=_PAUSE_S,
        )
        super().__init__(*args, **options)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with self.circuit.call():
            return super().execute_command(*args, **options)

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "_Pipeline":
        return _Pipeline(self, transaction, shard_hint)


class _Pipeline(Pipeline):  # type: ignore[misc]
    def __init__(self, client: _Client, transaction: bool, shard_hint: Any) -> None:
        self._circuit = client.circuit
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)

    def execute(self, raise_on_error: bool = True) -> Any:
        with self._circuit.call():
            return super().execute(raise_on_error)


@cache
def client() -> "redis.Redis":
    """Return this process's Redis client. Its timeouts are short, as Redis carries hints only."""
    return _Client.from_url(
        settings.REDIS_URL,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        health_check_interval=30,
        # Again at once on another connection, since an idle one may have been cut; a timeout is not repeated.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )
