"""`python -m tests.faults.swarm`: thousands of sockets in a process of its own, cut and coming back.

Reads one JSON line `{"port", "tokens", "per_address"}`, then any number of `cut` lines. Writes a JSON line
`{"open", "refused", "slowest_s"}` each half second: how many are `ready`, how many attempts were refused so
far, and how long it took since the last cut until the last one that is open was.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter

from tests.kit.raw_websocket import AsyncRawSocket, Refused

_FIRST_S, _LONGEST_S = 1.0, 8.0  # full jitter: at random up to a limit that doubles with each failure
_OPENING_AT_ONCE = 400  # what a kernel's backlog holds


class Swarm:
    def __init__(self, port: int, tokens: list[str], per_address: int) -> None:
        self._port = port
        self._tokens = tokens
        self._per_address = per_address
        self._open: dict[int, AsyncRawSocket] = {}
        self._gate = asyncio.Semaphore(_OPENING_AT_ONCE)
        self._cut_at = time.monotonic()
        self.refused: Counter[str] = Counter()
        self.slowest_s = 0.0

    async def run(self) -> None:
        lines = asyncio.create_task(self._obey())
        stay = [asyncio.create_task(self._stay(number)) for number in range(len(self._tokens))]
        while not lines.done():
            status = {
                "open": len(self._open),
                "refused": self.refused.total(),
                "why": self.refused,
                "slowest_s": round(self.slowest_s, 2),
            }
            print(json.dumps(status), flush=True)
            await asyncio.wait([lines], timeout=0.5)
        for task in stay:
            task.cancel()
        await asyncio.gather(*stay, return_exceptions=True)

    async def _obey(self) -> None:
        """Cut all sockets at each `cut`, until the end of the input."""
        while line := await asyncio.to_thread(sys.stdin.readline):
            if line.strip() == "cut":
                self._cut_at, self.slowest_s = time.monotonic(), 0.0
                for raw in list(self._open.values()):
                    raw.cut()
                self._open.clear()

    async def _stay(self, number: int) -> None:
        longest_s = _FIRST_S
        await asyncio.sleep(random.uniform(0, _FIRST_S))
        while True:
            wait_s = random.uniform(0, longest_s)
            try:
                raw = await self._come(number)
                longest_s, wait_s = _FIRST_S, random.uniform(0, _FIRST_S)
                self._open[number] = raw
                self.slowest_s = max(self.slowest_s, time.monotonic() - self._cut_at)
                await raw.until_closed(3_600)
            except Refused as refused:
                self.refused[str(refused.status)] += 1
                longest_s = min(2 * longest_s, _LONGEST_S)
                wait_s = refused.args[1] if len(refused.args) > 1 else wait_s
            except (OSError, TimeoutError):
                longest_s = min(2 * longest_s, _LONGEST_S)
            self._open.pop(number, None)
            await asyncio.sleep(wait_s)

    async def _come(self, number: int) -> AsyncRawSocket:
        place = number // self._per_address
        source = f"127.0.{20 + place // 200}.{place % 200 + 1}"
        async with self._gate:
            raw = await AsyncRawSocket.open(self._port, source=source)
            raw.say(type="auth", token=self._tokens[number])
            if await raw.until("ready", 30) is not None:
                return raw
        error = Refused(raw.closed or 0)
        if raw.received and "reconnect_after_ms" in raw.received[-1]:
            error.args = (raw.closed, raw.received[-1]["reconnect_after_ms"] / 1000)
        raise error


def main() -> None:
    given = json.loads(sys.stdin.readline())
    asyncio.run(Swarm(given["port"], given["tokens"], given["per_address"]).run())


if __name__ == "__main__":
    main()
