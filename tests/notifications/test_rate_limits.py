"""Rate limits in a real Redis: the script's arithmetic, with the time given."""

import pytest
import redis
from django.test import override_settings

from notifications import knobs as all_knobs
from notifications import live, rate_limits
from notifications.rate_limits import Limit, reserve
from notifications.states import Channel

START = 1_800_000_000_000


@pytest.fixture(autouse=True)
def fresh_limits():
    yield
    for key in live.client().scan_iter("limit.*"):
        live.client().delete(key)


def at(offset_ms: float, *limits: Limit, sends: int = 1, horizon_s: float = 60) -> list[float]:
    return reserve([limits] * sends, horizon_s=horizon_s, now_ms=int(START + offset_ms))


def test_a_burst_goes_at_once_and_the_rest_gets_slots_one_after_the_other() -> None:
    limit = Limit("x", count=10, period_s=1.0, burst=3)
    assert at(0, limit, sends=6) == [0, 0, 0, 0.1, 0.2, 0.3]


def test_the_allowed_rate_comes_back_with_time() -> None:
    limit = Limit("x", count=1, period_s=1.0)
    assert at(0, limit) == [0]
    assert at(400, limit) == [0.6]
    assert at(2_000, limit) == [0]


def test_the_tightest_of_several_limits_decides_and_a_chat_does_not_hold_up_the_bot() -> None:
    bot, ada, bob = Limit("bot", 10, 1.0, burst=10), Limit("ada", 1, 1.0), Limit("bob", 1, 1.0)
    assert at(0, bot, ada, sends=4) == [0, 1, 2, 3]
    assert at(0, bot, bob) == [0]


def test_beyond_the_horizon_nothing_is_reserved() -> None:
    limit = Limit("x", count=1, period_s=1.0)
    assert at(0, limit, sends=5, horizon_s=2) == [0, 1, 2, 2, 2]
    assert at(1_000, limit, horizon_s=2) == [2]


def test_the_keys_go_away_by_themselves() -> None:
    reserve([(Limit("x", 1, 1.0),)], horizon_s=60)
    assert 0 < live.client().pttl("limit.x") <= 2_100


def test_many_workers_at_once_get_every_slot_once() -> None:
    limit = Limit("x", count=100, period_s=1.0)
    waits = at(0, limit, sends=50) + at(0, limit, sends=50)
    assert sorted(waits) == [pytest.approx(n / 100, abs=0.0011) for n in range(100)]


def test_limits_name_no_address() -> None:
    settings = all_knobs.Knobs()
    for channel, address in ((Channel.TELEGRAM, "424242"), (Channel.EMAIL, "ada@example.org")):
        keys = [limit.key for limit in rate_limits.limits_of(channel, address, settings)]
        assert keys
        assert not any(address in key or "example" in key for key in keys)


def test_a_group_has_a_limit_of_its_own() -> None:
    settings = all_knobs.Knobs()
    _, chat = rate_limits.limits_of(Channel.TELEGRAM, "42", settings)
    _, group = rate_limits.limits_of(Channel.TELEGRAM, "-42", settings)
    assert (chat.count, chat.period_s) == (1, 1.0)
    assert (group.count, group.period_s) == (20, 60.0)


def test_without_redis_nothing_is_limited(unreachable_redis) -> None:
    assert at(0, Limit("x", 1, 1.0), sends=3) == [0, 0, 0]


@pytest.fixture
def unreachable_redis():
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        live.client.cache_clear()
        with pytest.raises(redis.RedisError):
            live.client().ping()
        yield
    live.client.cache_clear()
