"""The feed of one socket: every stored event once and in order, whatever became of its wake."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.gateway.played_socket import MIRROR, Socket, frame


async def test_the_next_event_is_written_at_once_and_nobody_reads() -> None:
    socket = Socket().start()
    socket.push(1, 2, 3)
    assert socket.connection.seqs == [1, 2, 3]
    assert socket.table.reads == []


async def test_what_was_missed_is_read_in_order_and_live_events_follow() -> None:
    socket = Socket(last=130)
    socket.feed.start(after=7, head=130, resumed=True)
    socket.push(131)
    await socket.until(lambda socket: socket.feed.confirmed(["e70"]) or len(socket.connection.seqs) > 63)
    socket.feed.confirmed([f"e{seq}" for seq in socket.connection.seqs])
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
    socket.feed.advance_head(2)
    await socket.until_seqs(1, 2)
    socket.feed.advance_head(2)
    assert len(socket.table.reads) == 1


async def test_nothing_goes_out_before_the_start() -> None:
    socket = Socket()
    socket.push(1, 2)
    socket.feed.receive(MIRROR)
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


async def test_without_postgres_it_tries_again() -> None:
    socket = Socket(last=2)
    socket.table.away = 1
    socket.start()
    await socket.until_seqs(1, 2)
    assert len(socket.table.reads) == 2


async def test_a_wake_for_what_postgres_does_not_have_is_no_endless_search() -> None:
    socket = Socket().start()
    socket.feed.receive(frame(50))
    await socket.until(lambda socket: socket.table.reads and socket.feed._catch_up_task is None)
    assert len(socket.table.reads) == 1
    socket.push(1)
    assert socket.connection.seqs == [1]


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
            socket.feed.confirmed([f"e{seq}" for seq in socket.connection.seqs])
        elif step == "look":
            socket.feed.advance_head(last)
        else:
            await asyncio.sleep(0.001)
    socket.feed.advance_head(socket.table.last)
    while _first_times(socket)[-1:] != [socket.table.last] and socket.table.last:
        socket.feed.confirmed([f"e{seq}" for seq in socket.connection.seqs])
        await asyncio.sleep(0.001)
    assert _first_times(socket) == list(range(1, socket.table.last + 1))
    first = [item["seq"] for item in socket.connection.written if not item.get("repeat")]
    assert len(first) == len(set(first)), "only a repeat comes twice"
    socket.feed.close()


def _first_times(socket: Socket) -> list[int]:
    """The seqs in the order in which the client heard of them first."""
    return list(dict.fromkeys(socket.connection.seqs))
