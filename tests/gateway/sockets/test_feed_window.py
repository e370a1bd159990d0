"""A client that is slow, or a connection that takes no more: what waits, what is dropped, who is ended."""

import asyncio
import json

from gateway.sockets.feed import AHEAD_FRAMES, BACKLOG_BYTES
from tests.gateway.played_socket import INFORMATIONAL, MIRROR, Socket


async def test_without_credit_events_wait_and_informational_ones_are_dropped() -> None:
    socket = Socket(window=4).start()
    socket.push(1, 2, 3, 4, 5, 6)
    socket.feed.receive(INFORMATIONAL)
    socket.feed.receive(MIRROR)
    assert socket.connection.seqs == [1, 2, 3, 4]
    assert [item["type"] for item in socket.connection.written[4:]] == ["event.read"]
    socket.feed.confirmed(["e1"])
    assert socket.table.reads == []  # one free place is not worth a query
    socket.feed.confirmed(["e2"])
    await socket.until_seqs(1, 2, 3, 4, 5, 6)
    assert socket.table.reads == [(4, 2)]


async def test_a_sign_of_life_gives_credit_back_for_what_nobody_waits_for() -> None:
    socket = Socket(window=2).start()
    socket.push(1, 2, 3, 4)
    socket.feed.on_ping()
    await socket.until_seqs(1, 2, 3, 4)
    socket.push(5, 6, ack_by=1)
    socket.feed.on_ping()
    await socket.until_seqs(1, 2, 3, 4, 5, 6)
    socket.push(7)
    socket.feed.on_ping()
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
        socket.feed.confirmed([f"e{seq}"])
    assert not socket.slow.is_set()
    socket.feed.close()


async def test_a_connection_that_takes_no_more_is_left_alone_until_it_does() -> None:
    socket = Socket().start()
    socket.feed.pause()
    socket.push(1, 2)
    socket.feed.receive(INFORMATIONAL)
    socket.feed.receive(MIRROR)
    assert socket.connection.written == []
    socket.feed.resume()
    await socket.until_seqs(1, 2)


async def test_a_connection_that_never_takes_more_is_slow() -> None:
    socket = Socket(slow_after_s=0.05).start()
    socket.feed.pause()
    await asyncio.wait_for(socket.slow.wait(), 10)


async def test_a_backlog_holds_events_back_until_it_is_written() -> None:
    socket = Socket().start()
    socket.connection.backlog = BACKLOG_BYTES + 1
    socket.push(1)
    assert socket.connection.seqs == []
    socket.connection.backlog = 0
    socket.feed.advance_head(1)
    await socket.until_seqs(1)


async def test_what_comes_too_before_start_is_bounded() -> None:
    socket = Socket()
    for seq in range(2, 1_000):
        socket.push(seq)
        socket.feed.receive(MIRROR)
    assert len(socket.feed._ahead) == len(socket.feed._before_start) == AHEAD_FRAMES
    socket.feed.close()


async def test_what_the_client_is_not_sent_costs_no_credit_and_breaks_no_order() -> None:
    socket = Socket(window=4)
    socket.feed.encode = lambda data: data if json.loads(data).get("seq", 1) % 10 == 0 else None
    socket.start()
    socket.push(*range(1, 31))
    socket.feed.receive(MIRROR)
    assert socket.connection.seqs == [10, 20, 30]
    socket.table.last = 60
    socket.feed.advance_head(60)
    await socket.until_seqs(10, 20, 30, 40)
    socket.feed.confirmed(["e40"])
    await socket.until_seqs(10, 20, 30, 40, 50, 60)
    assert len(socket.connection.written) == 6
    socket.feed.close()
