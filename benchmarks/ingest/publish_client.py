"""How long a producer's call takes: `publish()` of the Python client with its journal, beside other ways.

All in one run and in turns, on one Valkey: `publish()` that waits for the kernel alone and for the disk,
Celery's `delay`, dramatiq's `send`, taskiq's `kiq`, and a bare XADD of the same bytes. Only `publish()`
keeps the message on this machine. What it hands on goes out while the next is measured.
"""

import asyncio
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from system import ROOT, servers

sys.path.insert(0, str(ROOT / "clients/python/src"))

ROUNDS, CALLS = (2, 100) if os.environ.get("SIZE") == "quick" else (10, 500)
PAYLOAD = {"order_id": "1001", "symbol": "BTC/USDT", "side": "buy", "fill_quantity": "0.5"}

Call = Callable[[], object]


def notify(event_id: str, payload: dict[str, str]) -> None:
    """The task of the others; nobody runs it."""


def publisher(name: str, open_ones: ExitStack, *, wait_for_disk: bool) -> Call:
    from tocsin import EventPublisher

    journal = Path(os.environ["TOCSIN_HOME"]) / f"{name}.sqlite3"
    made = EventPublisher(
        os.environ["REDIS_URL"], source="bench", journal=journal, wait_for_disk=wait_for_disk
    )
    open_ones.callback(made.close)
    return lambda: made.critical("alice", "ORDER_FILLED", PAYLOAD)


def bare_xadd() -> Call:
    import redis
    from tocsin import CRITICAL, Event, wire

    client = redis.Redis.from_url(os.environ["REDIS_URL"])

    def call() -> None:
        event = Event("alice", "ORDER_FILLED", PAYLOAD, CRITICAL).filled(now_ms=int(time.time() * 1000))
        client.xadd("bench:bare", {"e": wire.event_bytes(event.to_text(), source="bench")})

    return call


def celery_delay() -> Call:
    from celery import Celery

    app = Celery("bench", broker=os.environ["REDIS_URL"], set_as_current=False)
    task = app.task(name="bench.notify", ignore_result=True)(notify)
    return lambda: task.delay(str(uuid.uuid4()), PAYLOAD)


def dramatiq_send() -> Call:
    import dramatiq
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=os.environ["REDIS_URL"])
    actor = dramatiq.actor(notify, actor_name="bench_notify", broker=broker)
    return lambda: actor.send(str(uuid.uuid4()), PAYLOAD)


def taskiq_kiq(loop: asyncio.AbstractEventLoop) -> Call:
    from taskiq_redis import ListQueueBroker

    broker = ListQueueBroker(os.environ["REDIS_URL"])
    task = broker.register_task(notify, task_name="bench:notify")
    loop.run_until_complete(broker.startup())
    return lambda: loop.run_until_complete(task.kiq(str(uuid.uuid4()), PAYLOAD))


def measured(call: Call) -> list[float]:
    """Return the milliseconds of each call."""
    taken = []
    for _ in range(CALLS):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def main() -> None:
    with servers(), ExitStack() as open_ones:
        ways = {
            "publish(), not waiting for fsync": publisher("kernel", open_ones, wait_for_disk=False),
            "publish(), waiting for fsync": publisher("disk", open_ones, wait_for_disk=True),
            "celery delay": celery_delay(),
            "dramatiq send": dramatiq_send(),
            "taskiq kiq": taskiq_kiq(asyncio.new_event_loop()),
            "bare XADD": bare_xadd(),
        }
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for call in ways.values():
            call()  # connects
        for _ in range(ROUNDS):
            for name, call in ways.items():
                taken[name] += measured(call)
        bare = statistics.median(taken["bare XADD"])
        for name, each in taken.items():
            median, last = statistics.median(each), statistics.quantiles(each, n=100)[98]
            print(
                f"{name:<33} p50 {median:.3f} ms, p99 {last:.2f} ms; ratio {median / bare:.2f} of a bare XADD"
            )


if __name__ == "__main__":
    main()
