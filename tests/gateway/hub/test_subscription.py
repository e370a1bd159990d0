"""The subscribing connection against a real Valkey: batches, large messages, refusals and the end."""

import asyncio
import os
from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from gateway.hub.subscription import Messages, Subscription


class Heard:
    """The messages received, in order. Fails on request, as a real receiver might."""

    def __init__(self) -> None:
        self.messages: Messages = []
        self.fails: Exception | None = None
        self._more = asyncio.Event()

    def take(self, messages: Messages) -> None:
        if self.fails is not None:
            raise self.fails
        self.messages += messages
        self._more.set()

    async def next(self, count: int) -> Messages:
        """Return the next `count` messages."""
        async with asyncio.timeout(10):
            while len(self.messages) < count:
                self._more.clear()
                await self._more.wait()
        found, self.messages = self.messages[:count], self.messages[count:]
        return found


@pytest.fixture
async def server() -> AsyncIterator["aioredis.Redis"]:
    async with aioredis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture
async def heard() -> Heard:
    return Heard()


@pytest.fixture
async def subscription(server, heard) -> AsyncIterator[Subscription]:
    opened = Subscription(server, heard.take)
    await opened.subscribe("topic.one", "topic.two")
    assert [message[:2] for message in await heard.next(2)] == [
        [b"subscribe", b"topic.one"],
        [b"subscribe", b"topic.two"],
    ]
    yield opened
    await opened.aclose()


async def test_every_message_comes_in_order(subscription, heard, server) -> None:
    pipe = server.pipeline(transaction=False)
    for number in range(5_000):
        pipe.publish("topic.one", b"%d" % number)
    await pipe.execute()
    assert await heard.next(5_000) == [[b"message", b"topic.one", b"%d" % number] for number in range(5_000)]


async def test_a_message_larger_than_a_read_arrives_whole(subscription, heard, server) -> None:
    large = os.urandom(3_000_000)
    await server.publish("topic.two", large)
    assert await heard.next(1) == [[b"message", b"topic.two", large]]


async def test_a_channel_may_be_added_and_left(subscription, heard, server) -> None:
    await subscription.subscribe("topic.three")
    await subscription.unsubscribe("topic.one")
    assert [message[:2] for message in await heard.next(2)] == [
        [b"subscribe", b"topic.three"],
        [b"unsubscribe", b"topic.one"],
    ]
    assert await server.publish("topic.one", b"") == 0
    assert await server.publish("topic.three", b"x") == 1
    assert await heard.next(1) == [[b"message", b"topic.three", b"x"]]


async def test_a_ping_is_answered(subscription, heard) -> None:
    await subscription.ping()
    assert (await heard.next(1))[0][0] == b"pong"


async def test_silence_is_told(subscription) -> None:
    await subscription.until_silent(0.01)


async def test_it_is_not_silent_while_something_comes(subscription, heard, server) -> None:
    began = asyncio.get_running_loop().time()
    silent = asyncio.ensure_future(subscription.until_silent(0.5))
    for _ in range(4):
        await asyncio.sleep(0.2)
        await server.publish("topic.one", b"x")
    assert not silent.done()
    await silent
    assert asyncio.get_running_loop().time() - began >= 1.2


async def test_what_the_server_refuses_is_raised(subscription) -> None:
    await subscription._connection.send_command("GET", "x")  # not while subscribed
    with pytest.raises(ResponseError):
        await subscription.until_silent(10)


async def test_what_goes_wrong_with_a_message_is_raised(subscription, heard, server) -> None:
    heard.fails = ValueError("a bug")
    await server.publish("topic.one", b"x")
    with pytest.raises(ValueError, match="a bug"):
        await subscription.until_silent(10)


async def test_the_end_of_the_connection_is_raised(subscription, server) -> None:
    assert await server.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1
    with pytest.raises((RedisConnectionError, OSError)):
        await subscription.until_silent(10)


async def test_closing_waits_for_nobody(subscription, server) -> None:
    async with asyncio.timeout(1):  # redis-py would wait three seconds for a word of the transport's end
        await subscription.aclose()
    with pytest.raises((RedisConnectionError, OSError)):
        await subscription.until_silent(10)
