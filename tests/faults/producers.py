"""Producers that behave as documented: they send an event again until it is acknowledged."""

import asyncio
import json
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import aiohttp
import redis

from proto.tocsin.v1 import user_events_pb2 as wire
from tests.faults.prepare import SOURCE

_ACCEPTED = {"QUEUED", "DELIVERED"}


@dataclass(slots=True)
class Diary:
    """What a producer sent, and the answers it got. The ledger checks its acks."""

    submitted: set[str] = field(default_factory=set)
    acked: dict[str, float] = field(default_factory=dict)  # event id → when it was first promised
    refused: dict[str, str] = field(default_factory=dict)
    acks: Counter[str] = field(default_factory=Counter)  # "duplicate", "conflict", "first"
    statuses: Counter[str] = field(default_factory=Counter)
    answered: list[tuple[float, str, float]] = field(default_factory=list)  # when, status, seconds
    without_retry_after: int = 0
    codes: Counter[str] = field(default_factory=Counter)  # of the answers that ask to send again
    nothing: set[str] = field(default_factory=set)  # every try so far was answered "nothing was accepted"
    unsure: set[str] = field(default_factory=set)  # at least one try had another answer, or none
    wrongly_nothing: set[str] = field(default_factory=set)
    sent_once: set[str] = field(default_factory=set)  # these may stay without an answer
    reads_finals: set[str] = field(default_factory=set)  # the senders of these wait for their final acks
    readers: "dict[str, StreamProducer]" = field(default_factory=dict)  # who sent it over the stream
    finals: Counter[str] = field(default_factory=Counter)

    def promise(self, event_id: str, *, kind: str) -> None:
        self.acks[kind] += 1
        if kind == "duplicate" and event_id in self.nothing:
            self.wrongly_nothing.add(event_id)
        self.acked.setdefault(event_id, time.time())

    def failed(self, ids: set[str], code: str) -> None:
        """Note a try that has to be repeated."""
        self.codes[code] += 1
        self.nothing |= {one for one in ids if code == "unavailable" and one not in self.unsure}
        if code != "unavailable":
            self.unsure |= ids
            self.nothing -= ids

    def awaits_finals(self) -> bool:
        return any(not self.finals[event_id] for event_id in self.reads_finals & self.acked.keys())


def events(
    run: str, count: int, persons: int, *, priority: str = "CRITICAL", first: int = 0
) -> Iterator[dict]:
    """Return events that carry their own id in their text, which identifies a message."""
    for number in range(first, first + count):
        event_id = f"{run}-{number:06}"
        yield {
            "event_id": event_id,
            "user_id": f"p{number % persons}",
            "timestamp": int(time.time() * 1000),
            "type_name": "drill.fault",
            "payload": {"ref": event_id, "symbol": "BTC/USDT"},
            "delivery": {"priority": priority},
        }


class _Paced:
    """Hands out items no faster than `rate` a second, to any number of senders."""

    def __init__(self, items: list[dict], rate: float, batch: int) -> None:
        self._items = iter([items[at : at + batch] for at in range(0, len(items), batch)])
        self._every_s = batch / rate if rate else 0.0
        self._next_at = time.monotonic()

    async def take(self) -> list[dict] | None:
        chunk = next(self._items, None)
        if chunk is not None:
            wait_s = self._next_at - time.monotonic()
            self._next_at = max(self._next_at + self._every_s, time.monotonic() - 1)
            if wait_s > 0:
                await asyncio.sleep(wait_s)
        return chunk


class _Producer(ABC):
    """Runs in a thread of its own until every event has its ack, or until it is stopped."""

    def __init__(self, diary: Diary) -> None:
        self.diary = diary
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> Self:
        self._thread.start()
        return self

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def join(self, within_s: float) -> None:
        """Wait until it is done, and let it send nothing more."""
        self._thread.join(within_s)
        self.stop()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(20)

    @abstractmethod
    def _run(self) -> None:
        """Send every event until it has its ack, or until `_stopped`."""


class HttpProducer(_Producer):
    """Posts batches; each is repeated until every event of it has an ack."""

    def __init__(
        self,
        url: str,
        key: str,
        items: list[dict],
        *,
        rate: float = 0,
        batch: int = 20,
        senders: int = 4,
        once: bool = False,
        diary: Diary | None = None,
    ) -> None:
        super().__init__(diary or Diary())
        self._once = once
        if once:
            self.diary.sent_once.update(item["event_id"] for item in items)
        self._url = f"{url}/api/v1/events"
        self._key = key
        self._items = items
        self._pace = _Paced(items, rate, batch)
        self._senders = senders

    def _run(self) -> None:
        asyncio.run(self._send_all())

    async def _send_all(self) -> None:
        timeout = aiohttp.ClientTimeout(total=15)
        headers = {"Authorization": f"Bearer {self._key}"}
        async with aiohttp.ClientSession(timeout=timeout, headers=headers) as session:
            await asyncio.gather(*(self._send(session) for _ in range(self._senders)))

    async def _send(self, session: aiohttp.ClientSession) -> None:
        while (chunk := await self._pace.take()) is not None:
            open_items = chunk
            while open_items and not self._stopped.is_set():
                open_items = await self._post(session, open_items)
                if self._once:
                    break
                if open_items:
                    await asyncio.sleep(0.2)

    async def _post(self, session: aiohttp.ClientSession, items: list[dict]) -> list[dict]:
        """Post once; return what has to be sent again."""
        diary = self.diary
        diary.submitted.update(item["event_id"] for item in items)
        single = len(items) == 1
        url, body = (self._url, items[0]) if single else (f"{self._url}/batch", {"events": items})
        started = time.time()
        try:
            async with session.post(url, json=body) as answer:
                status = str(answer.status)
                text = await answer.read()
                if answer.status == 503 and "Retry-After" not in answer.headers:
                    diary.without_retry_after += 1
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            status, text = type(error).__name__, b""
        diary.statuses[status] += 1
        diary.answered.append((started, status, time.time() - started))
        if not status.startswith(("2", "4")):
            code = json.loads(text)["code"] if status == "503" else status
            diary.failed({item["event_id"] for item in items}, code)
            return items
        answered = json.loads(text)
        if status.startswith("4"):
            diary.acks[answered["code"]] += len(items)
            diary.refused |= {item["event_id"]: answered["code"] for item in items}
            return []
        acks = [answered] if single else answered["acks"]
        for ack in acks:
            self._note(ack)
        known = diary.acked.keys() | diary.refused.keys()
        return [item for item in items if item["event_id"] not in known]

    def _note(self, ack: dict) -> None:
        event_id, code = ack["event_id"], ack.get("code", "")
        if ack.get("status") in _ACCEPTED or ack.get("seq"):  # what is stored has its place
            self.diary.promise(event_id, kind="duplicate" if ack.get("duplicate") else "first")
        else:
            self.diary.acks[code] += 1
            self.diary.refused.setdefault(event_id, code)


def to_wire(item: dict) -> bytes:
    return wire.UserEvent(
        source=SOURCE,
        event_id=item["event_id"],
        user_id=item["user_id"],
        timestamp=item["timestamp"],
        type_name=item["type_name"],
        payload=json.dumps(item["payload"]).encode(),
        delivery=wire.DeliverySpec(
            priority=item["delivery"]["priority"],
            channels=[wire.ChannelPreference(channel=name) for name in item["delivery"].get("channels", ())],
        ),
        expires_at=item.get("expires_at", 0),
    ).SerializeToString()


class StreamProducer(_Producer):
    """XADDs events and reads its acks, the final ones too; what has none after `resend_s` is added again.

    It is done when every event has its first ack, and reads on until it is stopped.
    """

    def __init__(
        self, url: str, items: list[dict], *, rate: float = 0, resend_s: float = 3.0, diary: Diary
    ) -> None:
        super().__init__(diary)
        self._url = url
        self._items = {item["event_id"]: item for item in items}
        self._rate = rate
        self._resend_s = resend_s
        self._waiting = list(self._items)
        self._sent_at: dict[str, float] = {}
        self._silent = threading.Event()
        self._answered = threading.Event()
        diary.reads_finals.update(self._items)
        diary.readers |= dict.fromkeys(self._items, self)

    @property
    def done(self) -> bool:
        return self._answered.is_set()

    def join(self, within_s: float) -> None:
        """Wait until it is done, and let it add nothing more; it reads on."""
        self._answered.wait(within_s)
        self._silent.set()

    def _run(self) -> None:
        client = redis.Redis.from_url(self._url, socket_timeout=5)
        started = time.monotonic()
        while not self._stopped.is_set():
            try:
                if not self._silent.is_set():
                    self._add_due(client, started)
                self._read(client)
            except redis.RedisError:
                self._stopped.wait(0.2)
            if not self._waiting and not self._sent_at:
                self._answered.set()

    def _add_due(self, client: "redis.Redis", started: float) -> None:
        """Add what is due at this rate, and again what has had no ack for too long."""
        allowed = int((time.monotonic() - started) * self._rate) if self._rate else len(self._items)
        fresh = allowed - (len(self._items) - len(self._waiting))
        chunk = self._waiting[: min(max(fresh, 0), 200)]
        late = [key for key, at in list(self._sent_at.items()) if time.monotonic() - at > self._resend_s]
        self._add(client, chunk + late)  # if it raises they may have been added: the same ids again
        del self._waiting[: len(chunk)]
        self._sent_at |= dict.fromkeys(chunk + late, time.monotonic())

    def _add(self, client: "redis.Redis", ids: list[str]) -> None:
        pipe = client.pipeline(transaction=False)
        for event_id in ids:
            pipe.xadd("tocsin:events", {"e": to_wire(self._items[event_id])})
        self.diary.submitted.update(ids)
        pipe.execute()

    def _read(self, client: "redis.Redis") -> None:
        """Read as docs/streams.md says: by the group, acknowledging."""
        stream = f"tocsin:acks:{SOURCE}"
        try:
            found = client.xreadgroup("producer", "harness", {stream: ">"}, count=1_000, block=100)
        except redis.ResponseError:  # there is no group yet, or no more
            client.xgroup_create(stream, "producer", id="0", mkstream=True)
            return
        for _, entries in found or []:
            for _, fields in entries:
                ack = wire.EventAck.FromString(fields[b"a"])
                if ack.event_id in self.diary.readers:  # the group reads for all producers of a run
                    self.diary.readers[ack.event_id].note(ack)
            client.xack(stream, "producer", *[entry_id for entry_id, _ in entries])

    def note(self, ack: wire.EventAck) -> None:
        if ack.final and not ack.duplicate:  # the answer to a duplicate repeats a final ack
            self.diary.finals[ack.event_id] += 1
        self._sent_at.pop(ack.event_id, None)
        if ack.seq:  # what is stored has its place
            self.diary.promise(ack.event_id, kind="duplicate" if ack.duplicate else "first")
        else:
            self.diary.acks[ack.code] += 1
            self.diary.refused.setdefault(ack.event_id, ack.code)
