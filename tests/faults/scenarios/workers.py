"""Workers that die, hang or are stopped."""

from tests.faults.run import scenario
from tests.faults.stage import Stage


@scenario("L1", "SIGKILL of a random worker every 2 s, its whole tree or its main process alone")
def kill_workers(stage: Stage) -> None:
    """L1 and D1: nothing is lost, and what may have been sent twice says so."""
    kills = 0
    every_s = 2.0 if stage.full else 1.5
    # A provider that takes its time: without sends in flight a kill would prove nothing.
    stage.system.misbehave("telegram", latency_ms=stage.scaled(20, 300))
    producer = stage.publish(rate=stage.scaled(250, 60), batch=stage.scaled(20, 5))
    while not producer.done:
        stage.pause(every_s)
        stage.system.supervisor.kill(
            stage.random.choice(stage.system.workers), whole_tree=stage.random.random() < 0.7
        )
        kills += 1
    stage.struck()
    took_s = stage.settle()
    drawn = stage.ledger()
    share = len(drawn.duplicated) / max(1, drawn.acknowledged)
    orphans = stage.system.supervisor.orphans(older_than_s=10)
    stage.figure("workers killed", kills, limit="≥ 2", holds=kills >= 2)
    stage.figure("all ended after the last kill, s", took_s, limit="≤ 90", holds=took_s <= 90)
    stage.figure(
        "duplicates ≤ sends in flight at the kills",
        f"{len(drawn.duplicated)} of {drawn.leases_expired}",
        limit="≤",
        holds=len(drawn.duplicated) <= drawn.leases_expired,
    )
    if stage.full:
        stage.figure("duplicates, % of events", 100 * share, limit="≤ 0.5", holds=share <= 0.005)
    stage.figure("processes left over by kills", len(orphans), limit="0", holds=not orphans)
