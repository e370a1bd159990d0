"""What operators see of a channel on which messages wait or fail."""

from datetime import UTC, datetime

import pytest

from notifications.delivery import breaker, channel_health, rate_limits
from notifications.delivery.breaker import CALLS_AT_LEAST
from notifications.states import AttemptOutcome, Channel
from runtime.redis.client import client

SENT, FAILED, LIMITED = AttemptOutcome.SENT, AttemptOutcome.TEMPORARY, AttemptOutcome.LIMITED
AT = datetime(2026, 11, 28, 12, 3, 10, tzinfo=UTC)


def count(*outcomes: AttemptOutcome) -> None:
    channel_health.count(Channel.TELEGRAM, outcomes, now=AT)


def test_a_channel_that_works_is_not_named() -> None:
    count(SENT, FAILED, FAILED)
    assert channel_health.degraded() == {}
    assert channel_health.open_breakers() == {"TELEGRAM": 0, "EMAIL": 0}


def test_few_sends_that_all_fail_are_named_although_no_breaker_opens() -> None:
    for _ in range(3):
        count(FAILED)
    reason = channel_health.degraded()["TELEGRAM"]
    assert reason == "no send has succeeded since 2026-11-28 12:03:10 UTC, the last failed: temporary"


def test_a_success_ends_it() -> None:
    count(*[FAILED] * 5)
    count(FAILED, SENT, LIMITED)
    assert channel_health.degraded() == {}


def test_an_open_breaker_is_named_until_it_has_closed() -> None:
    breaker.record("EMAIL", calls=CALLS_AT_LEAST, failed=CALLS_AT_LEAST)
    assert channel_health.degraded() == {"EMAIL": "its breaker is open"}
    assert channel_health.open_breakers() == {"TELEGRAM": 0, "EMAIL": 1}


@pytest.fixture
def limited(override):
    override(telegram_per_s=25)
    yield
    for key in client().scan_iter("limit.*"):
        client().delete(key)


def test_a_bot_that_is_held_is_named_with_the_time_that_is_left(limited) -> None:
    for chat in ("1", "2", "3"):
        rate_limits.hold(rate_limits.limits_of(Channel.TELEGRAM, chat), wait_s=3_600)
    assert channel_health.degraded() == {"TELEGRAM": "held for 3600 s by the provider's Retry-After"}


def test_what_is_counted_once_is_counted_once_also_after_the_server_forgot_its_scripts() -> None:
    client().delete("counter.tocsin_sends_total")
    for _ in range(2):
        client().script_flush()
        channel_health.count(Channel.EMAIL, [FAILED] * (CALLS_AT_LEAST // 2), providers_fault=5, now=AT)
    assert channel_health.SENDS.values() == {("EMAIL", "temporary"): CALLS_AT_LEAST}
    assert channel_health.open_breakers()["EMAIL"] == 1


def test_a_count_that_redis_did_not_take_follows_with_the_next_one(settings) -> None:
    client().delete("counter.tocsin_sends_total")
    url = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    client.cache_clear()
    count(SENT)
    settings.REDIS_URL = url
    client.cache_clear()
    count(SENT)
    assert channel_health.SENDS.values() == {("TELEGRAM", "sent"): 2}
