"""Over Redis Streams: events to `tocsin:events`, acks from `tocsin:acks:<source>` (docs/streams.md).

Needs the extra `redis`. Each journal reads all acks of its source and keeps its own place, so any number of
journals may share a source. Where there is one journal, `?acks=group` in the URL lets Tocsin remove what was
read: the acks are then read by the group `producer`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, List, Optional, Tuple
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tocsin.acks import Ack
from tocsin.errors import Refused, TransportError
from tocsin.transports.base import Answer, Finding, Options, Outgoing, Replies, Transport

try:
    import redis
    from google.protobuf.message import DecodeError
    from redis import exceptions as trouble

    from tocsin import wire
except ImportError as error:
    raise ImportError(f"Redis Streams need more: pip install 'tocsin-client[redis]' ({error})") from error

EVENTS = "tocsin:events"
GROUP = "producer"
_READ = 1_000
_FIRST = "0"
_FULL_S = 15.0


class RedisStreamsTransport(Transport):
    """`redis://:password@host:6379/0` with a source, or `?source=…` in the URL."""

    receives = True

    def __init__(self, url: str, options: Options) -> None:
        super().__init__(url, options)
        redis_url, own = _split(url)
        self.source = options.source or own.get("source", "")
        if not self.source:
            raise ValueError("Publishing over Redis Streams needs source=…, the name of your source.")
        self.acks = f"tocsin:acks:{self.source}"
        self._by_group = own.get("acks") == "group"
        self._starting = threading.Lock()
        self._start = ""
        self._sending = _client(redis_url, options.timeout_s)
        self._receiving: Any = _client(redis_url, options.timeout_s)

    def send(self, events: Sequence[Outgoing]) -> Sequence[Answer]:
        """Add all or none: a batch that is half there could be overtaken by its second half."""
        pipe = self._sending.pipeline(transaction=True)
        for event in events:
            pipe.xadd(EVENTS, {"e": wire.event_bytes(event.body, source=self.source)})
        try:
            self._start_from(self._sending)  # before the first event, so that none of its acks is older
            pipe.execute()
        except trouble.RedisError as error:
            raise _error(error) from error
        return [None] * len(events)

    def receive(self, position: str, *, wait_s: float) -> Replies:
        try:
            if not position and not self._by_group:
                return Replies((), self._start_from(self._receiving))
            found = self._read(position, round(wait_s * 1000))
            if not found:
                return Replies((), self._still_there(position))
        except trouble.RedisError as error:
            raise _error(error) from error
        entries: List[Tuple[bytes, Mapping[bytes, bytes]]] = found[0][1]
        return Replies(list(_acks(entries)), entries[-1][0].decode())

    def _start_from(self, client: Any) -> str:
        """Return where a new journal begins to read: older acks are of what others published."""
        with self._starting:
            if not self._start:
                last = client.xrevrange(self.acks, count=1)
                self._start = last[0][0].decode() if last else _FIRST
            return self._start

    def _read(self, position: str, wait_ms: int) -> Any:
        if not self._by_group:
            return self._receiving.xread({self.acks: position}, count=_READ, block=wait_ms)
        try:
            # What was read before a crash and not acknowledged comes first.
            again = self._receiving.xreadgroup(GROUP, "client", {self.acks: _FIRST}, count=_READ)
            if again and again[0][1]:
                return again
            return self._receiving.xreadgroup(GROUP, "client", {self.acks: ">"}, count=_READ, block=wait_ms)
        except trouble.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self._receiving.xgroup_create(self.acks, GROUP, id=_FIRST, mkstream=True)
            return None

    def _still_there(self, position: str) -> str:
        """Return the place to read from: the start again, if the stream is another one than it was."""
        last: Any = self._receiving.xrevrange(self.acks, count=1) if position and not self._by_group else []
        return _FIRST if last and _as_place(last[0][0]) < _as_place(position.encode()) else position

    def received(self, replies: Replies) -> None:
        if self._by_group and replies.acks:
            try:
                pending: Any = self._receiving.xreadgroup(GROUP, "client", {self.acks: _FIRST}, count=_READ)
                ids = [entry_id for _, entries in pending for entry_id, _ in entries]
                up_to = _as_place(replies.position.encode())
                done = [one for one in ids if _as_place(one) <= up_to]
                if done:
                    self._receiving.xack(self.acks, GROUP, *done)
            except trouble.RedisError as error:
                raise _error(error) from error

    def diagnose(self) -> Iterator[Finding]:
        from tocsin.transports.redis_checks import findings

        return findings(self._sending, self.source)

    def close(self) -> None:
        for client in (self._sending, self._receiving):
            client.close()


def _client(url: str, timeout_s: float) -> redis.Redis:
    return redis.Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=5.0, health_check_interval=30
    )


def _split(url: str) -> Tuple[str, Mapping[str, str]]:
    """Return the URL for redis-py, and our own parameters."""
    parts = urlsplit(url)
    given = parse_qsl(parts.query)
    own = {name: value for name, value in given if name in {"source", "acks"}}
    rest = urlencode([(name, value) for name, value in given if name not in own])
    return urlunsplit(parts._replace(query=rest)), own


def _acks(entries: Sequence[Tuple[bytes, Mapping[bytes, bytes]]]) -> Iterator[Ack]:
    return filter(None, (_ack(fields) for _, fields in entries))


def _ack(fields: Mapping[bytes, bytes]) -> Optional[Ack]:
    try:
        return wire.ack_from(fields[b"a"])
    except (KeyError, DecodeError, ValueError):  # not one of Tocsin's: it is of no event of ours
        return None


def _as_place(entry_id: bytes) -> Tuple[int, int]:
    moment, _, number = entry_id.partition(b"-")
    return int(moment), int(number or 0)


def _error(error: Exception) -> TransportError:
    if isinstance(error, (trouble.AuthenticationError, trouble.NoPermissionError)):
        return Refused("redis_refuses", str(error))
    if isinstance(error, trouble.OutOfMemoryError):
        return TransportError("redis_full", str(error), retry_after_s=_FULL_S)
    return TransportError("unreachable", str(error) or type(error).__name__)
