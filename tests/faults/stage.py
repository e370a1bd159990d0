"""What a scenario works with: the system, its producers, and the figures that it has to reach."""

import random
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field

import httpx

from notifications.settings import PipelineSettings
from tests.faults import ledger
from tests.faults.clients import Clients
from tests.faults.live_clients import LiveClients
from tests.faults.producers import Diary, HttpProducer, StreamProducer, events
from tests.faults.system import WORKER_CHILDREN, FaultSystem, Size
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
        none = not any(self.ledger[name] for name in ledger.MUST_BE_NONE)
        return none and all(figure.holds for figure in self.figures)

    def to_json(self) -> dict:
        return asdict(self) | {"holds": self.holds}


_FINALS_WITHIN_S = 10.0  # after the end of its event a final ack comes within this
_FINALS_ASKED = 50
_MIXED_PER_S = 20.0  # of one producer: what Telegram and the mail servers take at the default limits


class Stage:
    """One run of one scenario on a system that stands."""

    def __init__(self, scenario: str, system: FaultSystem, *, seed: int, mixed: bool = False) -> None:
        self.scenario = scenario
        self.system = system
        self.mixed = mixed  # NORMAL beside CRITICAL, within the limits, and some producers send once
        self.size: Size = system.size
        self.full = system.size.name == "full"
        self.random = random.Random(seed)
        self.run = f"{scenario}-{secrets.token_hex(2)}"
        self.diary = Diary()
        self.figures: list[Figure] = []
        self.clients: list[Clients | LiveClients] = []
        self.producers: list[HttpProducer | StreamProducer] = []
        self.last_fault_at = time.monotonic()
        self.expected_dead: list[ledger.DeadLetters] = []
        self.repeats_at_most = 0
        self.second_finals_at_most = 0
        self._made = 0

    # --- what happens -----------------------------------------------------------------------------------
    def scaled(self, full: int, short: int) -> int:
        return full if self.full else short

    def items(self, count: int, *, priority: str = "CRITICAL") -> list[dict]:
        first, self._made = self._made, self._made + count
        return list(events(self.run, count, self.size.persons, priority=priority, first=first))

    def publish(
        self, count: int = 0, *, priority: str = "CRITICAL", rate: float = 0, **how: float
    ) -> HttpProducer:
        """Start a producer over HTTP. `how`: batch, senders. In a mixed run a second one sends once."""
        count = count or self.size.events
        if not self.mixed:
            return self.produce(self.items(count, priority=priority), rate=rate, **how)
        items, rate = self._mixed(count, rate)
        cut = len(items) // 4
        self.produce(items[:cut], rate=rate / 4, once=True, **how)
        return self.produce(items[cut:], rate=rate * 3 / 4, **how)

    def _mixed(self, count: int, rate: float) -> tuple[list[dict], float]:
        """Return fewer events in the same time: within the limits, of both priorities, on two channels."""
        slower = max(1.0, (rate or _MIXED_PER_S) / _MIXED_PER_S)
        items = self.items(max(8, int(count / slower)))
        for number, item in enumerate(items):
            item["delivery"]["priority"] = ("CRITICAL", "NORMAL")[number // 2 % 2]
            if number % 2:  # these persons have a mailbox as well
                item["delivery"]["channels"] = ["EMAIL", "TELEGRAM"]
        return items, (rate or _MIXED_PER_S) / slower

    def produce(self, items: list[dict], **how: float) -> HttpProducer:
        """`how`: rate (events/s), batch, senders, once, wait_s."""
        system = self.system
        producer = HttpProducer(system.url, system.api_key, items, diary=self.diary, **how)  # type: ignore[arg-type]
        self.producers.append(producer)
        return producer.start()

    def publish_to_stream(self, count: int, *, rate: float = 0, resend_s: float = 3.0) -> StreamProducer:
        """Start a producer over the stream; one whose `resend_s` is infinite sends once."""
        if not self.mixed:
            return self.produce_to_stream(self.items(count), rate=rate, resend_s=resend_s)
        items, rate = self._mixed(count, rate)
        return self.produce_to_stream(items, rate=rate, resend_s=resend_s)

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

    # --- what the row makes happen on purpose -----------------------------------------------------------
    def expect_dead(self, code: str, ids: Iterable[str] | None = None, *, at_most: int | None = None) -> None:
        """Expect dead letters of this name: of these events or of any, all of them or some."""
        named = None if ids is None else frozenset(ids)
        self.expected_dead.append(ledger.DeadLetters(code, named, at_most))

    def sends_in_flight(self, *, workers: int) -> int:
        """Return how many sends so many workers can have in flight: in each child, its slots of a channel."""
        return workers * WORKER_CHILDREN * PipelineSettings().send_concurrency

    def allow_repeats(self, at_most: int) -> None:
        """Allow so many messages more, beyond the first of their event."""
        self.repeats_at_most += at_most

    def allow_second_finals(self, at_most: int) -> None:
        """Allow so many final acks more: a crash after a reply was added, and before it is recorded."""
        self.second_finals_at_most += at_most

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
        took_s = time.monotonic() - self.last_fault_at
        finals_by = max(deadline, time.monotonic() + _FINALS_WITHIN_S)
        while self.diary.awaits_finals() and time.monotonic() < finals_by:
            time.sleep(0.1)
        return took_s

    def messages(self) -> list[ledger.Message]:
        """Return what recipients and pages have."""
        came = ledger.messages(self.system.written_log(), self.run)
        shown = [event_id for clients in self.clients for event_id in clients.seen]
        came += [ledger.Message(event_id, ledger.PAGE) for event_id in shown if event_id.startswith(self.run)]
        # Every page has every event of its person's sequence: beside another channel's message no repeat.
        known = {message.event_id for message in came}
        for clients in self.clients:
            if isinstance(clients, Clients):
                mine = {event_id for event_id in clients.copies if event_id.startswith(self.run)}
                came += [ledger.Message(event_id, ledger.PAGE) for event_id in mine - known]
        return came

    def received(self) -> "Counter[str]":
        return Counter(message.event_id for message in self.messages())

    def ledger(self) -> ledger.Ledger:
        rows = self.system.query(ledger.STORIES, f"{self.run}-%")
        return ledger.draw_up(
            acked=self.diary.acked,
            submitted=self.diary.submitted,
            came=self.messages(),
            stories=[ledger.Story(*row) for row in rows],
            expected=self.expected_dead,
            finals={key: self.diary.finals[key] for key in self.diary.reads_finals},
        )

    def ask_for_finals(self) -> None:
        """Ask for the final acks of some events that came over HTTP, as their producers would."""
        self.until(self.system.answers, within_s=60, what="the gateway answers")
        asked = sorted(self.diary.acked.keys() - self.diary.reads_finals)
        headers = {"Authorization": f"Bearer {self.system.api_key}"}
        with httpx.Client(base_url=self.system.url, headers=headers, timeout=10, trust_env=False) as client:
            for event_id in self.random.sample(asked, min(len(asked), _FINALS_ASKED)):
                answer = client.get(f"/api/v1/events/{event_id}")
                self.diary.reads_finals.add(event_id)
                self.diary.finals[event_id] = int(answer.is_success and answer.json()["ack"]["final"])

    def close(self) -> None:
        for producer in self.producers:
            producer.stop()
        for clients in self.clients:
            clients.stop()
