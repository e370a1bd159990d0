"""Live sessions: what every client sees is one sequence, and silence rings the next channel."""

from tests.faults.late_doorbells import expire_before_the_send
from tests.faults.ledger import arrivals
from tests.faults.live_clients import LiveClients
from tests.faults.lossy import LosePushes
from tests.faults.run import scenario
from tests.faults.stage import Stage

_PAGE_ONLY = {"priority": "NORMAL", "channels": ["WEB"]}


def _items(stage: Stage, persons: int, each: int, **fields: object) -> list[dict]:
    """Return events for these persons, in turn, for the page alone."""
    items = stage.items(persons * each)
    for number, item in enumerate(items):
        item |= {"user_id": f"p{number % persons}", "delivery": _PAGE_ONLY} | fields
    return items


def _last_seqs(stage: Stage) -> dict[str, int]:
    rows = stage.system.query(
        "SELECT u.external_id, c.last_seq FROM notifications_inboxcursor c"
        " JOIN users_user u ON u.id = c.person_id"
    )
    return dict(rows)


def _behind(stage: Stage, clients: LiveClients) -> int:
    """Return how many clients have not come to the end of their sequence yet."""
    last = _last_seqs(stage)
    return sum(log.position < last[person] for person, log in clients.logs.items())


def _judge_sequences(stage: Stage, clients: LiveClients) -> None:
    last = _last_seqs(stage)
    gaps = disorder = twice = 0
    for person, log in clients.logs.items():
        seqs = log.sequence
        gaps += len(set(range(log.start + 1, last[person] + 1)) - set(seqs))
        disorder += seqs != sorted(seqs)
        twice += len(seqs) - len(set(seqs))
    stage.figure("events that a client missed", gaps, limit="0", holds=not gaps)
    stage.figure("clients that saw them out of order", disorder, limit="0", holds=not disorder)
    stage.figure("events that a client saw twice", twice, limit="0", holds=not twice)


@scenario("O1", "clients that lose their connection again and again, and resume")
def random_disconnects(stage: Stage) -> None:
    persons, each = stage.scaled(200, 20), stage.scaled(500, 25)
    clients = stage.open_live(persons)
    for code in ("no_channel", "no_session", "unconfirmed"):  # with no page open there is no other channel
        stage.expect_dead(code)
    clients.come_and_go(1, stage.scaled(10, 3))
    stage.produce(_items(stage, persons, each), batch=stage.scaled(50, 10), rate=stage.scaled(700, 60))
    for producer in stage.producers:
        producer.join(600)
    clients.settle_down()
    stage.struck()
    took_s = stage.until(lambda: not _behind(stage, clients), within_s=60, what="every client has everything")
    stage.settle()
    logs = clients.logs.values()
    _judge_sequences(stage, clients)
    connections = sum(log.connections for log in logs)
    snapshots = sum(log.snapshots for log in logs)
    seen = sum(len(log.events) for log in logs)
    stage.figure("events that clients saw", seen, limit=f"{persons * each}", holds=seen >= persons * each)
    stage.figure("connections", connections, limit=f"> {2 * persons}", holds=connections > 2 * persons)
    stage.figure("resumes that got a snapshot instead", snapshots, limit="0", holds=not snapshots)
    stage.figure("all clients had everything after the last cut, s", took_s, limit="≤ 30", holds=took_s <= 30)


@scenario("O2", "one push in ten lost between Redis and the gateway", proxied=("valkey",))
def lost_wakes(stage: Stage) -> None:
    proxy = stage.system.proxies["valkey"]
    losing = LosePushes(every=10)
    proxy.filter = losing.filter
    proxy.reset()  # connections of before are not filtered
    stage.system.until_ready()
    persons = stage.scaled(100, 20)
    clients = stage.open_live(persons)
    stage.expect_dead("unconfirmed")  # what is pushed again in time is confirmed too late
    stage.produce(_items(stage, persons, stage.scaled(60, 8)), batch=1, rate=stage.scaled(50, 10))
    for producer in stage.producers:
        producer.join(600)
    stage.struck()
    stage.until(lambda: not _behind(stage, clients), within_s=60, what="every client has everything")
    stage.settle()
    _judge_sequences(stage, clients)
    accepted = stage.diary.acked
    delays = sorted(
        seen.at - accepted[seen.event_id]
        for log in clients.logs.values()
        for seen in log.events
        if seen.event_id in accepted
    )
    stage.figure("pushes lost", losing.lost, limit="≥ 10", holds=losing.lost >= 10)
    stage.figure("pushes passed on", losing.passed)
    stage.figure("longest delay, s", delays[-1], limit="≤ 30", holds=delays[-1] <= 30)
    stage.figure("median delay, ms", 1000 * delays[len(delays) // 2])
    proxy.filter = None
    proxy.reset()


@scenario("O5", "a client that never confirms, and one that confirms late", TOCSIN_BREAKER_SHARE="2")
def never_confirms(stage: Stage) -> None:
    """Silence rings the next channel once, at the deadline; a late word stops what has not begun."""
    persons, each = stage.scaled(200, 20), stage.scaled(10, 3)
    clients = stage.open_live(persons, confirming=False)
    critical = {"delivery": {"priority": "CRITICAL", "channels": ["WEB", "TELEGRAM"]}}
    stage.produce(_items(stage, persons, each, **critical), batch=1, senders=8, rate=stage.scaled(50, 15))
    for producer in stage.producers:
        producer.join(300)
    stage.struck()
    stage.settle()
    _judge_escalations(stage, clients)
    stage.allow_repeats(len(stage.diary.acked))  # each page has it, and then the next channel
    _confirm_late(stage, clients, stage.items(stage.scaled(50, 8)), persons, critical)
    expire_before_the_send(stage)


_RANG = """
SELECT max(extract(epoch FROM n.created_at - p.ack_deadline)) FROM notifications_delivery p
JOIN notifications_delivery n ON n.event_id = p.event_id AND n.position = 1
JOIN notifications_event e ON e.id = p.event_id WHERE p.position = 0 AND e.event_id LIKE %s
"""


def _judge_escalations(stage: Stage, clients: LiveClients) -> None:
    deadlines = {seen.event_id: seen.ack_by / 1000 for log in clients.logs.values() for seen in log.events}
    sent = [(ref, at) for ref, _, at in arrivals(stage.system.written_log(), stage.run)]
    late = [abs(at - deadlines[ref]) for ref, at in sent if ref in deadlines]
    silent = len(stage.diary.acked)
    stage.figure("events without a confirmation", silent)
    stage.figure("messages on the next channel", len(sent), limit=f"{silent}", holds=len(sent) == silent)
    once = len({ref for ref, _ in sent})
    stage.figure("events on the next channel", once, limit=f"{silent}", holds=once == silent)
    worst = max(late, default=99.0)
    rang = stage.system.query(_RANG, f"{stage.run}-%")[0][0]
    stage.figure("next channel's row after the deadline, s", float(rang or 0))
    stage.figure("furthest from the deadline, s", worst, limit="≤ 2", holds=worst <= 2)


def _confirm_late(
    stage: Stage, clients: LiveClients, items: list[dict], persons: int, fields: dict[str, object]
) -> None:
    """Let the next channel be out of order when the deadline passes, and confirm before it is back."""
    stage.system.simulator.misbehave("telegram", status=503)
    for number, item in enumerate(items):
        item |= {"user_id": f"p{2 * (number % (persons // 2))}"} | fields  # persons without an e-mail address
    ids = {item["event_id"] for item in items}
    stage.produce(items, batch=1, senders=4).join(120)
    waiting = (
        "SELECT count(*) FROM notifications_delivery d JOIN notifications_event e ON e.id = d.event_id"
        " WHERE e.event_id = ANY(%s) AND d.channel = 2 AND d.state = 'deferred'"
    )
    stage.until(
        lambda: stage.system.query(waiting, list(ids))[0][0] == len(ids),
        within_s=60,
        what="every event has been escalated and waits",
    )
    for person, log in clients.logs.items():
        if mine := [seen.event_id for seen in log.events if seen.event_id in ids]:
            clients.confirm(person, list(dict.fromkeys(mine)))
    ended = "SELECT count(*) FROM notifications_event WHERE event_id = ANY(%s) AND state = 'delivered'"
    stage.until(
        lambda: stage.system.query(ended, list(ids))[0][0] == len(ids), within_s=30, what="all are confirmed"
    )
    still_open = f"{waiting} AND e.state = 'delivered'"
    left = stage.system.query(still_open, list(ids))[0][0]
    stage.figure("still to be sent at the confirmation", left, limit="0", holds=not left)
    stage.system.simulator.behave()
    stage.struck()
    stage.settle()
    by_page = "SELECT count(*) FROM notifications_event WHERE event_id = ANY(%s) AND evidence = 'client'"
    confirmed = stage.system.query(by_page, list(ids))[0][0]
    sent = sum(ref in ids for ref, _, _ in arrivals(stage.system.written_log(), stage.run))
    stage.figure("confirmed late", confirmed, limit=f"{len(ids)}", holds=confirmed == len(ids))
    stage.figure("messages sent after a late confirmation", sent, limit="0", holds=not sent)
