"""Deliveries/s of 5,000 CRITICAL events by one worker, beside 5,000 bare Celery tasks.

Both run `celery worker -c 2` over the same Valkey and call the same simulated `sendMessage`. Ours is the
whole path: ingest with its commits, doorbells, claim, python-telegram-bot, record, event ended. The bare
task only posts the text with a pooled httpx client. Both are timed from the first enqueue to the last end.
"""

import time

from system import people, process, report, servers, simulator, source

from tests.kit.eventually import eventually
from tests.kit.simulator import Simulator

EVENTS = 5_000
PERSONS = 500
TIMEOUT_S = 300


def ours(persons: list[str], grant: object) -> float:
    """Return deliveries/s of the pipeline."""
    from django.utils import timezone

    from gateway.auth.bearer import grant_of
    from gateway.codec.events import from_json
    from notifications.dispatch import flush
    from notifications.ingest import ingest
    from notifications.models import Event

    allowed = grant_of(grant)  # type: ignore[arg-type]
    now_ms = int(time.time() * 1000)
    envelopes = [
        from_json(
            {
                "event_id": f"event-{number}",
                "user_id": persons[number % len(persons)],
                "timestamp": now_ms,
                "event_type": "ORDER_FILLED",
                "payload": {"symbol": "BTC/USDT", "side": "buy", "fill_quantity": "0.5"},
                "delivery": {"priority": "CRITICAL"},
            },
            allowed,
        )
        for number in range(EVENTS)
    ]
    started = time.perf_counter()
    for start in range(0, EVENTS, 500):
        ingest(envelopes[start : start + 500], now=timezone.now())
    flush()
    delivered = Event.objects.filter(state="delivered")
    eventually(lambda: delivered.count() >= EVENTS, TIMEOUT_S, what="events delivered")
    return EVENTS / (time.perf_counter() - started)


def bare(simulator: Simulator) -> float:
    """Return calls/s of bare tasks."""
    import bare_task

    before = simulator.accepted("sendMessage")
    url = f"{simulator.url}/bot1000:simulated/sendMessage"
    started = time.perf_counter()
    for number in range(EVENTS):
        bare_task.call.delay(url, 10_000 + number % PERSONS)
    eventually(lambda: simulator.accepted("sendMessage") - before >= EVENTS, TIMEOUT_S, what="bare calls")
    return EVENTS / (time.perf_counter() - started)


def main() -> None:
    options = ("worker", "-c", "2", "-l", "ERROR", "-Q")
    worker = ("-m", "celery", "-A", "config.celery", *options, "critical,normal")
    bare_worker = ("-m", "celery", "-A", "bare_task", *options, "bare")
    with simulator() as providers, servers():
        persons, grant = people(PERSONS, with_telegram=True), source()
        with process(*worker):
            _warm("config.celery")
            pipeline = ours(persons, grant)
        with process(*bare_worker, PYTHONPATH="benchmarks"):
            _warm("bare_task")
            report("deliveries", pipeline, bare(providers), "per s", "bare Celery tasks")


def _warm(name: str) -> None:
    """Wait until the worker consumes, so that neither side pays for its start."""
    import importlib

    app = importlib.import_module(name).app
    eventually(lambda: app.control.ping(timeout=1), 60, what=f"the worker of {name} answers")


if __name__ == "__main__":
    main()
