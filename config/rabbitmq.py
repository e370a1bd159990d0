"""Celery's consumer for workers on RabbitMQ, with our dead-letter queue instead of its delay queues.

Celery declares 28 exchanges and queues for countdowns as soon as there is a quorum queue. We publish
nothing with a countdown (`brokers.countdown_max_s`).
"""

from typing import Any

from celery import bootsteps
from celery.worker.consumer import Consumer as CeleryConsumer

from config import brokers

_DELAYS = "celery.worker.consumer.delayed_delivery:DelayedDelivery"


class DeadLetters(bootsteps.StartStopStep):  # type: ignore[misc]
    """Declares the queue for doorbells that were delivered too often, before consuming starts."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def start(self, parent: Any) -> None:
        with parent.connection.channel() as channel:
            brokers.dead_queue()(channel).declare()


class Consumer(CeleryConsumer):  # type: ignore[misc]
    class Blueprint(CeleryConsumer.Blueprint):  # type: ignore[misc, valid-type]
        default_steps = (
            *(step for step in CeleryConsumer.Blueprint.default_steps if step != _DELAYS),
            "config.rabbitmq:DeadLetters",
        )
