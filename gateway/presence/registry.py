"""Who has which sockets, in Redis: one hash a person, one field a socket.

An entry counts for a minute after its process wrote it last, so whatever a killed process leaves behind is
gone by then. Nothing is decided by it but how many sockets a person may open; presence itself is the
subscription (notifications/live/pubsub.py).
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import redis

from runtime.redis.client import client

KEPT_S = 60


@dataclass(slots=True)
class Socket:
    """One open socket of a person. Times are Unix milliseconds."""

    id: str
    person_id: int
    device: str
    since_ms: int
    gateway_id: str
    gateway: str  # host and process, for people
    confirmed_ms: int | None = None


def write(pipe: Any, socket: Socket) -> None:
    """Put the commands that (re)write an entry into a pipeline."""
    entry = {
        "device": socket.device,
        "since": socket.since_ms,
        "confirmed": socket.confirmed_ms,
        "gateway": socket.gateway,
        "until": int(time.time() * 1000) + KEPT_S * 1000,
    }
    pipe.hset(_key(socket.person_id), _field(socket), json.dumps(entry))
    pipe.expire(_key(socket.person_id), KEPT_S)


def remove(pipe: Any, sockets: Iterable[Socket]) -> None:
    for socket in sockets:
        pipe.hdel(_key(socket.person_id), _field(socket))


def read(pipe: Any, person_id: int) -> None:
    """Put the command whose answer `parsed` takes into a pipeline."""
    pipe.hgetall(_key(person_id))


def parsed(person_id: int, answer: Mapping[bytes, bytes]) -> list[Socket]:
    """Return the entries that count, the oldest first."""
    now_ms, found = time.time() * 1000, []
    for field, text in answer.items():
        entry = json.loads(text)
        if entry["until"] > now_ms:
            gateway_id, _, socket_id = field.decode().partition(".")
            found.append(
                Socket(
                    socket_id,
                    person_id,
                    entry["device"],
                    entry["since"],
                    gateway_id,
                    entry["gateway"],
                    entry["confirmed"],
                )
            )
    return sorted(found, key=lambda socket: (socket.since_ms, socket.id))


def sockets_of(person_id: int) -> list[Socket] | None:
    """Return a person's sockets in all processes that live, for a page; None while Redis is away."""
    try:
        found = parsed(person_id, client().hgetall(_key(person_id)))
        gateway_ids = sorted({socket.gateway_id for socket in found})
        counts = client().pubsub_numsub(*(f"gateway.{one}" for one in gateway_ids)) if found else []
    except redis.RedisError:
        return None
    living = {one for one, (_, count) in zip(gateway_ids, counts, strict=True) if count}
    return [socket for socket in found if socket.gateway_id in living]


def _key(person_id: int) -> str:
    return f"tocsin:sockets:{person_id}"


def _field(socket: Socket) -> str:
    return f"{socket.gateway_id}.{socket.id}"
