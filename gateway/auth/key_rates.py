"""How fast an API key may call: a token bucket in Redis, shared by all gateway processes.

Each event of a publish and each other call takes one token. Keys without a rate cost nothing here; all those
of a batch of requests take one round trip. While Redis is away nothing is limited.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import redis
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from gateway.codec.middleware import changing_answers
from gateway.codec.problems import problem
from gateway.settings import edge_settings
from runtime.redis.client import client
from runtime.redis.scripts import Script
from users.keys import LiveKey

log = logging.getLogger(__name__)

_BUCKET = Script(Path(__file__).with_suffix(".lua"))
_BURST_S = 10  # of the rate, unless the key has a burst of its own


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a key stands against its rate, after a call that was taken or not."""

    taken: bool
    rate_per_s: int
    burst: int
    left: int
    wait_s: int  # until a call that was not taken would be
    full_s: int  # until the whole burst is there again

    def headers(self) -> dict[str, str]:
        """Return the fields of draft-ietf-httpapi-ratelimit-headers-06."""
        window_s = max(1, round(self.burst / self.rate_per_s))
        found = {
            "RateLimit-Limit": str(self.burst),
            "RateLimit-Remaining": str(self.left),
            "RateLimit-Reset": str(self.full_s if self.taken else self.wait_s),
            "RateLimit-Policy": f"{self.burst};w={window_s}",
        }
        return found if self.taken else found | {"Retry-After": str(self.wait_s)}


class RateLimited(Exception):
    """The key has called too often; nothing was done."""

    def __init__(self, standing: Standing) -> None:
        super().__init__(standing)
        self.standing = standing

    def answer(self) -> HttpResponse:
        rate = f"This key may send {self.standing.rate_per_s} a second, {self.standing.burst} at once."
        detail = f"{rate} Nothing was done: send it again after Retry-After."
        answer: HttpResponse = problem("rate_limited", detail, headers=self.standing.headers())
        return answer


def limited(key: LiveKey) -> bool:
    return bool(_rate(key))


def _rate(key: LiveKey) -> int:
    return edge_settings().key_rate_per_s if key.rate_per_s is None else key.rate_per_s


def take(asked: Sequence[tuple[LiveKey, int]], *, now_ms: float = 0) -> list[Standing | None]:
    """Take so many tokens of each key, one after the other. None: the key has no rate, or Redis is away."""
    calls = [(index, key, cost) for index, (key, cost) in enumerate(asked) if limited(key)]
    standings: list[Standing | None] = [None] * len(asked)
    if not calls:
        return standings
    arguments = [
        ([f"key-rate.{key.prefix}"], [1000 / _rate(key), _burst(key), cost, now_ms]) for _, key, cost in calls
    ]
    try:
        answers = _BUCKET.run_many(client(), arguments)
    except redis.RedisError as error:
        log.warning("key_rates_unavailable", extra={"error": type(error).__name__})
        return standings
    for (index, key, _), (taken, left, wait_ms, full_ms) in zip(calls, answers, strict=True):
        wait_s, full_s = math.ceil(wait_ms / 1000), math.ceil(full_ms / 1000)
        standings[index] = Standing(bool(taken), _rate(key), _burst(key), int(left), wait_s, full_s)
    return standings


def _burst(key: LiveKey) -> int:
    return max(1, _rate(key) * _BURST_S if key.burst is None else key.burst)


def count_call(request: HttpRequest, key: LiveKey) -> None:
    """Take one token for a call, and let its answer say where the key stands. Raises: `RateLimited`."""
    [standing] = take([(key, 1)])
    request.key_standing = standing  # type: ignore[attr-defined]
    if standing is not None and not standing.taken:
        raise RateLimited(standing)


def _with_headers(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    standing: Standing | None = getattr(request, "key_standing", None)
    for name, value in (standing.headers() if standing is not None else {}).items():
        response[name] = value
    return response


# Middleware: adds the `RateLimit` headers to the answers to keys that have a rate.
rate_headers = changing_answers(_with_headers)
