"""The token bucket, with a clock that is given."""

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
