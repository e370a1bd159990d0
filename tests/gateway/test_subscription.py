"""The subscribing connection against a real Valkey: batches, large messages, refusals and the end."""

import os
from collections.abc import AsyncIterator

import pytest
import redis.asyncio as aioredis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from gateway.subscription import Subscription


@pytest.fixture
async def server() -> AsyncIterator["aioredis.Redis"]:
    async with aioredis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


@pytest.fixture
async def subscription(server) -> AsyncIterator[Subscription]:
    opened = Subscription(server)
    await opened.subscribe("topic.one", "topic.two")
    yield opened
    await opened.aclose()


async def read(subscription: Subscription, count: int) -> list[list[object]]:
    """The next `count` messages, in however many reads they come."""
    found: list[list[object]] = []
    while len(found) < count:
        batch = await subscription.read(10)
        assert batch, "nothing came"
        found += batch
    return found


async def test_the_answers_to_a_subscription_come_first_and_then_every_message_in_order(
    subscription, server
) -> None:
    assert [message[:2] for message in await read(subscription, 2)] == [
        [b"subscribe", b"topic.one"],
        [b"subscribe", b"topic.two"],
    ]
    pipe = server.pipeline(transaction=False)
    for number in range(5_000):
        pipe.publish("topic.one", b"%d" % number)
    await pipe.execute()
    assert await read(subscription, 5_000) == [
        [b"message", b"topic.one", b"%d" % number] for number in range(5_000)
    ]


async def test_a_message_larger_than_a_read_arrives_whole(subscription, server) -> None:
    await read(subscription, 2)
    large = os.urandom(3_000_000)
    await server.publish("topic.two", large)
    assert await read_slowly(subscription) == [[b"message", b"topic.two", large]]


async def read_slowly(subscription: Subscription) -> list[list[object]]:
    """Parts of a message are no message: an empty read may come in between."""
    for _ in range(1_000):
        if found := await subscription.read(10):
            return found
    raise AssertionError("it never came whole")


async def test_a_ping_is_answered(subscription) -> None:
    await read(subscription, 2)
    await subscription.ping()
    assert (await read(subscription, 1))[0][0] == b"pong"


async def test_silence_is_an_empty_list(subscription) -> None:
    await read(subscription, 2)
    assert await subscription.read(0.01) == []


async def test_what_the_server_refuses_is_raised(subscription) -> None:
    await read(subscription, 2)
    await subscription._connection.send_command("GET", "x")  # not while subscribed
    with pytest.raises(ResponseError):
        await subscription.read(10)


async def test_the_end_of_the_connection_is_raised(subscription, server) -> None:
    await read(subscription, 2)
    assert await server.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1
    with pytest.raises((RedisConnectionError, OSError)):
        await subscription.read(10)
