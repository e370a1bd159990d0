"""kombu's Redis transport, for a server that answers and refuses to write.

After a failover, with a full memory or a failed snapshot, Redis answers commands with errors (READONLY, OOM,
MISCONF, …). kombu hands them on as errors of a channel, which end a Celery process; here they count as a lost
connection, so that workers wait and come back.
"""

from typing import Any

from kombu.transport import redis
from redis.exceptions import ResponseError

_PROBE = "tocsin.broker.writes"


class Transport(redis.Transport):
    connection_errors = (*redis.Transport.connection_errors, ResponseError)

    def establish_connection(self) -> Any:
        """Connect to a server that takes writes. Raises: one of `connection_errors`."""
        connection = super().establish_connection()
        # Its first channel, which has just been made.
        with self._avail_channels[-1].conn_or_acquire() as client:  # type: ignore[attr-defined]
            client.set(_PROBE, 1, ex=60)
        return connection
