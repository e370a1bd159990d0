"""What keeps a CRITICAL event on a channel while another one is free."""

from collections.abc import Callable

from tests.faults.run import scenario
from tests.faults.stage import Stage

_BOUND_S = 10.0
_FEW_PER_S, _MANY_PER_S = 15.0, 80.0  # within what Telegram takes at the default limits, and above it
_LIVES_S = 15

# How long each event stayed on its first channel; and the ends that left a channel of the plan untried.
_STAYS = """
SELECT coalesce(max(extract(epoch FROM coalesce(d.ended_at, now()) - e.accepted_at)), 0)::float8
FROM notifications_event e JOIN notifications_delivery d ON d.event_id = e.id AND d.position = 0
WHERE e.event_id = ANY(%s)
"""
_UNTRIED = """
SELECT count(*) FROM notifications_event e WHERE e.event_id LIKE %s AND e.state = 'expired'
  AND jsonb_array_length(e.plan) > (SELECT count(*) FROM notifications_delivery d WHERE d.event_id = e.id)
"""
_BY_CHANNEL = """
SELECT count(*) FILTER (WHERE delivered_via = 2), count(*) FILTER (WHERE delivered_via = 3)
FROM notifications_event WHERE event_id LIKE %s
"""


@scenario("F2", "a first channel that makes CRITICAL wait, and a free second one", TOCSIN_TELEGRAM_PER_S="25")
def long_waits(stage: Stage) -> None:
    """Retry-After of an hour, a breaker, our own limits, killed workers: the next channel follows in time."""
    telegram = stage.system.simulator
    faults: dict[str, tuple[float, Callable[[], object]]] = {
        "429 with an hour, and a held bot": (_FEW_PER_S, lambda: _refuse(stage, retry_after_s=3_600)),
        "a breaker that opens": (_FEW_PER_S, lambda: _refuse(stage, status=502)),
        "our own rate limit": (_MANY_PER_S, telegram.behave),
        "killed workers": (_FEW_PER_S, lambda: telegram.misbehave("telegram", latency_ms=300)),
    }
    for name, (per_s, fault) in faults.items():
        _forget(stage)
        fault()
        _stay(stage, name, per_s, kills=name == "killed workers")
        telegram.behave()
    _forget(stage)
    stage.struck()
    stage.settle()
    [(untried,)] = stage.system.query(_UNTRIED, f"{stage.run}-%")
    [(by_chat, by_mail)] = stage.system.query(_BY_CHANNEL, f"{stage.run}-%")
    stage.figure("expired with a channel untried", untried, limit="0", holds=not untried)
    stage.figure("delivered by chat and by mail", f"{by_chat} / {by_mail}", holds=by_chat > 0 < by_mail)


def _refuse(stage: Stage, **rule: object) -> None:
    stage.system.simulator.misbehave("telegram", **rule)


def _forget(stage: Stage) -> None:
    """Let holds and breakers of the last fault end: an hour's would be the next fault's too."""
    redis = stage.system.redis()
    for pattern in ("limit.*", "breaker.*"):
        for key in redis.scan_iter(pattern):
            redis.delete(key)
    redis.close()


def _stay(stage: Stage, name: str, per_s: float, *, kills: bool) -> None:
    """Publish under a fault, every fifth event with a short life, and measure the first channel's stay."""
    items = stage.items(2 * stage.scaled(500, 60))[1::2]  # these persons have a mailbox as well
    for number, item in enumerate(items):
        item["delivery"]["channels"] = ["TELEGRAM", "EMAIL"]
        if number % 5 == 0 and per_s == _FEW_PER_S:
            item["expires_at"] = item["timestamp"] + 1_000 * (_LIVES_S + int(number / per_s))
    producer = stage.produce(items, rate=per_s, batch=5)
    while kills and not producer.done:
        stage.pause(stage.random.uniform(1, 3))
        stage.system.supervisor.kill(stage.random.choice(stage.system.workers))
        stage.allow_repeats(stage.sends_in_flight(workers=1))
    producer.join(120)
    stage.pause(_BOUND_S + 2)  # by then each has left, or waits for too long
    [(stay_s,)] = stage.system.query(_STAYS, [item["event_id"] for item in items])
    stage.figure(f"{name}: longest stay, s", stay_s, limit=f"≤ {_BOUND_S:g}", holds=stay_s <= _BOUND_S)
