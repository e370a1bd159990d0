"""What comes in while all calls are busy is taken together; one caller cannot spoil another's answer."""

import asyncio
import threading
from collections.abc import Sequence

import pytest

from gateway.hub.threads import Threads
from gateway.ingress.batching import batched
from runtime.batching import Batcher, Unavailable

pytestmark = pytest.mark.django_db(transaction=True)


class Desk:
    """Answers an item with itself doubled, and remembers each call. A closed door keeps calls waiting."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.connection_limiter = threading.Event()
        self.connection_limiter.set()
        self.inside = threading.Semaphore(0)

    def take(self, items: Sequence[int]) -> list[int | Exception]:
        self.calls.append(list(items))
        self.inside.release()
        assert self.connection_limiter.wait(10)
        if -1 in items:
            raise ValueError("a bug that this item meets")
        if -2 in items:
            raise Unavailable
        return [KeyError(item) if item == 0 else 2 * item for item in items]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def gathering(desk: Desk, *, threads: int = 1, weight: int = 10, patience_s: float = 10) -> Batcher[int, int]:
    return batched(desk.take, Threads("test", threads), weight=weight, patience_s=patience_s)


async def gathered(desk: Desk, asked: Batcher[int, int], items: Sequence[int], *, weight: int = 1) -> list:
    """Return the answers to items that all come while one call is busy."""
    desk.connection_limiter.clear()
    first = asked.put(100)
    assert await asyncio.to_thread(desk.inside.acquire, timeout=10)
    others = [asked.put(item, weight=weight) for item in items]
    await asyncio.sleep(0)
    desk.connection_limiter.set()
    assert await first == 200
    return await asyncio.gather(*others, return_exceptions=True)


async def test_one_alone_is_taken_at_once(desk: Desk) -> None:
    assert await gathering(desk).put(3) == 6
    assert desk.calls == [[3]]


async def test_what_came_meanwhile_is_taken_together_in_its_order(desk: Desk) -> None:
    assert await gathered(desk, gathering(desk), [1, 2, 3]) == [2, 4, 6]
    assert desk.calls == [[100], [1, 2, 3]]


async def test_a_call_takes_so_much_and_no_more(desk: Desk) -> None:
    assert await gathered(desk, gathering(desk, weight=10), [1, 2, 3, 4, 5], weight=4) == [2, 4, 6, 8, 10]
    assert desk.calls == [[100], [1, 2], [3, 4], [5]]


async def test_what_is_heavier_than_a_call_is_taken_alone(desk: Desk) -> None:
    assert await gathered(desk, gathering(desk, weight=10), [1, 2], weight=50) == [2, 4]
    assert desk.calls == [[100], [1], [2]]


async def test_each_thread_has_a_call_of_its_own(desk: Desk) -> None:
    asked = gathering(desk, threads=2)
    desk.connection_limiter.clear()
    both = [asked.put(item) for item in (1, 2)]
    for _ in both:
        assert await asyncio.to_thread(desk.inside.acquire, timeout=10)
    desk.connection_limiter.set()
    assert await asyncio.gather(*both) == [2, 4]
    assert sorted(desk.calls) == [[1], [2]]


async def test_a_refusal_is_its_own_callers(desk: Desk) -> None:
    one, refused, two = await gathered(desk, gathering(desk), [1, 0, 2])
    assert (one, two) == (2, 4)
    assert isinstance(refused, KeyError)


async def test_a_bug_that_one_item_meets_is_not_the_others(desk: Desk) -> None:
    one, failed, two = await gathered(desk, gathering(desk), [1, -1, 2])
    assert (one, two) == (2, 4)
    assert isinstance(failed, ValueError)
    assert desk.calls == [[100], [1, -1, 2], [1], [-1], [2]]


async def test_what_is_away_is_away_for_all_and_not_asked_again(desk: Desk) -> None:
    answers = await gathered(desk, gathering(desk), [1, -2, 2])
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert desk.calls == [[100], [1, -2, 2]]


async def test_who_finds_no_free_call_in_time_is_told_and_not_taken(desk: Desk) -> None:
    asked = gathering(desk, patience_s=0.05)
    desk.connection_limiter.clear()
    first = asked.put(100)
    assert await asyncio.to_thread(desk.inside.acquire, timeout=10)
    with pytest.raises(Unavailable):
        await asked.put(1)
    desk.connection_limiter.set()
    assert await first == 200  # it was taken: its patience is the call's own
    assert await asked.put(2) == 4
    assert desk.calls == [[100], [2]]


async def test_who_has_gone_is_not_taken(desk: Desk) -> None:
    asked = gathering(desk)
    desk.connection_limiter.clear()
    first = asked.put(100)
    assert await asyncio.to_thread(desk.inside.acquire, timeout=10)
    gone, waiting = asked.put(1), asked.put(2)
    await asyncio.sleep(0)
    gone.cancel()
    desk.connection_limiter.set()
    assert await asyncio.gather(first, waiting) == [200, 4]
    assert desk.calls == [[100], [2]]
