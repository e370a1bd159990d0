"""The session hub against a real Valkey: one subscription a channel, through every kind of trouble."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest
import redis.asyncio as aioredis

from gateway.hub.hub import Hub
from sandbox.system.start import free_port


async def eventually(found: Callable[[], object], within_s: float = 10) -> None:
    """Wait until `found` (plain or awaitable) is true; fail after `within_s`."""
    deadline = time.monotonic() + within_s
    while True:
        value = found()
        if await value if asyncio.iscoroutine(value) else value:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


@pytest.fixture
async def server() -> AsyncIterator["aioredis.Redis"]:
    async with aioredis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        yield client


async def subscribers(server: "aioredis.Redis", channel: str) -> int:
    return (await server.pubsub_numsub(channel))[0][1]


async def close(hub: Hub) -> None:
    assert hub._reader is not None
    hub._reader.cancel()
    await asyncio.gather(hub._reader, return_exceptions=True)
    await hub._pubsub.aclose()
    await hub._redis.aclose()


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    started = Hub(os.environ["REDIS_URL"])
    yield started
    await close(started)


async def kill_connections(server: "aioredis.Redis") -> None:
    assert await server.execute_command("CLIENT", "KILL", "TYPE", "pubsub") >= 1


async def test_every_receiver_of_a_channel_gets_every_message_in_order(hub, server) -> None:
    first, second, other = [], [], []
    async with (
        hub.listening("user.1", first.append),
        hub.listening("user.1", second.append),
        hub.listening("user.2", other.append),
    ):
        assert await subscribers(server, "user.1") == 1
        for number in range(50):
            await server.publish("user.1", str(number))
        await server.publish("user.2", b"\xff")
        await eventually(lambda: other and len(first) == len(second) == 50)
    assert first == second == [str(number).encode() for number in range(50)]
    assert other == [b"\xff"]


async def test_the_last_receiver_ends_the_subscription(hub, server) -> None:
    async with hub.listening("user.1", lambda _: None):
        async with hub.listening("user.1", lambda _: None):
            pass
        assert await subscribers(server, "user.1") == 1
    await eventually(lambda: _is_zero(server))


async def _is_zero(server) -> bool:
    return await subscribers(server, "user.1") == 0


async def test_who_comes_while_another_leaves_is_subscribed(hub, server) -> None:
    received: list[bytes] = []
    for number in range(20):
        async with AsyncExitStack() as stay:
            async with hub.listening("user.1", lambda _: None):
                coming = asyncio.create_task(
                    stay.enter_async_context(hub.listening("user.1", received.append))
                )
                await asyncio.sleep(0)
            await coming
            assert await server.publish("user.1", b"x") == 1
            await eventually(lambda number=number: len(received) == number + 1)
    await eventually(lambda: _is_zero(server))


async def test_a_broken_connection_is_made_again_with_every_subscription(hub, server) -> None:
    received: list[bytes] = []
    async with hub.listening("user.1", received.append), hub.listening("user.2", received.append):
        for channel in ("user.1", "user.2"):
            await kill_connections(server)
            await eventually(lambda channel=channel: server.publish(channel, channel))
            await eventually(lambda channel=channel: channel.encode() in received)


async def test_who_comes_while_the_connection_is_made_again_is_subscribed(hub, server) -> None:
    received: list[bytes] = []
    async with hub.listening("user.1", lambda _: None), AsyncExitStack() as stay:
        await kill_connections(server)
        comers = [hub.listening(f"new.{number}", received.append) for number in range(10)]
        await asyncio.gather(*(stay.enter_async_context(comer) for comer in comers))
        for number in range(10):
            await eventually(lambda number=number: server.publish(f"new.{number}", b"x"))
        await eventually(lambda: len(received) >= 10)


async def test_a_receiver_that_raises_stops_nobody_else(hub, server) -> None:
    received: list[bytes] = []

    def broken(_: bytes) -> None:
        raise RuntimeError("a socket's trouble")

    async with hub.listening("user.1", broken), hub.listening("user.1", received.append):
        for data in (b"1", b"2"):
            await server.publish("user.1", data)
            await eventually(lambda data=data: data in received)


async def test_who_is_cancelled_while_coming_leaves_nothing_behind(server) -> None:
    hub = Hub(f"redis://127.0.0.1:{free_port(0)}/0")
    coming = asyncio.create_task(hub.listening("user.1", lambda _: None).__aenter__())
    await eventually(lambda: hub._receivers.get("user.1"))
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)
    assert not hub._receivers
    await close(hub)


async def test_without_redis_many_come_in_the_time_of_one() -> None:
    hub = Hub(f"redis://127.0.0.1:{free_port(0)}/0")
    began = time.monotonic()
    async with AsyncExitStack() as stay:
        comers = [hub.listening(f"user.{number}", lambda _: None) for number in range(50)]
        await asyncio.gather(*(stay.enter_async_context(comer) for comer in comers))
        assert time.monotonic() - began < 6
    await close(hub)
