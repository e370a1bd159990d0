"""The lossy filter loses pushes to persons, one in so many, and never a byte of anything else."""

import pytest

from tests.faults.lossy import LosePushes


def bulk(data: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(data), data)


def reply(*parts: bytes) -> bytes:
    return b"*%d\r\n" % len(parts) + b"".join(map(bulk, parts))


def push(text: bytes, channel: bytes = b"user.7") -> bytes:
    return reply(b"message", channel, text)


SUBSCRIBED = b"*3\r\n" + bulk(b"subscribe") + bulk(b"user.7") + b":1\r\n"
STREAM = (
    b"+OK\r\n" + SUBSCRIBED + push(b"1") + push(b"2\r\n*3") + push(b"x", b"final.3") + push(b"3") + push(b"4")
)
KEPT = b"+OK\r\n" + SUBSCRIBED + push(b"1") + push(b"x", b"final.3") + push(b"3")


@pytest.mark.parametrize("size", [1, 7, 64, 1_000])
def test_every_second_push_is_lost_however_the_bytes_arrive(size: int) -> None:
    losing = LosePushes(every=2)
    passing = losing.filter()
    first = len(b"+OK\r\n" + SUBSCRIBED)
    chunks = [STREAM[:first], *(STREAM[at : at + size] for at in range(first, len(STREAM), size))]
    assert b"".join(map(passing, chunks)) == KEPT
    assert (losing.passed, losing.lost) == (2, 2)


def test_a_connection_without_a_subscription_passes_untouched() -> None:
    passing = LosePushes(every=1).filter()
    assert passing(push(b"1") + b":1\r\n") == push(b"1") + b":1\r\n"
