"""Which final acks their producers have read, and the sending of those again that Redis lost before.

A producer that reads its stream by the group `producer` acknowledges each entry. Those are noted in Postgres
and removed from the stream. Guarantee: a final ack is on its stream, or due, or noted as read.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import redis
from redis.exceptions import ResponseError

from gateway.ingress.streams import ACKS_KEPT, FINAL_OF, acks_stream
from notifications import store

log = logging.getLogger(__name__)

GROUP = b"producer"
BATCH = 1_000
SENT_AGAIN_FOR = timedelta(days=1)
_KEPT = "tocsin:acks.kept"  # there as long as Redis has lost nothing; a name that is no source's stream

Clock = Callable[[], datetime]


def note_read(client: "redis.Redis", *, clock: Clock) -> None:
    """Note the final acks that producers have acknowledged since the last call."""
    for source in store.stream_sources():
        stream = acks_stream(source)
        up_to = _read_up_to(client, stream)
        while up_to and (entries := client.xrange(stream, max=up_to, count=BATCH)):
            finals = [fields[FINAL_OF].decode() for _, fields in entries if FINAL_OF in fields]
            store.note_replies_read(finals, now=clock())
            client.xdel(stream, *[entry_id for entry_id, _ in entries])


def _read_up_to(client: "redis.Redis", stream: str) -> bytes | None:
    """Return the end of the part of a stream that its producer has acknowledged, as XRANGE takes it."""
    try:
        groups = {group["name"]: group for group in client.xinfo_groups(stream)}
    except ResponseError:  # there is no such stream
        return None
    if GROUP not in groups:
        return None
    pending = client.xpending(stream, GROUP)
    last: bytes = groups[GROUP]["last-delivered-id"]
    return b"(" + pending["min"] if pending["pending"] else last


def has_lost(client: "redis.Redis") -> bool:
    """Return whether Redis has lost its data since `send_lost_again`."""
    return not client.exists(_KEPT)


def send_lost_again(client: "redis.Redis", *, clock: Clock) -> int:
    """Make the final acks due again that were neither read nor are on their stream. Return how many."""
    client.set(_KEPT, 1)  # first: a loss from now on is another one
    count = 0
    for source in store.stream_sources():
        with store.replies_held():
            kept, oldest = _kept(client, acks_stream(source))
            since = max(filter(None, (oldest, clock() - SENT_AGAIN_FOR)))
            count += store.make_replies_due(source, since=since, except_for=kept)
    if count:
        log.warning("final_acks_sent_again", extra={"count": count})
    return count


def _kept(client: "redis.Redis", stream: str) -> tuple[list[str], datetime | None]:
    """Return the final acks on a stream, and when the first was sent if older ones may have been cut off."""
    kept = [fields[FINAL_OF].decode() for fields in _entries(client, stream) if FINAL_OF in fields]
    cut = len(kept) and client.xlen(stream) >= ACKS_KEPT
    return kept, store.reply_sent_at(kept[0]) if cut else None


def _entries(client: "redis.Redis", stream: str) -> Iterator[dict[bytes, bytes]]:
    after = "-"
    while entries := client.xrange(stream, min=after, count=BATCH):
        yield from (fields for _, fields in entries)
        after = "(" + entries[-1][0].decode()
