"""A token bucket: `rate` per second on average, `burst` at once."""


class TokenBucket:
    """Callers pass the time (monotonic seconds), so that one clock reading serves many buckets."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst  # below zero: reserved in advance
        self._at = now

    def take(self, now: float) -> bool:
        """Take one token. Return False, and take none, if there is none."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def reserve(self, now: float, *, within_s: float) -> float | None:
        """Take the next token, even if it comes later. Return how long to wait for it.

        Return None, and take none, if that is longer than `within_s`.
        """
        self._refill(now)
        wait_s = max(0.0, (1 - self._tokens) / self._rate)
        if wait_s > within_s:
            return None
        self._tokens -= 1
        return wait_s

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
