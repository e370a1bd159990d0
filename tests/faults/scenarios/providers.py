"""Providers that drop answers, limit, hang or fail."""

import time
from itertools import pairwise

from tests.faults.ledger import arrivals
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
    stage.system.misbehave("telegram", latency_ms=30_000)
    items = stage.items(stage.scaled(2_000, 100))
    for number, item in enumerate(items):
        item["user_id"] = f"p{2 * (number % (stage.size.persons // 2)) + 1}"  # who has e-mail too
    started, open_within_s = time.time(), stage.scaled(20, 3)
    producer = stage.produce(items, rate=stage.scaled(50, 10), batch=1)
    producer.join(300)
    stage.pause(stage.scaled(30, 5))
    stage.system.misbehave()
    stage.struck()
    stage.settle()
    accepted = {event_id: at for event_id, at in stage.diary.acked.items() if at > started + open_within_s}
    mails = {ref: at for ref, to, at in arrivals(stage.system.written_log(), stage.run) if "smtp" in to}
    waits = sorted(mails[ref] - at for ref, at in accepted.items() if ref in mails)
    p99 = waits[int(len(waits) * 0.99)] if waits else float("inf")
    name = f"fallback of what came after {open_within_s} s, p99 s"
    stage.figure(name, p99, limit="≤ 10", holds=p99 <= 10)


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
    waits = sorted(first[key] - stage.diary.acked[key] for key in ids if key in first)
    p99 = waits[int(len(waits) * 0.99)] if waits else float("inf")
    stage.figure("CRITICAL to its first try, p99 s", p99, limit="< 5", holds=p99 < 5)


@scenario("V5", "Telegram's 429 with Retry-After")
def rate_limited(stage: Stage) -> None:
    """Nobody is asked again before the time that the answer named."""
    chat = "10000"
    stage.system.misbehave("telegram", retry_after_s=3, match=chat, times=5)
    items = stage.items(stage.scaled(500, 40))
    for item in items[:5]:
        item["user_id"] = "p0"
    stage.produce(items, rate=20, batch=1)
    stage.settle()
    asked = [entry for entry in _requests(stage) if entry["to"] == chat]
    early = 0
    by_event: dict[str, list[dict]] = {}
    for entry in asked:
        by_event.setdefault(entry["text"], []).append(entry)
    for entries in by_event.values():
        early += sum(
            first["outcome"] == "refused" and second["at_ms"] - first["at_ms"] < 3_000
            for first, second in pairwise(entries)
        )
    refused = sum(entry["outcome"] == "refused" for entry in asked)
    stage.figure("requests refused with Retry-After", refused, limit="≥ 1", holds=refused >= 1)
    stage.figure("requests before their Retry-After", early, limit="0", holds=not early)


def _requests(stage: Stage) -> list[dict]:
    import json

    with stage.system.written_log().open() as lines:
        return [json.loads(line) for line in lines if stage.run in line and '"telegram"' in line]
