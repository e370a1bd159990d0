"""What the tests of the domain are given: people, events in the database, pages, providers, doorbells."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections

from notifications.delivery import breaker
from notifications.events import ChannelChoice
from notifications.states import Channel, FailureKind, Priority, Surface
from notifications.transports import registry
from runtime.redis.client import client
from tests.notifications.desk import Desk, Records
from tests.notifications.other_ends import Doorbells, FakeTransport, Page

if TYPE_CHECKING:
    from notifications.models import Event
    from notifications.operations.replay import Replayed
    from users.models import Destination, User


@pytest.fixture(autouse=True)
def closed_breakers() -> Iterator[None]:
    """An outage that one test played is not the next one's."""
    yield
    for key in client().scan_iter("breaker.*"):
        client().delete(key)
    breaker.forget_local()


@pytest.fixture
def now() -> datetime:
    """The given time. It is about the real one, since dispatch itself reads the clock."""
    return datetime.now(UTC).replace(microsecond=0)


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
def override(settings: Any) -> Callable[..., None]:
    """Override settings for one test."""

    def with_values(**values: Any) -> None:
        for name in ("TOCSIN", "TOCSIN_EDGE"):
            current = getattr(settings, name)
            own = {one.name for one in fields(current)} & values.keys()
            setattr(settings, name, replace(current, **{one: values[one] for one in own}))

    return with_values


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
    client.cache_clear()
    yield
    client().close()
    client.cache_clear()


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


@pytest.fixture
def records(desk: Desk) -> Records:
    return Records(desk)


@pytest.fixture
def dead_letter(desk: Desk, ada: "User", chat: "Destination", records: Records) -> "Event":
    """A CRITICAL event that Telegram refused."""
    event = desk.event(ada, chat, priority=Priority.CRITICAL, correlation_id="c1")
    records.failed(desk.delivery(event), FailureKind.MESSAGE, "too long")
    event.refresh_from_db()
    assert event.state == "failed"
    return event


@pytest.fixture
def replay_again(now: datetime) -> "Callable[..., Replayed]":
    """Replay what a filter means, by default every dead letter, some seconds after the given time."""
    from notifications.operations.replay import Operator, replay
    from notifications.operations.search import EventFilter

    by = Operator(Surface.COMMAND, "tests")

    def run(which: EventFilter | None = None, *, after_s: float = 60.0, **how: Any) -> "Replayed":
        return replay(which or EventFilter(), by=by, now=now + timedelta(seconds=after_s), **how)

    return run
