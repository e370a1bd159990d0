"""What Celery is told about its broker, by URL: Redis or Valkey by default, RabbitMQ by `amqp://`.

A broker carries doorbells only; the rows in Postgres are the record, so that either may lose everything.
"""

from typing import Any

from kombu import Exchange, Queue

QUEUES = ("critical", "normal", "control")
DEAD = "tocsin.dead"
VISIBILITY_S = 180  # Redis: redelivery of what a dead worker held; the sweep is quicker

_TASKS = Exchange("tocsin.tasks", type="direct")


def is_rabbitmq(url: str) -> bool:
    return url.partition("://")[0] in {"amqp", "amqps", "pyamqp"}


def queues(url: str) -> tuple[Queue, ...]:
    """Return the queues that workers consume."""
    arguments = _quorum_arguments() if is_rabbitmq(url) else None
    return tuple(Queue(name, _TASKS, routing_key=name, queue_arguments=arguments) for name in QUEUES)


def _quorum_arguments() -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",  # replicated, and on disk before a publish is confirmed
        "x-delivery-limit": 20,  # a doorbell that kills every worker comes to an end
        "x-dead-letter-exchange": DEAD,  # without one such a doorbell would vanish without a trace
    }


def dead_queue() -> Queue:
    """Return the queue of doorbells that RabbitMQ gave up; workers declare it, nobody consumes it."""
    return Queue(
        DEAD,
        Exchange(DEAD, type="fanout"),
        queue_arguments={
            "x-queue-type": "quorum",
            "x-max-length": 10_000,  # the newest are of interest: an operator reads them
        },
    )


def transport_options(url: str) -> dict[str, Any]:
    """Return kombu's transport options; each broker knows only its own."""
    reconnecting = {
        "max_retries": 2,  # a doorbell that cannot be published is given up soon: the sweep rings again
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
    }
    if is_rabbitmq(url):
        return reconnecting | {"confirm_publish": True}  # else a refused publish is silently lost
    return reconnecting | {
        "visibility_timeout": VISIBILITY_S,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "queue_order_strategy": "priority",  # `-Q critical,normal` then means critical first
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    }


def countdown_max_s(url: str) -> float:
    """Return the longest wait that a doorbell may carry; the sweep rings after longer ones.

    Redis: well below `visibility_timeout`, after which it is delivered again. RabbitMQ: none. A worker
    keeps such a message unacknowledged, and quorum queues know no global QoS that would let it take
    more meanwhile: a few waiting doorbells would hold up everything.
    """
    return 0.0 if is_rabbitmq(url) else 60.0


def consumer(url: str) -> str:
    """Return the class of a worker's consumer."""
    return "config.rabbitmq:Consumer" if is_rabbitmq(url) else "celery.worker.consumer:Consumer"
