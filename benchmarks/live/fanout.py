"""Events/s to clients of one gateway process: 100 persons with a socket each, 170 bytes, a publish an event.

As fast as it goes, with at most 2,000 events under way. The publisher writes prepared bytes on every side,
and the client only counts, so that the servers are compared and not the load. How fast this client can be
at all is measured first, with a server that does nothing but write.
"""

import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import gateways  # noqa: F401  puts benchmarks/ on the path
import messages
import sides
from crowd import Crowd, Hello, frame_length
from results import Row, record, scale
from system import servers

SOCKETS = 100
WINDOW = 2_000
CHUNK = 100
FRAME = frame_length(messages.EVENT_BYTES)


@dataclass(slots=True)
class Run:
    """One measurement: events/s, and the share of a core that the server and the client used."""

    rate: float
    server_cpu: float
    client_cpu: float


def run(side: sides.Side, crowd: Crowd, events: int) -> Run:
    targets = list(crowd_targets(crowd))
    chunks = [
        b"".join(
            side.publish(targets[number % len(targets)], messages.event(number))
            for number in range(start, start + CHUNK)
        )
        for start in range(0, events, CHUNK)
    ]
    publisher = side.publisher()
    crowd.settle()
    server, client, began = side.gateway.cpu_s(), time.process_time(), time.perf_counter()
    published = received = 0
    while received < events * FRAME:
        if published < events and published - received // FRAME <= WINDOW - CHUNK:
            publisher.send(chunks[published // CHUNK])
            published += CHUNK
            received += crowd.read()
        else:
            publisher.drop_answers()
            received += crowd.read(1)
            if time.perf_counter() - began > 120:
                raise SystemExit(f"{side.name}: {received // FRAME} of {events} arrived")
    took = time.perf_counter() - began
    publisher.close()
    return Run(events / took, (side.gateway.cpu_s() - server) / took, (time.process_time() - client) / took)


def crowd_targets(crowd: Crowd) -> list[str]:
    return [f"p{number}" for number in range(len(crowd.sockets))]


def client_limit(frames: int) -> float:
    """Return frames/s of this client with a server that only writes, one frame a system call."""
    blaster = [sys.executable, str(Path(__file__).with_name("blaster.py")), str(SOCKETS), str(frames)]
    pipe = subprocess.PIPE
    with subprocess.Popen([*blaster, str(FRAME)], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        crowd = Crowd(int(process.stdout.readline()), [Hello("/")] * SOCKETS)
        crowd.open(at_once=1)
        process.stdin.write("\n")
        process.stdin.flush()
        began, received = time.perf_counter(), 0
        while received < frames * FRAME:
            received += crowd.read(1)
        took = time.perf_counter() - began
        process.stdin.write("\n")
        crowd.close()
    return frames / took


def measure(name: str, keys: dict[str, int], events: int, rounds: int) -> Run:
    with sides.running(name, keys) as side:
        crowd = side.crowd(list(keys))
        crowd.open(at_once=10)
        run(side, crowd, events // 5)  # warm
        runs = [run(side, crowd, events) for _ in range(rounds)]
        crowd.close()
    return sorted(runs, key=lambda one: one.rate)[len(runs) // 2]


def main() -> None:
    events, rounds = scale(quick=(10_000, 1), full=(60_000, 3))
    with servers():
        keys = sides.persons(SOCKETS)
        limit = statistics.median(client_limit(events) for _ in range(3))
        print(f"the client alone, with a server that only writes: {limit:,.0f} frames/s", flush=True)
        rows, efforts = [], []
        for name in sides.names():
            # The peer that is a tenth as fast gets a tenth of the events.
            share = 5 if name == sides.CHANNELS else 1
            best = measure(name, keys, events // share, rounds)
            rows.append(Row(name, best.rate, "events/s"))
            efforts.append(Row(name, best.rate / best.server_cpu, "events"))
            shares = f"server {best.server_cpu:.0%} of a core, client and publisher {best.client_cpu:.0%}"
            print(f"{name}: {best.rate:,.0f} events/s ({shares})", flush=True)
    record("fanout_cpu", "the same by CPU second of the gateway process", efforts)
    record(
        "fanout", "one publish an event, 100 sockets, 170 bytes", rows, note=f"client alone {limit:,.0f}/s"
    )


if __name__ == "__main__":
    main()
