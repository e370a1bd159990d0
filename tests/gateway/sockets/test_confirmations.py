"""What is gathered before it is stored: bounded, and nothing is kept of what was refused."""

import asyncio

import pytest

from gateway.sockets.confirmations import AT_MOST, Confirmations, Overloaded


async def test_what_is_too_much_is_refused_whole() -> None:
    gathered = Confirmations()
    with pytest.raises(Overloaded):
        gathered.add(1, [f"e{number}" for number in range(AT_MOST + 1)], "socket")
    assert gathered._waiting == {}
    await gathered.flush()


async def test_an_event_that_two_sockets_confirm_is_kept_once_for_the_first() -> None:
    gathered = Confirmations()
    first = gathered.add(1, ["a", "b"], "first")
    second = gathered.add(1, ["b", "c"], "second")
    assert first is second
    assert gathered._waiting == {(1, "a"): "first", (1, "b"): "first", (1, "c"): "second"}
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
