"""Rate limits in a real Redis: the script's arithmetic, with the time given."""

import pytest
import redis
from django.test import override_settings

from notifications.delivery import rate_limits
from notifications.delivery.rate_limits import Ask, hold, reserve
from notifications.settings import PipelineSettings
from notifications.states import Channel
from notifications.transports.spec import Limit
from runtime.redis.client import client

START = 1_800_000_000_000


@pytest.fixture(autouse=True)
def fresh_limits():
    yield
    for key in client().scan_iter("limit.*"):
        client().delete(key)


def at(offset_ms: float, *limits: Limit, sends: int = 1, horizon_s: float = 60) -> list[float]:
    return reserve([Ask(limits, horizon_s)] * sends, now_ms=int(START + offset_ms))


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
    assert at(1_000, limit, sends=2, horizon_s=2) == [1, 2]


BOT, ADA, BOB = Limit("bot", 10, 1.0, burst=3), Limit("ada", 1, 1.0), Limit("bob", 1, 1.0)


def retry_after(wait_s: float, *limits: Limit, at_ms: int = 0) -> None:
    hold(limits, wait_s=wait_s, now_ms=START + at_ms)


def test_a_retry_after_holds_its_chat_and_no_other() -> None:
    retry_after(3, BOT, ADA)
    assert at(0, BOT, ADA, sends=2) == [3, 4]
    assert at(0, BOT, BOB) == [0]


def test_a_slot_that_was_reserved_before_does_not_outrun_a_retry_after() -> None:
    mine = Ask((BOT, ADA), 60, has_slot=True)
    assert reserve([mine], now_ms=START) == [0]
    retry_after(3, BOT, ADA)
    assert reserve([mine], now_ms=START + 1_000) == [2]
    assert reserve([mine], now_ms=START + 3_000) == [0]


def test_several_chats_that_are_refused_within_a_second_hold_the_bot() -> None:
    for chat in (ADA, BOB):
        retry_after(5, BOT, chat)
    assert at(0, BOT, Limit("cy", 1, 1.0)) == [0]
    retry_after(5, BOT, Limit("dee", 1, 1.0))
    assert at(0, BOT, Limit("eve", 1, 1.0)) == [5]


def test_a_servers_clock_that_is_set_back_leaves_no_slot_and_no_hold_further_ahead_than_before() -> None:
    limit = Limit("x", count=1, period_s=1.0)
    assert at(3_600_000, limit, sends=3) == [0, 1, 2]
    assert at(0, limit, sends=2) == [0, 1]
    retry_after(30, BOT, ADA, at_ms=3_600_000)
    assert at(1_000, BOT, ADA) == [30]
    assert at(32_000, BOT, ADA)[0] < 2


def test_strikes_of_long_ago_do_not_add_up_when_the_servers_clock_was_set_back() -> None:
    key = "limit.hold.bot.strikes"
    client().set(key, 1, px=3_600_000)  # what a second became
    retry_after(5, BOT, ADA)
    assert client().pttl(key) <= 1_000


def test_in_no_second_go_more_than_telegram_allows(override) -> None:
    override(telegram_per_s=PipelineSettings().telegram_per_s)
    bot, _ = rate_limits.limits_of(Channel.TELEGRAM, "42")
    slots = sorted(at(0, bot, sends=100))
    assert max(sum(first <= slot < first + 1 for slot in slots) for first in slots) <= 30


def test_the_keys_go_away_by_themselves() -> None:
    reserve([Ask((Limit("x", 1, 1.0),), 60)])
    assert 0 < client().pttl("limit.x") <= 2_100


def test_many_workers_at_once_get_every_slot_once() -> None:
    limit = Limit("x", count=100, period_s=1.0)
    waits = at(0, limit, sends=50) + at(0, limit, sends=50)
    assert sorted(waits) == [pytest.approx(n / 100, abs=0.0011) for n in range(100)]


def test_limits_name_no_address(override) -> None:
    override(telegram_per_s=25)
    for channel, address in ((Channel.TELEGRAM, "424242"), (Channel.EMAIL, "ada@example.org")):
        keys = [limit.key for limit in rate_limits.limits_of(channel, address)]
        assert keys
        assert not any(address in key or "example" in key for key in keys)


def test_a_rate_of_zero_switches_off_the_limits_of_telegram_only(override) -> None:
    override(telegram_per_s=0)
    assert rate_limits.limits_of(Channel.TELEGRAM, "42") == ()
    assert rate_limits.limits_of(Channel.EMAIL, "ada@example.org") != ()


def test_a_group_has_a_limit_of_its_own(override) -> None:
    override(telegram_per_s=25)
    _, chat = rate_limits.limits_of(Channel.TELEGRAM, "42")
    _, group = rate_limits.limits_of(Channel.TELEGRAM, "-42")
    assert (chat.count, chat.period_s) == (1, 1.0)
    assert (group.count, group.period_s) == (20, 60.0)


def test_a_server_that_forgot_the_scripts_gets_them_again() -> None:
    limit = Limit("x", count=1, period_s=1.0)
    assert at(0, limit) == [0]
    client().script_flush()
    assert at(0, limit, sends=2) == [1, 2]
    client().script_flush()
    hold([limit], wait_s=10, now_ms=START)
    assert at(0, limit) == [10]


def test_without_redis_nothing_is_limited(unreachable_redis) -> None:
    assert at(0, Limit("x", 1, 1.0), sends=3) == [0, 0, 0]


@pytest.fixture
def unreachable_redis():
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        client.cache_clear()
        with pytest.raises(redis.RedisError):
            client().ping()
        yield
    client.cache_clear()
