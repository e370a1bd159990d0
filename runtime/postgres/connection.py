"""A psycopg connection that does not wait for ever.

TCP's own timeouts notice a peer that is gone. One that takes bytes and never answers (a proxy whose far side
is cut, a stopped server) would keep a thread as long as the socket stands.
"""

from typing import Any

import psycopg
from django.conf import settings
from psycopg.pq import TransactionStatus

_LOOK_EVERY_S = 0.1


class Connection(psycopg.Connection[Any]):
    """Raises `OperationalError` and is closed when an answer takes over `DATABASE_ANSWER_WITHIN_S`."""

    def wait(self, gen: Any, interval: float = _LOOK_EVERY_S, timeout: float | None = None) -> Any:
        limit_s = settings.DATABASE_ANSWER_WITHIN_S or None
        try:
            return super().wait(gen, interval, limit_s if timeout is None else timeout)
        except psycopg.OperationalError:
            if timeout is None and self.pgconn.transaction_status == TransactionStatus.ACTIVE:
                self.pgconn.finish()  # nobody would ever read that answer
            raise
