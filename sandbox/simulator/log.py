"""The append-only log: the requests of every channel, and their answers.

This is the ground truth of the fault ledger: an entry is written before its answer is sent, so
`accepted` and `dropped_answer` mean that the recipient has the message, even if the client saw no answer.
"""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO

Entry = dict[str, Any]
Outcome = Literal["accepted", "refused", "dropped_answer", "hung"]

KEPT_ENTRIES = 200_000
_FLUSH_AFTER_S = 0.1


class Page(NamedTuple):
    """Some entries, the number after which the next page starts, and the number of the oldest kept entry."""

    entries: list[Entry]
    last: int
    first: int


class Log:
    """Keeps the last `capacity` entries in memory and, given a path, appends all of them to a file."""

    def __init__(self, *, path: Path | None = None, capacity: int = KEPT_ENTRIES) -> None:
        self._capacity = capacity
        self._ring: list[Entry] = []
        self._base = 0  # entry n is at (n - base - 1) % capacity
        self._last = 0
        self._counts: Counter[tuple[str, str, Outcome]] = Counter()
        self._waiting: set[asyncio.Future[None]] = set()
        self._file: TextIO | None = path.open("a", encoding="utf-8") if path else None
        self._flush_planned = False

    @property
    def last(self) -> int:
        """The number of the latest entry."""
        return self._last

    def append(self, channel: str, kind: str, to: str, outcome: Outcome, **fields: Any) -> None:
        """Number and keep one entry; fields that are None or empty are left out."""
        self._last += 1
        entry: Entry = {"n": self._last, "at_ms": time.time_ns() // 1_000_000, "channel": channel}
        entry |= {"kind": kind, "to": to, "outcome": outcome}
        for name, value in fields.items():
            if value is not None and value != "":
                entry[name] = value
        if len(self._ring) < self._capacity:
            self._ring.append(entry)
        else:
            self._ring[(self._last - self._base - 1) % self._capacity] = entry
        self._counts[channel, kind, outcome] += 1
        if self._file is not None:
            self._write(self._file, entry)
        if self._waiting:
            self._wake()

    def page(self, after: int, *, limit: int, channel: str | None = None, kind: str | None = None) -> Page:
        """Return up to `limit` matching entries numbered above `after`, oldest first.

        `last` is where the next page starts, also when nothing matched. A reader whose `after` is
        below `first - 1` has missed entries that are no longer kept.
        """
        first = self._last - len(self._ring) + 1
        found: list[Entry] = []
        for n in range(max(after + 1, first), self._last + 1):
            entry = self._ring[(n - self._base - 1) % self._capacity]
            if (channel is not None and entry["channel"] != channel) or (
                kind is not None and entry["kind"] != kind
            ):
                continue
            found.append(entry)
            if len(found) == limit:
                return Page(found, n, first)
        return Page(found, self._last, first)

    async def wait_for_page(
        self, after: int, *, limit: int, channel: str | None, kind: str | None, wait_s: float
    ) -> Page:
        """Return a page as soon as it is not empty, or an empty one after `wait_s`."""
        deadline = asyncio.get_running_loop().time() + wait_s
        page = self.page(after, limit=limit, channel=channel, kind=kind)
        while not page.entries and await self._appended_before(deadline):
            page = self.page(max(after, page.last), limit=limit, channel=channel, kind=kind)
        return page

    def counts(
        self, channel: str | None = None, kind: str | None = None
    ) -> dict[str, dict[str, dict[str, int]]]:
        """Return how many entries there were, as channel -> kind -> outcome -> count."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for (its_channel, its_kind, outcome), count in self._counts.items():
            if channel in (None, its_channel) and kind in (None, its_kind):
                found.setdefault(its_channel, {}).setdefault(its_kind, {})[outcome] = count
        return found

    def clear(self) -> None:
        """Forget the entries and the counts; the numbering continues, the file is unchanged."""
        self._ring.clear()
        self._counts.clear()
        self._base = self._last

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, file: TextIO, entry: Entry) -> None:
        file.write(json.dumps(entry) + "\n")
        if not self._flush_planned:
            self._flush_planned = True
            asyncio.get_running_loop().call_later(_FLUSH_AFTER_S, self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        if self._file is not None:
            self._file.flush()

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def _appended_before(self, deadline: float) -> bool:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout_at(deadline):
                await future
        except TimeoutError:
            return False
        finally:
            self._waiting.discard(future)
        return True
