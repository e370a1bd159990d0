"""What the tests of the domain are given: people, events in the database, pages, providers, doorbells.

pytest loads this before Django is set up, so what needs models is imported where it is used.
"""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import kombu
import pytest
import redis
from django.conf import settings as django_settings
from django.db import connections

from notifications import breaker, live
from notifications.events import Aftermath, ChannelChoice, Envelope, SourceGrant
from notifications.route import Plan, Step
from notifications.states import AttemptOutcome, Channel, FailureKind, Priority
from notifications.transports import registry
from notifications.transports.base import Message, Receipt

if TYPE_CHECKING:
    from notifications.models import Delivery, Event
    from notifications.store import Acceptance, Claimed, Failure, Success
    from users.models import Destination, User

ADDRESSES = {Channel.TELEGRAM: "4242{}", Channel.EMAIL: "person{}@example.org"}


@pytest.fixture(autouse=True)
def closed_breakers() -> Iterator[None]:
    """An outage that one test played is not the next one's."""
    yield
    for key in live.client().scan_iter("breaker.*"):
        live.client().delete(key)
    breaker.forget_local()


@pytest.fixture
def now() -> datetime:
    """The given time. It is about the real one, since dispatch itself reads the clock."""
    return datetime.now(UTC).replace(microsecond=0)


class Desk:
    """Makes persons and events, and looks up what became of them."""

    def __init__(self, now: datetime) -> None:
        from users.models import Source

        self.now = now
        self.source = Source.objects.create(name="exchange")
        self.grant = SourceGrant(self.source.pk, self.source.name)

    def person(self, name: str = "ada") -> "User":
        from users.models import User

        return User.objects.create(external_id=name, username=name)

    def address(self, person: "User", channel: Channel, **fields: Any) -> "Destination":
        count = person.destinations.count()
        values = {"address": ADDRESSES[channel].format(count), "verified_at": self.now} | fields
        return person.destinations.create(kind=channel.value, **values)

    def envelope(self, person: "User | str", event_id: str = "e1", **fields: Any) -> Envelope:
        values = {
            "source": self.grant,
            "event_id": event_id,
            "user_id": person if isinstance(person, str) else person.external_id,
            "event_type": "ORDER_FILLED",
            "timestamp_ms": round(self.now.timestamp() * 1000),
            "priority": Priority.NORMAL,
            "payload": {"symbol": "BTC/USDT"},
        } | fields
        values["digest"] = sha256(repr((values["user_id"], values["payload"])).encode()).digest()
        return Envelope(**values)

    def acceptance(
        self,
        person: "User",
        event_id: str = "e1",
        *steps: "Destination | None",
        expires_s: float = 3600,
        **fields,
    ) -> "Acceptance":
        """Return what may be stored; a step is a destination, or None for the page."""
        from notifications.store import Acceptance

        return Acceptance(
            envelope=self.envelope(person, event_id, **fields),
            person_id=person.pk,
            plan=Plan(tuple(_step(step) for step in steps)),
            expires_at=self.now + timedelta(seconds=expires_s),
            ack_timeout_ms=fields.get("ack_timeout_ms", 5000),
        )

    def event(self, person: "User", *steps: "Destination | None", **fields: Any) -> "Event":
        """Accept one event and return it."""
        from notifications import store
        from notifications.models import Event

        event_id = fields.pop("event_id", "e1")
        [stored] = store.accept([self.acceptance(person, event_id, *steps, **fields)], now=self.now)
        return Event.objects.get(pk=stored.event_pk)

    def delivery(self, event: "Event", position: int = 0) -> "Delivery":
        from notifications.models import Delivery

        return Delivery.objects.get(event=event, position=position)

    def claim(self, row: "Delivery | str", *, now: datetime | None = None, **limits: Any) -> "Claimed":
        """Claim one row, which must be due."""
        from notifications import store

        values = {"lease_s": 55, "max_tries": 8} | limits
        pk = row if isinstance(row, str) else str(row.pk)
        [claimed] = store.claim([pk], now=now or self.now, **values)
        return claimed


def _step(destination: "Destination | None") -> Step:
    if destination is None:
        return Step(Channel.WEB)
    return Step(Channel(destination.kind), destination.pk)


@pytest.fixture
def desk(db: None, now: datetime) -> Desk:
    return Desk(now)


@pytest.fixture
def ada(desk: Desk) -> "User":
    return desk.person("ada")


@pytest.fixture
def chat(desk: Desk, ada: "User") -> "Destination":
    return desk.address(ada, Channel.TELEGRAM)


@pytest.fixture
def mailbox(desk: Desk, ada: "User") -> "Destination":
    return desk.address(ada, Channel.EMAIL)


@pytest.fixture
def knobs(settings: Any) -> Callable[..., None]:
    """Turn knobs for one test."""

    def turn(**values: Any) -> None:
        settings.TOCSIN = replace(settings.TOCSIN, **values)

    return turn


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


@pytest.fixture
def provider() -> Iterator[Callable[..., FakeTransport]]:
    """Put a provider with given outcomes on a channel."""
    made: list[Any] = []

    def make(*outcomes: Any, channel: Channel = Channel.TELEGRAM) -> FakeTransport:
        fake = FakeTransport(channel, outcomes)
        made.append(registry.using(fake))
        made[-1].__enter__()
        return fake

    yield make
    for stand_in in reversed(made):
        stand_in.__exit__(None, None, None)


class Page:
    """An open page as the domain sees it: a subscription to the person's channel."""

    def __init__(self, person_id: int) -> None:
        self._client = redis.Redis.from_url(django_settings.REDIS_URL)
        self._pubsub = self._client.pubsub()
        self._channel = live.user_channel(person_id)
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


@pytest.fixture
def open_page() -> Iterator[Callable[["User"], Page]]:
    pages: list[Page] = []

    def open_for(person: "User") -> Page:
        pages.append(Page(person.pk))
        return pages[-1]

    yield open_for
    for page in pages:
        page.close()


@pytest.fixture
def redis_away(settings: Any) -> Iterator[None]:
    """Point the live sessions at a port where nobody listens."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    live.client.cache_clear()
    yield
    live.client().close()
    live.client.cache_clear()


class Doorbells:
    """The broker's queues: what was published lies there, since no worker runs."""

    def __init__(self) -> None:
        self._connection = kombu.Connection(django_settings.CELERY_BROKER_URL)
        self._queues = [
            self._connection.SimpleQueue(kombu.Queue(queue.name, queue.exchange, queue.routing_key))
            for queue in django_settings.CELERY_TASK_QUEUES
        ]

    def take(self) -> list[tuple[str, str, Any]]:
        """Return (queue, task, ids) of what was rung until now, and remove it."""
        from notifications import dispatch

        dispatch.finish_ringing()
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


@pytest.fixture
def doorbells() -> Iterator[Doorbells]:
    bells = Doorbells()
    bells.take()
    yield bells
    bells.close()


@pytest.fixture
def side_by_side() -> Callable[..., list[Any]]:
    """Run functions at the same time, each in a thread with its own connection; return their results."""

    def run(*functions: Callable[[], Any]) -> list[Any]:
        start = threading.Barrier(len(functions))
        results: list[Any] = [None] * len(functions)

        def one(index: int) -> None:
            try:
                start.wait(10)
                results[index] = functions[index]()
            except Exception as error:
                results[index] = error
            finally:
                connections.close_all()

        threads = [threading.Thread(target=one, args=(index,)) for index in range(len(functions))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results

    return run


@pytest.fixture
def choose() -> Callable[..., tuple[ChannelChoice, ...]]:
    """Return a producer's channel list; a channel in brackets is meant only if it is active."""

    def build(*channels: Channel | list[Channel]) -> tuple[ChannelChoice, ...]:
        return tuple(
            ChannelChoice(item[0], only_if_active=True) if isinstance(item, list) else ChannelChoice(item)
            for item in channels
        )

    return build


class Records:
    """Records what a claimed try came to, as `delivery` does."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.now = desk.now

    def failure(self, claimed: "Claimed", outcome: AttemptOutcome, error: str = "no") -> "Failure":
        from notifications.store import Failure

        return Failure(claimed, self.now, self.now, outcome, error)

    def success(self, claimed: "Claimed", message_id: str = "m1") -> "Success":
        from notifications.store import Success

        return Success(claimed.delivery_id, claimed.token, self.now, self.now, message_id)

    def failed(self, row: "Delivery | str", kind: FailureKind, error: str = "no") -> Aftermath:
        """Claim the row and record that its channel is used up."""
        from notifications import store

        claimed = self.desk.claim(row, now=self.now)
        return store.fail(self.failure(claimed, AttemptOutcome(kind.value), error), kind, now=self.now)

    def lost(self, row: "Delivery | str", backoff_s: float = 30) -> Aftermath:
        """Claim the row and record that the provider's answer was lost."""
        from notifications import store

        claimed = self.desk.claim(row, now=self.now)
        failure = self.failure(claimed, AttemptOutcome.UNKNOWN, "answer lost")
        return store.lose(failure, now=self.now, backoff_s=backoff_s)


@pytest.fixture
def records(desk: Desk) -> Records:
    return Records(desk)


def unused(_: object) -> None:
    """Stand for what follows slow sends, where there are none."""
    raise AssertionError("a send was left to the recorder thread")
