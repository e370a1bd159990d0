"""When watchers are looked up, in which batches, and that one failure does not end it for the others."""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack

import pytest
from django.db import OperationalError

from runtime.periodic import Periodic

HOUR = 3600.0


class Looks:
    """Finds ten times the key for every key but 0, and records the keys of each look-up."""

    def __init__(self) -> None:
        self.made: list[list[int]] = []
        self.failure: Exception | None = None
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, keys: Sequence[int]) -> dict[int, int]:
        self.made.append(list(keys))
        self.entered.set()
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        return {key: 10 * key for key in keys if key}


class Watchers:
    """Watches keys; `found` yields what the callbacks got."""

    def __init__(self, periodic: Periodic[int, int], stack: ExitStack) -> None:
        self.found: asyncio.Queue[int] = asyncio.Queue()
        self._periodic = periodic
        self._stack = stack

    def add(self, *keys: int) -> None:
        for key in keys:
            self._stack.enter_context(self._periodic.watching(key, self.found.put_nowait))

    async def next(self, number: int) -> list[int]:
        async with asyncio.timeout(10):
            return [await self.found.get() for _ in range(number)]


@pytest.fixture
async def looks() -> Looks:
    return Looks()


@pytest.fixture
def watch(looks: Looks):
    """Start a `Periodic` with a short tick; all watchers leave at the end."""
    with ExitStack() as stack:

        def watch(*, every_s: float = HOUR, batch: int = 10, tick_s: float = 0.01):
            periodic = Periodic[int, int](
                "test", looks, every_s=lambda: every_s, jitter=0.5, batch=batch, tick_s=tick_s
            )
            return periodic, Watchers(periodic, stack)

        yield watch


async def test_a_watcher_is_looked_up_again_and_again(looks, watch) -> None:
    _, watchers = watch(every_s=0.02)
    watchers.add(1)
    assert await watchers.next(3) == [10, 10, 10]
    assert looks.made[:3] == [[1], [1], [1]]


async def test_nobody_is_looked_up_before_the_pause_is_over(looks, watch) -> None:
    periodic, watchers = watch()
    watchers.add(1, 2)
    periodic.hurry(lambda key: key == 2)
    assert await watchers.next(1) == [20]
    assert looks.made == [[2]]


async def test_the_turn_is_at_random_within_the_jitter(watch) -> None:
    periodic, watchers = watch(every_s=100)
    watchers.add(*range(200))
    now = asyncio.get_running_loop().time()
    waits = [watcher.due - now for watcher in periodic._watchers.values()]
    assert 99 < min(waits) < 110
    assert 140 < max(waits) <= 150


async def test_a_tick_looks_up_one_batch_and_a_hurry_at_once_all(looks, watch) -> None:
    periodic, watchers = watch(batch=2)
    watchers.add(1, 2, 3)
    periodic.hurry()
    assert await watchers.next(3) == [10, 20, 30]
    assert looks.made == [[1, 2], [3]]
    slow, others = watch(batch=2, tick_s=HOUR)
    others.add(4, 5, 6)
    slow.hurry(at_once=True)
    assert await others.next(3) == [40, 50, 60]


async def test_a_hurry_gives_one_turn_more_and_no_second_series(looks, watch) -> None:
    periodic, watchers = watch()
    watchers.add(1)
    for _ in range(3):
        periodic.hurry(at_once=True)
    assert await watchers.next(1) == [10]
    periodic.hurry(at_once=True)
    assert await watchers.next(1) == [10]
    assert looks.made == [[1], [1]]


async def test_what_is_not_found_or_has_left_is_not_called_back(looks, watch) -> None:
    periodic, watchers = watch()
    left: list[int] = []
    watchers.add(0, 1)
    with periodic.watching(2, left.append):
        looks.open.clear()
        periodic.hurry(at_once=True)
        await looks.entered.wait()
    looks.open.set()
    assert await watchers.next(1) == [10]
    assert (looks.made, left, watchers.found.empty()) == ([[0, 1, 2]], [], True)


@pytest.mark.parametrize("failure", [OperationalError(), ZeroDivisionError()])
async def test_a_failed_look_up_is_repeated_soon(looks, watch, failure: Exception) -> None:
    periodic, watchers = watch()
    watchers.add(1)
    looks.failure = failure
    periodic.hurry(at_once=True)
    await looks.entered.wait()
    await asyncio.sleep(0)
    due = next(iter(periodic._watchers.values())).due
    assert 0 < due - asyncio.get_running_loop().time() <= 5
    looks.failure = None
    periodic.hurry(at_once=True)
    assert await watchers.next(1) == [10]


async def test_a_failing_callback_does_not_stop_the_others(looks, watch) -> None:
    periodic, watchers = watch()

    def fail(_: int) -> None:
        raise ZeroDivisionError

    with periodic.watching(7, fail):
        watchers.add(1)
        periodic.hurry(at_once=True)
        assert await watchers.next(1) == [10]
