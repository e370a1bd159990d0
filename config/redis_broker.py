"""kombu's Redis transport, for a server that answers and refuses to write.

After a failover, with a full memory or a failed snapshot, Redis answers commands with errors (READONLY, OOM,
MISCONF, …). kombu hands them on as errors of a channel, which end a Celery process; here they count as a lost
connection, so that workers wait and come back.
"""

from typing import Any

from kombu.transport import redis, virtual
from redis.exceptions import ResponseError

_PROBE = "tocsin.broker.writes"


class _QoS(redis.QoS):
    """A message whose acknowledgement is refused no longer counts against the prefetch limit.

    Celery logs such a refusal and goes on. A worker at its limit would ask for no message any more, notice
    neither the refusals nor their end, and be idle for good. The message comes again after the visibility
    timeout.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        finally:
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue=requeue)
        finally:
            virtual.QoS.ack(self, delivery_tag)


class _Channel(redis.Channel):
    QoS = _QoS

    def close(self) -> None:
        """Close the connections also when the server refuses to delete the channel's queues.

        Else they stay open, subscribed, for each time that the connection counts as lost.
        """
        try:
            super().close()
        except ResponseError:
            self.close()  # what was refused is not tried again


class Transport(redis.Transport):
    Channel = _Channel
    connection_errors = (*redis.Transport.connection_errors, ResponseError)

    def establish_connection(self) -> Any:
        """Connect to a server that takes writes. Raises: one of `connection_errors`."""
        connection = super().establish_connection()
        # Its first channel, which has just been made.
        with self._avail_channels[-1].conn_or_acquire() as client:  # type: ignore[attr-defined]
            client.set(_PROBE, 1, ex=60)
        return connection
