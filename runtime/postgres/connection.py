"""A psycopg connection with a time limit on every answer.

TCP's own timeouts detect a peer that is gone. A peer that accepts bytes and never answers (a proxy whose far
side is cut, a stopped server) would block a thread for as long as the socket is open.
"""

from typing import Any

import psycopg
from django.conf import settings
from django.db import connections
from psycopg.pq import TransactionStatus

_POLL_S = 0.1


class Connection(psycopg.Connection[Any]):
    """Raises `OperationalError` and is closed when an answer takes over `DATABASE_ANSWER_WITHIN_S`.

    It is also closed by a read-only server: after a failover the next one may reach the primary.
    """

    def wait(self, gen: Any, interval: float = _POLL_S, timeout: float | None = None) -> Any:
        limit_s = settings.DATABASE_ANSWER_WITHIN_S or None
        try:
            return super().wait(gen, interval, limit_s if timeout is None else timeout)
        except psycopg.errors.ReadOnlySqlTransaction:
            self.pgconn.finish()
            raise
        except psycopg.OperationalError:
            if timeout is None and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # that answer would never be read
            raise


def close_before_fork() -> None:
    """Close all connections of this process, and its pools: a forked child must not share a socket."""
    connections.close_all()
    for connection in connections.all(initialized_only=True):
        connection.close_pool()  # type: ignore[attr-defined]
