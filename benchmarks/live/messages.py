"""The 170-byte event of every comparison, and how each side publishes it."""

import os
from functools import cache

from channels_redis.pubsub import RedisPubSubChannelLayer

from notifications.live import pubsub

EVENT_BYTES = 170


def event(number: int) -> bytes:
    """Return an INFORMATIONAL event frame of 170 bytes that carries its number."""
    fields = {"event_id": f"{number:09d}", "event_type": "ORDER_FILLED", "priority": "INFORMATIONAL"}
    bare = pubsub.frame(
        "event", **fields, timestamp=1763683200000, payload={"symbol": "BTC/USDT", "note": ""}
    )
    padded = bare.replace(b'"note":""', b'"note":"%b"' % (b"x" * (EVENT_BYTES - len(bare))))
    assert len(padded) == EVENT_BYTES
    return padded


@cache
def _layer() -> RedisPubSubChannelLayer:
    return RedisPubSubChannelLayer(hosts=[os.environ["REDIS_URL"]])


def group_message(data: bytes) -> bytes:
    """Return what `group_send` publishes for this event: prepared, so that the sender costs nothing."""
    return _layer().serialize({"type": "event", "text": data.decode()})


def group_channel(group: str) -> str:
    return f"asgi__group__{group}"
