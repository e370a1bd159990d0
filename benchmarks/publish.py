"""Single events over HTTP, one a request, committed before the answer: by one producer, and by 32 at once.

NORMAL events of 500 offline persons without destinations. The limit is an ASGI application on the same
Daphne that answers at once. The CPU of the gateway for each event stands beside it.
"""

import asyncio
import json
import statistics
import time

from system import ROOT, cpu_s, free_port, people, process, report, servers, source

EVENTS = 3_000
PERSONS = 500


def requests(key: str, persons: list[str], run: str, count: int) -> list[bytes]:
    """Return whole HTTP requests, prepared."""
    now_ms = int(time.time() * 1000)
    made = []
    for number in range(count):
        event = {
            "event_id": f"{run}-{number}",
            "user_id": persons[number % len(persons)],
            "timestamp": now_ms,
            "event_type": "ORDER_FILLED",
            "payload": {"order_id": "1001", "symbol": "BTC/USDT", "side": "buy", "fill_quantity": "0.5"},
        }
        body = json.dumps(event).encode()
        made.append(
            b"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %b\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
            % (key.encode(), len(body), body)
        )
    return made


async def post_all(port: int, todo: list[bytes], producers: int) -> list[float]:
    """Send every request once over `producers` connections that stay. Return each one's milliseconds."""
    waiting, taken = iter(todo), []

    async def produce() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
                raise SystemExit(f"refused: {head!r}")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(length.partition(b":")[2]))
            taken.append((time.perf_counter() - began) * 1000)
        writer.close()

    await asyncio.gather(*(produce() for _ in range(producers)))
    return taken


def measure(application: str, todo: list[bytes], producers: int) -> tuple[float, float, float]:
    """Return requests/s, the median's milliseconds, and the server's CPU ms for each."""
    port = free_port(0)
    command = ["-m", "gateway.server", "-b", "127.0.0.1", "-p", str(port), application]
    with process(*command, port=port, PYTHONPATH=f"{ROOT}:{ROOT / 'benchmarks'}") as running:
        warm, todo = todo[:100], todo[100:]
        asyncio.run(post_all(port, warm, producers))
        before, began = cpu_s(running.pid), time.perf_counter()
        taken = asyncio.run(post_all(port, todo, producers))
        took_s = time.perf_counter() - began
        cpu_ms = (cpu_s(running.pid) - before) / len(todo) * 1000
    return len(todo) / took_s, statistics.median(taken), cpu_ms


def main() -> None:
    with servers():
        from users import keys

        key = keys.issue(source(), ["publish"])
        persons = people(PERSONS, with_telegram=False)
        for producers, count in ((1, EVENTS // 3), (32, EVENTS)):
            todo = requests(key, persons, f"by-{producers}", count)
            rate, median_ms, cpu_ms = measure("config.asgi:application", todo, producers)
            bare, bare_ms, bare_cpu_ms = measure("bare_publish:application", todo, producers)
            report(f"{producers} at once", rate, bare, "events/s", "bare answer")
            print(
                f"  p50 {median_ms:.1f} ms (bare {bare_ms:.1f}), CPU {cpu_ms:.2f} ms (bare {bare_cpu_ms:.2f})"
            )


if __name__ == "__main__":
    main()
