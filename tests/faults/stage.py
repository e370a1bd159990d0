"""What a scenario works with: the system, its producers, and the figures that it has to reach."""

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from tests.faults import ledger
from tests.faults.clients import Clients
from tests.faults.live_clients import LiveClients
from tests.faults.producers import Diary, HttpProducer, StreamProducer, events
from tests.faults.system import FaultSystem, Size
from tests.kit.eventually import eventually
from tests.kit.sign_in import token_for


@dataclass(slots=True)
class Figure:
    """One number that a row of the release gate asks for."""

    name: str
    value: str
    limit: str = ""
    holds: bool = True


@dataclass(slots=True)
class Result:
    scenario: str
    fault: str
    size: str
    seed: int
    events: int
    duration_s: float
    ledger: dict[str, int]
    figures: list[Figure]
    examples: dict[str, list[str]] = field(default_factory=dict)  # of what must be 0, for the search

    @property
    def holds(self) -> bool:
        zero = ("lost", "unexpected", "stuck", "unflagged")
        return not any(self.ledger[name] for name in zero) and all(figure.holds for figure in self.figures)

    def to_json(self) -> dict:
        return asdict(self) | {"holds": self.holds}


class Stage:
    """One run of one scenario on a system that stands."""

    def __init__(self, scenario: str, system: FaultSystem, *, seed: int) -> None:
        self.scenario = scenario
        self.system = system
        self.size: Size = system.size
        self.full = system.size.name == "full"
        self.random = random.Random(seed)
        self.run = f"{scenario}-{secrets.token_hex(2)}"
        self.diary = Diary()
        self.figures: list[Figure] = []
        self.clients: list[Clients | LiveClients] = []
        self.producers: list[HttpProducer | StreamProducer] = []
        self.last_fault_at = time.monotonic()
        self._made = 0

    # --- what happens -----------------------------------------------------------------------------------
    def scaled(self, full: int, short: int) -> int:
        return full if self.full else short

    def items(self, count: int, *, priority: str = "CRITICAL") -> list[dict]:
        first, self._made = self._made, self._made + count
        return list(events(self.run, count, self.size.persons, priority=priority, first=first))

    def publish(self, count: int = 0, *, priority: str = "CRITICAL", **how: float) -> HttpProducer:
        """Start a producer over HTTP. `how`: rate (events/s), batch, senders."""
        items = self.items(count or self.size.events, priority=priority)
        return self.produce(items, **how)

    def produce(self, items: list[dict], **how: float) -> HttpProducer:
        system = self.system
        producer = HttpProducer(system.url, system.api_key, items, diary=self.diary, **how)  # type: ignore[arg-type]
        self.producers.append(producer)
        return producer.start()

    def publish_to_stream(self, count: int, *, rate: float = 0, resend_s: float = 3.0) -> StreamProducer:
        return self.produce_to_stream(self.items(count), rate=rate, resend_s=resend_s)

    def produce_to_stream(
        self, items: list[dict], *, rate: float = 0, resend_s: float = 3.0
    ) -> StreamProducer:
        producer = StreamProducer(
            self.system.valkey.url, items, rate=rate, resend_s=resend_s, diary=self.diary
        )
        self.producers.append(producer)
        return producer.start()

    def open_sockets(self, count: int, *, confirming: bool = True) -> Clients:
        persons = [f"p{number}" for number in range(count)]
        clients = Clients(self.system.port, persons, token_for, confirming=confirming).start()
        self.clients.append(clients)
        self.until(clients.all_open, within_s=20, what="every socket is ready")
        return clients

    def open_live(self, count: int, **how: object) -> LiveClients:
        """Open sockets that keep a log and resume. `how`: confirming."""
        persons = [f"p{number}" for number in range(count)]
        system, seed = self.system, self.random.randrange(2**32)
        clients = LiveClients(system.port, persons, token_for, seed=seed, **how).start()  # type: ignore[arg-type]
        self.clients.append(clients)
        self.until(clients.all_open, within_s=30, what="every socket is ready")
        return clients

    def struck(self) -> None:
        """Note that the last fault so far has just ended."""
        self.last_fault_at = time.monotonic()

    def pause(self, seconds: float) -> None:
        """Let time pass: a length of a fault, never a wait for something to happen."""
        time.sleep(seconds)

    def until(self, true: Callable[[], object], *, within_s: float, what: str) -> float:
        """Wait for it; return how long it took. Raises: `TimeoutError`."""
        started = time.monotonic()
        eventually(true, within_s, what=f"{self.run}, {what}", every_s=0.1)
        return time.monotonic() - started

    # --- what came of it --------------------------------------------------------------------------------
    def figure(self, name: str, value: object, *, limit: str = "", holds: bool = True) -> None:
        shown = f"{value:.1f}" if isinstance(value, float) else str(value)
        self.figures.append(Figure(name, shown, limit, holds))

    def open_events(self) -> int:
        """Return how many events of this run have no end, or have a row that still rings."""
        sql = (
            "SELECT count(*) FROM notifications_event e WHERE event_id LIKE %s AND (state = 'accepted' OR"
            " EXISTS (SELECT 1 FROM notifications_delivery d"
            "         WHERE d.event_id = e.id AND d.ring_at IS NOT NULL))"
        )
        return int(self.system.query(sql, f"{self.run}-%")[0][0])

    def settle(self, *, within_s: float = 0) -> float:
        """Wait until every event has ended; return the seconds since the last fault. Never raises.

        What has not ended by then is stuck, and the ledger says so.
        """
        deadline = time.monotonic() + (within_s or self.size.settle_s)
        for producer in self.producers:
            producer.join(max(1.0, deadline - time.monotonic()))
        while self.open_events() and time.monotonic() < deadline:
            time.sleep(0.25)
        return time.monotonic() - self.last_fault_at

    def received(self) -> "Counter[str]":
        counted = Counter(ref for ref, _, _ in ledger.arrivals(self.system.written_log(), self.run))
        for clients in self.clients:
            counted.update(event_id for event_id in clients.seen if event_id.startswith(self.run))
        # Every page has every event of its person's sequence: beside another channel's message no repeat.
        for clients in self.clients:
            if isinstance(clients, Clients):
                mine = {event_id for event_id in clients.copies if event_id.startswith(self.run)}
                counted.update(mine - counted.keys())
        return counted

    def ledger(self) -> ledger.Ledger:
        rows = self.system.query(ledger.STORIES, f"{self.run}-%")
        return ledger.draw_up(
            acked=self.diary.acked,
            submitted=self.diary.submitted,
            received=self.received(),
            stories=[ledger.Story(*row) for row in rows],
        )

    def close(self) -> None:
        for clients in self.clients:
            clients.stop()
