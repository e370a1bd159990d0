"""What is at the other ends of the pipeline: a provider, an open page, the broker's queues."""

import json
from collections.abc import Sequence
from typing import Any

import kombu
import redis
from django.conf import settings

from notifications.live import pubsub
from notifications.states import Channel
from notifications.transports.base import Message, Receipt


class FakeTransport:
    """Sends nothing: answers with the given outcomes, one after the other, and then with receipts.

    An outcome is a `Receipt`, an exception, or a coroutine function that returns a receipt.
    """

    def __init__(self, channel: Channel, outcomes: Sequence[Any]) -> None:
        self.channel = channel
        self.sent: list[tuple[str, Message]] = []
        self._outcomes = list(outcomes)

    async def send(self, message: Message, address: str, *, timeout_s: float) -> Receipt:
        self.sent.append((address, message))
        outcome = self._outcomes.pop(0) if self._outcomes else Receipt(f"m{len(self.sent)}")
        if isinstance(outcome, Exception):
            raise outcome
        return await outcome() if callable(outcome) else outcome


class Page:
    """An open page as the domain sees it: a subscription to the person's channel."""

    def __init__(self, person_id: int) -> None:
        self._client = redis.Redis.from_url(settings.REDIS_URL)
        self._pubsub = self._client.pubsub()
        self._channel = pubsub.user_channel(person_id)
        self._pubsub.subscribe(self._channel)
        assert self._pubsub.get_message(timeout=5)["type"] == "subscribe"

    def frames(self) -> list[dict[str, Any]]:
        """Return what has arrived until now; a mark behind it shows the end."""
        self._client.publish(self._channel, b"END")
        found = []
        while (message := self._pubsub.get_message(timeout=5))["data"] != b"END":
            found.append(json.loads(message["data"]))
        return found

    def close(self) -> None:
        """Close the page; the server has taken note when this returns."""
        if self._pubsub.subscribed:
            self._pubsub.unsubscribe(self._channel)
            while self._pubsub.get_message(timeout=5)["type"] != "unsubscribe":
                pass
        self._pubsub.close()
        self._client.close()


class Doorbells:
    """The broker's queues: what was published lies there, since no worker runs."""

    def __init__(self) -> None:
        self._connection = kombu.Connection(settings.CELERY_BROKER_URL)
        self._queues = [
            self._connection.SimpleQueue(kombu.Queue(queue.name, queue.exchange, queue.routing_key))
            for queue in settings.CELERY_TASK_QUEUES
        ]

    def take(self) -> list[tuple[str, str, Any]]:
        """Return (queue, task, ids) of what was rung until now, and remove it."""
        from notifications import dispatch

        dispatch.flush()
        return [(queue, task, ids) for queue, task, ids, _ in self.take_all()]

    def take_all(self) -> list[tuple[str, str, Any, str | None]]:
        found = []
        for queue in self._queues:
            while True:
                try:
                    message = queue.get(block=False)
                except queue.Empty:
                    break
                message.ack()
                (_, kwargs, _), headers = message.payload, message.headers
                ids = kwargs.get("delivery_ids") or kwargs.get("delivery_id")
                found.append((queue.queue.name, headers["task"], ids, headers["eta"]))
        return found

    def close(self) -> None:
        self.take()
        for queue in self._queues:
            queue.close()
        self._connection.close()


def unused(_: object) -> None:
    """Stand for what follows slow sends, where there are none."""
    raise AssertionError("a send was left to the recorder thread")
