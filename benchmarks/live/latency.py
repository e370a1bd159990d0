"""From the publish to the client at a steady 1,000 events/s: p50 and p99, one clock, 100 sockets.

The publisher and the clients are one process, so nothing has to be corrected; what it needs itself is in the
figure of every side. A publish goes out when its millisecond comes, also when the answer to the last is late.
"""

import itertools
import re
import statistics
import time

import gateways  # noqa: F401  puts benchmarks/ on the path
import messages
import sides
from bare_valkey import Bare, Subscriber
from crowd import Crowd
from results import Row, record, scale
from system import servers

SOCKETS = 100
PER_S = 1_000
_NUMBER = re.compile(rb'"event_id":"(\d+)"')


def run(side: sides.Side | Bare, crowd: Crowd | Subscriber, events: int) -> list[float]:
    """Return the milliseconds of every event."""
    commands = [
        side.publish(f"p{number % len(crowd.sockets)}", messages.event(number)) for number in range(events)
    ]
    publisher = side.publisher()
    crowd.settle()
    sent, taken = [0.0] * events, [0.0] * events
    published = received = 0
    began = time.perf_counter()
    while received < events:
        now = time.perf_counter()
        if published < events and now >= began + published / PER_S:
            sent[published] = now
            publisher.send(commands[published])
            published += 1
        else:
            publisher.drop_answers()
        for _, data in crowd.arrivals(0.0005):
            at = time.perf_counter()
            for number in map(int, _NUMBER.findall(data)):
                taken[number] = (at - sent[number]) * 1000
                received += 1
        if now - began > events / PER_S + 30:
            raise SystemExit(f"{side.name}: {received} of {events} arrived")
    publisher.close()
    return taken


def percentiles(taken: list[float]) -> tuple[float, float]:
    """Return p50 and p99."""
    return statistics.median(taken), statistics.quantiles(taken, n=100)[98]


def measure(name: str, keys: dict[str, int], events: int) -> tuple[float, float]:
    """Start a side, warm it, and return p50 and p99 of so many events."""
    with sides.running(name, keys) as side:
        crowd = side.crowd(list(keys))
        crowd.open(at_once=10)
        run(side, crowd, events // 5)
        found = percentiles(run(side, crowd, events))
        crowd.close()
    return found


def measure_hop(channels: list[str], events: int) -> tuple[float, float]:
    """Return the same of Valkey alone, which is part of our way and not of nchan's."""
    subscriber = Subscriber(channels)
    found = percentiles(run(Bare(), subscriber, events))
    subscriber.close()
    return found


def medians(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """Return the median of the rounds' p50 and of their p99."""
    halves, tails = zip(*rounds, strict=True)
    return statistics.median(halves), statistics.median(tails)


def main() -> None:
    events, rounds = scale(quick=(2_000, 1), full=(6_000, 5))
    found: dict[str, list[tuple[float, float]]] = {}
    hops: list[tuple[float, float]] = []
    with servers():
        keys = sides.persons(SOCKETS)
        # In turns: the machine's calm and busy moments come to all alike.
        for _, name in itertools.product(range(rounds), sides.names()):
            found.setdefault(name, []).append(measure(name, keys, events))
            if name == sides.OURS:
                hops.append(measure_hop(list(keys), events))
    hop_p50, hop_p99 = medians(hops)
    halves, tails = [], []
    for name, rows in found.items():
        p50, p99 = medians(rows)
        halves.append(Row(name, p50, "ms", "less"))
        tails.append(Row(name, p99, "ms", "less"))
        print(f"{name}: p50 {p50:.2f} ms, p99 {p99:.2f} ms ({', '.join(f'{tail:.2f}' for _, tail in rows)})")
    print(f"Valkey alone, which is one hop of ours: p50 {hop_p50:.2f} ms, p99 {hop_p99:.2f} ms")
    record(
        "latency_p50", "publish to client at 1,000 events/s, p50", halves, note=f"Valkey alone {hop_p50:.2f}"
    )
    record(
        "latency_p99", "publish to client at 1,000 events/s, p99", tails, note=f"Valkey alone {hop_p99:.2f}"
    )


if __name__ == "__main__":
    main()
