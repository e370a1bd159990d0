"""Telegram's flood control in the simulator, with the time given, and once over HTTP."""

from sandbox.simulator.telegram_limits import BOT_PER_S, CHAT_BURST, GROUP_PER_MINUTE, Limits, TooMany


def taken(limits: Limits, *sends: tuple[str, float]) -> list[bool]:
    return [limits.take(chat, at) is None for chat, at in sends]


def test_a_chat_may_have_a_short_burst_and_then_one_a_second() -> None:
    limits = Limits()
    assert taken(limits, *[("7", 0.0)] * (CHAT_BURST + 1)) == [True] * CHAT_BURST + [False]
    assert taken(limits, ("7", 1.0), ("8", 1.0)) == [True, True]
    assert limits.take("7", 1.0) == TooMany(1, early=False)


def test_a_group_has_twenty_a_minute() -> None:
    limits = Limits()
    assert taken(limits, *[("-7", float(n)) for n in range(GROUP_PER_MINUTE)]) == [True] * GROUP_PER_MINUTE
    assert limits.take("-7", 20.0) == TooMany(40, early=False)
    assert taken(limits, ("-7", 60.5)) == [True]


def test_the_bot_has_thirty_in_any_second_whoever_they_are_for() -> None:
    limits = Limits()
    assert all(taken(limits, *[(str(n), n / 100) for n in range(BOT_PER_S)]))
    assert limits.take("x", 0.5) == TooMany(1, early=False)
    assert limits.take("y", 0.6) == TooMany(1, early=True)
    assert taken(limits, ("y", 1.5)) == [True]


def test_who_comes_before_its_retry_after_is_marked(sandbox) -> None:
    sandbox.misbehave("telegram", limits=True)
    answers = [sandbox.api("sendMessage", chat_id="7", text="hi") for _ in range(CHAT_BURST + 2)]
    assert [answer.status_code for answer in answers] == [200] * CHAT_BURST + [429] * 2
    assert answers[-1].json()["parameters"] == {"retry_after": 1}
    first, second = sandbox.entries(CHAT_BURST + 2)[-2:]
    assert (first.get("early"), second.get("early")) == (None, True)
