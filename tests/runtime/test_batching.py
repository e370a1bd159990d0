"""When a batch starts and what it holds, on an event loop and on a thread."""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence

import pytest

from runtime.batching import Batcher, ThreadBatcher


class Calls:
    """Doubles each item and records every call; a call waits while `open` is not set."""

    def __init__(self) -> None:
        self.made: list[list[int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, items: Sequence[int]) -> list[int | Exception]:
        self.made.append(list(items))
        await self.open.wait()
        if -1 in items:
            raise ValueError
        return [2 * item for item in items]


async def test_items_of_one_iteration_share_a_call() -> None:
    calls = Calls()
    batcher = Batcher[int, int](calls, weight=10, gather_s=0)
    assert await asyncio.gather(*map(batcher.put, (1, 2, 3))) == [2, 4, 6]
    assert calls.made == [[1, 2, 3]]


async def test_without_gathering_the_first_item_has_a_call_to_itself() -> None:
    calls = Calls()
    batcher = Batcher[int, int](calls, weight=10)
    assert await asyncio.gather(*map(batcher.put, (1, 2, 3))) == [2, 4, 6]
    assert calls.made == [[1], [2, 3]]


async def test_a_batch_gathers_for_a_while() -> None:
    calls = Calls()
    batcher = Batcher[int, int](calls, weight=10, gather_s=0.05)
    first = batcher.put(1)
    await asyncio.sleep(0.01)
    assert calls.made == []
    assert await asyncio.gather(first, batcher.put(2)) == [2, 4]
    assert calls.made == [[1, 2]]


async def test_a_failed_call_fails_its_items_and_not_the_next_ones() -> None:
    batcher = Batcher[int, int](Calls(), weight=2, gather_s=0)
    answers = await asyncio.gather(*map(batcher.put, (1, -1, 3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError, ValueError, int]


async def test_a_flush_waits_for_the_running_call_and_for_all_that_waits() -> None:
    calls = Calls()
    calls.open.clear()
    batcher = Batcher[int, int](calls, weight=1)
    answers = [batcher.put(1), batcher.put(2)]
    flushed = asyncio.ensure_future(batcher.flush())
    await asyncio.wait({flushed}, timeout=0.05)
    assert not flushed.done()
    calls.open.set()
    await flushed
    assert [answer.result() for answer in answers] == [2, 4]


async def test_an_item_after_a_flush_starts_a_call() -> None:
    batcher = Batcher[int, int](Calls(), weight=1, gather_s=0)
    await batcher.put(1)
    await batcher.flush()
    assert await batcher.put(2) == 4


class ThreadCalls:
    """Records every call; a call waits while `open` is not set, and fails for a -1."""

    def __init__(self) -> None:
        self.made: list[list[int]] = []
        self.began = threading.Semaphore(0)
        self.open = threading.Event()
        self.open.set()

    def __call__(self, items: Sequence[int]) -> None:
        self.made.append(list(items))
        self.began.release()
        assert self.open.wait(10)
        if -1 in items:
            raise ValueError


@pytest.fixture
def calls() -> ThreadCalls:
    return ThreadCalls()


def test_a_thread_takes_all_that_gathered_during_its_call(calls: ThreadCalls) -> None:
    batcher = ThreadBatcher[int]("test", calls)
    calls.open.clear()
    batcher.put(1)
    assert calls.began.acquire(timeout=10)
    for item in (2, 3, 4):
        batcher.put(item)
    calls.open.set()
    batcher.flush()
    assert calls.made == [[1], [2, 3, 4]]


def test_a_thread_survives_an_error_and_starts_again_after_a_flush(calls: ThreadCalls) -> None:
    batcher = ThreadBatcher[int]("test", calls)
    batcher.put(-1)
    assert calls.began.acquire(timeout=10)
    batcher.put(1)
    batcher.flush()
    batcher.put(2)
    batcher.flush()
    assert calls.made == [[-1], [1], [2]]


def test_an_idle_thread_calls_back_once_and_goes_on(calls: ThreadCalls) -> None:
    idle = threading.Semaphore(0)
    batcher = ThreadBatcher[int]("test", calls, idle_s=0.05, on_idle=idle.release)
    batcher.put(1)
    assert idle.acquire(timeout=10)
    assert not idle.acquire(timeout=0.2)
    batcher.put(2)
    batcher.flush()
    assert calls.made == [[1], [2]]


def test_a_forked_child_has_a_thread_of_its_own(calls: ThreadCalls) -> None:
    batcher = ThreadBatcher[int]("test", calls)
    batcher.put(1)
    assert calls.began.acquire(timeout=10)
    assert exit_code_of(lambda: (batcher.put(2), batcher.flush(), calls.made == [[1], [2]])[-1]) == 0
    batcher.flush()
    assert calls.made == [[1]]


def exit_code_of(child: Callable[[], bool]) -> int:
    """Run `child` in a fork; return 0 if it is true there."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if child() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
