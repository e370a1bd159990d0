"""Providers that drop answers, limit, hang or fail."""

import json
import time

import httpx

from tests.faults.ledger import arrivals
from tests.faults.producers import HttpProducer
from tests.faults.run import scenario
from tests.faults.stage import Stage


# The breaker would soon let nothing through, and so hide what is asked here.
@scenario("D3", "answers of Telegram dropped after the message was taken", TOCSIN_BREAKER_SHARE="2")
def drop_answers(stage: Stage) -> None:
    """CRITICAL repeats once at most and says so; NORMAL is recorded and not repeated."""
    count = stage.scaled(1_000, 60)
    stage.system.misbehave("telegram", drop_answer=True, times=2 * count)
    critical = stage.publish(count, rate=stage.scaled(100, 30), batch=5)
    normal = stage.publish(count, priority="NORMAL", rate=stage.scaled(100, 30), batch=5)
    for producer in (critical, normal):
        producer.join(120)
    stage.struck()
    stage.settle()
    times = stage.received()
    ids = {
        name: [item["event_id"] for item in producer._items]
        for name, producer in (("critical", critical), ("normal", normal))
    }
    worst = {name: max(times[event_id] for event_id in ids[name]) for name in ids}
    repeated = {name: sum(times[event_id] > 1 for event_id in ids[name]) for name in ids}
    said = _flagged_texts(stage)
    stage.figure("CRITICAL received, at most", worst["critical"], limit="2", holds=worst["critical"] <= 2)
    stage.figure("CRITICAL repeated", repeated["critical"], limit="≥ 1", holds=repeated["critical"] >= 1)
    stage.figure("NORMAL repeated", repeated["normal"], limit="0", holds=not repeated["normal"])
    stage.figure(
        "repeats that say so in their text",
        f"{said} of {repeated['critical']}",
        limit="all",
        holds=said >= repeated["critical"],
    )


def _flagged_texts(stage: Stage) -> int:
    with stage.system.written_log().open() as lines:
        return sum(stage.run in line and "You may have received this already" in line for line in lines)


@scenario("V7", "a provider that hangs for 30 s")
def hanging_provider(stage: Stage) -> None:
    """CRITICAL falls back to the next channel; the others go on as before."""
    length_s = stage.scaled(40, 10)
    _produce_for_both(stage, length_s)  # the same load while Telegram is well
    by_mail_before = _mail_waits(stage, length_s)
    stage.system.misbehave("telegram", latency_ms=30_000)
    hung_at = time.time()
    chats = _produce_for_both(stage, length_s)
    opened_s = stage.until(lambda: _is_open(stage), within_s=60, what="the breaker opens")
    by_mail = _mail_waits(stage, length_s)
    chats.join(300)
    stage.system.misbehave()
    stage.struck()
    stage.settle()
    mails = _mails(stage)
    waits = [mails[ref] - at for ref, at in stage.diary.acked.items() if ref in mails and at > hung_at + 20]
    stage.figure("breaker open, s", opened_s, limit="≤ 20", holds=opened_s <= 20)
    if stage.full:
        fallback = _p99(waits)
        stage.figure("fallback of what came after 20 s, p99 s", fallback, limit="≤ 10", holds=fallback <= 10)
    ratio = _p99(by_mail) / _p99(by_mail_before)
    stage.figure("e-mail's p99 before and meanwhile, s", f"{_p99(by_mail_before):.2f}, {_p99(by_mail):.2f}")
    stage.figure(
        "e-mail's p99, meanwhile / before",
        ratio,
        limit="≤ 1.2" * stage.full,
        holds=ratio <= 1.2 or not stage.full,
    )


def _produce_for_both(stage: Stage, length_s: int) -> HttpProducer:
    """Start a producer for persons whose plan is Telegram, then e-mail."""
    rate = stage.scaled(20, 5)
    items = stage.items(rate * length_s)
    for number, item in enumerate(items):
        item["user_id"] = f"p{2 * (number % (stage.size.persons // 2)) + 1}"
    return stage.produce(items, rate=rate, batch=1)


def _mail_waits(stage: Stage, length_s: int) -> list[float]:
    """Send events that are for e-mail alone; return the seconds from the ack to the mailbox."""
    rate = stage.scaled(15, 5)
    items = stage.items(rate * length_s, priority="NORMAL")
    for number, item in enumerate(items):
        item["user_id"] = f"p{2 * (number % (stage.size.persons // 2)) + 1}"
        item["delivery"]["channels"] = ["EMAIL"]
    stage.produce(items, rate=rate, batch=1).join(300)
    ids = [item["event_id"] for item in items]
    sql = "SELECT count(*) FROM notifications_event WHERE event_id = ANY(%s) AND state = 'accepted'"
    stage.until(lambda: not stage.system.query(sql, ids)[0][0], within_s=60, what="the mails have come")
    mails = _mails(stage)
    return [mails[event_id] - stage.diary.acked[event_id] for event_id in ids]


def _mails(stage: Stage) -> dict[str, float]:
    found = arrivals(stage.system.written_log(), stage.run)
    return {ref: at for ref, to, at in found if "smtp" in to}


def _is_open(stage: Stage) -> bool:
    return float(stage.system.redis().hget("breaker.TELEGRAM", "until") or 0) > 0


def _p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)] if waits else float("inf")


@scenario("V6", "NORMAL events waiting, and CRITICAL ones arrive")
def urgent_overtakes(stage: Stage) -> None:
    stage.system.misbehave("telegram", latency_ms=50)
    waiting = stage.publish(stage.scaled(50_000, 600), priority="NORMAL", batch=100, senders=4)
    waiting.join(300)
    urgent = stage.publish(100, rate=20, batch=1)
    urgent.join(60)
    stage.struck()
    stage.system.misbehave()
    stage.settle(within_s=900 if stage.full else 60)
    first: dict[str, float] = {}
    for ref, _, at in arrivals(stage.system.written_log(), stage.run):
        first.setdefault(ref, at)
    ids = [item["event_id"] for item in urgent._items]
    p99 = _p99([first[key] - stage.diary.acked[key] for key in ids if key in first])
    stage.figure("CRITICAL to its first try, p99 s", p99, limit="< 5", holds=p99 < 5)


@scenario("V5", "Telegram enforcing its limits: bot, chat and group", TOCSIN_TELEGRAM_PER_S="25")
def rate_limited(stage: Stage) -> None:
    """Everything comes, at nearly the rate that is allowed, and nobody is asked before its Retry-After.

    Another program sends through the same bot now and then: that is when Telegram refuses us.
    """
    stage.system.misbehave("telegram", limits=True)
    items = stage.items(stage.scaled(5_000, 300))
    for item in items[: stage.scaled(60, 6)]:
        item["user_id"] = "p0"  # one chat gets far more than one a second
    stage.produce(items, batch=20)
    for _ in range(stage.scaled(5, 1)):
        stage.pause(stage.scaled(20, 4))
        _use_the_bot(stage, times=40)
    stage.struck()
    stage.settle(within_s=len(items) / 20 + 60)
    calls = _telegram_calls(stage)
    ours = [call for call in calls if stage.run in call.get("text", "")]
    taken = [call["at_ms"] / 1000 for call in ours if call["outcome"] == "accepted"]
    refused = sum(call.get("status") == 429 for call in ours)
    early = _early(calls, stage.run)
    share = 100 * len(taken) / _allowed(calls, min(taken), max(taken))
    stage.figure("messages by Telegram", len(taken))
    stage.figure("of what Telegram allowed, %", share, limit="≥ 80", holds=share >= 80)
    stage.figure("requests refused with Retry-After", refused, limit="≥ 1", holds=refused >= 1)
    stage.figure("requests before their Retry-After", early, limit="0", holds=not early)


_ON_THEIR_WAY_S = 0.5  # what left before the first refusal was known is nobody's fault


def _early(calls: list[dict], run: str) -> int:
    """Return how many of our calls came although the answer to an earlier one had named a later time."""
    told_at, early = 0.0, 0
    for call in calls:
        if call.get("status") != 429 or run not in call.get("text", ""):
            continue
        at = call["at_ms"] / 1000
        if call.get("early") and 0 < at - told_at < 1 and at - told_at > _ON_THEIR_WAY_S:
            early += 1
        elif at - told_at >= 1:
            told_at = at  # the first that we hear of this one
    return early


def _allowed(calls: list[dict], since: float, until: float) -> float:
    """Return how many messages were allowed: not while a Retry-After ran, and less what the other sent."""
    within = [call for call in calls if since <= call["at_ms"] / 1000 <= until]
    shut_s = sum(call.get("status") == 429 and not call.get("early") for call in within)
    others = sum(call["outcome"] == "accepted" and "another" in call.get("text", "") for call in within)
    return 30 * (until - since - shut_s) - others


def _use_the_bot(stage: Stage, *, times: int) -> None:
    token = stage.system.environment["TELEGRAM_BOT_TOKEN"]
    with httpx.Client(base_url=stage.system.simulator_url, trust_env=False, timeout=5) as client:
        for number in range(times):
            client.post(f"/bot{token}/sendMessage", data={"chat_id": 900_000 + number, "text": "another"})


def _telegram_calls(stage: Stage) -> list[dict]:
    with stage.system.written_log().open() as lines:
        return [json.loads(line) for line in lines if '"telegram"' in line]
