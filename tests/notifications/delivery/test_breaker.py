"""The breaker in a real Redis, with the time given."""

import pytest
from django.test import override_settings

from notifications.delivery import breaker
from notifications.delivery.breaker import CALLS_AT_LEAST, OPEN_MAX_MS, OPEN_MS, PROBES, WINDOW_MS
from runtime.redis.client import client

START = 1_800_000_000_000


def record(offset_ms: int, *, good: int = 0, bad: int = 0) -> bool:
    return breaker.record("X", calls=good + bad, failed=bad, now_ms=START + offset_ms)


def decision(offset_ms: int) -> breaker.Decision:
    return breaker.decision("X", now_ms=START + offset_ms)


def test_it_stays_closed_while_most_sends_succeed() -> None:
    assert not record(0, good=CALLS_AT_LEAST, bad=CALLS_AT_LEAST - 1)
    assert decision(1) == breaker.Decision()


def test_few_failures_say_nothing() -> None:
    assert not record(0, bad=CALLS_AT_LEAST - 1)
    assert decision(1) == breaker.Decision()


def test_it_opens_when_half_of_the_sends_fail_and_says_for_how_long() -> None:
    assert record(0, good=5, bad=5)
    assert decision(1_000) == breaker.Decision(open=True, wait_s=(OPEN_MS - 1_000) / 1000)


def test_failures_of_an_earlier_window_are_forgotten() -> None:
    record(0, bad=CALLS_AT_LEAST - 1)
    assert not record(WINDOW_MS + 1, good=1, bad=1)


def test_after_its_time_it_lets_a_few_probes_through() -> None:
    record(0, bad=CALLS_AT_LEAST)
    seen = [decision(OPEN_MS + 1) for _ in range(PROBES + 1)]
    assert [item.probe for item in seen] == [True] * PROBES + [False]
    assert seen[-1].open


def test_good_probes_close_it() -> None:
    record(0, bad=CALLS_AT_LEAST)
    for _ in range(PROBES):
        assert decision(OPEN_MS + 1).probe
        record(OPEN_MS + 2, good=1)
    assert decision(OPEN_MS + 3) == breaker.Decision()


def test_a_bad_probe_opens_it_for_twice_as_long_up_to_a_limit() -> None:
    now, opened_for = 0, OPEN_MS
    record(now, bad=CALLS_AT_LEAST)
    for _ in range(6):
        now += opened_for + 1
        assert decision(now).probe
        record(now, bad=1)
        opened_for = min(opened_for * 2, OPEN_MAX_MS)
        assert decision(now).wait_s == opened_for / 1000


def test_probes_that_never_report_do_not_keep_it_open_for_ever() -> None:
    record(0, bad=CALLS_AT_LEAST)
    for _ in range(PROBES):
        decision(OPEN_MS + 1)
    assert decision(OPEN_MS + 2).open
    assert decision(OPEN_MS + 20_000).probe


def test_a_servers_clock_that_is_set_back_opens_it_for_no_longer() -> None:
    record(3_600_000, bad=CALLS_AT_LEAST)
    assert decision(0).wait_s == OPEN_MS / 1000
    assert decision(OPEN_MS + 1).probe


def test_probes_before_the_clock_was_set_back_are_forgotten() -> None:
    record(3_600_000, bad=CALLS_AT_LEAST)
    for _ in range(PROBES):
        decision(3_600_000 + OPEN_MS + 1)
    assert decision(0).open
    assert decision(OPEN_MS + 1).probe


def test_a_window_that_began_before_the_clock_was_set_back_is_over() -> None:
    record(3_600_000, bad=CALLS_AT_LEAST - 1)
    assert not record(0, good=1, bad=1)


def test_results_of_sends_that_were_in_flight_do_not_reopen_or_close_it() -> None:
    record(0, bad=CALLS_AT_LEAST)
    assert record(10, good=50)
    assert decision(20).open


@pytest.mark.parametrize("failed", [0, CALLS_AT_LEAST])
def test_without_redis_each_process_counts_for_itself(failed) -> None:
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        client.cache_clear()
        breaker.record("X", calls=CALLS_AT_LEAST, failed=failed)
        assert breaker.decision("X").open == bool(failed)
    client.cache_clear()
