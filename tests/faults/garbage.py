"""Frames and bytes that nobody should send."""

import json
import random
import struct

from tests.kit.raw_websocket import BINARY, CLOSE, PING, TEXT, client_frame

_TYPES = [
    "ack",
    "auth",
    "seen",
    "read",
    "archive",
    "acknowledge",
    "subscribe",
    "ping",
    "__class__",
    "_on_ack",
]
_VALUES = [None, True, -1, 10**30, 1e308, "", "\0", "\ud800", "x" * 300, [], {}, [[[]]], {"a": {"a": 1}}]


def malformed_frame(dice: random.Random, secret: str) -> bytes:
    """Return the payload of one frame that is refused, or at best changes nothing."""
    kind = dice.randrange(6)
    if kind == 0:
        return dice.randbytes(dice.randrange(200))
    if kind == 1:
        return b"[" * dice.choice([1, 100, 5_000])
    if kind == 2:
        return json.dumps(dice.choice(_VALUES)).encode()
    frame = {"type": dice.choice([*_TYPES, *_VALUES[:8]]), "token": secret}
    for name in ("event_ids", "event_id", "topics", "resume"):
        if dice.random() < 0.5:
            frame[name] = dice.choice([dice.choice(_VALUES), [dice.choice(_VALUES)] * dice.choice([1, 501])])
    text = json.dumps(frame).encode()
    return text[: dice.randrange(1, len(text))] if kind == 3 else text


def garbled_bytes(dice: random.Random, secret: str) -> bytes:
    """Return bytes that break the WebSocket protocol (RFC 6455) in one of many ways."""
    text = json.dumps({"type": "auth", "token": secret}).encode()
    return dice.choice(
        [
            client_frame(text, masked=False),  # section 5.1: a client masks
            client_frame(text, dice.choice([3, 4, 5, 6, 7, 11, 12, 15])),  # reserved opcodes
            client_frame(text, TEXT | dice.choice([0x10, 0x20, 0x40])),  # reserved bits
            client_frame(b"\xff\xfe\xc3\x28"),  # text that is no UTF-8
            client_frame(text[:10], TEXT, final=False)
            + client_frame(text, TEXT),  # a second beginning in a fragmented one
            client_frame(text, 0),  # a continuation of nothing
            client_frame(b"x" * 126, PING),  # a long control frame
            client_frame(b"x", PING, final=False),  # a fragmented one
            client_frame(b"\x03", CLOSE),  # half a close code
            client_frame(struct.pack("!H", dice.choice([0, 999, 1004, 1005, 1006, 5_000])), CLOSE),
            client_frame(struct.pack("!H", 1000) + b"\xff\xff", CLOSE),
            struct.pack("!BBQ", 0x80 | BINARY, 0x80 | 127, 2**62) + b"\0\0\0\0",  # a frame of 4 EiB
            struct.pack("!BBQ", 0x80 | TEXT, 0x80 | 127, 2**63) + b"\0\0\0\0",  # a length with its top bit
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            dice.randbytes(dice.randrange(1, 300)),
        ]
    )
