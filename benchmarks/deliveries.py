"""Deliveries/s of 5,000 CRITICAL events by one worker, beside 5,000 bare Celery tasks.

Both run `celery worker -c 2` over the same Valkey and call the same simulated `sendMessage`. Ours is the
whole path: ingest with its commits, doorbells, claim, python-telegram-bot, record, event ended. The bare
task only posts the text with a pooled httpx client. Both are timed from the first enqueue to the last end.
"""

import time

import httpx
from system import people, process, report, servers, simulator, source

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
    _await(lambda: Event.objects.filter(state="delivered").count())
    return EVENTS / (time.perf_counter() - started)


def bare(url: str) -> float:
    """Return calls/s of bare tasks."""
    import bare_task

    with httpx.Client(base_url=url, trust_env=False) as client:  # a new one for each look costs 27 ms of CPU
        before = _received(client)
        started = time.perf_counter()
        for number in range(EVENTS):
            bare_task.call.delay(f"{url}/bot1000:simulated/sendMessage", 10_000 + number % PERSONS)
        _await(lambda: _received(client) - before)
        return EVENTS / (time.perf_counter() - started)


def _received(client: httpx.Client) -> int:
    return int(client.get("/control/log/count?kind=sendMessage").json()["accepted"])


def _await(count: object) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while (done := count()) < EVENTS:  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise SystemExit(f"only {done} of {EVENTS} after {TIMEOUT_S} s")
        time.sleep(0.02)


def main() -> None:
    options = ("worker", "-c", "2", "-l", "ERROR", "-Q")
    worker = ("-m", "celery", "-A", "config.celery", *options, "critical,normal")
    bare_worker = ("-m", "celery", "-A", "bare_task", *options, "bare")
    with simulator() as url, servers():
        persons, grant = people(PERSONS, with_telegram=True), source()
        with process(*worker):
            _warm("config.celery")
            pipeline = ours(persons, grant)
        with process(*bare_worker, PYTHONPATH="benchmarks"):
            _warm("bare_task")
            report("deliveries", pipeline, bare(url), "per s", "bare Celery tasks")


def _warm(name: str) -> None:
    """Wait until the worker consumes, so that neither side pays for its start."""
    import importlib

    app = importlib.import_module(name).app
    deadline = time.monotonic() + 60
    while not app.control.ping(timeout=1):
        if time.monotonic() > deadline:
            raise SystemExit(f"the worker of {name} did not start")


if __name__ == "__main__":
    main()
