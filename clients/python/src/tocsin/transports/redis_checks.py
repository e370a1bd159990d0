"""What `tocsin doctor` looks at over Redis Streams."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import redis

from tocsin.transports.base import Finding

_LONG = 10_000


def findings(client: redis.Redis, source: str) -> Iterator[Finding]:
    """Look at Redis, at who reads the stream, and at the acks of the source."""
    try:
        client.ping()
        yield Finding("redis", True, "answers")
        yield _memory(client)
        yield from _readers(client)
        acks: Any = client.xlen(f"tocsin:acks:{source}")
        known = (
            "there are acks" if acks else "no ack yet: the first event shows whether it may use the stream"
        )
        yield Finding(f"source {source}", True if acks else None, known)
    except redis.RedisError as error:
        yield Finding("redis", False, str(error))


def _memory(client: redis.Redis) -> Finding:
    memory: Any = client.info("memory")
    policy = memory.get("maxmemory_policy", "noeviction")
    if policy == "noeviction":
        return Finding("memory", True, "nothing is evicted")
    return Finding("memory", False, f"maxmemory-policy is {policy}: it may evict the stream; set noeviction")


def _readers(client: redis.Redis) -> Iterator[Finding]:
    try:
        groups: Any = client.xinfo_groups("tocsin:events")
    except redis.ResponseError:
        groups = []
    length: Any = client.xlen("tocsin:events")
    ours = [one for one in groups if one["name"] in (b"tocsin", "tocsin")]
    if not ours:
        yield Finding("ingress", False, "nobody has read tocsin:events yet: is ingest_streams running?")
    else:
        waiting = None if length > _LONG else True
        yield Finding("ingress", waiting, f"{ours[0]['consumers']} consumers, {length} entries wait")
