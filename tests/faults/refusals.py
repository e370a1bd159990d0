"""Connections that must be refused, one by one and in crowds, and how."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.faults import edge
from tests.faults.edge import port_of
from tests.faults.stage import Stage
from tests.kit.raw_websocket import BINARY, AsyncRawSocket, Refused, client_frame
from tests.kit.sign_in import SIGNING_KEY, claims, token_for

Outcome = tuple[str, int]  # the error frame's code or "", and the close code or the HTTP status


@dataclass(slots=True)
class Attempt:
    """One attempt to connect that must fail. `secrets` were sent along and must not turn up anywhere."""

    name: str
    expected: tuple[Outcome, ...]
    frames: list[bytes] = field(default_factory=list)
    path: str = "/ws/native"
    headers: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)

    async def make(self, port: int, source: str) -> tuple[Outcome, list[dict]]:
        """Try it; return how it ended, and every frame received."""
        try:
            raw = await AsyncRawSocket.open(port, self.path, source=source, headers=self.headers)
        except Refused as refused:
            return ("", refused.status), []
        for frame in self.frames:
            raw.write(frame)
        code = await raw.until_closed(30)
        raw.cut()
        return (raw.received[0].get("code", "") if raw.received else "", code), raw.received


def _auth(**fields: object) -> bytes:
    return client_frame(json.dumps({"type": "auth", **fields}).encode())


def attempts(stage: Stage) -> list[Attempt]:
    return [*_origins(stage), *_first_frames(stage), *_tokens(stage), *_tickets(stage)]


def _origins(stage: Stage) -> list[Attempt]:
    [session] = edge.sessions(stage, "p0")
    cookie = {"Cookie": f"sessionid={session}"}
    origins = ["https://evil.test", "null", "http://127.0.0.1.evil.test", "http://x@evil.test", "file://"]
    found = [
        Attempt(f"origin {origin}", (("", 4003),), path="/ws", headers={"Origin": origin} | cookie)
        for origin in origins
    ]
    found.append(Attempt("no origin", (("", 4003),), path="/ws", headers=cookie))
    found.append(Attempt("a cookie on the native path", (("", 4001),), headers=cookie))
    forged = {"Cookie": f"sessionid={'a' * 32}", "Origin": stage.system.url}
    found.append(Attempt("a forged session", (("", 4001),), path="/ws", headers=forged))
    found[0].secrets.append(session)
    return found


def _first_frames(stage: Stage) -> list[Attempt]:
    good = token_for("p0")
    wrong = {
        "silence": ([], ("", 4001)),
        "a token in the address": ([], ("", 4001)),
        "ping": ([client_frame(b'{"type":"ping"}')], ("auth_required", 4001)),
        "ack": ([client_frame(b'{"type":"ack","event_ids":["e"]}')], ("auth_required", 4001)),
        "subscribe": ([client_frame(b'{"type":"subscribe","topics":["*"]}')], ("auth_required", 4001)),
        "no JSON": ([client_frame(b"hello")], ("invalid_json", 4001)),
        "a list": ([client_frame(b"[]")], ("missing_type", 4001)),
        "bytes": ([client_frame(_payload(token=good), BINARY)], ("not_text", 4001)),
        "over 4 KiB": ([_auth(token=good, more="x" * 4_096)], ("too_large", 4001)),
        "nothing in it": ([_auth()], ("auth_required", 4001)),
        "token and ticket": ([_auth(token=good, ticket="tkt_x")], ("auth_required", 4001)),
        "a second attempt": ([_auth(token="x"), _auth(token=good)], ("invalid_token", 4001)),
        "ping, then auth": ([client_frame(b'{"type":"ping"}'), _auth(token=good)], ("auth_required", 4001)),
    }
    found = [Attempt(name, (outcome,), frames, secrets=[good]) for name, (frames, outcome) in wrong.items()]
    found[1].path = f"/ws/native?token={good}"
    return found


def _payload(**fields: object) -> bytes:
    return json.dumps({"type": "auth", **fields}).encode()


def _tokens(stage: Stage) -> list[Attempt]:
    public = SIGNING_KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    now = int(time.time())
    bad = {
        "a foreign key": (token_for("p0", key=Ed25519PrivateKey.generate()), "invalid_token"),
        "alg none": (jwt.encode(claims("p0"), None, "none"), "invalid_token"),
        "HS256 with the public key": (_hs256(claims("p0"), public), "invalid_token"),
        "a changed signature": (token_for("p0")[:-6] + "AAAAAA", "invalid_token"),
        "wrong aud": (token_for("p0", aud="else"), "invalid_token"),
        "no aud": (token_for("p0", aud=...), "invalid_token"),
        "expired": (token_for("p0", exp=now - 1), "token_expired"),
        "no exp": (token_for("p0", exp=...), "invalid_token"),
        "for a day": (token_for("p0", exp=now + 86_400), "token_too_long"),
        "issued tomorrow": (token_for("p0", iat=now + 86_400), "invalid_token"),
        "a stranger": (token_for("nobody"), "unknown_user"),
        "an API key": (stage.system.api_key, "invalid_token"),
    }
    return [
        Attempt(name, ((code, 4001),), [_auth(token=text)], secrets=[text])
        for name, (text, code) in bad.items()
    ]


def _hs256(given: dict[str, object], public: bytes) -> str:
    """Sign with the public key as if it were a shared secret; PyJWT itself refuses to."""
    import hmac
    from base64 import urlsafe_b64encode
    from hashlib import sha256

    def part(data: bytes) -> bytes:
        return urlsafe_b64encode(data).rstrip(b"=")

    body = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(given).encode())
    return (body + b"." + part(hmac.new(public, body, sha256).digest())).decode()


def _tickets(stage: Stage) -> list[Attempt]:
    key = edge.key(stage, "tickets")

    def issued() -> str:
        return str(edge.call(stage, "POST", "/tickets", key, json={"user_id": "p0"}).json()["ticket"])

    used, old = issued(), issued()
    asyncio.run(_use(stage, used))
    stage.until(lambda: not stage.system.redis().keys("tocsin:ticket:*"), within_s=60, what="it is too old")
    tickets = {"a used ticket": used, "an old ticket": old, "a forged ticket": "tkt_" + "x" * 43}
    return [
        Attempt(name, (("invalid_ticket", 4001),), [_auth(ticket=text)], secrets=[text])
        for name, text in tickets.items()
    ]


async def _use(stage: Stage, ticket: str) -> None:
    raw = await AsyncRawSocket.open(port_of(stage))
    raw.say(type="auth", ticket=ticket)
    assert await raw.until("ready") is not None
    raw.cut()


# --- too many of them ---------------------------------------------------------------------------------
async def crowds(stage: Stage) -> dict[str, bool]:
    """Fill each limit; return whether the next one was refused."""
    port = port_of(stage)
    results = {
        "an 11th socket of a person": await _one_too_many(
            10,
            lambda n: AsyncRawSocket.signed_in(port, token_for("p1"), source=f"127.0.3.{n + 1}"),
            ("too_many_sockets", 4009),
        ),
        "a 51st socket of an address": await _one_too_many(
            50,
            lambda n: AsyncRawSocket.signed_in(port, token_for(f"p{2 + n % 30}"), source="127.0.4.1"),
            ("too_many_sockets", 4009),
        ),
    }
    results["a 101st that says nothing"] = await _one_too_many(
        100, lambda n: AsyncRawSocket.open(port, source=f"127.0.5.{n % 50 + 1}"), ("busy", 4013)
    )  # fmt: skip
    return results


async def _one_too_many(most: int, come: Callable[[int], object], expected: Outcome) -> bool:
    taken, refused = [], None
    for number in range(most + 1):
        try:
            raw = await come(number)  # type: ignore[misc]
        except Refused as error:
            refused = number, error.status
            break
        taken.append(raw)
    if refused is None and expected[1] == 4013:  # it is accepted, to be sent the error
        code = await taken[-1].until_closed(3)
        refused = (most, code) if taken[-1].received[0]["code"] == expected[0] else None
    for raw in taken:
        raw.cut()
    return refused == (most, expected[1])
