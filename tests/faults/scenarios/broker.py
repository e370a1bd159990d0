"""Redis emptied, killed, or out of reach: doorbells and wakes are lost, events are not."""

import time
from itertools import pairwise

import redis

from tests.faults.ledger import arrivals
from tests.faults.run import scenario
from tests.faults.stage import Stage


@scenario("L2", "FLUSHALL three times under load", mixed=True)
def flush_everything(stage: Stage) -> None:
    producer = stage.publish(stage.scaled(18_000, 250), rate=stage.scaled(250, 50), batch=stage.scaled(20, 5))
    stream = stage.publish_to_stream(stage.scaled(2_000, 50), rate=stage.scaled(30, 10))
    stage.allow_second_finals(len(stream._items))  # sent again after a flush if it was not noted as read
    client = stage.system.redis()
    for _ in range(3):
        stage.pause(stage.scaled(15, 1))
        client.flushall()
    client.close()
    stage.struck()
    due_again_s = stage.until(
        lambda: producer.done and not _overdue(stage, 10), within_s=120, what="the backlog is due again"
    )
    stage.settle()
    stage.figure("backlog due again, s", due_again_s, limit="< 60", holds=due_again_s < 60)
    stage.figure("stream's events with an ack", stream.done, limit="True", holds=stream.done)


def _overdue(stage: Stage, seconds: int) -> int:
    """Return how many rows of this run have been overdue for so many seconds."""
    sql = (
        "SELECT count(*) FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id"
        " WHERE e.event_id LIKE %s AND d.ring_at < now() - make_interval(secs => %s)"
    )
    return int(stage.system.query(sql, f"{stage.run}-%", seconds)[0][0])


@scenario("L3", "Redis killed three times for 30 s, empty on return", mixed=True)
def kill_redis(stage: Stage) -> None:
    away_s, between_s = stage.scaled(30, 4), stage.scaled(20, 5)
    rate = stage.scaled(20_000, 300) / (3 * (away_s + between_s))
    producer = stage.publish(rate=rate, batch=stage.scaled(20, 5))
    back_s, away = [], []
    for _ in range(3):
        started = time.time()
        stage.system.kill_valkey()
        stage.pause(away_s)
        away.append((started, time.time()))
        stage.system.valkey.start()
        stage.struck()
        back_s.append(stage.until(_consuming(stage), within_s=60, what="workers consume again"))
        stage.pause(between_s)
    stage.settle()
    meanwhile = [
        status for at, status, _ in producer.diary.answered if any(low <= at <= high for low, high in away)
    ]
    refused = sum(not status.startswith("2") for status in meanwhile)
    slowest = max(took for _, _, took in producer.diary.answered)
    stage.figure(
        "answers while Redis was away",
        f"{len(meanwhile)}, {refused} not 2xx",
        limit="only 2xx",
        holds=bool(meanwhile) and not refused,
    )
    stage.figure("slowest answer, s", slowest, limit="< 10", holds=slowest < 10)
    stage.figure("workers resume, worst of three, s", max(back_s), limit="< 30", holds=max(back_s) < 30)


def _consuming(stage: Stage):
    """Return a check that becomes true once an event that was sent after now has arrived."""
    canary = stage.produce(stage.items(1), batch=1, senders=1)
    wanted = canary._items[0]["event_id"]
    return lambda: stage.received()[wanted] > 0


# An open breaker would keep most first tries back, and they are what has to fail.
@scenario(
    "L6",
    "the broker goes away exactly when retries are scheduled",
    proxied=("valkey",),
    mixed=True,
    TOCSIN_BREAKER_SHARE="2",
)
def broker_away_at_the_retry(stage: Stage) -> None:
    """Every first try fails for a passing reason; as the failures come in, the broker is cut off."""
    proxy = stage.system.proxies["valkey"]
    count = stage.scaled(20_000, 300)
    stage.system.simulator.misbehave("telegram", status=502)
    stage.publish(count, rate=stage.scaled(250, 60), batch=stage.scaled(20, 5))
    count = sum(len(producer._items) for producer in stage.producers)
    sql = "SELECT count(*) FROM notifications_attempt WHERE outcome = 'temporary'"
    stage.until(lambda: stage.system.query(sql)[0][0] >= count // 20, within_s=60, what="tries have failed")
    proxy.refuse()
    stage.pause(stage.scaled(30, 6))
    stage.system.simulator.behave()
    failed = {row[0] for row in stage.system.query(_DEFERRED, f"{stage.run}-%")}
    proxy.heal()
    stage.struck()
    took_s = stage.until(
        lambda: not failed & {row[0] for row in stage.system.query(_DEFERRED, f"{stage.run}-%")},
        within_s=120,
        what="all that had failed is tried again",
    )
    stage.settle()
    stage.figure("rows deferred while the broker was away", len(failed), limit="≥ 1", holds=bool(failed))
    stage.figure("tried again after its return, s", took_s, limit="< 60", holds=took_s < 60)


_DEFERRED = (
    "SELECT d.id FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id"
    " WHERE e.event_id LIKE %s AND d.state = 'deferred'"
)


@scenario("R1", "the broker away for ten minutes", proxied=("valkey",))
def broker_away_long(stage: Stage) -> None:
    away_s = stage.scaled(600, 15)
    proxy = stage.system.proxies["valkey"]
    stage.publish(stage.scaled(6_000, 100), rate=stage.scaled(10, 10), batch=1)
    stage.pause(2)
    proxy.refuse()
    stage.pause(away_s)
    proxy.heal()
    stage.struck()
    back_s = stage.until(_consuming(stage), within_s=90, what="workers consume again")
    stage.settle()
    stage.figure("consuming after its return, s", back_s, limit="< 30", holds=back_s < 30)
    died = {name: child.ends for name, child in stage.system.supervisor.children.items() if child.ends}
    stage.figure("processes that ended meanwhile", len(died), limit="0", holds=not died)


@scenario("R2", "CLIENT KILL of every connection each 5 s")
def kill_connections(stage: Stage) -> None:
    """A canary goes out every second; the gap between two that arrive is the figure."""
    length_s = stage.scaled(120, 15)
    client = stage.system.redis()
    canaries = stage.publish(length_s, rate=1, batch=1, senders=1)
    until = time.monotonic() + length_s
    while time.monotonic() < until:
        for kind in ("normal", "pubsub"):
            try:
                client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            except redis.RedisError:
                continue
        stage.pause(stage.scaled(5, 2))
    stage.struck()
    stage.settle()
    client.close()
    came = sorted(at for _, _, at in arrivals(stage.system.written_log(), stage.run))
    gap = max((later - earlier for earlier, later in pairwise(came)), default=length_s)
    stage.figure("longest gap between canaries, s", gap, limit="< 30", holds=gap < 30 and canaries.done)
