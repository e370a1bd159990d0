"""Celery's settings by broker URL: Redis or Valkey by default, RabbitMQ by `amqp://`.

A broker carries doorbells only. The rows in Postgres are the record, so either broker may lose everything.
"""

from typing import Any

from kombu import Exchange, Queue

QUEUES = ("critical", "normal", "control")
DEAD = "tocsin.dead"
VISIBILITY_S = 180  # Redis: redelivery of a dead worker's messages; the sweep is faster

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
        "x-delivery-limit": 20,  # ends a doorbell that kills every worker
        "x-dead-letter-exchange": DEAD,  # keeps such a doorbell for the operator
    }


def dead_queue() -> Queue:
    """Return the dead-letter queue of doorbells; workers declare it, nothing consumes it."""
    return Queue(
        DEAD,
        Exchange(DEAD, type="fanout"),
        queue_arguments={
            "x-queue-type": "quorum",
            "x-max-length": 10_000,  # for an operator, who needs the newest
        },
    )


def transport_options(url: str) -> dict[str, Any]:
    """Return kombu's transport options for this broker."""
    reconnecting = {
        "max_retries": 2,  # give up soon: the sweep rings again
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
    }
    if is_rabbitmq(url):
        return reconnecting | {"confirm_publish": True}  # else a rejected publish is lost silently
    return reconnecting | {
        "visibility_timeout": VISIBILITY_S,
        "socket_timeout": 10,
        "socket_connect_timeout": 3,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "queue_order_strategy": "priority",  # makes `-Q critical,normal` mean critical first
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
    }


def countdown_max_s(url: str) -> float:
    """Return the longest countdown of a doorbell; the sweep rings after longer waits.

    Redis: well below `visibility_timeout`, after which a message is redelivered. RabbitMQ: none. A worker
    keeps a message with a countdown unacknowledged, and quorum queues have no global QoS that would let it
    prefetch more meanwhile: a few such doorbells would block the queue.
    """
    return 0.0 if is_rabbitmq(url) else 60.0


def consumer(url: str) -> str:
    """Return the import path of a worker's consumer class."""
    return "config.rabbitmq:Consumer" if is_rabbitmq(url) else "celery.worker.consumer:Consumer"
