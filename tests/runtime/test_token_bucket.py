"""The token bucket, with a clock that is given."""

import pytest

from runtime.token_bucket import TokenBucket


def test_the_burst_passes_at_once_and_no_more() -> None:
    bucket = TokenBucket(rate=20, burst=40, now=100.0)
    assert [bucket.take(100.0) for _ in range(42)] == [True] * 40 + [False] * 2


def test_tokens_come_back_at_the_rate_and_not_above_the_burst() -> None:
    bucket = TokenBucket(rate=20, burst=40, now=0.0)
    while bucket.take(0.0):
        pass
    assert [bucket.take(0.25) for _ in range(6)] == [True] * 5 + [False]
    assert [bucket.take(1_000.0) for _ in range(41)] == [True] * 40 + [False]


def test_a_steady_client_below_the_rate_is_never_refused() -> None:
    bucket = TokenBucket(rate=20, burst=40, now=0.0)
    assert all(bucket.take(number / 19) for number in range(10_000))


def test_reservations_let_a_burst_in_and_then_one_after_the_other() -> None:
    bucket = TokenBucket(10, 3, 5.0)
    assert [bucket.reserve(5.0, within_s=0.25) for _ in range(6)] == [
        0, 0, 0, pytest.approx(0.1), pytest.approx(0.2), None,
    ]  # fmt: skip
    assert bucket.reserve(5.1, within_s=0.25) == pytest.approx(0.2)
    assert [bucket.reserve(60.0, within_s=0) for _ in range(4)] == [0, 0, 0, None]
