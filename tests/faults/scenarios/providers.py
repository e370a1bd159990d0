"""Providers that drop answers, limit, hang or fail."""

import json
import math
import threading
from dataclasses import dataclass

from tests.faults.ledger import arrivals
from tests.faults.run import scenario
from tests.faults.stage import Stage


# The breaker would soon let nothing through, and so hide what is asked here.
@scenario("D3", "answers of Telegram dropped after the message was taken", TOCSIN_BREAKER_SHARE="2")
def drop_answers(stage: Stage) -> None:
    """CRITICAL repeats once at most and says so; NORMAL is recorded and not repeated."""
    count = stage.scaled(1_000, 60)
    stage.system.simulator.misbehave("telegram", drop_answer=True, times=2 * count)
    critical = stage.publish(count, rate=stage.scaled(100, 30), batch=5)
    normal = stage.publish(count, priority="NORMAL", rate=stage.scaled(100, 30), batch=5)
    stage.expect_dead("outcome_unknown")  # NORMAL at once, CRITICAL if the answer to its repeat is lost too
    stage.allow_repeats(count)  # of the CRITICAL ones, at most one each
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
    """The other channels go on as before, and CRITICAL falls back to the next one.

    First with NORMAL events for the provider that hangs, which have nowhere to go: what the mails notice then
    is the hang alone. Then with CRITICAL ones, which become mails themselves. A stretch without a hang stands
    before and after: those two differ as well, by what the machine does with a commit.
    """
    length_s = stage.scaled(40, 6)
    _mails_beside(stage, "NORMAL", length_s=5)  # whatever is done for the first time is done
    well = _mails_beside(stage, "NORMAL", length_s=length_s)
    stage.system.simulator.misbehave("telegram", latency_ms=30_000)
    opened_s: list[float] = []
    watch = threading.Thread(target=lambda: opened_s.append(stage.until(lambda: _is_open(stage), **_OPENS)))
    watch.start()
    hung = _mails_beside(stage, "NORMAL", length_s=length_s)
    watch.join()
    urgent = _mails_beside(stage, "CRITICAL", length_s=length_s)
    stage.expect_dead("outcome_unknown", hung.chats)  # NORMAL: the answers that never came
    stage.allow_repeats(len(urgent.chats))  # CRITICAL: the provider has it, and then the next channel
    stage.system.simulator.behave()
    stage.struck()
    stage.settle()
    for _ in range(20):  # a send that gets through closes the breaker
        if _is_open(stage):
            _mails_beside(stage, "NORMAL", length_s=5)
    again = _mails_beside(stage, "NORMAL", length_s=length_s)
    stage.settle()
    arrived = _mails(stage)
    fallback = _p99([arrived.get(ref, math.inf) - stage.diary.acked[ref] for ref in urgent.chats])
    opened = opened_s[0] if opened_s else math.inf
    stage.figure("breaker open, s", opened, limit="≤ 20", holds=opened <= 20)
    stage.figure("fallback of CRITICAL, p99 s", fallback, limit="≤ 10", holds=fallback <= 10)
    _judge_mails(stage, arrived, (well, hung, urgent, again))


def _judge_mails(stage: Stage, arrived: dict[str, float], stretches: tuple["_Traffic", ...]) -> None:
    """Compare the mails' times before, during and after the hang."""
    before, meanwhile, more, after = (
        1000 * _p99([arrived[ref] - stage.diary.acked[ref] for ref in stretch.mails]) for stretch in stretches
    )
    well_ms = max(before, after)
    stage.figure("e-mail's p99 before and after, ms", f"{before:.0f}, {after:.0f}")
    stage.figure("e-mail's p99 meanwhile, ms", f"{meanwhile:.0f}")
    holds = meanwhile <= max(1.2 * well_ms, well_ms + _UNREST_MS) or not stage.full
    limit = f"≤ 1.2, or {_UNREST_MS} ms more" if stage.full else ""
    stage.figure("meanwhile, by the larger of the others", meanwhile / well_ms, limit=limit, holds=holds)
    stage.figure("e-mail's p99 with the fallbacks on top, ms", f"{more:.0f}")


_UNREST_MS = 10  # by so much two stretches without a hang differ from run to run
_OPENS = {"within_s": 60, "what": "the breaker opens"}


@dataclass(frozen=True, eq=False)
class _Traffic:
    """What was sent in one stretch of time, by event id: for e-mail alone, and for Telegram first."""

    mails: list[str]
    chats: list[str]


def _mails_beside(stage: Stage, priority: str, *, length_s: int) -> _Traffic:
    """Send NORMAL events for e-mail alone, and beside them others whose plan begins with Telegram."""
    chats = _items(stage, stage.scaled(20, 5) * length_s, priority)
    mails = _items(stage, stage.scaled(25, 5) * length_s, "NORMAL")
    for item in chats:
        item["delivery"]["channels"] = ["TELEGRAM"] if priority == "NORMAL" else ["TELEGRAM", "EMAIL"]
    for item in mails:
        item["delivery"]["channels"] = ["EMAIL"]
    producers = [stage.produce(items, rate=len(items) / length_s, batch=1) for items in (chats, mails)]
    for producer in producers:
        producer.join(length_s + 60)
    sent = _Traffic([item["event_id"] for item in mails], [item["event_id"] for item in chats])
    sql = "SELECT count(*) FROM notifications_event WHERE event_id = ANY(%s) AND state = 'accepted'"
    stage.until(
        lambda: not stage.system.query(sql, sent.mails)[0][0], within_s=60, what="the mails have come"
    )
    return sent


def _items(stage: Stage, count: int, priority: str) -> list[dict]:
    """Return events for persons who have both, a chat and a mailbox."""
    items = stage.items(count, priority=priority)
    for number, item in enumerate(items):
        item["user_id"] = f"p{2 * (number % (stage.size.persons // 2)) + 1}"
    return items


def _mails(stage: Stage) -> dict[str, float]:
    found = arrivals(stage.system.written_log(), stage.run)
    return {ref: at for ref, to, at in found if "smtp" in to}


def _is_open(stage: Stage) -> bool:
    return float(stage.system.redis().hget("breaker.TELEGRAM", "until") or 0) > 0


def _p99(waits: list[float]) -> float:
    return sorted(waits)[int(len(waits) * 0.99)] if waits else float("inf")


@scenario("V6", "NORMAL events waiting, and CRITICAL ones arrive")
def urgent_overtakes(stage: Stage) -> None:
    stage.system.simulator.misbehave("telegram", latency_ms=50)
    waiting = stage.publish(stage.scaled(50_000, 600), priority="NORMAL", batch=100, senders=4)
    waiting.join(300)
    urgent = stage.publish(100, rate=20, batch=1)
    urgent.join(60)
    stage.struck()
    stage.system.simulator.behave()
    stage.settle(within_s=900 if stage.full else 60)
    first: dict[str, float] = {}
    for ref, _, at in arrivals(stage.system.written_log(), stage.run):
        first.setdefault(ref, at)
    ids = [item["event_id"] for item in urgent._items]
    p99 = _p99([first[key] - stage.diary.acked[key] for key in ids if key in first])
    stage.figure("CRITICAL to its first try, p99 s", p99, limit="< 5", holds=p99 < 5)


@scenario("V5", "Telegram enforcing its limits: bot, chat and group", TOCSIN_TELEGRAM_PER_S="25")
def rate_limited(stage: Stage) -> None:
    """Everything comes, at nearly the rate that is allowed, and no call is made before its Retry-After.

    Another program sends through the same bot now and then: that is when Telegram refuses us.
    """
    stage.system.simulator.misbehave("telegram", limits=True)
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


_ON_THEIR_WAY_S = 0.5  # calls that left before the first refusal was known are excused


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
    for number in range(times):
        message = {"chat_id": 900_000 + number, "text": "another"}
        stage.system.simulator.http.post(f"/bot{token}/sendMessage", data=message)


def _telegram_calls(stage: Stage) -> list[dict]:
    with stage.system.written_log().open() as lines:
        return [json.loads(line) for line in lines if '"telegram"' in line]
