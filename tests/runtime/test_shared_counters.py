"""Counters that every process sees: in a real Redis."""

import time
from collections.abc import Iterator

import pytest

from runtime.redis import counters
from runtime.redis.client import client
from runtime.redis.counters import SharedCounter


@pytest.fixture
def counter() -> Iterator[SharedCounter]:
    made = SharedCounter("tests_total", "Counted by a test", ["one", "two"])
    yield made
    SharedCounter.all.remove(made)
    client().delete("counter.tests_total")


def test_labels_with_any_characters_are_counted_apart(counter) -> None:
    counter.inc("a", 'b"\t')
    counter.inc("a", 'b"\t')
    counter.inc("a\t", 'b"')
    assert counter.values() == {("a", 'b"\t'): 2, ("a\t", 'b"'): 1}


def test_what_was_added_is_written_with_the_next_count(counter) -> None:
    counter.add("a", "b", by=3)
    assert counter.values() == {}
    counter.inc("a", "c")
    assert counter.values() == {("a", "b"): 3, ("a", "c"): 1}


def test_what_was_counted_while_redis_was_away_is_written_afterwards(counter, settings) -> None:
    url = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client.cache_clear()
    counter.inc("a", "b")
    settings.REDIS_URL = url
    client.cache_clear()
    counters.write(at_s=time.monotonic() + counters.TRY_AGAIN_S)
    assert counter.values() == {("a", "b"): 1}
