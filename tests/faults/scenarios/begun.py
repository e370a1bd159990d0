"""What was claimed and what was sent: only a send that began may have an unknown outcome."""

import json
import signal
import time
from collections.abc import Callable, Iterable

from tests.faults.ledger import arrivals
from tests.faults.run import scenario
from tests.faults.stage import Stage

_PER_S = 200.0
_BATCH = 100  # of events, and so of a doorbell's rows
_JUST_CLAIMED_S = 0.05  # a claim so shortly before its worker was killed may have come to no request


@scenario("L8", "workers killed and Postgres restarted; NORMAL in batches of 100", TOCSIN_TELEGRAM_PER_S="25")
def only_begun_sends_are_unknown(stage: Stage) -> None:
    """A doorbell's rows that were not being sent at the fault are sent afterwards, without a mark."""
    for provider in ("telegram", "smtp"):
        stage.system.simulator.misbehave(provider, latency_ms=300)
    workers = stage.system.workers
    kills = _strike(stage, lambda: stage.system.supervisor.kill(stage.random.choice(workers)))
    stage.settle()
    restarts = _strike(stage, lambda: _restart_postgres(stage))
    stage.settle()
    drawn = stage.ledger()
    in_flight = len(kills) * stage.sends_in_flight(workers=1)
    in_flight += len(restarts) * stage.sends_in_flight(workers=len(workers))
    stage.expect_dead("outcome_unknown", at_most=min(in_flight, drawn.leases_expired))
    never_begun = _never_begun(stage, kills)
    called = drawn.leases_expired
    stage.figure("workers killed", len(kills), limit="≥ 2", holds=len(kills) >= 2)
    stage.figure("restarts of Postgres", len(restarts), limit="≥ 2", holds=len(restarts) >= 2)
    stage.figure(
        "called unknown ≤ sends in flight", f"{called} of {in_flight}", limit="≤", holds=called <= in_flight
    )
    stage.figure("failed but never begun", len(never_begun), limit="0", holds=not never_begun)


def _strike(stage: Stage, fault: Callable[[], object]) -> list[float]:
    """Publish more than the limits take at once, and strike while it drains. Return when it was struck."""
    items = stage.items(stage.scaled(2_000, 500), priority="NORMAL")
    for number, item in enumerate(items):
        if number % 4 == 1:  # these persons have a mailbox as well
            item["delivery"]["channels"] = ["EMAIL", "TELEGRAM"]
    producer = stage.produce(items, rate=_PER_S, batch=_BATCH)
    struck_at: list[float] = []
    while (not producer.done or stage.open_events() > _BATCH // 2) and len(struck_at) < stage.scaled(25, 6):
        stage.pause(stage.random.uniform(1, 4))
        struck_at.append(time.time())
        fault()
    stage.struck()
    return struck_at


def _restart_postgres(stage: Stage) -> None:
    stage.system.kill_postgres()
    stage.pause(0.5)
    stage.system.postgres.start()


_UNKNOWN = """
SELECT e.event_id, extract(epoch FROM min(a.started_at)) FROM notifications_event e
JOIN notifications_delivery d ON d.event_id = e.id JOIN notifications_attempt a ON a.delivery_id = d.id
WHERE e.event_id LIKE %s AND e.state = 'failed' AND a.outcome IN ('unknown', 'lease_expired')
GROUP BY e.event_id
"""


def _never_begun(stage: Stage, killed_at: list[float]) -> list[str]:
    """Return the events that failed as unknown, and of which no provider ever heard.

    One whose worker was killed within moments of its claim may have been cut off before its request.
    """
    with stage.system.written_log().open() as lines:
        asked = {entry_id for line in lines if stage.run in line for entry_id in _refs(json.loads(line))}
    rows = stage.system.query(_UNKNOWN, f"{stage.run}-%")
    return sorted(
        event_id
        for event_id, claimed_at in rows
        if event_id not in asked
        and not any(0 <= at - float(claimed_at) <= _JUST_CLAIMED_S for at in killed_at)
    )


def _refs(entry: dict) -> Iterable[str]:
    said = " ".join(str(entry.get(part, "")) for part in ("subject", "text", "html"))
    return (word.strip(".,;<>()\"'") for word in said.replace("<", " ").replace(">", " ").split())


@scenario("L9", "one row of a doorbell that cannot be read, decrypted or rendered")
def one_bad_row(stage: Stage) -> None:
    """It ends as our configuration's fault, and its neighbours come in time and without a mark."""
    for name, spoil in _SPOILT.items():
        _judge_neighbours(stage, name, spoil)
    stage.struck()
    stage.settle()
    sql = (
        "SELECT count(*) FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id"
        " WHERE e.event_id LIKE %s AND (d.possible_duplicate OR d.state = 'unknown')"
    )
    marked = stage.system.query(sql, f"{stage.run}-%")[0][0]
    stage.figure("deliveries marked as possible repeats", marked, limit="0", holds=not marked)


_OF_EVENT = "(SELECT id FROM notifications_event WHERE event_id = %s)"
# Each takes the id of one event; the person's address is theirs alone.
_SPOILT = {
    "an address that no key decrypts": "UPDATE users_destination SET address = 'gAAAAAnoKey' WHERE id ="
    f" (SELECT destination_id FROM notifications_delivery WHERE event_id = {_OF_EVENT})",
    "content that cannot be rendered": "UPDATE notifications_event SET payload = '[1]'::jsonb"
    f" WHERE id = {_OF_EVENT}",
    "a channel that is gone": f"UPDATE notifications_delivery SET channel = 7 WHERE event_id = {_OF_EVENT}",
}


def _judge_neighbours(stage: Stage, name: str, spoil: str) -> None:
    """Spoil one of a hundred rows while no worker runs, and let the workers go on."""
    children = stage.system.supervisor.children
    for worker in stage.system.workers:
        children[worker].send(signal.SIGSTOP)
    items = stage.items(_BATCH, priority="NORMAL")
    number = list(_SPOILT).index(name)
    bad = items[50]["event_id"]
    for place, item in enumerate(items):
        item |= {"user_id": f"p{20 + place % 20}", "delivery": {**item["delivery"], "channels": ["TELEGRAM"]}}
    items[50]["user_id"] = f"p{2 * number}"
    stage.produce(items, batch=_BATCH).join(30)
    stage.system.execute(spoil.replace("%s", f"'{bad}'"))
    began = time.time()
    for worker in stage.system.workers:
        children[worker].send(signal.SIGCONT)
    stage.expect_dead("configuration", [bad])
    wanted = {item["event_id"] for item in items} - {bad}
    stage.until(lambda: _open(stage, wanted) == 0, within_s=60, what=f"the neighbours of {name}")
    came = {ref: at for ref, _, at in arrivals(stage.system.written_log(), stage.run)}
    slowest = max(came.get(ref, float("inf")) - began for ref in wanted)
    stage.figure(f"neighbours of {name}, s", slowest, limit="≤ 10", holds=slowest <= 10)


def _open(stage: Stage, ids: set[str]) -> int:
    sql = "SELECT count(*) FROM notifications_event WHERE event_id = ANY(%s) AND state = 'accepted'"
    return int(stage.system.query(sql, list(ids))[0][0])
