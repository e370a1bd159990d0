"""Order and supersession, while what keeps them dies."""

from tests.faults.judging import judge_unknown
from tests.faults.run import scenario
from tests.faults.stage import Stage

_PEOPLE = 20
_LINES = 40  # so each of them has several events that are open at once


@scenario("K3", "events with keys: workers killed, the provider away, Redis killed and empty on return")
def keep_the_order(stage: Stage) -> None:
    """Of one ordering key none is overtaken; of one collapse key no older state follows a newer one."""
    system = stage.system
    system.simulator.misbehave("telegram", latency_ms=100)
    items = _with_keys(stage.items(stage.scaled(20_000, 240)))
    # One sender: the order of acceptance is that of the items.
    producer = stage.produce(items, rate=stage.scaled(150, 80), batch=stage.scaled(20, 10), senders=1)
    kills, rounds = 0, stage.scaled(12, 1)
    for _ in range(rounds):
        for _ in range(2):
            stage.pause(1)
            system.supervisor.kill(stage.random.choice(system.workers))
            kills += 1
        system.simulator.misbehave("telegram", status=500)
        stage.pause(stage.scaled(5, 1))
        system.simulator.misbehave("telegram", latency_ms=100)
        system.kill_valkey()
        stage.pause(stage.scaled(5, 1))
        system.valkey.start()
    producer.join(300)
    system.simulator.behave()
    stage.struck()
    took_s = stage.settle()
    stage.expect_dead("superseded")
    judge_unknown(stage, kills * stage.sends_in_flight(workers=1))
    drawn = stage.ledger()
    superseded = drawn.names["superseded"]
    stage.figure("all ended after the last fault, s", took_s, limit="≤ 90", holds=took_s <= 90)
    stage.figure("superseded", superseded, limit="≥ 1", holds=superseded > 0)
    stage.figure("overtaken", len(drawn.overtaken), limit="0", holds=not drawn.overtaken)
    stale = len(drawn.stale_after_newer)
    stage.figure("stale after newer", stale, limit="0", holds=not stale)


def _with_keys(items: list[dict]) -> list[dict]:
    """Give each event a key of its person: one half keeps an order, of the other only the newest counts.

    Versions come in pairs, the newer one first.
    """
    people = sorted({item["user_id"] for item in items})[:_PEOPLE]
    for number, item in enumerate(items):
        line, place = number % _LINES, number // _LINES
        item["user_id"] = people[line % len(people)]
        item["delivery"]["channels"] = ["TELEGRAM"]
        if line % 2:
            item["ordering_key"] = f"order-{line}"
        else:
            item |= {"collapse_key": f"state-{line}", "version": place ^ 1}
    return items
