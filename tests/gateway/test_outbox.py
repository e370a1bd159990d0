"""The outbox of one socket, with a list for its connection and a list for Postgres."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest
from django.db import OperationalError
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.credit import Window
from gateway.outbox import AHEAD_FRAMES, BACKLOG_BYTES, Outbox
from notifications import frames, live
from notifications.catchup import Missed


def frame(seq: int, *, ack_by: int = 0, repeat: bool = False) -> bytes:
    """A stored event's frame, as `frames.event_frame` begins it."""
    more: dict[str, object] = {"ack_by": ack_by} if ack_by else {}
    more |= {"repeat": True} if repeat else {}
    return live.frame("event", seq=seq, **more, event_id=f"e{seq}", payload={})


INFORMATIONAL = live.frame("event", event_id="info", payload={})
MIRROR = live.frame("event.read", event_ids=["e1"])


class Connection:
    """A connection that takes everything, and says so in `backlog` when it should not."""

    def __init__(self) -> None:
        self.backlog = 0
        self.written: list[dict] = []

    def write(self, data: bytes) -> None:
        self.written.append(json.loads(data))

    @property
    def seqs(self) -> list[int]:
        return [item["seq"] for item in self.written if "seq" in item]


class Table:
    """Postgres: the events up to `last`, and how often somebody looked."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self.reads: list[tuple[int, int]] = []
        self.away = 0

    async def read(self, after: int, limit: int) -> Missed:
        self.reads.append((after, limit))
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise OperationalError("away")
        found = range(after + 1, min(self.last, after + limit) + 1)
        pages = [(frames.head(frame(seq)), frame(seq)) for seq in found]
        return Missed([(head, data) for head, data in pages if head], found[-1] if found else after)


class Socket:
    def __init__(self, *, last: int = 0, window: int = 64, slow_after_s: float = 60) -> None:
        self.connection = Connection()
        self.table = Table(last)
        self.slow = asyncio.Event()
        self.outbox = Outbox(
            self.connection,
            Window(window, 10**6),
            read=self.table.read,
            slow=self.slow.set,
            slow_after_s=slow_after_s,
        )

    def start(self, after: int = 0, *, resumed: bool = True) -> "Socket":
        self.outbox.start(after=after, known=self.table.last, resumed=resumed)
        return self

    def push(self, *seqs: int, **how: object) -> None:
        """Commit and push events."""
        for seq in seqs:
            self.table.last = max(self.table.last, seq)
            self.outbox.receive(frame(seq, **how))  # type: ignore[arg-type]

    async def until(self, true: Callable[["Socket"], object]) -> None:
        deadline = time.monotonic() + 10
        while not true(self):
            assert time.monotonic() < deadline, self.connection.seqs
            await asyncio.sleep(0.001)

    async def until_seqs(self, *seqs: int) -> None:
        await self.until(lambda socket: socket.connection.seqs == list(seqs))


async def test_the_next_event_is_written_at_once_and_nobody_reads() -> None:
    socket = Socket().start()
    socket.push(1, 2, 3)
    assert socket.connection.seqs == [1, 2, 3]
    assert socket.table.reads == []


async def test_what_was_missed_is_read_in_order_and_live_events_follow() -> None:
    socket = Socket(last=130)
    socket.outbox.start(after=7, known=130, resumed=True)
    socket.push(131)
    await socket.until(lambda socket: socket.outbox.confirmed(["e70"]) or len(socket.connection.seqs) > 63)
    socket.outbox.confirmed([f"e{seq}" for seq in socket.connection.seqs])
    await socket.until_seqs(*range(8, 132))


async def test_a_gap_is_read_from_postgres() -> None:
    socket = Socket().start()
    socket.push(1)
    socket.table.last = 3  # the wakes of 2 and 3 are lost
    socket.push(4)
    assert socket.connection.seqs == [1]
    await socket.until_seqs(1, 2, 3, 4)
    socket.push(2, 3, 4, 5)  # late wakes change nothing
    await socket.until_seqs(1, 2, 3, 4, 5)


async def test_wakes_that_overtake_each_other_cost_no_query() -> None:
    socket = Socket().start()
    socket.push(2, 4, 3, 1)
    await socket.until_seqs(1, 2, 3, 4)
    assert socket.table.reads == []


async def test_a_look_finds_what_no_wake_told() -> None:
    socket = Socket(last=0).start()
    socket.table.last = 2
    socket.outbox.look(2)
    await socket.until_seqs(1, 2)
    socket.outbox.look(2)
    assert len(socket.table.reads) == 1


async def test_nothing_goes_out_before_the_start() -> None:
    socket = Socket()
    socket.push(1, 2)
    socket.outbox.receive(MIRROR)
    assert socket.connection.written == []
    socket.start(after=1)
    assert [item.get("seq", item["type"]) for item in socket.connection.written] == ["event.read", 2]


async def test_an_event_of_the_moment_of_connecting_is_sent_if_somebody_waits_for_it() -> None:
    new = Socket()
    new.push(4, 5, ack_by=1)
    new.push(3)
    new.start(after=5, resumed=False)
    assert new.connection.seqs == [4, 5]
    new.push(2, ack_by=1)
    assert new.connection.seqs == [4, 5, 2]


async def test_who_resumed_is_not_sent_what_they_had() -> None:
    socket = Socket()
    socket.push(4, 5, ack_by=1)
    socket.start(after=5, resumed=True)
    socket.push(3, ack_by=1)
    assert socket.connection.seqs == []


async def test_an_event_that_comes_back_to_the_page_is_sent_again() -> None:
    socket = Socket().start()
    socket.push(1, 2, 3, ack_by=1)
    socket.push(2, ack_by=9, repeat=True)
    socket.push(2, ack_by=1)  # not a repeat: a late wake
    assert [(item["seq"], item["ack_by"]) for item in socket.connection.written] == [
        (1, 1),
        (2, 1),
        (3, 1),
        (2, 9),
    ]


async def test_without_credit_events_wait_and_informational_ones_are_dropped() -> None:
    socket = Socket(window=4).start()
    socket.push(1, 2, 3, 4, 5, 6)
    socket.outbox.receive(INFORMATIONAL)
    socket.outbox.receive(MIRROR)
    assert socket.connection.seqs == [1, 2, 3, 4]
    assert [item["type"] for item in socket.connection.written[4:]] == ["event.read"]
    socket.outbox.confirmed(["e1"])
    assert socket.table.reads == []  # one free place is not worth a query
    socket.outbox.confirmed(["e2"])
    await socket.until_seqs(1, 2, 3, 4, 5, 6)
    assert socket.table.reads == [(4, 2)]


async def test_a_sign_of_life_gives_credit_back_for_what_nobody_waits_for() -> None:
    socket = Socket(window=2).start()
    socket.push(1, 2, 3, 4)
    socket.outbox.alive()
    await socket.until_seqs(1, 2, 3, 4)
    socket.push(5, 6, ack_by=1)
    socket.outbox.alive()
    await socket.until_seqs(1, 2, 3, 4, 5, 6)
    socket.push(7)
    socket.outbox.alive()
    assert socket.connection.seqs[-1] == 6


async def test_who_confirms_nothing_is_slow() -> None:
    socket = Socket(window=2, slow_after_s=0.05).start()
    socket.push(1, 2, ack_by=1)
    await asyncio.wait_for(socket.slow.wait(), 10)


async def test_who_confirms_in_time_is_not_slow() -> None:
    socket = Socket(window=2, slow_after_s=0.2).start()
    for seq in range(1, 8):
        socket.push(seq, ack_by=1)
        await asyncio.sleep(0.05)
        socket.outbox.confirmed([f"e{seq}"])
    assert not socket.slow.is_set()
    socket.outbox.close()


async def test_a_connection_that_takes_no_more_is_left_alone_until_it_does() -> None:
    socket = Socket().start()
    socket.outbox.pause()
    socket.push(1, 2)
    socket.outbox.receive(INFORMATIONAL)
    socket.outbox.receive(MIRROR)
    assert socket.connection.written == []
    socket.outbox.resume()
    await socket.until_seqs(1, 2)


async def test_a_connection_that_never_takes_more_is_slow() -> None:
    socket = Socket(slow_after_s=0.05).start()
    socket.outbox.pause()
    await asyncio.wait_for(socket.slow.wait(), 10)


async def test_a_backlog_holds_events_back_until_it_is_written() -> None:
    socket = Socket().start()
    socket.connection.backlog = BACKLOG_BYTES + 1
    socket.push(1)
    assert socket.connection.seqs == []
    socket.connection.backlog = 0
    socket.outbox.look(1)
    await socket.until_seqs(1)


async def test_without_postgres_it_tries_again() -> None:
    socket = Socket(last=2)
    socket.table.away = 1
    socket.start()
    await socket.until_seqs(1, 2)
    assert len(socket.table.reads) == 2


async def test_a_wake_for_what_postgres_does_not_have_is_no_endless_search() -> None:
    socket = Socket().start()
    socket.outbox.receive(frame(50))
    await socket.until(lambda socket: socket.table.reads and socket.outbox._reading is None)
    assert len(socket.table.reads) == 1
    socket.push(1)
    assert socket.connection.seqs == [1]


async def test_what_comes_too_early_is_bounded() -> None:
    socket = Socket()
    for seq in range(2, 1_000):
        socket.push(seq)
        socket.outbox.receive(MIRROR)
    assert len(socket.outbox._ahead) == len(socket.outbox._early) == AHEAD_FRAMES
    socket.outbox.close()


STEPS = st.lists(
    st.sampled_from(["push", "lose", "overtake", "repeat", "ack", "late", "look", "wait"]), max_size=60
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(0, 5))
def test_whatever_happens_to_wakes_the_order_holds(steps: list[str], missed: int) -> None:
    asyncio.run(_play(steps, missed))


async def _play(steps: list[str], missed: int) -> None:
    socket = Socket(last=missed, window=3).start()
    held: list[int] = []
    for step in steps:
        last = socket.table.last
        if step == "push":
            socket.push(last + 1)
        elif step == "lose":
            socket.table.last += 1
        elif step == "overtake":
            socket.table.last += 1
            held.append(last + 1)
        elif step == "late" and held:
            socket.push(held.pop())
        elif step == "repeat" and last:
            socket.push(last, ack_by=1, repeat=True)
        elif step == "ack":
            socket.outbox.confirmed([f"e{seq}" for seq in socket.connection.seqs])
        elif step == "look":
            socket.outbox.look(last)
        else:
            await asyncio.sleep(0.001)
    socket.outbox.look(socket.table.last)
    while _first_times(socket)[-1:] != [socket.table.last] and socket.table.last:
        socket.outbox.confirmed([f"e{seq}" for seq in socket.connection.seqs])
        await asyncio.sleep(0.001)
    assert _first_times(socket) == list(range(1, socket.table.last + 1))
    first = [item["seq"] for item in socket.connection.written if not item.get("repeat")]
    assert len(first) == len(set(first)), "only a repeat comes twice"
    socket.outbox.close()


async def test_what_the_client_is_not_sent_costs_no_credit_and_breaks_no_order() -> None:
    socket = Socket(window=4)
    socket.outbox.worded = lambda data: data if json.loads(data).get("seq", 1) % 10 == 0 else None
    socket.start()
    socket.push(*range(1, 31))
    socket.outbox.receive(MIRROR)
    assert socket.connection.seqs == [10, 20, 30]
    socket.table.last = 60
    socket.outbox.look(60)
    await socket.until_seqs(10, 20, 30, 40)
    socket.outbox.confirmed(["e40"])
    await socket.until_seqs(10, 20, 30, 40, 50, 60)
    assert len(socket.connection.written) == 6
    socket.outbox.close()


def _first_times(socket: Socket) -> list[int]:
    """The seqs in the order in which the client heard of them first."""
    return list(dict.fromkeys(socket.connection.seqs))


@pytest.mark.parametrize("payload", ['"', "\\", "é", '","seq":9,'])
def test_the_head_of_a_frame_is_read_without_its_payload(payload: str) -> None:
    data = live.frame("event", seq=12, ack_by=7, event_id=f"id{payload}", payload={"seq": 5, "x": payload})
    assert frames.head(data) == frames.Head(12, f"id{payload}", 7)


def test_a_frame_without_seq_has_no_head() -> None:
    forged = live.frame("event", event_id='x","seq":9', payload={"type": "event", "seq": 1})
    assert frames.head(forged) is None
    assert frames.head(MIRROR) is None
