"""Live sessions over Redis pub/sub. Messages may be lost: no row in Postgres depends on one.

A gateway process subscribes to `user.<id>` while that user has a socket there, so the subscription
*is* the presence. Guarantee: at most once. While Redis is down, all users count as offline.
"""

import json
import logging
from collections.abc import Iterable, Sequence

import redis

from runtime.redis.client import client
from users.locales import DEFAULT

log = logging.getLogger(__name__)

REPLIES_DUE = "tocsin.replies"  # wakes the ingress that writes final acks to reply streams
# Sent to a user's sockets, never on to their clients: read again which topics the user follows.
TOPICS_CHANGED = b'{"type":"topics.changed"}'
# Created once: `json.dumps` with these options creates an encoder for every call.
_to_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def user_channel(person_id: int) -> str:
    return f"user.{person_id}"


def topic_channel(topic: str, language: str = DEFAULT) -> str:
    """Return the channel of the followers who read this language: `topic.btc`, `topic.btc@de`."""
    return f"topic.{topic}" if language == DEFAULT else f"topic.{topic}@{language}"


def final_channel(pk: int | str) -> str:
    """Return the channel on which the end of an event or broadcast is announced."""
    return f"final.{pk}"


def online(person_ids: Iterable[int]) -> frozenset[int]:
    """Return which of these users have an open socket now, in one round trip."""
    return frozenset(person for person, count in process_counts(person_ids).items() if count)


def process_counts(person_ids: Iterable[int]) -> dict[int, int]:
    """Return in how many gateway processes each user has sockets; an empty dict while Redis is down."""
    wanted = list(person_ids)
    if not wanted:
        return {}
    try:
        counts = client().pubsub_numsub(*map(user_channel, wanted))
    except redis.RedisError as error:
        log.warning("presence_unavailable", extra={"error": type(error).__name__})
        return {}
    return {person: int(count) for person, (_, count) in zip(wanted, counts, strict=True)}


def push(frames: Sequence[tuple[int, bytes]]) -> list[int]:
    """Publish frames to users. Return, for each frame, how many gateway processes received it."""
    return publish([(user_channel(person_id), frame) for person_id, frame in frames])


def heard(channels: Sequence[str]) -> list[bool]:
    """Return which of these channels a gateway process listens to now, in one round trip."""
    try:
        return [count > 0 for _, count in client().pubsub_numsub(*channels)] if channels else []
    except redis.RedisError as error:
        log.warning("presence_unavailable", extra={"error": type(error).__name__})
        return [False] * len(channels)


def publish(frames: Sequence[tuple[str, bytes]]) -> list[int]:
    """Publish frames to channels. Return, for each, how many gateway processes received it."""
    if not frames:
        return []
    try:
        pipe = client().pipeline(transaction=False)
        for channel, frame in frames:
            pipe.publish(channel, frame)
        return [int(count) for count in pipe.execute()]
    except redis.RedisError as error:
        log.warning("push_unavailable", extra={"error": type(error).__name__, "frames": len(frames)})
        return [0] * len(frames)


def except_for(socket_id: str, frame: bytes) -> bytes:
    """Return the message that delivers `frame` to all sockets of a user except `socket_id`."""
    return b"!%s %s" % (socket_id.encode(), frame)


def addressed(message: bytes, socket_id: str) -> bytes | None:
    """Return the frame of a pushed message, or None if the message excludes this socket."""
    if not message.startswith(b"!"):
        return message
    excepted, _, frame = message[1:].partition(b" ")
    return None if excepted == socket_id.encode() else frame


def announce_finals(pks: Sequence[int | str], *, replies: bool) -> None:
    """Wake the requests that wait for the end of these events or broadcasts: a hint to read the database.

    `replies`: also wake the ingress that writes final acks to reply streams.
    """
    if not pks:
        return
    try:
        pipe = client().pipeline(transaction=False)
        for pk in pks:
            pipe.publish(final_channel(pk), b"")
        if replies:
            pipe.publish(REPLIES_DUE, b"")
        pipe.execute()
    except redis.RedisError as error:
        log.warning("announce_unavailable", extra={"error": type(error).__name__})


def frame(kind: str, **fields: object) -> bytes:
    """Return one JSON text frame, encoded as it is written to sockets."""
    return _to_json({"type": kind, **fields}).encode()
